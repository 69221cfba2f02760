"""`barograph demo`: real models on real data, watched live, or a year of flights checked at once."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.cli import options

if TYPE_CHECKING:
    from barograph.demo.api import Api
    from barograph.demo.play import Seen
    from barograph.demo.story import Story

LIVE_DAYS = 13  # that are streamed; what was before is history
EXIT_CUT_OFF = 130  # as shells have it
_FALSE = ("", "0", "false", "no")


def demo(
    batch: Annotated[bool, typer.Option("--batch", help="Check a year of flights at once, without a server.")] = False,
    html: Annotated[Path, typer.Option(help="With --batch: where the page goes.")] = Path("barograph-report.html"),
    data: Annotated[Path | None, typer.Option(help="Empty folder of the server. Default: a temporary one.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; if it is taken, any that is free.")] = 8321,
    day_seconds: Annotated[float, typer.Option(min=0.0, max=3600.0, help="For a day of the story.")] = 10.0,
) -> None:
    """Train real models, serve them on this machine, and watch a story of real and injected troubles.

    Months of history are filled in, then days pass in seconds until yesterday is reached; the pages stay until Ctrl-C.
    Without a terminal, or with $CI set, it ends with the story: with 0 if each trouble was found and each healthy model
    left alone, else with 1 and the reasons.
    """
    if batch:
        _batch(html)
    else:
        is_watched = sys.stdout.isatty() and os.environ.get("CI", "").lower() in _FALSE
        _live(data, port=port, day_s=day_seconds, is_watched=is_watched)


def _live(data: Path | None, *, port: int, day_s: float, is_watched: bool) -> None:
    from barograph.demo.api import Api
    from barograph.demo.flights import today
    from barograph.demo.found import outcome
    from barograph.demo.play import Seen, states
    from barograph.demo.server import served

    began, now = time.monotonic(), datetime.now(UTC)
    with _ends_on_ctrl_c(0 if is_watched else EXIT_CUT_OFF), _folder(data) as folder, served(folder, port=port) as url:
        print(f"The dashboard is at {url}/", flush=True)
        print(f"`barograph serve --data {data}` shows it again.\n" if data else "", flush=True)
        end = today(now)
        start = end - timedelta(days=LIVE_DAYS)
        api, seen = Api(url), Seen()
        stories = _told(api, now, start=start, seen=seen)
        _stream(api, stories, start=start, end=end, day_s=day_s if is_watched else 0.0, seen=seen)
        lines, wrong = outcome(stories, seen, states(api, stories))
        print(f"\nThe story is told, in {time.monotonic() - began:.0f} s:")
        print("".join(f"- {line}\n" for line in lines), end="", flush=True)
        if is_watched:
            print(f"\nThe dashboard stays at {url}/ until Ctrl-C.", flush=True)
            while True:
                time.sleep(1.0)
                api.get("/healthz")
        api.close()
    if wrong:
        print("\nThe demo is not as it should be:", *wrong, sep="\n- ", file=sys.stderr)
        raise typer.Exit(1)


def _told(api: Api, now: datetime, *, start: datetime, seen: Seen) -> Sequence[Story]:
    """Train the models, send their past, and say what was found in it; return their stories."""
    from barograph.demo.flights import flight_delays, late_flights
    from barograph.demo.football import matches
    from barograph.demo.play import back_fill, look

    stories = []
    for tell in (late_flights, flight_delays, matches):
        story = tell(now)
        stories.append(story)
        print(f"{story.model}: {story.about}.\n{'':2}Its page: {api.url}/models/{story.model}", flush=True)
        back_fill(api, story, until=start)
        past = story.events.filter(story.events["timestamp"] < start)
        print(f"{'':2}{len(past):,} events since {past['timestamp'][0]:%Y-%m-%d} are filled in.", flush=True)
    print(flush=True)
    api.wait_idle([story.model for story in stories])
    look(api, stories, at=start, say=_say, seen=seen, is_past=True)
    return stories


def _stream(api: Api, stories: Sequence[Story], *, start: datetime, end: datetime, day_s: float, seen: Seen) -> None:
    from barograph.demo.play import stream

    pace = f"a day in {day_s:g} s" if day_s else "as fast as the server takes it"
    print(f"\n{start:%Y-%m-%d}: from here on events and labels come live, {pace}. Times are UTC.", flush=True)
    stream(api, stories, start=start, end=end, day_s=day_s, say=_say, seen=seen)


def _say(at: datetime, model: str, what: str) -> None:
    from barograph.demo.play import clock

    print(f"{clock(at)}  {model:13}  {what}", flush=True)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="barograph-demo-") as home:
        yield Path(home) / "data"


@contextmanager
def _ends_on_ctrl_c(code: int) -> Iterator[None]:
    """End with `code` on Ctrl-C, and on SIGTERM: so the server ends with this process."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        with suppress(KeyboardInterrupt):
            yield
            return
        print("\nThe demo has ended.", flush=True)
        raise typer.Exit(code)
    finally:
        signal.signal(signal.SIGTERM, before)


def _batch(html: Path) -> None:
    from barograph.demo.flights import FEATURES, ZONE, load, predict
    from barograph.report.check import check
    from barograph.report.html import check_packages
    from barograph.report.terminal import print_summary

    check_packages()
    print("Will a flight from New York land 15 minutes late or more? 336,776 flights of 2013 (CC0).")
    print("Training a gradient-boosted model on January to April ...", flush=True)
    flights = predict(load())
    print("Checking its predictions of June to December against those of May ...\n", flush=True)
    with options.progress("reading", quiet=False) as bar:
        report = check(
            flights.reference,
            flights.current,
            model="late flights",
            chunk="1w",
            progress=bar,
            label="late",
            score="score",
            timestamp="timestamp",
            timezone=ZONE,
            features=FEATURES,
            segments=["origin"],
        )
    report.write_html(html)
    print_summary(report)
    print(f"\nReport: {html.resolve()}")
    if sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        webbrowser.open(html.resolve().as_uri())
