"""Processes that fork, end, are told to end, or are killed: what was logged arrives, once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from taking import MODEL, Running, Taker

import barograph
from barograph.sdk import Client

SOURCE = str(Path(barograph.__file__).parents[1])
PACKAGE = Path(barograph.__file__).parent / "sdk"


def begin(code: str, taker: Taker, folder: Path, **options: object) -> subprocess.Popen[str]:
    """Start a program whose `client` sends to the server."""
    given = {"spill": str(folder), "interval_s": 0.05, "environment": False, **options}
    program = f"""import os, sys, time
sys.path.insert(0, {SOURCE!r})
from barograph.sdk import Client
client = Client({taker.url!r}, {MODEL!r}, **{given!r})
{code}"""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], status: int = 0) -> str:
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == status, err
    return out


def test_the_end_of_a_process_waits_for_what_it_logged(taker: Taker, tmp_path: Path) -> None:
    code = "client._sender._limits = client._sender._limits._replace(interval_s=60)\n"
    code += "print(*[client.log({'amount': i}) for i in range(3000)])"
    ids = ended(begin(code, taker, tmp_path)).split()
    assert set(taker.events) == set(ids)
    assert len(ids) == 3000
    assert not list(tmp_path.rglob("*.gz"))


def test_sigterm_delivers_and_still_ends_the_process_by_the_signal(taker: Taker, tmp_path: Path) -> None:
    process = begin(
        "ids = [client.log({'amount': i}) for i in range(100)]\nprint(*ids, flush=True)\ntime.sleep(60)",
        taker,
        tmp_path,
        interval_s=60,
    )
    assert process.stdout is not None
    ids = process.stdout.readline().split()
    process.send_signal(signal.SIGTERM)
    ended(process, -signal.SIGTERM)
    assert set(taker.events) == set(ids)


def test_a_handler_of_the_program_is_left_alone(taker: Taker, tmp_path: Path) -> None:
    code = """import signal
print("ready", flush=True)
while True: time.sleep(0.05)"""
    before = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    process = begin(code, taker, tmp_path)
    process.kill()
    process.communicate()
    program = f"""{before}import os, time
sys.path.insert(0, {SOURCE!r})
from barograph.sdk import Client
client = Client({taker.url!r}, {MODEL!r}, interval_s=60, spill={str(tmp_path)!r}, environment=False)
client.log({{"amount": 1}}, id="logged")
{code}"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ended(process, 7)
    assert set(taker.events) == {"logged"}


def test_the_end_is_not_held_up_by_a_server_that_does_not_answer(running: Running, tmp_path: Path) -> None:
    running.taker.trouble = lambda n, path, body: time.sleep(20) or None  # type: ignore[func-returns-value]  # it is not
    start = time.monotonic()
    ended(begin("print(client.log({'amount': 1}))", running.taker, tmp_path, exit_s=0.3))
    assert time.monotonic() - start < 15
    assert len(list(tmp_path.rglob("*-events-1.gz"))) == 1


def test_forks_send_their_own_and_nothing_twice(taker: Taker, tmp_path: Path) -> None:
    code = """
ids = [client.log({"amount": i}) for i in range(100)]
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        mine = [client.log({"amount": i}) for i in range(100)]
        assert client.counts().logged == 100, client.counts()
        assert client.flush(30)
        assert client.counts()[:2] == (100, 100), client.counts()
        os.write(1, (" ".join(mine) + "\\n").encode())  # in one piece, beside the others
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
ids += [client.log({"amount": i}) for i in range(100)]
assert client.flush(30)
assert client.counts()[:2] == (200, 200), client.counts()
print(*ids)"""
    ids = ended(begin(code, taker, tmp_path, interval_s=0.5)).split()
    assert len(ids) == len(set(ids)) == 500
    assert set(taker.events) == set(ids)
    rows = sum(body.count(b"\n") + 1 for body in taker.bodies)
    assert rows == 500


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_deliver_before_they_end(taker: Taker, tmp_path: Path, method: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""import os, sys
sys.path.insert(0, {SOURCE!r})
from barograph.sdk import Client
client = Client({taker.url!r}, {MODEL!r}, interval_s=60, spill={str(tmp_path / "spill")!r}, environment=False)

def work(n):
    os.write(1, (" ".join([client.log({{"amount": i}}) for i in range(n)]) + "\\n").encode())

if __name__ == "__main__":
    import multiprocessing
    context = multiprocessing.get_context({method!r})
    workers = [context.Process(target=work, args=(50,)) for _ in range(2)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    sys.exit(max(worker.exitcode for worker in workers))
""")
    process = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    ids = ended(process).split()
    assert len(ids) == 100
    assert set(taker.events) == set(ids)


def test_what_a_killed_process_left_on_the_disk_is_delivered_by_the_next(
    running: Running, make: Callable[..., Client], tmp_path: Path
) -> None:
    running.stop()
    code = """
for i in range(300): client.log({"amount": i}, id=f"e{i}")
while client.counts().spilled < 300: time.sleep(0.01)
print("spilled", flush=True)
time.sleep(60)"""
    process = begin(code, running.taker, tmp_path / "spill", batch_rows=100)
    assert process.stdout is not None
    assert process.stdout.readline() == "spilled\n"
    running.start()
    neighbour = make()
    neighbour.log({"amount": 0}, id="alive")
    assert neighbour.flush(20)
    assert neighbour.counts().adopted == 0, "its process is alive"
    process.kill()
    process.communicate()
    heir = make()
    heir.log({"amount": 0}, id="heir")
    end = time.monotonic() + 20
    while heir.counts().adopted < 300 and time.monotonic() < end:
        time.sleep(0.01)
    assert heir.flush(20)
    assert set(running.taker.events) == {"alive", "heir", *(f"e{i}" for i in range(300))}


def python(version: str) -> str:
    """Return an interpreter of another version; skip where there is none."""
    kept = map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for place in (shutil.which(f"python{version}"), *kept):
        if place and subprocess.run([place, "-c", ""], capture_output=True, check=False).returncode == 0:
            return place
    pytest.skip(f"Python {version} is not installed")


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13", "3.14"])
def test_every_version_of_python_delivers_forks_and_ends(taker: Taker, tmp_path: Path, version: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "barograph_sdk", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "golden").write_text('{"id": "a", "input": {"x": 1}, "answer": {"y": 2}}\n', "utf-8")
    code = f"""import os, sys, time
sys.path.insert(0, {str(tmp_path)!r})
from barograph_sdk import Client
client = Client({taker.url!r}, {MODEL!r}, spill={str(tmp_path / "spill")!r}, interval_s=60)
ids = [client.log({{"amount": i}}, score=0.5) for i in range(50)]
child = os.fork()
if child == 0:
    client.log({{"amount": 1}}, id="child")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0

@client.watched
def predict(amount):
    return amount + 1

predict(1.0)
with client.predicting({{"amount": 1}}, id="block") as now:
    now.score = 0.5
class Model:
    def predict(self, rows):
        return [1.0 for _ in rows]
client.watch(Model(), columns=["amount"]).predict([[1.0], [2.0]])
client.label(ids[0], 1)
assert client.probe({str(tmp_path / "golden")!r}, lambda row: {{"y": row["x"] * 2}}).passed
print(*ids)"""
    process = subprocess.Popen(
        [python(version), "-I", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    ids = ended(process).split()
    assert len(taker.events) == 50 + 2 + 1 + 2
    assert {*ids, "child", "block"} <= set(taker.events)
    assert taker.labels == [(ids[0], "1")]
    started = [told for told in taker.producers if "system" in told]
    assert {told["system"]["python"].rpartition(".")[0] for told in started} == {version}
