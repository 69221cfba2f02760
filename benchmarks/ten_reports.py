"""Ten small reports whose truth is known, for readers who know nothing else, and the key to judge their answers by.

    python benchmarks/ten_reports.py FOLDER KEY_FOLDER       # all ten, about a minute
    python benchmarks/ten_reports.py FOLDER KEY_FOLDER --only outage

Ten worlds are made from seeds: a month and a half of a model that scores loan applications, after eight weeks of
reference. FOLDER gets what `barograph check` says of each without any option, as a page and as the text of a terminal,
under numbers that tell nothing; KEY_FOLDER gets key.json, with the truth, which is fixed here in code, and the figures
that plain numpy finds in the rows. Readers get FOLDER alone and answer six questions of each report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = dict[str, npt.NDArray[np.float64]]

QUESTIONS = (
    "Is the model fine now?",
    "If something is or was wrong: since when, until when?",
    "How bad is it, in figures?",
    "Why, most probably?",
    "What would you do first?",
    "How sure can one be, and what could not be judged?",
)
REFERENCE_DAYS, DAYS, ROWS_A_DAY = 56, 42, 1300
START = np.datetime64("2026-01-05", "us")  # a Monday
LABEL_DELAY = 4  # days: labels of the newest days are not there yet
DAY = np.timedelta64(1, "D")
CHANNELS = np.array(["branch", "phone", "web"])


@dataclass(frozen=True, kw_only=True)
class Key:
    """The right answers to the six questions, in words for whoever marks the answers."""

    fine: str
    since: str
    how_bad: str
    why: str
    next: str
    sure: str


@dataclass(frozen=True, kw_only=True)
class World:
    """One truth. `make` returns the reference and what came after it; `key` is given the figures of the rows."""

    name: str
    number: int  # under which readers see it
    make: Callable[[np.random.Generator], tuple[pl.DataFrame, pl.DataFrame]]
    day: int | None  # from which something is different, of those after the reference
    key: Key


def applications(rng: np.random.Generator, days: int, *, a_day: int = ROWS_A_DAY) -> Rows:
    """Return applications by day, fewer at weekends, without what the model says and what comes true."""
    share = np.where(np.arange(days) % 7 < 5, 1.0, 0.55)
    day = np.repeat(np.arange(days), rng.poisson(a_day * share)).astype(float)
    n = len(day)
    return {
        "day": day,
        "second": np.clip(rng.normal(14.0, 3.0, n), 0.0, 23.9) * 3600,
        "age": np.clip(rng.normal(44.0, 13.0, n), 18.0, 90.0).round(),
        "income": (np.exp(rng.normal(10.6, 0.45, n))).round(-1),
        "amount": (np.exp(rng.normal(9.2, 0.6, n))).round(-1),
        "balance": (np.exp(rng.normal(7.6, 0.7, n))).round(2),
        "limit": (np.exp(rng.normal(8.6, 0.4, n))).round(-1),
        "channel": rng.choice(3, n, p=[0.3, 0.2, 0.5]).astype(float),
    }


def risk(rows: Rows, *, amount: float = 1.0, channel: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the log-odds that a loan is not paid back; `amount` and `channel` scale what these do."""
    return (
        -0.55
        - 1.3 * (np.log(rows["income"]) - 10.6) / 0.45
        + amount * 1.2 * (np.log(rows["amount"]) - 9.2) / 0.6
        + 0.9 * (np.log(np.maximum(rows["balance"], 1.0)) - 7.6) / 0.7
        - 0.8 * (np.log(np.maximum(rows["limit"], 1.0)) - 8.6) / 0.4
        + channel * 0.8 * (rows["channel"] - 1.0)
        - 0.02 * (rows["age"] - 44.0)
    )


def chance(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probability of log-odds."""
    return 1 / (1 + np.exp(-log_odds))


def frame(rows: Rows, log_odds: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_], *, first: int) -> pl.DataFrame:
    """Return rows as they are logged, with the model's score, in the order of time; `first` is the day of the first."""
    score = chance(log_odds)
    days = (rows["day"] + first).astype("timedelta64[D]")
    return pl.DataFrame(
        {
            "timestamp": START + days + (rows["second"] * 1e6).astype("timedelta64[us]"),
            **{name: rows[name] for name in ("age", "income", "amount", "balance", "limit")},
            "channel": CHANNELS[rows["channel"].astype(int)],
            "score": score.round(4),
            "prediction": (score >= 0.5).astype(np.int64),
            "label": bad.astype(np.int64),
        }
    ).sort("timestamp")


def outcome(rng: np.random.Generator, log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return who did not pay."""
    return rng.random(len(log_odds)) < chance(log_odds)


def pending(current: pl.DataFrame, *, last_labelled: int = DAYS - LABEL_DELAY) -> pl.DataFrame:
    """Take the labels off the rows from a day on."""
    known = pl.col("timestamp") < pl.lit(date(last_labelled))
    return current.with_columns(label=pl.when(known).then("label"))


def date(day: int) -> np.datetime64:
    """Return midnight of a day after the reference."""
    return START + (REFERENCE_DAYS + day) * DAY


def reference(rng: np.random.Generator, *, a_day: int = ROWS_A_DAY) -> pl.DataFrame:
    """Return rows from when all was well, with all labels."""
    rows = applications(rng, REFERENCE_DAYS, a_day=a_day)
    return frame(rows, risk(rows), outcome(rng, risk(rows)), first=0)


def healthy(rng: np.random.Generator, *, a_day: int = ROWS_A_DAY) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nothing changes."""
    rows = applications(rng, DAYS, a_day=a_day)
    made = frame(rows, risk(rows), outcome(rng, risk(rows)), first=REFERENCE_DAYS)
    return reference(rng, a_day=a_day), pending(made)


def small(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nothing changes, and there are few rows."""
    return healthy(rng, a_day=12)


def changed(rng: np.random.Generator, day: int, change: Callable[[Rows, Rows], Rows]) -> pl.DataFrame:
    """Return rows whose model is shown something else than is true from a day on."""
    rows = applications(rng, DAYS)
    true = risk(rows)
    late = rows["day"] >= day
    wrong = change(rows, {name: values.copy() for name, values in rows.items()})
    seen = {name: np.where(late, wrong[name], rows[name]) for name in rows}
    return frame(seen, risk(seen), outcome(rng, true), first=REFERENCE_DAYS)


def unit_error(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Income comes by month instead of by year."""
    made = changed(rng, 19, lambda rows, seen: {**seen, "income": (rows["income"] / 12).round(-1)})
    return reference(rng), pending(made)


def swapped(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two columns change places."""
    made = changed(rng, 23, lambda rows, seen: {**seen, "balance": rows["limit"], "limit": rows["balance"]})
    return reference(rng), pending(made)


def concept(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Large loans stop being risky, the web stops being worse than the branch; inputs stay as they were."""
    rows = applications(rng, DAYS)
    true = np.where(rows["day"] >= 17, risk(rows, amount=-0.3, channel=0.0), risk(rows))
    return reference(rng), pending(frame(rows, risk(rows), outcome(rng, true), first=REFERENCE_DAYS))


def labels_stop(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """No labels come for what happened from a day on, and nothing else changes."""
    before, current = healthy(rng)
    return before, pending(current, last_labelled=16)


def outage(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """No rows for three days; all is well before and after."""
    before, current = healthy(rng)
    return before, current.filter(~pl.col("timestamp").is_between(date(22), date(25), closed="left"))


def prevalence(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Three of five good loans are no longer asked for: more come true, with the same inputs for each outcome."""
    rows = applications(rng, DAYS)
    made = frame(rows, risk(rows), outcome(rng, risk(rows)), first=REFERENCE_DAYS)
    gone = (pl.col("timestamp") >= date(21)) & (pl.col("label") == 0) & pl.Series(rng.random(len(made)) < 0.65)
    return reference(rng), pending(made.filter(~gone))


def slow_decay(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What amount and channel do wears off day by day, from the first day on."""
    rows = applications(rng, DAYS)
    worn = np.clip(rows["day"] / (DAYS - 1), 0.0, 1.0)
    true = risk(rows) + worn * (risk(rows, amount=-0.2, channel=0.0) - risk(rows))
    return reference(rng), pending(frame(rows, risk(rows), outcome(rng, true), first=REFERENCE_DAYS))


def growing_id(rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nothing changes but a running number among the columns."""
    before, current = healthy(rng)
    numbers = 4_000_000 + np.cumsum(rng.integers(1, 6, len(before) + len(current)))
    split = len(before)
    return (
        before.with_columns(application_no=pl.Series(numbers[:split])),
        current.with_columns(application_no=pl.Series(numbers[split:])),
    )


DELAY = f"Labels of the last {LABEL_DELAY} days are not there yet, so these days are not judged by labels."
FINE = Key(
    fine="Yes.",
    since="Nothing is wrong.",
    how_bad="Not bad: every metric is as in the reference.",
    why="Nothing happened.",
    next="Nothing.",
    sure=f"Sure for the days with labels. {DELAY}",
)
WORLDS = (
    World(name="healthy", number=7, make=healthy, day=None, key=FINE),
    World(
        name="unit error",
        number=3,
        make=unit_error,
        day=19,
        key=Key(
            fine="No; it is critical and goes on.",
            since="Since {date} (a day to either side is right), ongoing.",
            how_bad="Accuracy {accuracy}; flagged {flagged}.",
            why="`income` is about 12 times smaller than it was, from one day to the next: an error of its unit (by "
            "month instead of by year) or of the code that makes it. Not a change of the world.",
            next="Check the unit of `income` where it is made, and mend it; do not retrain.",
            sure=f"Sure that it is worse and that income moved that day. {DELAY}",
        ),
    ),
    World(
        name="swapped columns",
        number=9,
        make=swapped,
        day=23,
        key=Key(
            fine="No; it goes on.",
            since="Since {date} (a day to either side is right), ongoing.",
            how_bad="Accuracy {accuracy}; flagged {flagged}.",
            why="`balance` and `limit` moved on the same day, each to where the other was: probably swapped upstream.",
            next="Look at how `balance` and `limit` are filled; mend it; do not retrain.",
            sure=f"Sure that it is worse and that both moved that day. {DELAY}",
        ),
    ),
    World(
        name="concept change",
        number=5,
        make=concept,
        day=17,
        key=Key(
            fine="No; it goes on.",
            since="Since {date} (a day to either side is right), ongoing.",
            how_bad="Accuracy {accuracy}; flagged {flagged}.",
            why="The rule behind the labels has changed: inputs and scores are as before, outcomes are not.",
            next="Retrain on rows since then; look at what labels mean.",
            sure=f"Sure: inputs did not move, labels did. {DELAY}",
        ),
    ),
    World(
        name="labels stop",
        number=1,
        make=labels_stop,
        day=16,
        key=Key(
            fine="Not known: no labels come since {date}. Until then it was well. What can be seen without labels "
            "(inputs, scores, the estimate) is as before. 'Fine' without that is wrong.",
            since="Since {date} no labels (within the delay of labels of {delay} days).",
            how_bad="Not known; the estimate is as in the reference. 0 of {rows_after} rows have labels.",
            why="The feed of labels stopped, or labels are late; nothing else changed.",
            next="Find out why no labels arrive.",
            sure="Not sure for anything after that day: estimates see no change of the rule.",
        ),
    ),
    World(
        name="outage",
        number=8,
        make=outage,
        day=22,
        key=Key(
            fine="Yes now; there were no rows for three days, which is over.",
            since="From {date} to {date_2} (three days), over.",
            how_bad="0 rows in three days; performance is as in the reference before and after.",
            why="Nothing was logged: an outage of the service or of the logging, not of the model.",
            next="Find out what was down, and whether rows can be filled in.",
            sure=f"Sure, but for these three days, of which nothing is known. {DELAY}",
        ),
    ),
    World(
        name="prevalence shift",
        number=2,
        make=prevalence,
        day=21,
        key=Key(
            fine="No; it goes on.",
            since="Since {date} (a day to either side is right), ongoing.",
            how_bad="Positive labels {positive}; accuracy {accuracy}; traffic {a_day} rows a day.",
            why="Many more come true than before, while rows of each outcome look as before (label or prevalence "
            "shift); fewer rows come. 'More positives than the scores say' is right; a broken column is wrong.",
            next="Recalibrate or move the threshold, or retrain on new rows; ask why the good applications are gone.",
            sure=f"Sure that it is worse, and that more come true. {DELAY}",
        ),
    ),
    World(
        name="slow decay",
        number=10,
        make=slow_decay,
        day=0,
        key=Key(
            fine="No; it goes on and gets worse.",
            since="Slowly, from the first days after the reference ({date}) on; no single day. An onset in the first "
            "three weeks with the word that it grows is right.",
            how_bad="Accuracy {accuracy_third}, first third to last third.",
            why="The rule behind the labels changes little by little: inputs and scores are as before.",
            next="Retrain on recent rows.",
            sure=f"Sure that it is worse at the end; when it began is not sharp. {DELAY}",
        ),
    ),
    World(
        name="growing id",
        number=4,
        make=growing_id,
        day=None,
        key=Key(
            fine="Yes.",
            since="Nothing is wrong.",
            how_bad="Not bad: every metric is as in the reference.",
            why="Nothing happened; `application_no` is a running number and no feature.",
            next="Leave `application_no` out of the features (or nothing).",
            sure=f"Sure for the days with labels. {DELAY}",
        ),
    ),
    World(
        name="small data",
        number=6,
        make=small,
        day=None,
        key=Key(
            fine="No sign of trouble, as far as 12 rows a day can tell.",
            since="Nothing is known to be wrong.",
            how_bad="Within chance of the reference.",
            why="Nothing happened.",
            next="Nothing; with so few rows, look by week or month.",
            sure=f"Not very: only a large loss could have been seen, and the page says how large. {DELAY}",
        ),
    ),
)


def figures(world: World, before: pl.DataFrame, current: pl.DataFrame) -> dict[str, str]:
    """Return what the key tells in numbers, by plain numpy, from the rows with labels."""
    day = world.day or 0
    after = current.filter(pl.col("timestamp") >= date(day))
    known = after.drop_nulls("label")
    third = current.drop_nulls("label")

    def accuracy(rows: pl.DataFrame) -> str:
        return f"{np.mean(rows['label'].to_numpy() == rows['prediction'].to_numpy()):.3f}" if len(rows) else "–"

    def pair(one: str, other: str) -> str:
        return f"{one} in the reference, {other} since then"

    cut = len(third) // 3
    return {
        "date": str(date(day))[:10],
        "date_2": str(date(day + 2))[:10],
        "delay": str(LABEL_DELAY),
        "accuracy": pair(accuracy(before), accuracy(known)),
        "accuracy_third": f"{accuracy(before)} in the reference, {accuracy(third[:cut])} → {accuracy(third[-cut:])}",
        "flagged": pair(f"{np.mean(before['prediction'].to_numpy()):.3f}", f"{after['prediction'].mean():.3f}"),
        "positive": pair(f"{np.mean(before['label'].to_numpy()):.3f}", f"{known['label'].mean() or 0:.3f}"),
        "a_day": pair(f"{len(before) / REFERENCE_DAYS:.0f}", f"{len(after) / max(1, DAYS - day):.0f}"),
        "rows_after": f"{len(after):,}",
    }


def answers(world: World, before: pl.DataFrame, current: pl.DataFrame) -> dict[str, str]:
    """Return the key of a world with the figures of its rows filled in."""
    found = figures(world, before, current)
    return {name: text.format(**found) for name, text in asdict(world.key).items()}


def rows_of(world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the reference and the current rows of a world: the same at each call."""
    return world.make(np.random.default_rng([2026, world.number]))


def tell(world: World, folder: Path) -> dict[str, str]:
    """Write what `barograph check` says of a world, and return its key."""
    before, current = rows_of(world)
    name = f"report-{world.number:02}"
    with tempfile.TemporaryDirectory() as place:
        before.write_parquet(f"{place}/reference.parquet")
        current.write_parquet(f"{place}/current.parquet")
        command = [sys.executable, "-c", "from barograph.cli import main; main()", "check"]
        command += ["reference.parquet", "current.parquet", "--html", str(folder.resolve() / f"{name}.html")]
        done = subprocess.run(command, cwd=place, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{world.name}: {done.stderr}")
    (folder / f"{name}.txt").write_text(done.stdout + done.stderr)
    return {"world": world.name, "exit": str(done.returncode), **answers(world, before, current)}


def main() -> None:
    """Write the reports and, apart from them, the key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("key_folder", type=Path)
    parser.add_argument("--only", help="the name of one world")
    given = parser.parse_args()
    if given.folder.resolve() == given.key_folder.resolve():
        parser.error("the key must be apart from the reports: give it a folder of its own")
    for folder in (given.folder, given.key_folder):
        folder.mkdir(parents=True, exist_ok=True)
    worlds = [world for world in WORLDS if given.only in (None, world.name)]
    key = {}
    for world in sorted(worlds, key=lambda world: world.number):
        key[f"report-{world.number:02}"] = tell(world, given.folder)
        print(f"report-{world.number:02} written", flush=True)
    told = {"questions": QUESTIONS, "reports": key}
    (given.key_folder / "key.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
