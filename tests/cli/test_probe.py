"""`barograph probe`, as a person runs it: against an HTTP model, a Python function, and a service that is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "server"))
from serving import serving

Barograph = Callable[..., Any]


class Model:
    """An HTTP model, whose answers tests can change."""

    def __init__(self) -> None:
        self.factor = 2.0
        self.status = 200
        self.headers: list[dict[str, str]] = []
        self.url = ""


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.headers.append(dict(self.headers))
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"score": asked["x"] * made.factor, "took": 1}).encode()
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/predict"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    rows = [{"id": f"row-{i}", "input": {"x": i}, "answer": {"score": i * 2.0}} for i in range(1, 6)]
    (tmp_path / "golden.ndjson").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return tmp_path / "golden.ndjson"


def test_a_model_that_answers_as_it_did(
    barograph: Barograph, golden: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    ran = barograph("probe", golden, "--to", model.url, "--header", "Authorization: Bearer $TOKEN")
    assert ran.code == 0
    assert "5 answers: all as recorded; median" in ran.out
    assert {headers["Authorization"] for headers in model.headers} == {"Bearer secret"}
    assert barograph("probe", golden, "--to", model.url, "--quiet").out == ""


def test_a_wrong_unit_a_slow_and_a_dead_model(barograph: Barograph, golden: Path, model: Model) -> None:
    model.factor = 2.1
    ran = barograph("probe", golden, "--to", model.url)
    assert ran.code == 1
    assert "5 answers: 5 different" in ran.out
    assert "row-1: different: $.score: expected 2.0, got 2.1" in ran.out
    assert barograph("probe", golden, "--to", model.url, "--relative", "0.06").code == 0
    assert barograph("probe", golden, "--to", model.url, "--tolerance", "0.6").code == 0
    slow = barograph("probe", golden, "--to", model.url, "--tolerance", "1", "--max-latency-ms", "0")
    assert (slow.code, "5 slow" in slow.out) == (1, True)
    model.status = 503
    ran = barograph("probe", golden, "--to", model.url)
    assert ran.code == 1
    assert "row-1: failed: RuntimeError: HTTP 503" in ran.out
    dead = barograph("probe", golden, "--to", "http://127.0.0.1:9/predict", "--timeout", "1")
    assert (dead.code, "5 failed" in dead.out) == (1, True)


def test_recording_and_a_python_function(
    barograph: Barograph, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inputs.ndjson").write_text('{"x": 1}\n{"x": 2}\n', "utf-8")
    (tmp_path / "my_probed_model.py").write_text("def predict(row):\n    return {'score': row['x'] * 2}\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    ran = barograph("probe", "golden.ndjson", "--to", model.url, "--record", "inputs.ndjson")
    assert (ran.code, ran.out) == (0, "Recorded 2 answers in golden.ndjson.\n")
    # What the HTTP model says beside the score, the function does not.
    ran = barograph("probe", "golden.ndjson", "--to", "my_probed_model:predict")
    assert (ran.code, "0: different: $.took: expected 1, got nothing" in ran.out) == (1, True)
    again = barograph("probe", "golden.ndjson", "--to", "my_probed_model:predict", "--record", "inputs.ndjson")
    assert again.code == 0
    assert barograph("probe", "golden.ndjson", "--to", model.url).code == 0  # what is new is no difference


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-file", "--to", "json:dumps"), "no-such-file"),
        (("golden.ndjson", "--to", "nonsense"), "expected module:function"),
        (("golden.ndjson", "--to", "http://127.0.0.1:9", "--header", "nonsense"), "--header must be"),
        (("golden.ndjson", "--to", "json:dumps", "--every", "soon"), "--every: This must be a number with a unit"),
        (("golden.ndjson", "--to", "json:dumps", "--model", "m", "--url", "nonsense"), "--url: expected the address"),
        (("new", "--to", "http://127.0.0.1:9", "--record", "golden.ndjson"), "There is no answer to row row-1"),
    ],
)
def test_bad_input(
    barograph: Barograph, golden: Path, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(golden.parent)
    ran = barograph("probe", *words)
    assert ran.code == 2
    assert said in ran.err


def test_the_service_is_told_what_became_otherwise(
    barograph: Barograph, golden: Path, model: Model, tmp_path: Path
) -> None:
    with serving(tmp_path / "served") as served:
        served.client.put("/v1/models/m", json={})

        def run() -> int:
            code: int = barograph("probe", golden, "--to", model.url, "--model", "m", "--url", served.url).code
            return code

        def titles() -> list[str]:
            found = served.client.get("/v1/models/m/changes?kind=probe").json()["items"]
            return [change["title"] for change in found]

        assert (run(), run()) == (0, 0)
        assert titles() == ["golden: all 5 answers are as recorded"]
        model.factor = 2.1
        assert (run(), run()) == (1, 1)
        (incident,) = served.client.get("/v1/incidents").json()["items"]
        assert (incident["state"], incident["severity"]) == ("firing", "critical")
        assert incident["title"] == "probe 'golden': of 5 golden rows, 5 are not answered as recorded"
        assert titles()[0] == ("golden: of 5 answers 5 different: row-1: different: $.score: expected 2.0, got 2.1")
        model.factor = 2.0
        assert run() == 0
        assert len(titles()) == 3
        (incident,) = served.client.get("/v1/incidents").json()["items"]
        assert (incident["state"], incident["severity"]) == ("resolved", "critical")
        unknown = barograph("probe", golden, "--to", model.url, "--model", "other", "--url", served.url)
        assert (unknown.code, "There is no model 'other'" in unknown.err) == (0, True)


def test_it_asks_again_on_a_schedule_until_it_is_interrupted(golden: Path, model: Model) -> None:
    model.factor = 2.1
    words = ["import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()", "barograph", "probe"]
    command = [sys.executable, "-c", *words, str(golden), "--to", model.url, "--every", "1s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(12)]  # of the second run, too: each has six
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 1, child.stderr and child.stderr.read()
    assert [line.split("  ")[1][:22] for line in (lines[0], lines[6])] == ["5 answers: 5 different"] * 2
