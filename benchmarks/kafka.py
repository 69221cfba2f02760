"""A topic of Kafka into a service, while consumer, server and broker die or go away.

    python benchmarks/kafka.py --messages 1000000 --kills 20 --away 60

The broker is librdkafka's mock cluster, in a process of its own, which is also the producer. It forgets what is older
than 5 MB or 100,000 messages of a partition, so no more is sent than the consumer will have read before that. First a
tenth of the messages without any trouble, for the rate; then the rest, while the consumer and the server are killed
(SIGKILL) in turn at random; then the server is away, then the broker stands still (SIGSTOP). At the end the table must
have each message once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any  # Any: JSON values

SOURCE = Path(__file__).parents[1] / "src"
TOPIC, GROUP, MODEL = "scores", "barograph", "kafka"
AHEAD = 60_000  # messages that may wait: the mock forgets what is far behind
CODE = "import sys; from barograph.cli import main; main()"
QUICK = ("session.timeout.ms=4000", "heartbeat.interval.ms=300")
FIRST_S = 1_700_000_000


def value(number: int) -> bytes:
    """Return a message: an event with 10 numbers, a score and a word."""
    rng = random.Random(number)
    features = {f"n{i}": round(rng.random(), 4) for i in range(10)} | {"colour": rng.choice(["red", "green", "blue"])}
    event = {"id": f"k{number}", "timestamp": FIRST_S + number * 0.05, "score": round(rng.random(), 4), **features}
    return json.dumps(event).encode()


def broker() -> None:
    """Be the broker and the producer: send as many messages as each line of the standard input says."""
    import confluent_kafka as kafka

    producer = kafka.Producer(
        {"test.mock.num.brokers": 1, "log_level": 0, "linger.ms": 20, "batch.num.messages": 10_000}
    )
    brokers = ",".join(f"{one.host}:{one.port}" for one in producer.list_topics(timeout=10).brokers.values())
    asks = kafka.Consumer({"bootstrap.servers": brokers, "group.id": GROUP, "log_level": 0})
    print(brokers, flush=True)
    done, values = 0, [value(i) for i in range(20_000)]  # made once: to make them all would take the consumer's time

    def committed() -> int:
        found = asks.committed([kafka.TopicPartition(TOPIC, p) for p in range(4)], timeout=30)
        return sum(max(one.offset, 0) for one in found)

    for line in sys.stdin:
        until = done + int(line)
        while done < until:
            if done - committed() > AHEAD:
                time.sleep(0.02)
                continue
            for _ in range(min(10_000, until - done)):
                body = values[done % len(values)].replace(b'"id": "k', b'"id": "%d-' % (done // len(values)), 1)
                producer.produce(TOPIC, body, partition=done % 4)
                done += 1
            producer.poll(0)
        producer.flush()
        while committed() < done:
            time.sleep(0.02)
        print(f"{done} {time.monotonic()}", flush=True)


class Run:
    """The processes of one run. `peak_mb` is the most memory that a consumer had."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.peak_mb, self.kills = folder, 0.0, 0
        self.environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        own = [sys.executable, __file__, "broker"]
        self.broker = subprocess.Popen(
            own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
        )
        self.brokers = self._line()
        self.port = 0
        self.server = self.serve()
        self.consumer: subprocess.Popen[str] | None = None

    def _line(self) -> str:
        assert self.broker.stdout is not None
        return self.broker.stdout.readline().strip()

    def serve(self) -> subprocess.Popen[str]:
        """Start the server, and return when it answers."""
        at = ["serve", "--data", str(self.folder / "data"), "--port", str(self.port), "--log-level", "error"]
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, *at], stderr=subprocess.PIPE, text=True, env=self.environment
        )
        assert process.stderr is not None
        said = process.stderr.readline()
        while said and "serves at" not in said:
            said = process.stderr.readline()
        threading.Thread(target=process.stderr.read, daemon=True).start()
        self.port = int(said.rsplit(":", 1)[1])
        return process

    def consume(self) -> None:
        """Start the consumer."""
        url, options = f"http://127.0.0.1:{self.port}", [text for one in QUICK for text in ("--option", one)]
        asked = ["consume", "--topic", TOPIC, "--group", GROUP, "--model", MODEL, "--server", url, "--quiet"]
        command = [sys.executable, "-c", CODE, *asked, "--brokers", self.brokers, *options]
        with (self.folder / "consumer.log").open("a") as log:
            self.consumer = subprocess.Popen(command, stdout=log, stderr=log, text=True, env=self.environment)

    def kill_consumer(self) -> None:
        """Kill the consumer, and start another."""
        assert self.consumer is not None
        self.consumer.kill()
        self.consumer.wait()
        self.consume()

    def kill_server(self) -> None:
        """Kill the server, and start another on the same folder and port."""
        self.server.kill()
        self.server.wait()
        self.server = self.serve()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """Return the answer of the server."""
        headers = {"Content-Type": kind} if body is not None else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def send(self, messages: int) -> None:
        """Have messages sent; `finished` waits until they are committed."""
        assert self.broker.stdin is not None
        print(messages, file=self.broker.stdin, flush=True)

    def finished(self) -> None:
        """Wait until what was sent is committed."""
        assert self._line()

    def processor_s(self) -> dict[str, float]:
        """Return the processor time that each process has had."""
        assert self.consumer is not None
        found = {}
        for name, process in (
            ("broker and producer", self.broker),
            ("consumer", self.consumer),
            ("server", self.server),
        ):
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            found[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return found

    def watch(self, until: threading.Event) -> None:
        """Note the most memory that the consumer has."""
        while not until.wait(0.5):
            try:
                assert self.consumer is not None
                pages = int(Path(f"/proc/{self.consumer.pid}/statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            self.peak_mb = max(self.peak_mb, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    def end(self) -> None:
        """End all processes."""
        for process in (self.consumer, self.server, self.broker):
            if process is not None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in (self.consumer, self.server, self.broker):
            if process is not None:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def reference() -> bytes:
    """Return reference data as Parquet."""
    import polars as pl

    rows = [{**json.loads(value(i)), "label": i % 2} for i in range(3_000)]
    frame = pl.DataFrame(rows).with_columns(
        pl.from_epoch(pl.col("timestamp").cast(pl.Int64), "s").dt.replace_time_zone("UTC")
    )
    file = BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def measure(asked: argparse.Namespace, folder: Path) -> None:
    """Run all of it, and print what was seen."""
    run, over, chance = Run(folder), threading.Event(), random.Random(asked.seed)
    try:
        run.ask("PUT", f"/v1/models/{MODEL}", json.dumps({"task": "binary", "label": "label", "chunk": "1d"}).encode())
        run.ask("POST", f"/v1/models/{MODEL}/references?wait=60", reference(), "application/vnd.apache.parquet")
        run.consume()
        threading.Thread(target=run.watch, args=(over,), daemon=True).start()
        run.send(1_000)
        run.finished()  # the group has begun, everything is loaded
        calm = asked.calm or asked.messages // 10
        began, before = time.monotonic(), run.processor_s()
        run.send(calm)
        run.finished()
        used = {name: 1e6 * (now - before[name]) / calm for name, now in run.processor_s().items()}
        rate = calm / (time.monotonic() - began)
        print(f"rate: {rate:,.0f} messages/s (load {os.getloadavg()[0]:.1f})", flush=True)
        each = ", ".join(f"{name} {microseconds:.1f}" for name, microseconds in used.items())
        print(f"processor, in µs a message: {each}; together {sum(used.values()):.1f}", flush=True)
        away = min(30_000, asked.messages // 10)
        rest = asked.messages - calm - 1_000 - 2 * away * bool(asked.away)
        began = time.monotonic()
        portion = rest // (asked.kills + 1)
        run.send(rest - portion * asked.kills)
        run.finished()
        for run.kills in range(1, asked.kills + 1):
            run.send(portion)
            time.sleep(chance.uniform(0.0, 0.8 * portion / rate))
            (run.kill_server if run.kills % 2 else run.kill_consumer)()
            run.finished()
        print(f"{rest:,} messages with {run.kills} kills in {time.monotonic() - began:.0f} s", flush=True)
        if asked.away:
            run.server.send_signal(signal.SIGSTOP)
            run.send(away)
            time.sleep(asked.away)
            run.server.send_signal(signal.SIGCONT)
            run.finished()
            print(f"server stood still for {asked.away} s: all committed", flush=True)
            run.send(away)
            time.sleep(0.2)
            run.broker.send_signal(signal.SIGSTOP)
            time.sleep(asked.away)
            run.broker.send_signal(signal.SIGCONT)
            run.finished()
            print(f"broker stood still for {asked.away} s: all committed", flush=True)
        over.set()
        check(run, asked.messages)
    finally:
        over.set()
        run.end()


def check(run: Run, messages: int) -> None:
    """Compare what the table has with what was sent."""
    import polars as pl

    until = time.monotonic() + 120
    while (counted := run.ask("GET", f"/v1/models/{MODEL}")["state"]["events"]) < messages and time.monotonic() < until:
        time.sleep(0.5)
    (log,) = (run.folder / "data" / "tables").rglob("events/_delta_log")
    ids = pl.read_delta(str(log.parent), columns=["id"]).get_column("id")
    print(f"sent {messages:,}, in the table {len(ids):,} with {ids.n_unique():,} different ids, counted {counted:,}")
    print(f"most memory of a consumer: {run.peak_mb:,.0f} MB")
    if not len(ids) == ids.n_unique() == counted == messages:
        raise SystemExit("NOT exactly once in effect")


def main() -> None:
    """Read the arguments and run."""
    if sys.argv[1:] == ["broker"]:
        broker()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--calm", type=int, help="of them, those before any trouble, for the rate; a tenth")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--away", type=int, default=60, help="seconds for which server and broker stand still; 0: never"
    )
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="barograph-kafka-") as folder:
        measure(asked, Path(folder))


if __name__ == "__main__":
    main()
