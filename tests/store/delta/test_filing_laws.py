"""Any interleaving of filing, repeating, restarting and tidying holds each id of a day once, as it first came."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import FIRST, SECOND_DAY, Site, added_ids, event_rows, held

numbers = st.lists(st.integers(0, 12), max_size=8)
steps = st.one_of(
    st.tuples(st.just("file"), st.sampled_from(["a", "b"]), numbers, numbers),
    st.tuples(st.just("repeat"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("restart")),
    st.tuples(st.just("compact")),
    st.tuples(st.just("tidy")),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(steps, max_size=14))
def test_each_id_of_a_day_is_held_once_as_it_first_came(plan: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as name:
        site = Site(str(Path(name) / "tables"), None, Path(name) / "index")
        tables = site.open()
        expected: dict[tuple[str, str], float] = {}
        sent: dict[str, list[pa.Table]] = {"a": [], "b": []}
        for value, step in enumerate(plan):
            match step:
                case ("file", str(writer), list(first), list(second)):
                    rows = pa.concat_tables([event_rows(first, value=value), event_rows(second, day=1, value=value)])
                    keys = {(FIRST, f"e{n}") for n in first} | {(SECOND_DAY, f"e{n}") for n in second}
                    filed = tables.file_events(rows, writer=writer, sequence=len(sent[writer]))
                    assert filed.rows == len(keys - expected.keys())
                    assert filed.rows + filed.duplicates == rows.num_rows
                    sent[writer].append(rows)
                    expected = {key: float(value) for key in keys} | expected
                case ("repeat", str(writer)):
                    for sequence, rows in enumerate(sent[writer]):
                        assert tables.file_events(rows, writer=writer, sequence=sequence).rows == 0
                case ("restart",):
                    tables = site.open()
                case ("compact",):
                    tables._events.log.refresh()
                    tables.compact("events", until_version=tables.version("events"))
                case ("tidy",):
                    tables.vacuum("events", 0, keep_version=-1)
                    tables.tidy_log("events", keep_version=-1, keep_hours=-1)
        assert held(tables) == sorted((day, text, value) for (day, text), value in expected.items())
        assert added_ids(tables) == sorted(text for _, text in expected)
