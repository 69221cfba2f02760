"""Messages are sent at least once, in order, with one key each: to a real server, by real processes that are killed."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from post_office import HOUR_US, MINUTE_US, Office, body_of, office_in

from barograph.delivery.receivers.webhook import is_genuine
from barograph.store.catalog import deliveries, receivers
from barograph.store.clock import wall_clock_us

CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"


def test_a_webhook_is_signed_as_documented(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret\n")
    office.said["receivers"]["hook"]["secret"] = {"env": "HOOK_SECRET"}
    office.incident()
    office.go()
    (taken,) = office.sink.taken
    at = taken.headers["barograph-timestamp"]
    assert at == str(office.now_us // 1_000_000)
    expected = hmac.new(b"s3cret", f"{at}.".encode() + taken.body, hashlib.sha256).hexdigest()
    assert taken.headers["barograph-signature"] == f"v1={expected}"
    assert taken.headers["idempotency-key"] == body_of(taken.body)["key"]
    now = datetime.fromtimestamp(int(at), UTC)
    genuine = {"at": at, "signature": f"v1={expected}", "body": taken.body, "now": now}
    assert is_genuine("s3cret", **genuine)  # type: ignore[arg-type]  # of a test
    for change in (
        {"body": taken.body + b" "},
        {"at": str(int(at) + 1)},
        {"now": now + timedelta(minutes=6)},
        {"signature": expected},
        {"at": "²"},
    ):
        assert not is_genuine("s3cret", **{**genuine, **change})  # type: ignore[arg-type]  # of a test


def test_what_fails_is_sent_again_later_and_later_with_the_same_key(office: Office) -> None:
    office.sink.usual = (503, {}, b"busy")
    office.incident()
    office.go()
    waits = []
    for _ in range(3):
        (one,) = office.deliveries()
        waits.append(one.due_us - office.now_us)
        office.go(one.due_us - office.now_us - 1)
        assert office.deliveries()[0].attempts == one.attempts
        office.go(1)
    office.sink.usual = (200, {}, b"")
    office.go(HOUR_US)
    (one,) = office.deliveries()
    assert (one.state, one.attempts, one.reason) == ("sent", 5, None)
    for wait, usual in zip(waits, (5, 15, 45), strict=True):
        assert usual / 2 <= wait / 1e6 <= usual
    assert len({taken.headers["idempotency-key"] for taken in office.sink.taken}) == 1
    assert len({taken.body for taken in office.sink.taken}) == 1


def test_a_receiver_that_asks_to_be_left_alone_is(office: Office) -> None:
    office.sink.answer(429, Retry_After="600")
    office.incident()
    office.go()
    assert office.go(599_000_000) == []
    assert office.deliveries()[0].attempts == 1
    office.go(1_000_000)
    assert office.deliveries()[0].state == "sent"


def test_a_message_that_is_refused_for_good_is_given_up_and_can_be_sent_again(office: Office) -> None:
    office.sink.answer(422, b"no such\r\nfield")
    office.incident()
    office.go()
    (dead,) = office.deliveries()
    assert (dead.state, dead.attempts) == ("dead", 1)
    assert dead.reason == "127.0.0.1: it answers 422 (no such field)."
    office.go(HOUR_US)
    assert len(office.sink.taken) == 1
    with office.ctx.write(1) as scope:
        assert deliveries.retry(scope, dead.id, now_us=office.now_us) is not None
        assert deliveries.retry(scope, dead.id, now_us=office.now_us) is None
    office.go()
    assert office.deliveries()[0].state == "sent"
    assert len({taken.headers["idempotency-key"] for taken in office.sink.taken}) == 1


def test_after_a_day_it_is_given_up(office: Office) -> None:
    office.sink.usual = (500, {}, b"")
    office.said["routes"][0]["repeat"] = "never"
    office.incident()
    for _ in range(60):
        office.go(30 * MINUTE_US)
    (one,) = office.deliveries()
    assert one.state == "dead"
    assert one.attempts > 20


def test_messages_of_one_thread_keep_their_order_and_others_overtake(office: Office) -> None:
    office.sink.answer(500)
    office.incident()
    office.go()
    office.incident("resolved")
    office.incident(id="other")
    office.go()
    assert [body_of(t.body)["kind"] for t in office.sink.taken] == ["new", "new"]
    office.go(HOUR_US)
    said = [(body_of(t.body)["incident"], body_of(t.body)["kind"]) for t in office.sink.taken]
    assert said == [("silent", "new"), ("other", "new"), ("silent", "new"), ("silent", "resolved")]


def test_a_receiver_that_cannot_be_reached_rests_and_others_hear_of_it(office: Office) -> None:
    office.said["receivers"]["second"] = office.hook("second")
    office.said["routes"] = [{"match": {"model": "flights"}, "receivers": ["hook"], "wait": "0s"}]
    dead = {"type": "webhook", "url": "http://127.0.0.1:9/"}
    office.said["receivers"]["hook"] = dead
    office.incident()
    told: list[str] = []
    for _ in range(20):
        told += office.go(MINUTE_US)
        if "outage to second" in told:
            break
    assert told == ["new to hook", "outage to second"]
    outage = body_of(office.sink.taken[-1].body)
    assert outage["what"] == "the receiver 'hook' cannot be reached"
    assert outage["cause"] == "127.0.0.1: connection refused."
    assert outage["how_bad"] == "1 message waiting, the first: no events have come since 2023-11-14 21:00 UTC"
    attempts = office.deliveries()[0].attempts
    assert attempts == receivers.FAILURES
    office.incident(id="another")
    assert office.go(1) == ["new to hook"]  # it waits, and nothing is tried
    assert office.deliveries(receiver="hook")[-1].attempts == 0
    office.said["receivers"]["hook"] = office.hook()
    told = office.go(HOUR_US)
    assert told == ["recovered to second"]
    assert {one.state for one in office.deliveries()} == {"sent"}


def test_nothing_of_a_secret_is_kept_or_logged(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HOOK_URL", f"{office.sink.url}/T0P-S3CRET?token=T0P-S3CRET")
    monkeypatch.setenv("HOOK_SECRET", "T0P-S3CRET")
    office.said["receivers"]["hook"] = {
        "type": "webhook",
        "url": {"env": "HOOK_URL"},
        "secret": {"env": "HOOK_SECRET"},
    }
    office.sink.answer(500)
    office.sink.answer(302, Location=f"{office.sink.url}/T0P-S3CRET")
    office.incident()
    office.go()
    office.go(HOUR_US)
    monkeypatch.setenv("HOOK_URL", "http://10.0.0.1/T0P-S3CRET")
    office.incident(id="other")
    office.go()
    monkeypatch.delenv("HOOK_URL")
    office.go(HOUR_US)
    reasons = [one.reason for one in office.deliveries()]
    assert any("HOOK_URL" in (reason or "") for reason in reasons)
    assert "T0P-S3CRET" not in caplog.text
    assert "T0P-S3CRET" not in repr(office.installation)
    for path in office.ctx.settings.folder.rglob("*"):
        assert not path.is_file() or b"T0P-S3CRET" not in path.read_bytes()


# Real processes


def write_file(office: Office) -> None:
    url, folder = office.sink.url, office.ctx.settings.folder
    (folder / "barograph.toml").write_text(
        '[delivery]\nallow = ["127.0.0.0/8"]\n'
        f'[receivers.hook]\ntype = "webhook"\nurl = "{url}/hook"\n'
        '[[routes]]\nreceivers = ["hook"]\nwait = "0s"\n'
    )


@contextmanager
def working(office: Office, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `barograph worker` on the office's folder."""
    command = [sys.executable, "-c", CODE, "barograph", "worker", "--data", str(office.ctx.settings.folder)]
    quick = {"BAROGRAPH_LEASE_SECONDS": "2", "BAROGRAPH_DELIVERY_SECONDS": "1.5", **environment}
    with subprocess.Popen([*command, "--log-level", "error"], env={**os.environ, **quick}) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def test_two_processes_send_each_message_once(office: Office) -> None:
    office.now_us = wall_clock_us()
    for i in range(30):
        office.incident(id=f"i{i}", model=f"m{i % 3}")
    write_file(office)
    with working(office), working(office):
        until(lambda: len(office.deliveries(state="sent")) == 30, "all are sent")
    keys = Counter(taken.headers["idempotency-key"] for taken in office.sink.taken)
    assert len(keys) == 30
    assert set(keys.values()) == {1}


def test_what_was_taken_and_not_marked_when_a_process_was_killed_is_sent_again_with_its_key(tmp_path: Path) -> None:
    with office_in(tmp_path / "data") as office:
        office.now_us = wall_clock_us()
        held = threading.Event()
        office.sink.answers.append((200, {}, _Held(held)))
        office.incident()
        write_file(office)
        with working(office) as first:
            until(lambda: len(office.sink.taken) == 1, "it is sent")
            first.send_signal(signal.SIGKILL)
            first.wait()
        held.set()
        assert office.deliveries()[0].state == "waiting"
        with working(office):
            until(lambda: office.deliveries()[0].state == "sent", "it is sent again")
        assert len(office.sink.taken) == 2
        assert len({taken.headers["idempotency-key"] for taken in office.sink.taken}) == 1


def test_what_happened_and_was_not_told_when_a_process_was_killed_is_told(tmp_path: Path) -> None:
    with office_in(tmp_path / "data") as office:
        office.now_us = wall_clock_us()
        office.incident()  # the alert is committed, and whoever wrote it is gone
        write_file(office)
        with working(office):
            until(lambda: bool(office.sink.taken), "it is told")
        assert body_of(office.sink.taken[0].body)["kind"] == "new"


class _Held(bytes):
    """A body that is not there before something has happened."""

    event: threading.Event

    def __new__(cls, event: threading.Event) -> Any:
        held = super().__new__(cls, b"")
        held.event = event
        return held

    def __len__(self) -> int:
        self.event.wait(30)
        return 0
