"""Tables read on from a watermark: each row once, whatever happens between."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb
import psycopg
import pytest
from feeding import NOW_US, Memory

from barograph.errors import InputError, Stopping
from barograph.frames.read import open_rows
from barograph.frames.read_sql import database_of, run
from barograph.sources import sql as module
from barograph.sources.sql import Sql, before, capped
from barograph.times import from_microseconds

NOW = from_microseconds(NOW_US)
START = NOW - timedelta(days=2)
COLUMNS = "id varchar(20), seen timestamp, n bigint, score double precision, ok boolean"


@dataclass(frozen=True)
class Base:
    """A database with a table `events`."""

    url: str
    execute: Callable[[str, Sequence[Sequence[Any]]], None]

    def add(self, *rows: tuple[str, datetime | None]) -> None:
        values = [(i, at and at.replace(tzinfo=None), int(i[1:]), 0.5, True) for i, at in rows]
        self.execute("insert into events values (?, ?, ?, ?, ?)", values)

    def source(self, **said: Any) -> Sql:
        return Sql.model_validate({"url": self.url, "table": "events", "watermark": "seen", **said})


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")

        def execute(sql: str, rows: Sequence[Sequence[Any]]) -> None:
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                cursor.executemany(sql.replace("?", "%s"), rows)
    else:
        path = tmp_path / "a b.db"
        connect: Any = sqlite3.connect if request.param == "sqlite" else duckdb.connect
        url = f"{request.param}:///{path}"

        def execute(sql: str, rows: Sequence[Sequence[Any]]) -> None:
            with closing(connect(str(path))) as connection:
                if request.param == "sqlite":
                    rows = [[v.isoformat() if isinstance(v, datetime) else v for v in row] for row in rows]
                connection.executemany(sql, rows)
                connection.commit()

    execute(f"create table events ({COLUMNS})", [()])
    return Base(url, execute)


def rows(first: int, last: int, start: datetime = START) -> list[tuple[str, datetime]]:
    return [(f"e{i}", start + timedelta(minutes=i)) for i in range(first, last)]


def test_what_is_new_comes_once(base: Base) -> None:
    feed, source = Memory(), base.source(overlap="10m")
    base.add(*rows(0, 50))
    source.poll(feed)
    assert sorted(feed.ids()) == sorted(f"e{i}" for i in range(50))
    assert feed.behind[0] == (NOW - START - timedelta(minutes=49)).total_seconds()
    source.poll(feed)
    assert feed.ids() == []
    base.add(*rows(50, 55), ("e900", START + timedelta(minutes=41)))  # its transaction ended late
    base.add(("e901", START + timedelta(minutes=1)))  # later than the overlap: it is not seen
    source.poll(feed)
    assert sorted(feed.ids()) == ["e50", "e51", "e52", "e53", "e54", "e900"]
    source.poll(feed)
    assert feed.ids() == []


def test_rows_of_one_moment_and_rows_without_one(base: Base) -> None:
    feed, source = Memory(), base.source(overlap="0s")
    base.add(*((f"e{i}", START) for i in range(30)), ("e99", None))
    source.poll(feed)
    assert len(feed.ids()) == 30
    base.add(*((f"e{i}", START) for i in range(30, 33)))
    source.poll(feed)
    assert sorted(feed.ids()) == ["e30", "e31", "e32"]


def test_a_row_that_changes_comes_again(base: Base) -> None:
    feed, source = Memory(), base.source()
    base.add(*rows(0, 3))
    source.poll(feed)
    feed.ids()
    base.execute("update events set score = ? where id = ?", [(0.9, "e2")])
    source.poll(feed)
    assert feed.ids() == ["e2"]


def test_a_moment_in_the_future_hides_nothing(base: Base) -> None:
    feed, source = Memory(), base.source()
    base.add(("e1", START), ("e2", NOW + timedelta(days=400)))
    source.poll(feed)
    assert sorted(feed.ids()) == ["e1", "e2"]
    base.add(("e3", NOW - timedelta(minutes=1)))
    source.poll(feed)
    assert feed.ids() == ["e3"]


def test_a_number_as_watermark_and_a_query(base: Base) -> None:
    query = "select id as key, n, 'a:b' as text from events where id <> 'e3' -- the third one\n;"
    source = base.source(table=None, query=query, watermark="n", overlap=5)
    feed = Memory()
    base.add(*rows(0, 10))
    source.poll(feed)
    assert sorted(feed.ids("key")) == [f"e{i}" for i in range(10) if i != 3]
    base.add(("e8000", START), ("e12", START), ("e11", START))
    source.poll(feed)
    assert feed.ids("key") == ["e11", "e12", "e8000"]
    assert feed.position["watermark"] == 8000


def test_killed_at_any_step_every_row_comes_and_few_come_twice(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.frames.read_sql.FETCH_ROWS", 7)
    monkeypatch.setattr(module, "ROWS", 3)
    base.add(*rows(0, 40))
    whole = Memory()
    base.source().poll(whole)
    assert whole.steps > 12
    for step in range(1, whole.steps + 1):
        feed = Memory(dies_at=step)
        with pytest.raises(Stopping):
            base.source().poll(feed)
        base.source().poll(feed)
        times = Counter(feed.ids())
        assert set(times) == {f"e{i}" for i in range(40)}
        assert sum(times.values()) <= 40 + 7 * 3


def test_another_table_is_read_from_its_start(base: Base) -> None:
    feed = Memory()
    base.add(*rows(0, 3))
    base.source().poll(feed)
    feed.ids()
    base.source(table=None, query="select * from events").poll(feed)
    assert len(feed.ids()) == 3


def test_what_cannot_be_read_says_where_and_why(base: Base) -> None:
    base.add(*rows(0, 2))
    for said, words in (
        ({"watermark": "seem"}, "seem"),
        ({"table": "evnts"}, "evnts"),
        ({"table": None, "query": "delete from events"}, "cannot be read"),
        ({"overlap": 5}, "the watermark is a moment|an overlap"),
    ):
        with pytest.raises(InputError, match=f"(?i){words}"):
            base.source(**said).poll(Memory())
    feed = Memory()
    base.source().poll(feed)
    assert len(feed.ids()) == 2  # nothing was deleted


def test_a_check_reads_a_table_or_a_query(base: Base) -> None:
    base.add(*rows(0, 4))
    separator = "&" if "?" in base.url else "?"
    read = open_rows(f"{base.url}{separator}table=events")
    assert (read.rows, read.schema.names) == (4, ["id", "seen", "n", "score", "ok"])
    query = "select id, n * 2 as twice from events where id like 'e%' order by id"
    read = open_rows(f"{base.url}{separator}query={query.replace('%', '%25')}")
    for _ in range(2):
        found = [batch.to_pydict() for part in read.parts for batch in part.batches(["id", "twice"])]
        assert found == [{"id": ["e0", "e1", "e2", "e3"], "twice": [0, 2, 4, 6]}]
    base.execute("delete from events where id <> ?", [("",)])
    assert open_rows(f"{base.url}{separator}table=events").schema.names[0] == "id"


def test_a_server_that_is_away_names_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    url = "postgresql://me:${SECRET}@127.0.0.1:1/shop"
    with pytest.raises(InputError) as caught:
        open_rows(f"{url}?table=events")
    assert "hunter2" not in str(caught.value)
    assert "refused" in str(caught.value)
    monkeypatch.delenv("SECRET")
    with pytest.raises(InputError, match="environment variable SECRET is not set"):
        open_rows(f"{url}?table=events")


def test_a_query_without_an_end_is_given_up(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.3)
    base.add(*rows(0, 1))
    endless = "with recursive t(n) as (select 1 union all select n + 1 - n from t) select "
    for query in (f"{endless} max(n) as n from t", f"{endless} n from t"):
        with pytest.raises(InputError):
            base.source(table=None, query=query, watermark="n").poll(Memory())


def test_a_query_that_takes_its_timeout_away_is_given_up(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.frames.read_sql.FETCH_ROWS", 1)
    without = "case when n = 1 then set_config('statement_timeout', '0', false) when n > 50 then pg_sleep(30)::text end"
    query = f"select n, {without} from generate_series(1, 99) n"
    began, found = monotonic(), list[Any]()
    with pytest.raises(InputError):
        found.extend(run(database_of(postgres_url, query=query), longest_s=0.5))
    assert monotonic() - began < 20


def test_a_query_writes_nothing(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table t (a int)")
    for query in (
        "with x as (insert into t values (1) returning a) select * from x",
        "select 1) x; commit; insert into t values (1); select * from (select 1",
        "select 1) x; rollback; begin read write; insert into t values (1); commit; select * from (select 1",
    ):
        with pytest.raises(InputError, match="cannot be read"):
            open_rows(f"{postgres_url}&query={query.replace(';', '%3B')}")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (0,)


def test_a_query_opens_no_other_file(tmp_path: Path) -> None:
    for name, connect in (("sqlite", sqlite3.connect), ("duckdb", duckdb.connect)):
        path = tmp_path / f"{name}.db"
        with closing(connect(str(path))) as connection:  # type: ignore[operator]
            connection.execute("create table t (a int)")
        (tmp_path / "secret.csv").write_text("a\n1\n")
        for query in (f"select * from read_csv('{tmp_path / 'secret.csv'}')", f"attach '{path}' as b"):
            with pytest.raises(InputError, match="cannot be read"):
                open_rows(f"{name}:///{path}?query={query}")


@pytest.mark.parametrize(
    ("mark", "overlap", "expected"),
    [
        ("2024-01-01 00:10:00", "10m", "2024-01-01 00:00:00"),
        ("2024-01-01T00:10:00Z", "10m", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:10:00.500000", "1s", "2024-01-01T00:09:59.500000"),
        ("2024-01-02", "1d", "2024-01-01"),
        ("v17", "0s", "v17"),
        (10.5, 0.5, 10.0),
    ],
)
def test_an_overlap_is_taken_in_the_manner_of_the_watermark(mark: Any, overlap: Any, expected: Any) -> None:
    assert before(mark, overlap) == expected


def test_no_watermark_is_ahead_of_the_clock() -> None:
    now = datetime(2024, 6, 1, tzinfo=UTC)
    assert capped("2030-01-01 00:00:00", now) == "2024-06-01 00:00:00"
    assert capped(datetime(2030, 1, 1), now) == datetime(2024, 6, 1)  # noqa: DTZ001
    assert capped(10**12, now) == 10**12
