"""The wire: what is taken for a request, which answer belongs to it, and for how long it is waited for."""

from __future__ import annotations

import gc
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from raw import Answer, answers_of, connected, next_answer, reset, said, until_closed
from serving import Served, serving, wait_for
from test_ingest import EVENTS, event, learn, waiting

from barograph.server import http, requests

LINES = b"".join(json.dumps(event(f"n{i}")).encode() + b"\n" for i in range(2))
HOST = b"Host: 127.0.0.1\r\n"
NDJSON = b"POST /v1/models/flights/events HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-ndjson\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(LINES)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SETTINGS = b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
CLOSE = b"Connection: close\r\n"
# As the HttpClient of Java 17 sends a body by default, and as `curl --http2` does.
JAVA = NDJSON.replace(HOST, b"Connection: Upgrade, HTTP2-Settings\r\n" + LENGTH + HOST + SETTINGS + b"Upgrade: h2c\r\n")
CURL = NDJSON + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS + LENGTH
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def get(path: str, name: str, *headers: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\n%sX-Request-Id: %s\r\n%s\r\n" % (path.encode(), HOST, name.encode(), b"".join(headers))


def names(answers: list[Answer]) -> list[str]:
    return [answer.headers["x-request-id"] for answer in answers]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, reference_data: bytes) -> Path:
    place = tmp_path_factory.mktemp("wire")
    learn(place, reference_data)
    return place


@pytest.fixture(scope="module")
def taking(folder: Path) -> Iterator[Served]:
    """Return a server that takes events and keeps them in the spool."""
    with serving(folder) as served:
        yield served


# Another protocol is offered


@pytest.mark.parametrize("head", [JAVA, CURL, CURL.replace(b"h2c", b"websocket"), CURL.replace(b"h2c", b"h2c, x")])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_an_offered_upgrade_is_ignored_and_the_body_read(taking: Served, head: bytes, in_chunks: bool) -> None:
    request = (
        head.replace(LENGTH, CHUNKED) + b"\r\n" + chunks(LINES[:7], LINES[7:]) if in_chunks else head + b"\r\n" + LINES
    )
    after = get("/healthz", "after", CLOSE)
    cuts = [0, len(head), len(head) + 1, len(head) + 2, len(request) - 1]
    before = waiting(taking, "events")
    for done, cut in enumerate(cuts, 1):
        answers = said(taking.url, *filter(None, [request[:cut], request[cut:] + after]))
        assert [answer.status for answer in answers] == [200, 200]
        assert json.loads(answers[0].body)["accepted"] == 2
        assert names(answers)[1] == "after"
        assert "upgrade" not in answers[0].headers
        assert waiting(taking, "events") == before + 2 * done


def test_it_does_not_matter_where_packets_end(taking: Served) -> None:
    request = JAVA + b"\r\n" + LINES
    for at in range(1, len(request)):
        with connected(taking.url) as connection:
            connection.sendall(request[:at])
            connection.sendall(request[at:])
            assert json.loads(next_answer(connection).body)["accepted"] == 2


def test_each_byte_may_come_alone(taking: Served) -> None:
    request = JAVA + b"\r\n" + LINES + get("/healthz", "after", CLOSE)
    answers = said(taking.url, *(bytes([byte]) for byte in request))
    assert [answer.status for answer in answers] == [200, 200]
    assert json.loads(answers[0].body)["accepted"] == 2


def test_many_offers_in_one_packet(taking: Served) -> None:
    request = JAVA + b"\r\n" + LINES
    answers = said(taking.url, request * 20 + get("/healthz", "last", CLOSE))
    assert [json.loads(answer.body).get("accepted") for answer in answers] == [2] * 20 + [None]


# What two readers could take for different requests


def post(*headers: bytes) -> bytes:
    return NDJSON + b"".join(headers) + b"\r\n"


AMBIGUOUS = {
    "CL.TE": post(b"Content-Length: 5\r\n", CHUNKED) + b"0\r\n\r\n" + SMUGGLED,
    "TE.CL": post(CHUNKED, b"Content-Length: 5\r\n") + b"0\r\n\r\n" + SMUGGLED,
    "TE.TE": post(CHUNKED, b"Transfer-Encoding: identity\r\n") + b"0\r\n\r\n" + SMUGGLED,
    "TE.TE the other way": post(b"Transfer-Encoding: identity\r\n", CHUNKED) + b"0\r\n\r\n" + SMUGGLED,
    "chunked twice": post(CHUNKED, CHUNKED) + chunks(LINES) + SMUGGLED,
    "two codings": post(b"Transfer-Encoding: gzip, chunked\r\n") + chunks(LINES) + SMUGGLED,
    "chunked, chunked": post(b"Transfer-Encoding: chunked, chunked\r\n") + chunks(LINES) + SMUGGLED,
    "unknown coding": post(b"Transfer-Encoding: xchunked\r\n") + chunks(LINES) + SMUGGLED,
    "quoted coding": post(b'Transfer-Encoding: "chunked"\r\n') + chunks(LINES) + SMUGGLED,
    "identity": post(b"Transfer-Encoding: identity\r\n", b"") + LINES + SMUGGLED,
    "vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n") + chunks(LINES) + SMUGGLED,
    "chunks of HTTP/1.0": post(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0") + chunks(LINES) + SMUGGLED,
    "two lengths": post(LENGTH, b"Content-Length: 3\r\n") + LINES + SMUGGLED,
    "a length twice": post(LENGTH, LENGTH) + LINES + SMUGGLED,
    "a list of lengths": post(LENGTH.strip() + b", 3\r\n") + LINES + SMUGGLED,
    "+length": post(b"Content-Length: +3\r\n") + LINES + SMUGGLED,
    "-length": post(b"Content-Length: -3\r\n") + LINES + SMUGGLED,
    "0x length": post(b"Content-Length: 0x3\r\n") + LINES + SMUGGLED,
    "no length": post(b"Content-Length: \r\n") + LINES + SMUGGLED,
    "endless length": post(b"Content-Length: 99999999999999999999999\r\n") + LINES + SMUGGLED,
    "space before colon": post(b"Content-Length : 3\r\n", LENGTH) + LINES + SMUGGLED,
    "tab before colon": post(b"Transfer-Encoding\t: chunked\r\n", LENGTH) + LINES + SMUGGLED,
    "folded": post(b"X: a\r\n b\r\n", LENGTH) + LINES + SMUGGLED,
    "folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n") + chunks(LINES) + SMUGGLED,
    "folded at first": post().replace(HOST, b" " + HOST, 1) + LINES + SMUGGLED,
    "bare LF": post(b"X: a\nTransfer-Encoding: chunked\r\n", LENGTH) + LINES + SMUGGLED,
    "bare CR": post(b"X: a\rTransfer-Encoding: chunked\r\n", LENGTH) + LINES + SMUGGLED,
    "only LF": post(LENGTH).replace(b"\r\n", b"\n") + LINES + SMUGGLED,
    "CR without LF at the end": post(LENGTH)[:-1] + LINES + SMUGGLED,
    "NUL": post(b"X: a\x00b\r\n", LENGTH) + LINES + SMUGGLED,
    "no colon": post(b"Transfer-Encoding\r\n", LENGTH) + LINES + SMUGGLED,
    "no name": post(b": chunked\r\n", LENGTH) + LINES + SMUGGLED,
    "chunk size 0x": post(CHUNKED) + b"0x3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size -": post(CHUNKED) + b"-3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size of 68 bits": post(CHUNKED) + b"10000000000000003\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size and a space": post(CHUNKED) + b"3 \r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "no chunk size": post(CHUNKED) + b"\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk that is longer": post(CHUNKED) + b"2\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk line with LF": post(CHUNKED) + b"3\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk extension with LF": post(CHUNKED) + b"3;a\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "length in a trailer": post(CHUNKED) + chunks(LINES)[:-2] + b"Content-Length: 3\r\n\r\n" + SMUGGLED,
    "no host": post(LENGTH).replace(HOST, b"") + LINES + SMUGGLED,
    "two hosts": post(HOST, LENGTH) + LINES + SMUGGLED,
    "two types": post(b"Content-Type: application/json\r\n", LENGTH) + LINES + SMUGGLED,
    "two encodings": post(b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n", LENGTH) + LINES + SMUGGLED,
    "another host in the target": post(LENGTH).replace(b"POST ", b"POST http://elsewhere") + LINES + SMUGGLED,
    "another scheme": post(LENGTH).replace(b"POST ", b"POST ftp://127.0.0.1") + LINES + SMUGGLED,
    "fragment": post(LENGTH).replace(b" HTTP", b"#x HTTP") + LINES + SMUGGLED,
    "space in the target": post(LENGTH).replace(b"events", b"events /x") + LINES + SMUGGLED,
    "star": post(LENGTH).replace(b"/v1/models/flights/events", b"*") + LINES + SMUGGLED,
    "CONNECT": post(LENGTH).replace(b"POST /v1/models/flights/events", b"CONNECT 127.0.0.1:80") + LINES + SMUGGLED,
    "CONNECT to a path": post(LENGTH).replace(b"POST", b"CONNECT") + LINES + SMUGGLED,
    "HTTP/2.0": post(LENGTH).replace(b"HTTP/1.1", b"HTTP/2.0") + LINES + SMUGGLED,
    "HTTP/0.9": b"GET /healthz\r\n\r\n" + SMUGGLED,
    "HTTP/2 without being asked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "an offer, then two lengths": CURL + LENGTH + b"\r\n" + LINES + SMUGGLED,
    "an offer, then a bad chunk": CURL.replace(LENGTH, CHUNKED) + b"\r\nzz\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_is_ambiguous_is_refused_and_the_connection_closed(taking: Served, request_: bytes) -> None:
    before = waiting(taking, "events"), waiting(taking, "rejected")
    for packets in ([request_], [bytes([byte]) for byte in request_]):
        with connected(taking.url) as connection:
            try:
                for packet in packets:
                    connection.sendall(packet)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was refused before all was sent
            answers = answers_of(until_closed(connection))
        assert [answer.status for answer in answers] == [400]
        assert answers[0].headers["connection"] == "close"
        assert json.loads(answers[0].body)["type"] == "urn:barograph:malformed"
    assert (waiting(taking, "events"), waiting(taking, "rejected")) == before


WELL_FORMED = {
    "chunk extensions": post(CHUNKED, CLOSE) + b'%x;a=b;c="d e"\r\n%s\r\n0;e\r\n\r\n' % (len(LINES), LINES),
    "chunk sizes in capitals, with zeros": post(CHUNKED, CLOSE) + b"000%X\r\n%s\r\n000\r\n\r\n" % (len(LINES), LINES),
    "chunks of a byte": post(b"transfer-encoding: Chunked\r\n", CLOSE) + chunks(*(bytes([b]) for b in LINES)),
    "lines before the request": b"\r\n\r\n" + post(LENGTH, CLOSE) + LINES,
    "the same host in the target": post(LENGTH, CLOSE).replace(b"POST ", b"POST http://127.0.0.1") + LINES,
    "HTTP/1.0": post(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.0").replace(HOST, HOST) + LINES,
    "space around values": post(b"Content-Length: \t%d \t\r\n" % len(LINES), CLOSE) + LINES,
}


@pytest.mark.parametrize("request_", WELL_FORMED.values(), ids=WELL_FORMED.keys())
def test_what_is_merely_unusual_is_answered(taking: Served, request_: bytes) -> None:
    (answer,) = said(taking.url, request_)
    assert (answer.status, json.loads(answer.body).get("accepted")) == (200, 2)


def test_trailers_are_no_headers(taking: Served) -> None:
    """Who holds a request back behind another could otherwise change its headers after they were checked."""
    trailers = b"X-Request-Id: trailer\r\nX-Forwarded-For: 10.0.0.1\r\nAuthorization: Bearer nonsense\r\n\r\n"
    first = get("/v1/models", "first")
    second = post(CHUNKED, CLOSE, b"X-Request-Id: second\r\n") + chunks(LINES)[:-2] + trailers
    answers = said(taking.url, first + second)
    assert [answer.status for answer in answers] == [200, 200]
    assert names(answers) == ["first", "second"]


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /%s HTTP/1.1\r\n" % (b"x" * requests.HEAD_BYTES) + HOST + b"\r\n",
        b"GET /%s" % (b"x" * requests.HEAD_BYTES * 2),
        b"GET / HTTP/1.1\r\n" + HOST + b"X: %s\r\n\r\n" % (b"x" * requests.HEAD_BYTES),
        b"GET / HTTP/1.1\r\n" + HOST + b"X: %s" % (b"x" * requests.HEAD_BYTES * 2),
        b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * requests.HEADERS + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * (requests.HEADERS + 1),
    ],
    ids=count(),
)
def test_heads_are_bounded(taking: Served, request_: bytes) -> None:
    answers = said(taking.url, request_)
    assert [answer.status for answer in answers] == [431]
    assert answers[0].headers["connection"] == "close"


@pytest.mark.parametrize(
    "endless", [b"1;" + b"x" * 500_000, b"0\r\nX: " + b"x" * 500_000], ids=["extension", "trailer"]
)
def test_what_is_around_a_body_is_bounded(taking: Served, endless: bytes) -> None:
    (answer,) = said(taking.url, post(CHUNKED), endless)
    assert answer.status == 400


# Which answer belongs to which request


def test_requests_that_come_at_once_are_answered_in_order(taking: Served) -> None:
    paths = ["/healthz", "/v1/models", "/nowhere", "/metrics", "/v1/models/flights", "/readyz"]
    before = waiting(taking, "events")
    batch = b"".join(get(path, f"r{i}") for i, path in enumerate(paths))
    batch += post(LENGTH, b"X-Request-Id: r6\r\n") + LINES + get("/healthz", "r7", CLOSE)
    for packets in ([batch], [batch[:100], batch[100:700], batch[700:]]):
        answers = said(taking.url, *packets)
        assert names(answers) == [f"r{i}" for i in range(8)]
        assert [answer.status for answer in answers] == [200, 200, 404, 200, 200, 200, 200, 200]
    assert waiting(taking, "events") == before + 4


def test_a_broken_request_is_answered_after_those_before_it(taking: Served) -> None:
    good = post(LENGTH, b"X-Request-Id: good\r\n") + LINES
    for broken in (b"no HTTP\r\n\r\n", post(CHUNKED) + b"zz\r\n", post(LENGTH, LENGTH) + LINES):
        answers = said(taking.url, get("/v1/models", "first") + good + broken + SMUGGLED)
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert names(answers)[:2] == ["first", "good"]
        assert json.loads(answers[1].body)["accepted"] == 2


def test_nothing_after_close_is_done(taking: Served) -> None:
    before = waiting(taking, "events")
    for after in (post(LENGTH) + LINES, b"no HTTP\r\n\r\n", CURL + b"\r\n" + LINES):
        answers = said(taking.url, get("/v1/models", "last", CLOSE) + after)
        assert names(answers) == ["last"]
    assert waiting(taking, "events") == before


def test_too_many_at_once_are_refused_by_closing(taking: Served) -> None:
    answers = said(taking.url, b"".join(get("/healthz", f"p{i}") for i in range(http.PIPELINED + 50)))
    assert names(answers) == [f"p{i}" for i in range(http.PIPELINED + 1)]
    assert answers[-1].headers["connection"] == "close"


def test_a_body_that_nobody_wanted_is_no_request(taking: Served) -> None:
    body = SMUGGLED * 20_000
    head = b"POST /nowhere HTTP/1.1\r\n" + HOST + b"X-Request-Id: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    answers = said(taking.url, head, body, get("/healthz", "b", CLOSE))
    assert names(answers) == ["a", "b"]
    assert [answer.status for answer in answers] == [404, 200]


def test_the_answer_reaches_a_client_that_is_still_sending(taking: Served) -> None:
    head = post(b"Content-Length: 1000000000\r\n")
    with connected(taking.url) as connection:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(bytes(65536))  # which would fail if the connection were reset
        assert next_answer(connection).status == 413


def test_nothing_follows_a_body_that_waits_to_be_asked_for(taking: Served) -> None:
    """The client may leave the body out after 404, or send it: what comes next could be either."""
    expects = b"Expect: 100-continue\r\n"
    answers = said(taking.url, post(LENGTH, expects).replace(b"flights", b"nobody"), SMUGGLED)
    assert [answer.status for answer in answers] == [404]
    with connected(taking.url) as connection:
        connection.sendall(post(LENGTH, expects))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(LINES)
        assert json.loads(next_answer(connection).body)["accepted"] == 2


# Time and number


@pytest.fixture(scope="module")
def hasty(folder: Path) -> Iterator[Served]:
    """Return a server that waits for heads for a moment only, with few connections."""
    with serving(folder, head_seconds=0.4, connections=12) as served:
        yield served


def test_a_head_must_come_in_time(hasty: Served) -> None:
    start = time.monotonic()
    assert said(hasty.url) == []
    assert [answer.status for answer in said(hasty.url, b"GET /healthz HTTP/1.1\r\nHost: 127")] == [408]
    with connected(hasty.url) as connection:
        connection.sendall(get("/healthz", "a"))
        assert next_answer(connection).status == 200
        connection.sendall(b"G")
        assert [answer.status for answer in answers_of(until_closed(connection))] == [408]
        assert time.monotonic() - start < 10.0


def test_a_connection_between_requests_is_kept(hasty: Served) -> None:
    with connected(hasty.url) as connection:
        connection.sendall(get("/healthz", "a"))
        assert next_answer(connection).status == 200
        assert said(hasty.url) == []  # for longer than a head may take
        connection.sendall(get("/healthz", "b"))
        assert next_answer(connection).headers["x-request-id"] == "b"


def test_a_body_after_its_answer_must_come_in_time(hasty: Served) -> None:
    answers = said(hasty.url, b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
    assert [answer.status for answer in answers] == [404]


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\n", post(LENGTH) + LINES[:-1]], ids=count())
def test_connections_that_let_others_wait_give_way(hasty: Served, sent: bytes) -> None:
    before = waiting(hasty, "events")
    with ExitStack() as stack:
        waiters = [stack.enter_context(connected(hasty.url)) for _ in range(60)]
        for waiter in waiters:
            try:
                waiter.sendall(sent)
            except (BrokenPipeError, ConnectionResetError):
                continue
        for i in range(5):
            (answer,) = said(hasty.url, get("/healthz", f"s{i}", CLOSE))
            assert (answer.status, answer.headers["x-request-id"]) == (200, f"s{i}")
        assert json.loads(said(hasty.url, post(LENGTH, CLOSE) + LINES)[0].body)["accepted"] == 2
        assert waiting(hasty, "events") == before + 2


def test_when_all_connections_are_being_answered_another_is_refused(folder: Path, reference_data: bytes) -> None:
    path = b"POST /v1/models/flights/references?wait=2 HTTP/1.1\r\n"
    head = path + HOST + b"Content-Type: application/vnd.apache.parquet\r\nContent-Length: %d\r\n" % len(reference_data)
    with serving(folder, connections=1) as served, connected(served.url) as working:  # nobody learns from it
        working.sendall(head + CLOSE + b"\r\n" + reference_data)
        wait_for(lambda: not _waits(served), "the upload is complete")
        (refused,) = said(served.url)
        assert (refused.status, refused.headers["connection"], refused.headers["retry-after"]) == (503, "close", "1")
        assert [answer.status for answer in answers_of(until_closed(working))] == [202]
        assert [answer.status for answer in said(served.url, get("/healthz", "a", CLOSE))] == [200]


def _waits(served: Served) -> bool:
    return not any((served.service.settings.folder / "uploads").glob("*.parquet"))


def test_an_answer_that_is_not_read_ends(hasty: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "STALLED_S", 0.2)
    with connected(hasty.url) as connection:
        connection.sendall(get("/v1/openapi.json", "a") * http.PIPELINED)
        wait_for(lambda: _broken(connection), "the connection is broken off")


def _broken(connection: socket.socket) -> bool:
    try:
        connection.send(b"\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_a_server_that_ends_does_not_wait_for_half_a_body(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "END_S", 0.2)
    with ExitStack() as stack:
        with serving(folder) as served:
            half, idle = (stack.enter_context(connected(served.url)) for _ in range(2))
            half.sendall(post(LENGTH) + LINES[:5])
            wait_for(lambda: served.service.ingest.memory.held_bytes == 5, "its beginning is there")
            start = time.monotonic()
        assert time.monotonic() - start < 5.0
        assert [answer.status for answer in answers_of(until_closed(half))] == [503]
        assert until_closed(idle) == b""


KINDS = {
    "nothing": b"",
    "half a head": post()[:40],
    "half a body": post(LENGTH) + LINES[:9],
    "a request": post(LENGTH, CLOSE) + LINES,
    "an offer": JAVA + CLOSE + b"\r\n" + LINES,
    "nonsense": b"no HTTP\r\n\r\n",
    "a bad chunk": post(CHUNKED) + b"zz\r\n",
    "nothing that is there": get("/nowhere", "a", CLOSE),
}


@pytest.mark.parametrize("sent", KINDS.values(), ids=KINDS.keys())
def test_what_a_connection_holds_is_freed_with_it(taking: Served, sent: bytes) -> None:
    """Garbage is looked for seldom: thousands of connections would pile up before they were found."""

    def held() -> int:
        kinds = (http.HttpConnection, requests.RequestParser, http.Exchange)
        return sum(isinstance(one, kinds) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = held()
        for _ in range(5):
            with connected(taking.url) as connection:
                connection.sendall(sent)
        wait_for(lambda: held() <= before, "they are freed")
    finally:
        gc.enable()


# Broken off


def test_a_request_that_breaks_off_leaves_nothing(taking: Served) -> None:
    before = waiting(taking, "events"), waiting(taking, "rejected")
    for request in (post(LENGTH) + LINES, JAVA + b"\r\n" + LINES, post(CHUNKED) + chunks(LINES[:9], LINES[9:])):
        for at in range(len(request)):
            with connected(taking.url) as connection:
                connection.sendall(request[:at])
                if at % 2:
                    reset(connection)
    wait_for(lambda: taking.service.ingest.memory.held_bytes == 0, "every body is let go of")
    assert taking.client.get("/healthz").status_code == 200
    assert (waiting(taking, "events"), waiting(taking, "rejected")) == before


def test_what_is_acknowledged_is_there_and_what_is_not_was_sent_whole(taking: Served) -> None:
    """Of connections that are reset right after a whole request, each is either stored whole or not at all."""
    before, acknowledged, n = waiting(taking, "events"), 0, 60
    for i in range(n):
        with connected(taking.url) as connection:
            connection.sendall(post(LENGTH) + LINES)
            if i % 3 == 0:
                acknowledged += json.loads(next_answer(connection).body)["accepted"]
            reset(connection)
    wait_for(lambda: not taking.service.ingest.memory.held_bytes, "every body is let go of")
    assert taking.client.post(EVENTS, json=event("end")).status_code == 200
    stored = waiting(taking, "events") - before - 1
    assert acknowledged == 40
    assert acknowledged <= stored <= 2 * n
    assert stored % 2 == 0
