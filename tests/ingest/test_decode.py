"""Events and labels in every format: the same rows are taken, and the same rows refused for the same reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from barograph.errors import InputError, TooLarge
from barograph.ingest.arrow_rows import ARROW
from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.decoders import catalogue
from barograph.ingest.json_events import FEW
from barograph.ingest.json_rows import JSON, NDJSON
from barograph.ingest.layouts import event_layout, label_layout
from barograph.ingest.limits import Limits
from barograph.ingest.rejected import rows_of
from barograph.spec.schema import ColumnType, Schema
from barograph.tasks import Task

formats = pytest.mark.parametrize("form", catalogue())
sizes = pytest.mark.parametrize("n", [1, FEW, FEW + 1])
DAY = 86_400_000_000


@formats
@sizes
def test_good_events_are_kept_as_they_are(given: ModuleType, form: str, n: int) -> None:
    found = decode_events(given.body(given.events(n), form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.received, found.accepted, found.duplicates, found.rejected) == (n, n, 0, ())
    table = given.kept(found)
    assert table.schema == event_layout(given.SCHEMA).arrow
    assert table.num_rows == n
    assert table.to_pylist()[-1] == {
        "event_id": f"e{n - 1}",
        "timestamp": datetime(2025, 6, 1, 10, tzinfo=UTC),
        "amount": (n - 1) / 2,
        "colour": "red",
        "known": "True",
        "score": 0.25,
        "_received": datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC),
        "_extra": None,
    }


@formats
@sizes
@pytest.mark.parametrize("name", ['in "quotes"', "back\\slash", "a\ttab", "<b>&amp;"])
def test_a_column_may_have_any_name(given: ModuleType, form: str, n: int, name: str) -> None:
    schema = replace(given.SCHEMA, features={**given.SCHEMA.features, name: ColumnType.NUMERIC})
    rows = [{**row, name: 7.5} for row in given.events(n)]
    found = decode_events(given.body(rows, form), form, event_layout(schema), now_us=given.NOW)
    assert (found.accepted, found.rejected) == (n, ())
    assert given.kept(found).column(name).to_pylist() == [7.5] * n


@formats
@sizes
def test_bad_rows_are_rejected_with_all_reasons_and_the_others_taken(given: ModuleType, form: str, n: int) -> None:
    bad: list[dict[str, Any]] = [
        given.event(0, event_id=None),
        given.event(1, event_id=""),
        given.event(2, event_id="x" * 257),
        given.event(3, timestamp=None),
        given.event(4, timestamp="soon"),
        given.event(5, timestamp="1969-12-31T23:59:59Z"),
        given.event(6, timestamp="2025-06-16T15:06:41Z"),
        given.event(7, amount="much"),
        given.event(8, score="high"),
        given.event(9, label="perhaps" * 200),
        given.event(10, label="1", labelled="never"),
        given.event(11, timestamp="2025-02-30T10:00:00Z", amount="many", event_id=None),
    ]
    if form == ARROW:  # a column has one type there, so numbers are texts
        bad = [{**row, "amount": str(row["amount"]), "score": str(row["score"])} for row in bad]
    good = [{**row, "amount": "1", "score": "0"} if form == ARROW else row for row in given.events(n)]
    body = given.body(bad + [{**row, "label": None, "labelled": None} for row in good], form)
    found = decode_events(body, form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.received, found.accepted, found.duplicates) == (n + 12, n, 0)
    times = "expected ISO 8601, or seconds, milliseconds or microseconds since 1970"
    assert given.reasons(found) == {
        0: "event_id: missing",
        1: "event_id: missing",
        2: "event_id: expected at most 256 characters, got 257",
        3: "timestamp: missing",
        4: f"timestamp: {times}, got 'soon'",
        5: "timestamp: '1969-12-31T23:59:59Z' is before 1971, as of a clock that was never set",
        6: "timestamp: '2025-06-16T15:06:41Z' is more than a day ahead of now",
        7: "amount: expected a number, got 'much'",
        8: "score: expected a number, got 'high'",
        9: "label: expected at most 1,000 bytes of text, got 1,400",
        10: f"labelled: {times}, got 'never'",
        11: given.reasons(found)[11],  # all that is wrong with a row is said, in the order in which it was found
    }
    for what in ("event_id: missing", "amount: expected a number", "got '2025-02-30T10:00:00Z'"):
        assert what in given.reasons(found)[11]
    assert [r.index for r in found.rejected] == list(range(12))
    assert msgspec.json.decode(found.rejected[7].row)["amount"] == "much"
    assert given.kept(found)["event_id"].to_pylist() == [f"e{i}" for i in range(n)]
    (part,) = [p for p in found.parts if p.kind == "rejected"]
    kept = list(rows_of(part.payload()))
    assert kept[4] == {"kind": "events", "index": 4, "reasons": [given.reasons(found)[4]], "row": found.rejected[4].row}


@formats
def test_many_rejected_rows_are_read_as_few_are(given: ModuleType, form: str) -> None:
    n = 5_007
    rows = [given.event(i, amount="much") for i in range(n)]
    rows[5], rows[-1] = given.event(5, amount="1"), given.event(n, amount="more")
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.accepted, len(found.rejected)) == (1, n - 1)
    assert [r.index for r in found.rejected] == [i for i in range(n) if i != 5]
    last = found.rejected[-1]
    assert (last.index, last.reasons) == (n - 1, ("amount: expected a number, got 'more'",))
    assert msgspec.json.decode(last.row)["event_id"] == f"e{n}"
    assert list(found.rejected[4:7]) == [found.rejected[i] for i in (4, 5, 6)]
    with pytest.raises(IndexError):
        found.rejected[n - 1]
    kept = [row for part in found.parts if part.kind == "rejected" for row in rows_of(part.payload())]
    assert [(row["index"], tuple(row["reasons"]), row["row"]) for row in kept] == [
        (r.index, r.reasons, r.row) for r in found.rejected
    ]
    assert {row["kind"] for row in kept} == {"events"}


@formats
@sizes
def test_the_first_row_of_an_id_is_taken_the_others_are_counted(given: ModuleType, form: str, n: int) -> None:
    rows = [*given.events(n), given.event(0, colour="blue"), given.event(0, event_id="e0", amount=None)]
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.received, found.accepted, found.duplicates, found.rejected) == (n + 2, n, 2, ())
    assert given.kept(found)["event_id"].to_pylist() == [f"e{i}" for i in range(n)]
    assert set(given.kept(found)["colour"].to_pylist()) == {"red"}


@formats
@sizes
def test_labels_inside_events_become_rows_of_their_own(given: ModuleType, form: str, n: int) -> None:
    rows = [given.event(i, label=None, labelled=None) for i in range(n)]
    rows.append(given.event(n, label="1", labelled="2025-06-10T00:00:00Z"))
    rows.append(given.event(n + 1, label="false", labelled=None))
    rows.append(given.event(n + 1, label="1", labelled=None))  # a duplicate's label goes with it
    rows.append(given.event(n + 2, label=" ", labelled=None))
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.accepted, found.labels, found.duplicates, found.rejected) == (n + 3, 2, 1, ())
    now = datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
    assert "label" not in given.kept(found).column_names
    assert given.kept(found, "labels").to_pylist() == [
        {"id": f"e{n}", "label": "1", "label_timestamp": datetime(2025, 6, 10, tzinfo=UTC), "_received": now},
        {"id": f"e{n + 1}", "label": "0", "label_timestamp": now, "_received": now},
    ]


@formats
@sizes
def test_unknown_fields_are_kept_and_missing_columns_named(given: ModuleType, form: str, n: int) -> None:
    rows = [
        {"event_id": f"e{i}", "timestamp": 1_748_000_000, "amount": 1.5, "trace": f"t{i}", "né": 2} for i in range(n)
    ]
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert found.accepted == n
    assert found.unknown == {"trace": n, "né": n}
    assert set(found.missing) == {"colour", "known", "score"}
    assert msgspec.json.decode(given.kept(found)["_extra"][n - 1].as_py()) == {"trace": f"t{n - 1}", "né": 2}


@formats
def test_ignored_columns_are_neither_kept_nor_unknown(given: ModuleType, form: str) -> None:
    layout = event_layout(replace(given.SCHEMA, ignored=("name",)))
    found = decode_events(given.body(given.events(2, name="Ann"), form), form, layout, now_us=given.NOW)
    assert (found.accepted, found.unknown) == (2, {})
    assert given.kept(found)["_extra"].null_count == 2


@formats
@sizes
def test_ids_and_categories_are_texts_however_they_come(given: ModuleType, form: str, n: int) -> None:
    rows = [given.event(i, event_id=i + 1, colour=3.0, known=False) for i in range(n)]
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    table = given.kept(found)
    assert table["event_id"].to_pylist() == [str(i + 1) for i in range(n)]
    assert set(table["colour"].to_pylist()) == {"3"}
    assert set(table["known"].to_pylist()) == {"False"}


@formats
@sizes
def test_a_truth_value_is_a_number_where_numbers_are_wanted(given: ModuleType, form: str, n: int) -> None:
    rows = given.events(n, amount=True)
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert given.kept(found)["amount"].to_pylist() == [1.0] * n


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-06-01T10:00:00Z", "2025-06-01T10:00:00+00:00"),
        ("2025-06-01T10:00:00.123456789+02:00", "2025-06-01T08:00:00.123456+00:00"),
        ("2025-06-01 10:00", "2025-06-01T06:00:00+00:00"),
        ("2025-06-01", "2025-05-31T20:00:00+00:00"),
        (1_748_772_000, "2025-06-01T10:00:00+00:00"),
        (1_748_772_000.5, "2025-06-01T10:00:00.500000+00:00"),
        (1_748_772_000_000, "2025-06-01T10:00:00+00:00"),
        (1_748_772_000_000_001, "2025-06-01T10:00:00.000001+00:00"),
    ],
)
@sizes
@formats
def test_times_are_read_in_all_their_forms(given: ModuleType, form: str, n: int, value: Any, expected: str) -> None:
    schema = replace(given.SCHEMA, timezone="Asia/Dubai")  # UTC+4, all the year
    rows = given.events(n, timestamp=value)
    found = decode_events(given.body(rows, form), form, event_layout(schema), now_us=given.NOW)
    assert found.rejected == ()
    assert {t.isoformat() for t in given.kept(found)["timestamp"].to_pylist()} == {expected}


@pytest.mark.parametrize("value", [0, 5, 99_999_999, -1_748_772_000, 1e300, "", "12", True])
@sizes
def test_numbers_that_may_mean_anything_are_no_times(given: ModuleType, n: int, value: Any) -> None:
    for form in (JSON, NDJSON, ARROW):
        rows = given.events(n, timestamp=value)
        found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
        assert (found.accepted, len(found.rejected)) == (0, n)
        assert found.parts[0].kind == "rejected"


@formats
@sizes
def test_a_day_ahead_is_believed_a_microsecond_more_is_not(given: ModuleType, form: str, n: int) -> None:
    for ahead, taken in ((DAY, n), (DAY + 1, 0)):
        rows = given.events(n, timestamp=given.NOW + ahead)
        found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
        assert found.accepted == taken


@formats
@sizes
def test_labels_are_read_under_common_and_own_names(given: ModuleType, form: str, n: int) -> None:
    rows = [{"id": f"e{i}", "label": i % 2, "label_timestamp": "2025-06-10T00:00:00Z"} for i in range(n)]
    own = [{"event_id": r["id"], "label": r["label"], "labelled": r["label_timestamp"]} for r in rows]
    layout = label_layout(given.SCHEMA)
    found = [decode_labels(given.body(r, form), form, layout, now_us=given.NOW) for r in (rows, own)]
    for one in found:
        assert (one.received, one.accepted, one.labels, one.rejected) == (n, n, n, ())
        assert given.kept(one, "labels")["label"].to_pylist() == [str(i % 2) for i in range(n)]
        assert set(given.kept(one, "labels")["label_timestamp"].to_pylist()) == {datetime(2025, 6, 10, tzinfo=UTC)}
    assert given.kept(found[0], "labels") == given.kept(found[1], "labels")


@formats
@sizes
def test_bad_labels_are_rejected_and_corrections_kept(given: ModuleType, form: str, n: int) -> None:
    rows = [{"id": f"e{i}", "label": "1"} for i in range(n)]
    rows += [{"id": "e0", "label": "1"}, {"id": "e0", "label": "0"}]  # the same again, and a correction
    bad = [
        {"id": None, "label": "1"},
        {"id": "a", "label": None},
        {"id": "b", "label": " "},
        {"id": "c", "label": "NaN"},
    ]
    rows += [{"id": "d", "label": " 2"}]  # a class that the reference does not have is a label
    found = decode_labels(given.body(rows + bad, form), form, label_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.received, found.accepted, found.duplicates) == (n + 7, n + 2, 1)
    assert given.reasons(found) == {
        n + 3: "id: missing",
        n + 4: "label: missing",
        n + 5: "label: missing",
        n + 6: "label: missing",
    }
    last = given.kept(found, "labels").slice(n).to_pylist()
    assert [(r["id"], r["label"]) for r in last] == [("e0", "0"), ("d", "2")]


@formats
@sizes
def test_what_stands_for_no_label_is_said_in_the_schema(given: ModuleType, form: str, n: int) -> None:
    schema = replace(given.SCHEMA, null_values=("-1",))
    rows = [*({"id": f"e{i}", "label": i % 2} for i in range(n)), {"id": "z", "label": -1}]
    found = decode_labels(given.body(rows, form), form, label_layout(schema), now_us=given.NOW)
    assert given.reasons(found) == {n: "label: missing"}
    regression = Schema(task=Task.REGRESSION, id="id", timestamp="ts", label="label", null_values=("-1",))
    found = decode_labels(given.body(rows, form), form, label_layout(regression), now_us=given.NOW)
    assert given.reasons(found) == {n: "label: missing"}


@formats
@sizes
def test_scores_that_are_no_probabilities_are_told(given: ModuleType, form: str, n: int) -> None:
    rows = given.events(n + 1)
    few = [{**rows[0], "score": 1.5}, {**rows[1], "score": -0.1}, *rows[2:]]
    found = decode_events(given.body(few, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert found.accepted == n + 1
    assert found.doubts == ("score: 2 rows have a number outside 0 to 1, such as 1.5: it counts as no score",)
    assert decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW).doubts == ()


@formats
@sizes
def test_labels_of_a_regression_are_numbers(given: ModuleType, form: str, n: int) -> None:
    layout = label_layout(Schema(task=Task.REGRESSION, id="event_id", timestamp="timestamp", label="cost"))
    rows: list[dict[str, Any]] = [{"id": f"e{i}", "cost": i / 4} for i in range(n)]
    found = decode_labels(given.body(rows, form), form, layout, now_us=given.NOW)
    assert given.kept(found, "labels")["label"].to_pylist() == [i / 4 for i in range(n)]
    rows = [{"id": "a", "cost": "1e3"}, {"id": "b", "cost": "dear"}, {"id": "c", "cost": ""}]
    found = decode_labels(given.body(rows, form), form, layout, now_us=given.NOW)
    assert given.reasons(found) == {1: "label: expected a number, got 'dear'", 2: "label: missing"} or form == ARROW
    assert [r.index for r in found.rejected] == [1, 2]
    assert given.kept(found, "labels")["label"].to_pylist() == [1000.0]


@pytest.mark.parametrize("more", [{}, {"unknown": 1}])
@formats
def test_an_embedding_is_kept_as_the_text_of_its_list(given: ModuleType, form: str, more: dict[str, Any]) -> None:
    schema = replace(given.SCHEMA, features={"vector": ColumnType.EMBEDDING})
    rows = [{"event_id": "a", "timestamp": 1_748_000_000, "vector": [0.5, 1.5], **more}]
    rows.append({"event_id": "b", "timestamp": 1_748_000_000, "vector": None})  # type: ignore[dict-item]
    found = decode_events(given.body(rows, form), form, event_layout(schema), now_us=given.NOW)
    assert found.rejected == ()
    texts = given.kept(found)["vector"].to_pylist()
    assert (msgspec.json.decode(texts[0]), texts[1]) == ([0.5, 1.5], None)


@formats
@sizes
def test_too_long_texts_are_rejected_by_row(given: ModuleType, form: str, n: int) -> None:
    layout = event_layout(given.SCHEMA, Limits(text_bytes=1000))
    rows = [*given.events(n), given.event(n, colour="é" * 501), given.event(n + 1, colour="é" * 500)]
    found = decode_events(given.body(rows, form), form, layout, now_us=given.NOW)
    assert given.reasons(found) == {n: "colour: expected at most 1,000 bytes of text, got 1,002"}
    assert found.accepted == n + 1


@formats
def test_no_more_rows_are_taken_than_the_limit(given: ModuleType, form: str) -> None:
    layout = event_layout(given.SCHEMA, Limits(body_rows=150))
    good = decode_events(given.body(given.events(150), form), form, layout, now_us=given.NOW)
    assert good.accepted == 150
    with pytest.raises(TooLarge, match="more than 150 rows"):
        decode_events(given.body(given.events(151), form), form, layout, now_us=given.NOW)
    with pytest.raises(TooLarge, match="more than 150 rows"):
        decode_labels(given.body([{"id": i, "label": 1} for i in range(151)], form), form, good_layout(given), now_us=0)


def good_layout(given: ModuleType) -> Any:
    return label_layout(given.SCHEMA, Limits(body_rows=150))


@formats
def test_rejected_rows_keep_4_kib_of_text_that_any_database_holds(given: ModuleType, form: str) -> None:
    rows = [given.event(0, event_id="", colour="\0" + "x" * 10_000)]
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    (row,) = found.rejected
    assert len(row.row.encode()) <= 4096
    assert "\0" not in row.row


@pytest.mark.parametrize("form", [JSON, NDJSON])
def test_a_bytearray_is_a_body_too(given: ModuleType, form: str) -> None:
    body = bytearray(given.body(given.events(3), form))
    assert decode_events(body, form, event_layout(given.SCHEMA), now_us=given.NOW).accepted == 3


@pytest.mark.parametrize("form", [JSON, ARROW])
def test_no_rows_are_no_error(given: ModuleType, form: str) -> None:
    empty = {
        JSON: b"[]",
        ARROW: given.stream(pa.schema(event_layout(given.SCHEMA).arrow).empty_table()),
    }
    found = decode_events(empty[form], form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.received, found.accepted, found.parts) == (0, 0, ())


def test_lines_without_any_row_may_have_been_cut_off(given: ModuleType) -> None:
    with pytest.raises(InputError, match="no line with an object"):
        decode_events(b"\n\n", NDJSON, event_layout(given.SCHEMA), now_us=given.NOW)


def test_an_unknown_content_type_is_refused(given: ModuleType) -> None:
    with pytest.raises(InputError, match="application/x-ndjson"):
        decode_events(b"", "text/csv", event_layout(given.SCHEMA), now_us=given.NOW)


@formats
@sizes
def test_a_label_of_another_class_is_taken_and_doubted(given: ModuleType, form: str, n: int) -> None:
    classes = given.SCHEMA.classes
    rows = [{"id": f"e{i}", "label": "odd" if i == n - 1 else classes[0]} for i in range(n)]
    found = decode_labels(given.body(rows, form), form, label_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.accepted, found.rejected) == (n, ())
    said = (
        "label: 1 row has a class that the reference does not have, such as 'odd': what the model said of it is wrong",
    )
    assert found.doubts == said
    inside = [given.event(i, label=row["label"]) for i, row in enumerate(rows)]
    events = decode_events(given.body(inside, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert events.doubts == said
    usual = [{"id": f"e{i}", "label": classes[i % len(classes)]} for i in range(n)]
    found = decode_labels(given.body(usual, form), form, label_layout(given.SCHEMA), now_us=given.NOW)
    assert found.doubts == ()
