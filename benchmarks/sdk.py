"""What the client costs a serving process, what it delivers, and whether its counts are true.

    python benchmarks/sdk.py call       # microseconds a call, on the caller's thread, while the thread beside it sends
    python benchmarks/sdk.py import     # milliseconds to import it in a bare interpreter
    python benchmarks/sdk.py flood      # 50,000 calls/s for 10 s: what is dropped is counted
    python benchmarks/sdk.py deliver    # 10,000 calls/s for 60 s: nothing may be dropped
    python benchmarks/sdk.py soak       # 2,000 calls/s for 10 minutes; the server is stopped for 2 and killed 5 times

`--seconds` makes a run shorter. Each starts a server of its own, with workers,
on a free port and in a folder of its own; the producer is another process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any  # Any: JSON values

SOURCE = Path(__file__).parents[1] / "src"
NUMBERS, WORDS = [f"n{i}" for i in range(15)], [f"c{i}" for i in range(5)]
MODEL = "sdk"
TURN_S = 0.005  # calls are made in bursts of so long


def features(rng: random.Random) -> dict[str, Any]:
    """Return the features of one event: 15 numbers and 5 words."""
    return {**{name: rng.gauss(0.0, 1.0) for name in NUMBERS}, **{name: rng.choice("abcdefgh") for name in WORDS}}


def reference() -> bytes:
    """Return reference data as Parquet."""
    import polars as pl

    rng = random.Random(0)
    rows = [{**features(rng), "score": rng.random(), "label": rng.randrange(2)} for _ in range(5_000)]
    frame = pl.DataFrame(rows).with_columns(
        pl.int_range(pl.len()).cast(pl.String).alias("event_id"),
        (pl.lit(1_700_000_000_000) + pl.int_range(pl.len()) * 60_000).cast(pl.Datetime("ms", "UTC")).alias("timestamp"),
    )
    file = BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


# The producer, which is a process of its own


def produce(url: str, folder: str, rate: float, seconds: float) -> None:
    """Log at a rate, and print how long the calls took, and what became of them."""
    sys.path.insert(0, str(SOURCE / "barograph"))
    from sdk import Client  # type: ignore[import-not-found,attr-defined,unused-ignore]  # as in its own wheel

    client = Client(url, MODEL, spill=folder, version="7")
    rng = random.Random(os.getpid())
    rows = [features(rng) for _ in range(1_000)]
    log, clock = client.log, time.perf_counter_ns
    for row in rows[:100]:  # the first calls start the thread
        log(row, score=0.5)
    taken = array("q")
    heir = rate < 1_000  # which is there for what another one left
    start = time.monotonic()
    calls = 0
    while (now := time.monotonic() - start) < seconds and not (heir and now > 1 and client.flush(1)):
        due = int(min(now + TURN_S, seconds) * rate)
        for i in range(calls, due):
            row = rows[i % 1_000]
            before = clock()
            log(row, score=0.5, latency_ms=1.5)
            taken.append(clock() - before)
        calls = due
        rest = start + calls / rate - time.monotonic()
        if rest > 0:
            time.sleep(rest)
    took = time.monotonic() - start
    client.close()
    ordered = sorted(taken)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    told = {name: round(ordered[int(share * (len(ordered) - 1))] / 1000, 1) for name, share in shares.items()}
    counts = client.counts()
    print(json.dumps({"calls": calls, "seconds": round(took, 1), **told, "max": ordered[-1] / 1000,
                      "above_1_ms": sum(t > 1_000_000 for t in taken), "counts": counts._asdict(),
                      "dropped": counts.dropped}))  # fmt: skip


# The server


@contextmanager
def served(folder: Path) -> Iterator[Any]:
    """Run a server that has the model, and give its process and its URL."""
    from chaos_processes import Kept, barograph, free_port

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data = folder / "data"
    command = barograph("serve", "--data", str(data), "--port", str(port), "--workers", "1", "--log-level", "error")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    kept = Kept("server", lambda: command, environment=environment, log=folder / "log", ready_url=f"{url}/readyz")
    kept.start()
    kept.wait_ready()
    call(f"{url}/v1/models/{MODEL}", "PUT", b'{"task": "binary", "label": "label"}', "application/json")
    call(f"{url}/v1/models/{MODEL}/references?wait=60", "POST", reference(), "application/vnd.apache.parquet")
    try:
        yield kept, url, data
    finally:
        kept.end()


def call(url: str, method: str = "GET", body: bytes | None = None, content_type: str = "") -> Any:
    """Return the answer of the server to one request."""
    request = urllib.request.Request(url, body, {"Content-Type": content_type} if body else {}, method=method)
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)


def filed(data: Path) -> tuple[int, int]:
    """Return how many events are in the table, and how many different ids they have."""
    import polars as pl

    logs = list(data.rglob("events/_delta_log"))
    if not logs:
        return 0, 0
    ids = pl.scan_delta(str(logs[0].parent)).select("event_id").collect()["event_id"]
    return len(ids), ids.n_unique()


def producer(url: str, folder: Path, rate: float, seconds: float) -> subprocess.Popen[str]:
    """Start a producer."""
    command = [sys.executable, __file__, "produce", "--url", url, "--folder", str(folder / "spill")]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run(rate: float, seconds: float, trouble: Callable[[Any], None] | None = None) -> dict[str, Any]:
    """Run a producer against a server, have what it left delivered by another one, and compare table and counts."""
    with tempfile.TemporaryDirectory(prefix="barograph-sdk-") as name:
        folder = Path(name)
        with served(folder) as (kept, url, data):
            process = producer(url, folder, rate, seconds)
            if trouble is not None:
                troubling = threading.Thread(target=trouble, args=(kept,))
                troubling.start()
            out, _ = process.communicate()
            found: dict[str, Any] = json.loads(out.splitlines()[-1])
            if trouble is not None:
                troubling.join()
            kept.wait_ready()
            left = found["counts"]["spilled"]
            extra = 0
            if left:  # the next process of the same service delivers what the last one left
                heir, _ = producer(url, folder, 100, 120).communicate()
                extra = json.loads(heir.splitlines()[-1])["counts"]["logged"]
            lost = found["dropped"] + found["counts"]["queued"]  # at the end nothing is in memory, or told to be lost
            found["expected"] = found["counts"]["logged"] - lost + extra
            until = time.monotonic() + 120
            while (told := filed(data))[0] < found["expected"] and time.monotonic() < until:
                time.sleep(0.5)
            found["filed"], found["different"] = told
            found["left_for_the_next"] = left
            found["kills"] = dict(kept.seen.kills)
    return found


def soak(seconds: float) -> Callable[[Any], None]:
    """Return what stops the server for a fifth of the time, and kills it five times."""

    def trouble(kept: Any) -> None:
        rng = random.Random(1)
        time.sleep(seconds * 0.1)
        kept.end()
        time.sleep(seconds * 0.2)
        kept.start()
        kept.wait_ready()
        for _ in range(5):
            time.sleep(seconds * 0.08 * rng.uniform(0.8, 1.2))
            kept.kill("running")
            kept.wait_ready()

    return trouble


def importing() -> dict[str, Any]:
    """Return how long importing takes of a processor, in a bare interpreter: a busy machine does not change that."""
    with tempfile.TemporaryDirectory() as name:
        import shutil

        shutil.copytree(SOURCE / "barograph" / "sdk", f"{name}/barograph_sdk")
        code = (
            f"import sys, time; sys.path.insert(0, {name!r}); start = time.process_time(); import barograph_sdk; "
            "print(time.process_time() - start)"
        )
        times = sorted(
            float(subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, check=True).stdout)
            for _ in range(21)
        )
    return {"import_cpu_ms_median": round(times[10] * 1000, 1), "import_cpu_ms_worst": round(times[-1] * 1000, 1)}


RUNS: dict[str, tuple[float, float]] = {  # calls a second, seconds
    "call": (1_000, 20),
    "flood": (50_000, 10),
    "deliver": (10_000, 60),
    "soak": (2_000, 600),
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*RUNS, "import", "produce"])
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--url", default="")
    parser.add_argument("--folder", default="")
    asked = parser.parse_args()
    if asked.what == "produce":
        produce(asked.url, asked.folder, asked.rate, asked.seconds)
        return
    if asked.what == "import":
        print(json.dumps(importing()))
        return
    rate, seconds = RUNS[asked.what]
    rate, seconds = asked.rate or rate, asked.seconds or seconds
    found = run(rate, seconds, soak(seconds) if asked.what == "soak" else None)
    print(json.dumps(found, indent=1))
    good = found["filed"] == found["different"] == found["expected"]
    print(f"{asked.what}: the table has {found['filed']:,} events, logged less dropped are {found['expected']:,}:",
          "as it should be" if good else "WRONG")  # fmt: skip
    sys.exit(not good)


if __name__ == "__main__":
    main()
