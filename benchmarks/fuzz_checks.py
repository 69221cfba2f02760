"""What must hold for every input, whatever it is: one clear error, or all rows.

The number of rows is counted here by other means than the readers': the `csv` module, lines, `json`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tempfile
import zlib
from pathlib import Path

from barograph.errors import BarographError
from barograph.frames.read import open_rows
from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.decoded import Decoded
from barograph.ingest.layouts import event_layout, label_layout
from barograph.spec.file import load_spec
from barograph.spec.schema import ColumnType, Schema
from barograph.store.batches import from_payload
from barograph.tasks import Task
from fuzz_inputs import Input

NOW = 1_750_000_000_000_000
SCHEMA = Schema(
    task=Task.BINARY,
    features={
        "amount": ColumnType.NUMERIC,
        "colour": ColumnType.CATEGORICAL,
        "known": ColumnType.BOOLEAN,
        "features.x": ColumnType.NUMERIC,
        "features.y": ColumnType.CATEGORICAL,
        "v": ColumnType.EMBEDDING,
    },
    id="event_id",
    timestamp="timestamp",
    label="label",
    scores={"1": "score"},
    classes=("0", "1"),
)
EVENTS, LABELS = event_layout(SCHEMA), label_layout(SCHEMA)
BODIES = {
    "lines.jsonl": "application/x-ndjson",
    "list.json": "application/json",
    "stream.arrows": "application/vnd.apache.arrow.stream",
}


# Files of which nothing is known where they end: their index comes last, or they are packed.
PLACELESS = (".parquet", ".arrow", ".arrows", ".gz")
PLACE = re.compile(r"line \d+|row \d+|position \d+|is empty|has no rows|has no columns")


class Broken(AssertionError):  # noqa: N818  # named for what is wrong
    """A rule that must hold for all inputs does not hold for this one."""


def check_file(given: Input) -> str:
    """Read an input as a file; return what became of it: read, or refused. Raises Broken, or whatever went wrong."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        path = Path(folder, given.form)
        path.write_bytes(given.data)
        try:
            rows = open_rows(path)
            batches = [batch for part in rows.parts for batch in part.batches(rows.schema.names)]
        except BarographError as error:
            _check_error(given, str(error), path)
            return "refused"
    for batch in batches:
        batch.validate(full=True)
    found = sum(batch.num_rows for batch in batches)
    if rows.rows is not None and rows.rows != found:
        raise Broken(f"said to have {rows.rows} rows, but read {found}")
    if not given.damages:
        ids = [value for batch in batches for value in batch.column("event_id").to_pylist()] if found else []
        if ids != [row["event_id"] for row in given.rows]:
            raise Broken(f"ids {ids} of {len(given.rows)} rows that were written")
    expected = counted(given)
    if expected is not None and found != expected:
        raise Broken(f"read {found} rows of {expected}")
    cut_off = [damage.kind for damage in given.damages] == ["truncate"]
    if cut_off and given.form.endswith(PLACELESS):
        raise Broken("a file that is cut off was read as if it were whole")
    return "read"


def _check_error(given: Input, text: str, path: Path) -> None:
    if path.name not in text:
        raise Broken(f"the error does not name the file: {text}")
    if "\n" in text.strip() or len(text) > 3_000:
        raise Broken(f"the error is not one message: {text[:500]!r}")
    # A few characters in Windows-1252 may be UTF-8 by accident: then it is not guessed, but asked for.
    if not given.damages and given.rows and not (given.form == "western.csv" and "is not UTF-8" in text):
        raise Broken(f"a whole file was refused: {text}")
    cut_off = [damage.kind for damage in given.damages] == ["truncate"]
    if cut_off and not given.form.endswith(PLACELESS) and not PLACE.search(text):
        raise Broken(f"the error does not say where the file is cut off: {text}")


def counted(given: Input) -> int | None:
    """Return how many rows an input has by another way of counting, None where none tells."""
    data = given.data
    if given.form.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return None
    if given.form.endswith((".jsonl", ".jsonl.gz")) and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        if data.lstrip().startswith(b"["):
            return None
        return sum(1 for line in data.split(b"\n") if line.strip())
    if given.form == "list.json":
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return len(value) if isinstance(value, list) else None
    if given.form in ("comma.csv", "packed.csv.gz", "tab.tsv", "semicolon.csv") and not given.damages:
        return len(given.rows)
    if given.form == "comma.csv":
        return _records(data)
    return None


def _records(data: bytes) -> int | None:
    """Return how many records a CSV file has; None where the first line leaves its delimiter open."""
    try:
        text = data.decode("utf-8").lstrip("\ufeff\r\n")
    except UnicodeDecodeError:
        return None
    head = text.split("\n", 1)[0]
    if any(sign in head for sign in ';\t|"\r\0') or "," not in head or "\r" in text or "\0" in text:
        return None
    try:
        records = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return None
    # What is not cut alike is refused by the reader; only files that are read are compared.
    return len(records) - 1


def check_body(given: Input) -> str:
    """Decode an input as a body of events, and of labels; return what became of it. Raises like `check_file`."""
    content_type = BODIES[given.form]
    outcome = "refused"
    for decode, layout in ((decode_events, EVENTS), (decode_labels, LABELS)):
        try:
            decoded = decode(given.data, content_type, layout, now_us=NOW)  # type: ignore[operator]  # either of both
        except BarographError as error:
            if not str(error).strip() or len(str(error)) > 3_000:
                raise Broken(f"the error is not one message: {str(error)[:500]!r}") from error
            if not given.damages and given.rows and content_type != BODIES["stream.arrows"]:
                raise Broken(f"a whole body was refused: {error}") from error
            continue
        _check_decoded(given, decoded, "events" if layout is EVENTS else "labels")
        outcome = "read"
    return outcome


def _check_decoded(given: Input, decoded: Decoded, kind: str) -> None:
    if decoded.received != decoded.accepted + decoded.duplicates + len(decoded.rejected):
        raise Broken(f"{decoded.received} rows came, but {decoded.accepted} + {decoded.duplicates} + rejected are told")
    expected = len(given.rows) if not given.damages else counted(given)
    if expected is not None and decoded.received != expected:
        raise Broken(f"{decoded.received} rows of {expected} are told")
    kept = 0
    for part in decoded.parts:
        if part.kind == kind:
            table = from_payload(part.payload())
            table.validate(full=True)
            kept += table.num_rows
    if kept != decoded.accepted:
        raise Broken(f"{decoded.accepted} rows were accepted, {kept} are kept")
    if any(not rejected.reasons for rejected in decoded.rejected):
        raise Broken("a row was rejected without a reason")


def check_spec(data: bytes) -> str:
    """Read bytes as a specification file. Raises like `check_file`."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        path = Path(folder, "model.toml")
        path.write_bytes(data)
        try:
            load_spec(path)
        except BarographError as error:
            if "model.toml" not in str(error):
                raise Broken(f"the error does not name the file: {error}") from error
            return "refused"
    return "read"
