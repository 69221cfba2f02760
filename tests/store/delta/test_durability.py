"""What is filed survives a broken disk call, a killed process, and power loss; nothing is filed twice because of it."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from table_rows import FIRST, Site, added_ids, event_rows, held, label_rows, labels_by_day

from barograph.errors import StoreError
from barograph.store.tables import UNKNOWN


def log_of(site: Site, kind: str = "events") -> Path:
    return Path(site.root) / "1" / "2" / kind / "_delta_log"


def entry(site: Site, version: int) -> Path:
    return log_of(site) / f"{version:020d}.json"


def test_a_version_is_seen_only_after_all_of_it_is_on_the_disk(folder: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = folder.open()
    tables.file_events(event_rows(range(5)), writer="node", sequence=0)
    done: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def note_sync(descriptor: int) -> None:
        fsync(descriptor)
        done.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))

    def note_link(source: Path, target: Path) -> None:
        done.append(("link", str(target)))
        link(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "link", note_link)
    rows = pa.concat_tables([event_rows(range(5, 9)), event_rows(range(3), day=1)])
    version = tables.file_events(rows, writer="node", sequence=1).version
    table = log_of(folder).parent
    actions = [json.loads(line) for line in entry(folder, version).read_text().splitlines()]
    data = [table / action["add"]["path"] for action in actions if "add" in action]
    assert len(data) == 2
    seen = done.index(("link", str(entry(folder, version))))
    new_folder = table / "_day=2024-01-02"
    before = {path for what, path in done[:seen] if what == "sync"}
    assert before >= {str(path) for path in [*data, *(path.parent for path in data), table]}
    assert str(new_folder) in before
    assert any(Path(path).name.startswith(f".{entry(folder, version).name}") for path in before), "the entry itself"
    assert ("sync", str(log_of(folder))) in done[seen:], "its name"


def test_new_folders_are_known_to_their_parents(folder: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[str] = set()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda d: (synced.add(os.readlink(f"/proc/self/fd/{d}")), fsync(d))[1])
    folder.open().file_events(event_rows([1]), writer="node", sequence=0)
    table = log_of(folder).parent
    parents = {table.parents[2], table.parents[1], table.parents[0], table}
    assert synced >= {str(path) for path in parents}


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_call_that_fails_loses_and_doubles_nothing(folder: Site, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Let each call to the disk fail once, first to last; then file the same batch again."""
    true_call = getattr(os, call)
    sequence, failures = 0, 0
    while True:
        tables = folder.open()
        calls = 0

        def fail(*arguments: object, nth: int = failures) -> None:
            nonlocal calls
            calls += 1
            if calls == nth + 1:
                raise OSError(28, "No space left on device")
            true_call(*arguments)

        rows = pa.concat_tables([event_rows([sequence]), event_rows([sequence], day=sequence + 1)])
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            try:
                tables.file_events(rows, writer="node", sequence=sequence)
            except StoreError as error:
                said = str(error)
            else:
                break
        assert "No space left on device" in said
        again = (tables if failures % 2 else folder.open()).file_events(rows, writer="node", sequence=sequence)
        assert again.rows == 2 or again.repeated
        assert added_ids(folder.open()) == sorted(f"e{n}" for n in range(sequence + 1) for _ in range(2))
        sequence, failures = sequence + 1, failures + 1
    assert failures >= (9 if call == "fsync" else 1)
    assert [text for _, text, _ in held(folder.open())].count("e0") == 2


def test_a_full_disk_is_said_and_left(folder: Site) -> None:
    tables = folder.open()
    tables.file_events(event_rows(range(10)), writer="node", sequence=0)
    many = event_rows(range(10, 60_000))
    with file_size_limit(50_000), pytest.raises(StoreError, match="File too large"):
        tables.file_events(many, writer="node", sequence=1)
    assert len(held(tables)) == 10
    assert tables.file_events(many, writer="node", sequence=1).rows == 59_990
    assert len(held(folder.open())) == 60_000
    assert tables.vacuum("events", 0) >= 1, "what was written in vain"
    assert len(held(folder.open())) == 60_000


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Make this process see a disk that is full as soon as a file reaches a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "no data", "short data"])
def test_what_never_reached_the_disk_is_set_aside_and_filed_again(folder: Site, damage: str) -> None:
    """Power loss after another program's commit: the entry is visible, but it or its data are not whole."""
    tables = folder.open()
    tables.file_events(event_rows([1]), writer="node", sequence=0)
    version = tables.file_events(event_rows([2]), writer="node", sequence=1).version
    tables.file_events(event_rows([3]), writer="node", sequence=2)
    next(folder.index.rglob("synced")).write_text(str(version - 1))
    text = entry(folder, version).read_bytes()
    data = log_of(folder).parent / next(json.loads(x)["add"]["path"] for x in text.splitlines() if b'"add"' in x)
    if damage == "no data":
        data.unlink()
    elif damage == "short data":
        data.write_bytes(data.read_bytes()[:-10])
    else:
        torn = {"empty": b"", "cut": text[:-40], "zeros": bytes(len(text))}[damage]
        entry(folder, version).write_bytes(torn)
    again = folder.open()
    assert again.version("events") == version - 1
    assert {p.name for p in log_of(folder).glob("*.aside-0")} == {
        f"{entry(folder, v).name}.aside-0" for v in (version, version + 1)
    }
    assert added_ids(again) == ["e1"]
    for sequence in (1, 2):
        assert again.file_events(event_rows([sequence + 1]), writer="node", sequence=sequence).rows == 1
    assert added_ids(folder.open()) == ["e1", "e2", "e3"]


def test_damage_to_what_was_promised_is_left_for_a_person(folder: Site) -> None:
    tables = folder.open()
    version = tables.file_events(event_rows([1]), writer="node", sequence=0).version
    entry(folder, version).write_bytes(b"")
    with pytest.raises(StoreError, match="is damaged: restore it"):
        folder.open().file_events(event_rows([1]), writer="node", sequence=0)
    assert entry(folder, version).exists()


@pytest.mark.parametrize("damage", ["checkpoint", "pointer"])
def test_a_torn_checkpoint_is_set_aside(folder: Site, damage: str) -> None:
    tables = folder.open()
    for n in range(3):
        tables.file_events(event_rows([n]), writer="node", sequence=n)
    tables._events.log.checkpoint()
    torn = next(log_of(folder).glob("*.parquet")) if damage == "checkpoint" else log_of(folder) / "_last_checkpoint"
    torn.write_bytes(torn.read_bytes()[:20])
    again = folder.open()
    assert again.file_events(event_rows([2]), writer="node", sequence=2).repeated
    assert added_ids(again) == ["e0", "e1", "e2"]
    assert not torn.exists()


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from table_rows import event_rows, label_rows
from barograph.store.tables import ModelTables

tables = ModelTables(sys.argv[2], 1, 2, index_folder=Path(sys.argv[3]))
n = int(sys.argv[4])
while True:
    # What a spool still has is sent again, as after any restart.
    for sequence in range(max(n - 2, 0), n + 1):
        tables.file_events(event_rows(range(sequence * 5, sequence * 5 + 5)), writer="node", sequence=sequence)
        tables.file_labels(label_rows([f"e{sequence * 5 + 7}"]), writer="node", sequence=sequence)
    print(n, flush=True)
    if n % 3 == 0:
        tables.adopt_unknown()
    if n % 5 == 0:
        tables.compact("events", until_version=tables.version("events"))
        tables.compact("labels", until_version=tables.version("labels"))
    n += 1
"""


def test_a_killed_process_loses_and_doubles_nothing(folder: Site) -> None:
    chance = random.Random(5)
    acknowledged = -1
    for _ in range(4):
        arguments = [str(Path(__file__).parent), folder.root, str(folder.index), str(acknowledged + 1)]
        child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        acknowledged = int(child.stdout.readline())
        timer = threading.Timer(chance.uniform(0.0, 0.4), child.send_signal, [signal.SIGKILL])
        timer.start()
        for line in child.stdout:
            acknowledged = int(line)
        timer.cancel()
        assert child.wait(timeout=30) == -signal.SIGKILL
        child.stdout.close()
    tables = folder.open()
    # One more may have been filed than was acknowledged: filing it again tells.
    for n in (acknowledged, acknowledged + 1):
        tables.file_events(event_rows(range(n * 5, n * 5 + 5)), writer="node", sequence=n)
        tables.file_labels(label_rows([f"e{n * 5 + 7}"]), writer="node", sequence=n)
    events = [f"e{n}" for n in range(acknowledged * 5 + 10)]
    assert acknowledged > 4
    assert sorted(text for _, text, _ in held(tables)) == sorted(events) == added_ids(tables)
    tables.adopt_unknown()
    labels = [f"e{n * 5 + 7}" for n in range(acknowledged + 2)]
    assert added_ids(tables, "labels") == sorted(labels)
    assert labels_by_day(tables, FIRST, UNKNOWN) == sorted(
        (FIRST if text in events else UNKNOWN, text) for text in labels
    )
