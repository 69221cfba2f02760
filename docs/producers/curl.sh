#!/usr/bin/env bash
# Log events and labels with curl: batches of lines, compressed, tried again until the server has them.
#
#     docs/producers/curl.sh http://127.0.0.1:8321 late-flights
#
# BAROGRAPH_KEY is the key, where one is needed. What is sent twice counts once: every event has an id.
set -euo pipefail
url="$1/v1/models/$2" # a name with spaces or slashes must be percent-encoded
key="${BAROGRAPH_KEY:-}"

# Send lines of JSON (standard input) as events or labels. The answer goes to standard output.
send() {
  local kind="$1" body answer status pause=1
  body="$(mktemp)" answer="$(mktemp)"
  gzip -c > "$body"
  for _ in 1 2 3 4 5 6 7 8; do
    # --retry waits as Retry-After says, for answers of 408, 429 and 5xx.
    status="$(curl -sS -o "$answer" -w '%{http_code}' --retry 8 --retry-connrefused --max-time 60 \
      ${key:+-H "Authorization: Bearer $key"} -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' \
      --data-binary "@$body" "$url/$kind")" || status=000
    case "$status" in
      200 | 422) # 422: none of the rows was taken; the answer says why, row by row
        cat "$answer"
        echo
        rm -f "$body" "$answer"
        return 0
        ;;
      000 | 408 | 409 | 429 | 5*) # the connection broke off, or the model has no reference yet
        sleep "$(awk -v p="$pause" 'BEGIN { srand(); print p * (0.5 + rand() / 2) }')"
        pause=$((pause * 2))
        ;;
      *)
        cat "$answer" >&2
        return 1
        ;;
    esac
  done
  echo "the server could not be reached" >&2
  return 1
}

# A number that is none is text: JSON has no word for it. Whole numbers beyond 2^53 may stand as they are, as nothing here
# reads them as floating point; a column of numbers keeps the nearest double, any other column keeps every digit.
send events << 'ROWS'
{"id": "curl-plain", "timestamp": "2025-06-01T10:00:00Z", "features": {"x": 1.5, "amount": 2, "colour": "red", "known": true, "code": "A1"}, "score": 0.25, "context": {"version": "7", "latency_ms": 3.5}}
{"id": "curl-nan", "timestamp": "2025-06-01T10:00:00Z", "features": {"x": "NaN", "colour": "red"}, "score": 0.25}
{"id": "curl-infinite", "timestamp": "2025-06-01T10:00:00Z", "features": {"x": "-Infinity", "colour": "red"}, "score": 0.25}
{"id": "curl-null", "timestamp": "2025-06-01T10:00:00Z", "features": {"x": null, "colour": null}, "score": 0.25}
{"id": "curl-missing", "timestamp": "2025-06-01T10:00:00Z", "features": {}, "score": 0.25}
{"id": "curl-big", "timestamp": "2025-06-01T10:00:00Z", "features": {"amount": 9007199254740993, "code": 9007199254740993}, "score": 0.25}
{"id": "curl-decimal", "timestamp": "2025-06-01T10:00:00Z", "features": {"amount": "12.30", "code": "12.30"}, "score": 0.25}
{"id": "curl-naive", "timestamp": "2025-06-01T10:00:00", "features": {"x": 1.5}, "score": 0.25}
{"id": "curl-unicode-ü", "timestamp": "2025-06-01T10:00:00Z", "features": {"colour": "grün 🦊 \"\\"}, "score": 0.25}
{"id": "curl-truth", "timestamp": "2025-06-01T10:00:00Z", "features": {"x": true, "known": false}, "score": 0.25}
{"id": "curl-wrong", "timestamp": "2025-06-01T10:00:00Z", "features": {"x": "much"}, "score": 0.25}
ROWS
send labels << 'ROWS'
{"id": "curl-plain", "label": 0, "label_timestamp": "2025-06-02T10:00:00Z"}
{"id": "curl-plain", "label": 1, "label_timestamp": "2025-06-03T10:00:00Z"}
{"id": "curl-nan", "label": 0, "label_timestamp": "2025-06-02T10:00:00Z"}
ROWS
