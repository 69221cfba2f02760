"""Folders, buckets and tables of files: each file once, whatever happens between."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from feeding import NOW_US, Memory

from barograph.errors import InputError, SpecError, Stopping
from barograph.frames.object_storage import bucket_filesystem
from barograph.frames.read import open_rows
from barograph.frames.read_buckets import Bucket
from barograph.sources import check_sources, sources_of
from barograph.sources.files import Files
from emulated import BUCKET, emulated

OLD_S = NOW_US / 1e6 - 3600


def table(first: int, last: int) -> pl.DataFrame:
    return pl.DataFrame({"id": [f"e{i}" for i in range(first, last)], "x": [float(i) for i in range(first, last)]})


def write(path: Path, first: int, last: int, *, age_s: float = 3600.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table(first, last).write_csv(path)
    else:
        table(first, last).write_parquet(path)
    os.utime(path, (NOW_US / 1e6 - age_s,) * 2)


def ids(first: int, last: int) -> list[str]:
    return sorted(f"e{i}" for i in range(first, last))


def test_new_files_of_a_folder_come_once(tmp_path: Path) -> None:
    feed, source = Memory(), Files(path=str(tmp_path))
    source.poll(feed)  # an empty folder is no mistake
    write(tmp_path / "day=1" / "a.parquet", 0, 5)
    source.poll(feed)
    assert {one for t in feed.tables for one in t.column("day").to_pylist()} == {"1"}
    assert sorted(feed.ids()) == ids(0, 5)
    write(tmp_path / "day=2" / "b.parquet", 5, 9)
    source.poll(feed)
    assert sorted(feed.ids()) == ids(5, 9)
    source.poll(feed)
    assert feed.ids() == []
    assert feed.notes == []
    assert feed.behind[0] == 0


def test_a_pattern_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    feed = Memory()
    source = Files(path=str(tmp_path / "*.csv"))
    source.poll(feed)
    write(tmp_path / "a.csv", 0, 3)
    write(tmp_path / "b.parquet", 3, 6)
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 3)
    with pytest.raises(InputError, match="There is no file"):
        Files(path=str(tmp_path / "gone")).poll(feed)


def test_the_same_file_twice_counts_once_and_a_changed_one_is_told(tmp_path: Path) -> None:
    feed, source = Memory(), Files(path=str(tmp_path))
    write(tmp_path / "a.parquet", 0, 5)
    source.poll(feed)
    feed.ids()
    shutil.copy(tmp_path / "a.parquet", tmp_path / "b.parquet")
    os.utime(tmp_path / "b.parquet", (OLD_S, OLD_S))
    os.utime(tmp_path / "a.parquet", (OLD_S + 5, OLD_S + 5))  # touched, and still the same
    source.poll(feed)
    assert feed.ids() == []
    assert len(feed.notes) == 1
    assert "holds the same as" in feed.notes[0]
    write(tmp_path / "a.parquet", 0, 7, age_s=60)
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 7)
    assert "had changed since it was read" in feed.notes[-1]
    source.poll(feed)
    assert feed.ids() == []


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    feed, source = Memory(), Files(path=str(tmp_path), settle="1m")
    write(tmp_path / "a.parquet", 0, 5, age_s=20)
    source.poll(feed)
    assert feed.ids() == []
    assert feed.behind[0] == pytest.approx(20)
    feed.now_us += 60_000_000
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 5)
    write(tmp_path / "b.parquet", 5, 6, age_s=-timedelta(days=9).total_seconds())  # its clock runs ahead
    source.poll(feed)
    assert feed.ids() == ["e5"]


def test_a_file_that_cannot_be_read_keeps_no_other_waiting(tmp_path: Path) -> None:
    feed, source = Memory(), Files(path=str(tmp_path))
    write(tmp_path / "a.parquet", 0, 50)
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    os.utime(tmp_path / "a.parquet", (OLD_S, OLD_S))
    write(tmp_path / "b.parquet", 50, 60)
    for _ in range(2):
        with pytest.raises(InputError, match=r"a\.parquet"):
            source.poll(feed)
    assert sorted(feed.ids()) == ids(50, 60)
    assert feed.behind[0] == pytest.approx(3600)
    (tmp_path / "a.parquet").write_bytes(data)
    os.utime(tmp_path / "a.parquet", (OLD_S, OLD_S))
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 50)
    assert feed.notes == []


def test_a_file_that_grows_while_it_is_read_comes_again(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 0, 5)

    class Growing(Memory):
        def put(self, table: pa.Table) -> None:
            super().put(table)
            if self.steps == 1:
                write(tmp_path / "a.csv", 0, 8, age_s=60)

    feed, source = Growing(), Files(path=str(tmp_path))
    source.poll(feed)
    assert feed.files == {}
    source.poll(feed)
    assert set(feed.ids()) == set(ids(0, 8))


def test_killed_at_any_step_every_row_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.sources.files.ROWS", 3)
    for i in range(4):
        write(tmp_path / f"{i}.parquet", 5 * i, 5 * i + 5)
    whole, source = Memory(), Files(path=str(tmp_path))
    source.poll(whole)
    for step in range(1, whole.steps + 1):
        feed = Memory(dies_at=step)
        with pytest.raises(Stopping):
            source.poll(feed)
        source.poll(feed)
        times = Counter(feed.ids())
        assert set(times) == set(ids(0, 20))
        assert sum(times.values()) <= 25


def test_versions_of_a_delta_table(tmp_path: Path) -> None:
    at, feed = str(tmp_path / "t"), Memory()
    source = Files(path=at)
    write_deltalake(at, table(0, 5).to_arrow())
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 5)
    assert feed.position == {"version": "0"}
    write_deltalake(at, table(5, 8).to_arrow(), mode="append")
    write_deltalake(at, table(8, 9).to_arrow(), mode="append")
    source.poll(feed)
    assert sorted(feed.ids()) == ids(5, 9)
    DeltaTable(at).optimize.compact()
    source.poll(feed)
    assert set(feed.ids()) <= set(ids(0, 9))  # rewritten files hold rows that are known by their ids
    source.poll(feed)
    assert feed.ids() == []


@pytest.mark.parametrize("how", ["absolute", "file", "up", "link"])
def test_a_delta_table_reads_no_file_outside_itself(tmp_path: Path, how: str) -> None:
    at = tmp_path / "t"
    write_deltalake(str(at), table(0, 5).to_arrow())
    secret = tmp_path / "secret.parquet"
    table(90, 95).write_parquet(secret)
    (at / "link").symlink_to(tmp_path)
    named = {
        "absolute": str(secret),
        "file": f"file://{secret}",
        "up": "../secret.parquet",
        "link": "link/secret.parquet",
    }
    add = {
        "path": named[how],
        "size": secret.stat().st_size,
        "partitionValues": {},
        "modificationTime": 1,
        "dataChange": True,
    }
    (at / "_delta_log" / f"{1:020}.json").write_text(json.dumps({"add": add}))
    feed = Memory()
    with pytest.raises(InputError, match="outside the table"):
        Files(path=str(at)).poll(feed)
    assert not {"e90"} & set(feed.ids())
    with pytest.raises(InputError, match="outside the table"):
        open_rows(str(at))


def test_a_link_out_of_a_watched_folder_is_told_and_not_read(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    write(watched / "a.parquet", 0, 5)
    write(tmp_path / "secret.parquet", 90, 95)
    (watched / "b.parquet").symlink_to(tmp_path / "secret.parquet")
    (watched / "c.parquet").symlink_to(watched / "a.parquet")
    for path in (watched, watched / "*.parquet"):
        feed = Memory()
        with pytest.raises(InputError, match=r"b\.parquet' is a link to a file outside"):
            Files(path=str(path)).poll(feed)
        assert sorted(feed.ids()) == ids(0, 5)


@pytest.fixture
def iceberg(tmp_path: Path) -> tuple[str, Any]:
    from pyiceberg.catalog import load_catalog

    (tmp_path / "w").mkdir()
    said = {"uri": f"sqlite:///{tmp_path / 'c.db'}", "warehouse": f"file://{tmp_path / 'w'}"}
    catalog = load_catalog("shop", type="sql", **said)
    catalog.create_namespace("loans")
    made = catalog.create_table("loans.events", schema=table(0, 1).to_arrow().cast(SCHEMA).schema)
    return f"iceberg://shop/loans.events?uri={said['uri']}&warehouse={said['warehouse']}", made


SCHEMA = pa.schema([("id", pa.string()), ("x", pa.float64())])


def test_snapshots_of_an_iceberg_table(iceberg: tuple[str, Any], tmp_path: Path) -> None:
    url, made = iceberg
    feed, source = Memory(), Files(path=url)
    source.poll(feed)
    assert feed.ids() == []
    made.append(table(0, 5).to_arrow().cast(SCHEMA))
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 5)
    made.append(table(5, 7).to_arrow().cast(SCHEMA))
    source.poll(feed)
    assert sorted(feed.ids()) == ids(5, 7)
    source.poll(feed)
    assert feed.ids() == []
    rows = open_rows(url)
    assert (rows.rows, rows.schema.names) == (7, ["id", "x"])
    said = {"files": {"path": url}}
    assert check_sources(said, [str(tmp_path)]) is None
    with pytest.raises(SpecError, match=r"read from .*c\.db"):
        check_sources(said, [str(tmp_path / "w")])
    with pytest.raises(InputError, match="is named as in"):
        open_rows("iceberg://shop/events")
    with pytest.raises(InputError, match="cannot be read"):
        open_rows(url.replace("loans.events", "loans.gone"))


def test_a_catalog_is_only_read(iceberg: tuple[str, Any], tmp_path: Path) -> None:
    said = f"uri=sqlite:///{tmp_path / 'none.db'}&warehouse={tmp_path}"
    with pytest.raises(InputError, match="cannot be read"):
        open_rows(f"iceberg://shop/loans.events?{said}")
    assert not (tmp_path / "none.db").exists()
    url, made = iceberg
    before = (tmp_path / "c.db").read_bytes()
    made.append(table(0, 2).to_arrow().cast(SCHEMA))
    assert open_rows(url).rows == 2
    (tmp_path / "c.db").write_bytes(before)


def test_an_iceberg_table_names_no_class_and_no_file_outside_its_warehouse(
    iceberg: tuple[str, Any], tmp_path: Path
) -> None:
    url, made = iceberg
    table(0, 3).write_parquet(tmp_path / "secret.parquet")
    made.append(table(0, 5).to_arrow().cast(SCHEMA))
    written = Path(made.metadata_location.removeprefix("file://"))
    before = written.read_text()
    said = json.loads(before)
    said["properties"] |= {"py-io-impl": "barograph.not_there.Any", "warehouse": str(tmp_path)}
    written.write_text(json.dumps(said))
    assert open_rows(url).rows == 5
    written.write_text(before)
    made.add_files([f"file://{tmp_path / 'secret.parquet'}"])
    with pytest.raises(InputError, match="outside the warehouse"):
        open_rows(url)
    with pytest.raises(InputError, match="outside the warehouse"):
        open_rows(url.replace("warehouse=file://", "warehouse=/elsewhere"))  # its metadata


def test_objects_of_a_bucket(bucket_url: str) -> None:
    feed, source = Memory(), Files(path=f"{bucket_url}/day=*/*.parquet", settle="0s")
    feed.now_us = 2**60
    source.poll(feed)
    assert feed.ids() == []
    put(f"{bucket_url}/day=1/a.parquet", table(0, 5))
    put(f"{bucket_url}/other/b.parquet", table(90, 95))
    source.poll(feed)
    assert {one for t in feed.tables for one in t.column("day").to_pylist()} == {"1"}
    assert sorted(feed.ids()) == ids(0, 5)
    put(f"{bucket_url}/day=2/a.parquet", table(5, 7))
    source.poll(feed)
    assert sorted(feed.ids()) == ids(5, 7)
    rows = open_rows(f"{bucket_url}/day=*")
    assert (rows.rows, rows.schema.names) == (7, ["id", "x", "day"])
    assert open_rows(f"{bucket_url}/day=1/a.parquet").rows == 5
    with pytest.raises(InputError, match="There is no object"):
        open_rows(f"{bucket_url}/gone")


@pytest.mark.parametrize("store", ["gs", "az"])
def test_other_stores_than_s3(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with emulated(store, tmp_path) as where:
        if where is None:
            pytest.skip("make producers installs what plays this store")
        for name, value in where.items():
            monkeypatch.setenv(name, value)
        bucket_filesystem(store).create_dir(BUCKET)
        url, feed = f"{store}://{BUCKET}", Memory()
        source = Files(path=f"{url}/x/day=*/*.parquet", settle="0s")
        feed.now_us = 2**60
        put(f"{url}/x/day=1/a.parquet", table(0, 5))
        put(f"{url}/y/b.parquet", table(90, 95))
        source.poll(feed)
        assert sorted(feed.ids()) == ids(0, 5)
        put(f"{url}/x/day=2/a.parquet", table(5, 7))
        source.poll(feed)
        assert sorted(feed.ids()) == ids(5, 7)
        rows = open_rows(f"{url}/x")
        assert (rows.rows, rows.schema.names) == (7, ["id", "x", "day"])
        with pytest.raises(InputError, match="There is no object"):
            open_rows(f"{url}/gone")
        write_deltalake(str(tmp_path / "t"), table(0, 5).to_arrow())  # copied there, as it is
        for path in (one for one in (tmp_path / "t").rglob("*") if one.is_file()):
            with bucket_filesystem(store).open_output_stream(f"{BUCKET}/{path.relative_to(tmp_path)}") as out:
                out.write(path.read_bytes())
        Files(path=f"{url}/t").poll(lake := Memory())
        assert sorted(lake.ids()) == ids(0, 5)


def test_an_account_that_is_not_named_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(InputError, match="AZURE_STORAGE_ACCOUNT_NAME, which is not set"):
        open_rows("az://tables/x")
    with pytest.raises(SpecError, match="does not let the service read"):
        check_sources({"files": {"path": "gs://tables/x"}}, ["s3://tables", "az://tables"])


def test_a_delta_table_in_a_bucket(bucket_url: str) -> None:
    feed, source = Memory(), Files(path=f"{bucket_url}/t")
    options = {"AWS_ALLOW_HTTP": "true", "AWS_CONDITIONAL_PUT": "etag"}
    write_deltalake(f"{bucket_url}/t", table(0, 5).to_arrow(), storage_options=options)
    source.poll(feed)
    assert sorted(feed.ids()) == ids(0, 5)
    write_deltalake(f"{bucket_url}/t", table(5, 6).to_arrow(), mode="append", storage_options=options)
    source.poll(feed)
    assert feed.ids() == ["e5"]
    assert open_rows(f"{bucket_url}/t").rows == 6


def test_a_pattern_reaches_no_other_tenant(bucket_url: str) -> None:
    for tenant in ("tenant1", "tenant12"):
        put(f"{bucket_url}/{tenant}/a.parquet", table(0, 5))
    for path in ("tenant1?*", "tenant1*", "*/a.parquet", "tenant[1]2", "tenant1/../tenant12", "tenant1#"):
        with pytest.raises(SpecError, match="does not let the service read"):
            check_sources({"files": {"path": f"{bucket_url}/{path}"}}, [f"{bucket_url}/tenant1"])
    with pytest.raises(SpecError, match="for nothing else"):
        check_sources({"files": {"path": f"{bucket_url}/tenant1/${{BAROGRAPH_SOURCE_X}}"}}, [bucket_url])
    said = {"files": {"path": f"{bucket_url}/tenant1/?.parquet"}}
    assert check_sources(said, [f"{bucket_url}/tenant1/"]) is None
    assert [one.key.rpartition("tables/")[2] for one in Bucket(f"{bucket_url}/tenant1").listed()] == [
        f"{bucket_url.rpartition('/')[2]}/tenant1/a.parquet"
    ]


def test_a_delta_table_in_a_bucket_reads_no_file_of_this_machine(bucket_url: str, tmp_path: Path) -> None:
    options = {"AWS_ALLOW_HTTP": "true", "AWS_CONDITIONAL_PUT": "etag"}
    write_deltalake(f"{bucket_url}/t", table(0, 5).to_arrow(), storage_options=options)
    secret = tmp_path / "secret.parquet"
    table(90, 95).write_parquet(secret)
    for version, path in enumerate((str(secret), f"../../../../..{secret}"), 1):
        add = {"path": path, "size": 1, "partitionValues": {}, "modificationTime": 1, "dataChange": True}
        log = f"{bucket_url.removeprefix('s3://')}/t/_delta_log/{version:020}.json"
        with bucket_filesystem().open_output_stream(log) as out:
            out.write(json.dumps({"add": add}).encode())
        with pytest.raises(InputError, match="outside the table"):
            Files(path=f"{bucket_url}/t").poll(feed := Memory())
        assert "e90" not in feed.ids()


def put(url: str, frame: pl.DataFrame) -> None:
    from io import BytesIO

    file = BytesIO()
    frame.write_parquet(file)
    store, _, path = url.partition("://")
    with bucket_filesystem(store).open_output_stream(path) as out:
        out.write(file.getvalue())


def test_the_settings_of_files() -> None:
    for path, words in (
        ("exports", "a whole path"),
        ("postgresql://db/x", r"\[sources\.sql\]"),
        ("s3://bucket/x?secret=1", "holds a password"),
        ("", "a path or an address"),
    ):
        with pytest.raises(SpecError, match=rf"^\$\.sources\.files\.path: .*{words}"):
            sources_of({"files": {"path": path}})
    assert Bucket("s3://b/a/day=*/x").prefix == "b/a"
