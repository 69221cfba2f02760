"""The adaptive rule on the Numenta Anomaly Benchmark: `python benchmarks/nab.py DATA_FOLDER --write docs/adaptive.md`.

DATA_FOLDER holds `nab_series.parquet` with the columns series_id, timestamp, value and is_anomaly_window: the 58 series
and the combined windows of https://github.com/numenta/NAB. One setting serves all series. A rolling mean ± kσ stands
beside it, on the same grid, with the same scoring.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy.signal import lfilter

from barograph.rules.adaptive.adaptive import Adaptive, scan, start
from barograph.rules.adaptive.channels import evidence_of

BUDGETS = (0.05, 0.1, 0.2, 0.5)  # false episodes per series-day
STATED = (0.05, 0.1, 0.5)  # budgets that the rule is given
WINDOWS = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
KS = (4, 6, 8)
STEPS = (  # of the quiet worlds, with what is stated
    ("hours", timedelta(hours=1), (0.05, 0.1, 0.5)),
    ("5 minutes", timedelta(minutes=5), (0.05, 0.1, 0.5)),
)
SOME = 10_000.0  # any number that keeps these above 0
GAP = 12  # rows: scores closer than this belong to one episode
FALSE_ALARM, PROBATION, PROBATION_ROWS = 0.11, 0.15, 5000  # NAB: -A_FP of the standard profile, and who is excused
MARKER = "<!-- measured -->"
QUIET_DAYS, QUIET_SERIES = 60, 8  # of the simulated worlds in which nothing changes
# The folders of the benchmark; the other series are of cloud servers.
FOLDERS = {
    "artificial, no anomaly": (
        "art_daily_no_noise",
        "art_daily_perfect",
        "art_daily_small",
        "art_flatline",
        "art_noisy",
    ),
    "artificial": ("art_",),
    "advertising": ("exchange",),
    "known cause": ("ambient", "cpu_utilization_asg", "ec2_request", "machine_temperature", "nyc_taxi", "rogue"),
    "traffic": ("TravelTime", "occupancy", "speed"),
    "tweets": ("Twitter",),
}


@dataclass(frozen=True)
class Series:
    """One series as rows, and on an even grid of its median step; windows are half-open runs of rows."""

    name: str
    slot: np.ndarray  # of each row
    grid: np.ndarray  # value of each slot, NaN where none came, mean where several did
    step: timedelta
    windows: tuple[tuple[int, int], ...]
    inside: np.ndarray  # of a window, for each row
    probation: int  # first rows, not scored
    days: float  # scored

    @property
    def group(self) -> str:
        """Return the folder of the benchmark that it is of."""
        return next((name for name, begins in FOLDERS.items() if self.name.startswith(begins)), "cloud servers")

    @property
    def a_day(self) -> float:
        """Return the number of steps a day."""
        return timedelta(days=1) / self.step

    def rows(self, scores: np.ndarray) -> np.ndarray:
        """Return the scores of slots for the last row in each; 0 for other rows and in the probation."""
        last = np.append(np.diff(self.slot) > 0, True)
        of_rows = np.where(last, scores[self.slot], 0.0)
        of_rows[: self.probation] = 0.0
        return of_rows


def load(path: Path) -> list[Series]:
    """Return the series in the order of the file."""
    series = []
    for (name,), frame in pl.read_parquet(path).group_by(["series_id"], maintain_order=True):
        seconds = frame["timestamp"].dt.epoch("s").to_numpy()
        step = int(np.median(np.diff(seconds)))
        slot = np.maximum.accumulate((seconds - seconds[0]) // step)
        count = np.bincount(slot)
        with np.errstate(invalid="ignore"):
            grid = np.bincount(slot, frame["value"].to_numpy()) / count
        inside = frame["is_anomaly_window"].to_numpy()
        changes = np.flatnonzero(np.diff(np.concatenate(([0], inside.astype(int), [0])))).tolist()
        probation = int(PROBATION * min(len(slot), PROBATION_ROWS))
        days = (seconds[-1] - seconds[probation]) / 86_400
        windows = tuple(zip(changes[::2], changes[1::2], strict=True))
        series.append(Series(str(name), slot, grid, timedelta(seconds=step), windows, inside, probation, days))
    return series


# Scores of slots


def adaptive(series: Series, budget: float = 0.1, known: np.ndarray | bool = False) -> np.ndarray:
    """Return the evidence of each value above none, in nats, less half the log of the steps a day.

    So of two series the one with more steps gets more of the false alarms, by the square root.
    """
    _, readings = scan(start(Adaptive(step=series.step, false_alarms_per_day=budget)), series.grid, confirmed=known)
    none = evidence_of(0.0)
    return np.where(readings.evidence > none, readings.evidence - none + np.log(SOME / series.a_day) / 2, 0.0)


def confirmed(series: Series, budget: float = 0.1) -> np.ndarray:
    """Return the evidence where a person confirms each alarm in a window, so that the rest of it is not learned."""
    rule, known = Adaptive(step=series.step, false_alarms_per_day=budget), np.zeros(len(series.grid), np.bool_)
    evidence = series.rows(scan(start(rule), series.grid)[1].evidence)
    for a, b in series.windows:
        hits = np.flatnonzero(evidence[a:b] >= np.log(rule.run_length))
        if len(hits):
            known[series.slot[a + hits[0]] : series.slot[b - 1] + 1] = True
    return adaptive(series, budget, known)


def rolling(series: Series, window: timedelta) -> np.ndarray:
    """Return |value - mean| / sd over the trailing window, the value itself left out."""
    n = max(window // series.step, 6)
    before = pl.Series(series.grid).fill_nan(None).shift(1)
    mean = before.rolling_mean(n, min_samples=6).to_numpy()
    sd = before.rolling_std(n, min_samples=6).to_numpy()
    floor = 1e-3 * np.nanmedian(np.abs(series.grid)) + 1e-12
    return np.nan_to_num(np.abs(series.grid - mean) / np.maximum(sd, floor))


# Events against false episodes


def episodes(breach: np.ndarray) -> np.ndarray:
    """Return the first row of each episode."""
    rows = np.flatnonzero(breach)
    return rows[np.concatenate(([True], np.diff(rows) > GAP))] if len(rows) else rows


def tally(series: Series, score: np.ndarray, threshold: float) -> tuple[int, int]:
    """Return how many windows have a score at or above the threshold, and how many false episodes there are."""
    breach = score >= threshold
    found = sum(bool(breach[a:b].any()) for a, b in series.windows)
    return found, int((~series.inside[episodes(breach)]).sum())


def events(series: Sequence[Series], scores: Sequence[np.ndarray], threshold: float) -> tuple[float, float]:
    """Return the share of windows with a score at or above the threshold, and false episodes per series-day."""
    found = false = 0
    for one, score in zip(series, scores, strict=True):
        found, false = np.add((found, false), tally(one, score, threshold))
    return found / sum(len(s.windows) for s in series), false / sum(s.days for s in series)


def thresholds(scores: Iterable[np.ndarray]) -> np.ndarray:
    """Return 300 thresholds, from one row in 100,000 above to one in four."""
    values = np.concatenate([score[score > 0] for score in scores])
    return np.unique(np.quantile(values, 1 - np.geomspace(1e-5, 0.25, 300)))


def at_budgets(series: Sequence[Series], scores: Sequence[np.ndarray]) -> list[str]:
    """Return the best recall with at most each of `BUDGETS`."""
    found = np.array([events(series, scores, t) for t in thresholds(scores)])
    return [f"{found[found[:, 1] <= budget, 0].max(initial=0):.2f}" for budget in BUDGETS]


def left_out(series: Sequence[Series], scores: Sequence[np.ndarray]) -> dict[str, tuple[list[int], list[float]]]:
    """Return what is found in each group, and its false episodes, with the threshold that suits the others."""
    tried = thresholds(scores)
    counts = np.array([[tally(one, score, t) for t in tried] for one, score in zip(series, scores, strict=True)])
    days = np.array([one.days for one in series])
    result = {}
    for group in dict.fromkeys(one.group for one in series):
        own = np.array([one.group == group for one in series])
        others, here = counts[~own].sum(axis=0), counts[own].sum(axis=0)
        kept = [np.flatnonzero(others[:, 1] <= budget * days[~own].sum()) for budget in BUDGETS]
        best = [k[others[k, 0].argmax()] for k in kept]
        result[group] = ([int(here[i, 0]) for i in best], [float(here[i, 1]) for i in best])
    return result


def quiet_worlds(a_day: int) -> dict[str, Callable[[np.random.Generator], np.ndarray]]:
    """Return series in which nothing changes, by name."""
    n = QUIET_DAYS * a_day
    wave, hour = np.sin(2 * np.pi * np.arange(n) / a_day), np.arange(n) % a_day
    weekday = (np.arange(n) // a_day) % 7 < 5

    def follows(memory: float, r: np.random.Generator) -> np.ndarray:
        return np.asarray(lfilter([1.0], [1.0, -memory], r.normal(size=n)))

    return {
        "independent": lambda r: 50 + r.normal(size=n),
        "daily rhythm": lambda r: 50 + 10 * wave + r.normal(size=n),
        "weekly rhythm": lambda r: 50 + 10 * weekday + r.normal(size=n),
        "louder at night": lambda r: 50 + r.normal(size=n) * (1 + 2 * (hour < a_day // 3)),
        "autocorrelated, .9": lambda r: 50 + follows(0.9, r),
        "autocorrelated, .99": lambda r: 50 + follows(0.99, r),
        "random walk": lambda r: np.cumsum(r.normal(size=n)),
        "Student's t, 3": lambda r: 50 + r.standard_t(3, size=n),
        "lognormal": lambda r: np.exp(r.normal(size=n)),
        "counts with rhythm": lambda r: r.poisson(3 + 2 * wave).astype(float),
        "rare events, 1 in 50": lambda r: r.poisson(0.02, size=n).astype(float),
        "rare events, 1 in 200": lambda r: r.poisson(0.005, size=n).astype(float),
    }


def quiet_rates(step: timedelta, budgets: Sequence[float]) -> dict[str, list[str]]:
    """Return the alarms of quiet series as a share of the stated ones, from the first step on."""
    found: dict[str, list[str]] = {}
    for name, world in quiet_worlds(round(timedelta(days=1) / step)).items():
        r = np.random.default_rng(7)
        values = [world(r) for _ in range(QUIET_SERIES)]
        for budget in budgets:
            rule = Adaptive(step=step, false_alarms_per_day=budget)
            alarms = sum(int(scan(start(rule), one)[1].opened.sum()) for one in values)
            found.setdefault(name, []).append(f"{alarms / (budget * QUIET_DAYS * QUIET_SERIES):.2f}")
    return found


# NAB's own score (A. Lavin, S. Ahmad, "Evaluating real-time anomaly detection algorithms", ICMLA 2015)


def weights(series: Series) -> tuple[np.ndarray, np.ndarray]:
    """Return what a detection at each row is worth, and the window that it is in (-1: none).

    The sigmoid is 1 at the left edge of a window and 0 at its right edge; beyond, it falls to -A_FP within one width,
    measured from the end of the window before.
    """
    row = np.arange(len(series.slot))
    position, window = np.full(len(row), np.inf), np.full(len(row), -1)
    for k, (left, right) in enumerate(series.windows):
        position[right:] = (row[right:] - (right - 1)) / max(right - left - 1, 1)
        position[left:right] = -(right - row[left:right]) / (right - left)
        window[left:right] = k
    position[position > 3] = np.inf
    with np.errstate(over="ignore"):
        sigmoid = 2 / (1 + np.exp(5 * position)) - 1
    largest = 2 / (1 + np.exp(-5)) - 1
    return np.where(window >= 0, sigmoid / largest, FALSE_ALARM * sigmoid), window


def nab_score(series: Sequence[Series], scores: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return NAB's normalised score at the threshold that is best for the whole corpus, and that threshold.

    raw = Σ over windows of its earliest detection's worth (-1 if there is none) + Σ over other detections of theirs;
    the score is 100 (raw - null) / (perfect - null), null being -1 and perfect 1 a window.
    """
    rows, first = [], 0
    for one, score in zip(series, scores, strict=True):
        worth, window = weights(one)
        rows.append(np.stack([score, worth, np.where(window >= 0, window + first, -1)])[:, one.probation :])
        first += len(one.windows)
    score, worth, window = np.concatenate(rows, axis=1)
    order = np.argsort(-score, kind="stable")
    score, worth, window = score[order], worth[order], window[order].astype(int)
    best, raw, top = np.full(first, -1.0), -float(first), (0.0, np.inf)
    for i in range(int((score > 0).sum())):
        if window[i] < 0:
            raw += worth[i]
        elif worth[i] > best[window[i]]:
            raw += worth[i] - best[window[i]]
            best[window[i]] = worth[i]
        if i + 1 == len(score) or score[i + 1] < score[i]:
            top = max(top, (50 * (raw + first) / first, float(score[i])))
    return top


def news(score: np.ndarray) -> np.ndarray:
    """Keep a score where it is above all of the last `GAP` rows: one detection for one episode."""
    padded = np.concatenate((np.zeros(GAP), score))
    before = np.lib.stride_tricks.sliding_window_view(padded, GAP).max(axis=1)[:-1]
    return np.where(score > before, score, 0.0)


# The report


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def by_group(series: Sequence[Series], scores: dict[str, list[np.ndarray]]) -> list[list[object]]:
    """Return the rows of the table of groups, with the recall of all at the end."""
    found = {name: left_out(series, score) for name, score in scores.items()}
    days = {g: sum(one.days for one in series if one.group == g) for g in dict.fromkeys(s.group for s in series)}
    windows = {g: sum(len(one.windows) for one in series if one.group == g) for g in days}
    middle = BUDGETS.index(0.1)
    rows: list[list[object]] = []
    for group in days:
        cells = [f"{' '.join(map(str, f[group][0]))} ({f[group][1][middle] / days[group]:.2f})" for f in found.values()]
        rows.append([group, windows[group], *cells])
    total = [np.sum([f[g][0] for g in days], axis=0) / sum(windows.values()) for f in found.values()]
    false = [np.sum([f[g][1] for g in days], axis=0)[middle] / sum(days.values()) for f in found.values()]
    cells = [f"{' '.join(f'{x:.2f}' for x in t)} ({f:.2f})" for t, f in zip(total, false, strict=True)]
    return [*rows, ["all: recall", sum(windows.values()), *cells]]


def quiet_rows() -> list[list[object]]:
    """Return the rows of the table of quiet worlds."""
    parts = [quiet_rates(step, budgets) for _, step, budgets in STEPS]
    return [[name, *(cell for part in parts for cell in part[name])] for name in parts[0]]


def report(series: Sequence[Series]) -> str:
    """Run everything and return the tables."""
    rules: dict[str, Callable[[Series], np.ndarray]] = {"adaptive": adaptive, "adaptive, windows confirmed": confirmed}
    for window in WINDOWS:
        rules[f"rolling mean ± kσ, {window.days} d"] = lambda one, window=window: rolling(one, window)
    adaptive(series[0])  # compiles
    began = time.process_time()
    for one in series:
        adaptive(one)
    cost = (time.process_time() - began) / sum(len(one.grid) for one in series) * 1e6
    scores = {name: [one.rows(rule(one)) for one in series] for name, rule in rules.items()}
    windows, days = sum(len(s.windows) for s in series), sum(s.days for s in series)
    text = [
        f"{len(series)} series, {windows} windows, {days:,.0f} series-days after the probation; {cost:.1f} µs a step.",
        "",
        "Event recall at a number of false episodes per series-day, one threshold for all series:",
        "",
        *table(["rule", *map(str, BUDGETS)], ([name, *at_budgets(series, s)] for name, s in scores.items())),
        "By group, with the threshold of the six others: windows found at each budget (false episodes a day at 0.1).",
        "",
        *table(["group", "windows", *scores], by_group(series, scores)),
        f"Alarms of quiet ones as a share of what is stated, from the first step; {QUIET_SERIES} of {QUIET_DAYS} days:",
        "",
        *table(
            ["world", *(f"{name}, {budget:g} a day" for name, _, budgets in STEPS for budget in budgets)], quiet_rows()
        ),
        "NAB score, standard profile, threshold optimised over the corpus:",
        "",
    ]
    nab_rows = []
    for name, s in scores.items():
        first = [news(score) for score in s]
        nab_rows.append([name, f"{nab_score(series, s)[0]:.1f}", f"{nab_score(series, first)[0]:.1f}"])
    text += table(["rule", "every row above", "one detection an episode"], nab_rows)
    text += ["As it runs, with the threshold that the stated budget fixes (`opened` marks one row an incident):", ""]
    rows = []
    for budget in STATED:
        runs = [scan(start(Adaptive(step=s.step, false_alarms_per_day=budget)), s.grid)[1] for s in series]
        opened = [s.rows(r.opened.astype(float)) for s, r in zip(series, runs, strict=True)]
        length = [np.log(Adaptive(step=s.step, false_alarms_per_day=budget).run_length) for s in series]
        pairs = zip(series, runs, length, strict=True)
        breach = [s.rows(np.where(np.isnan(s.grid), 0.0, r.evidence >= limit)) for s, r, limit in pairs]
        recall, _ = events(series, breach, 1.0)
        false = sum(int((o[~s.inside] > 0).sum()) for s, o in zip(series, opened, strict=True)) / days
        rows.append(
            [f"adaptive, {budget:g} a day stated", f"{false:.3f}", f"{recall:.2f}", f"{nab_at(series, opened):.1f}"]
        )
    for k in KS:
        weekly = [(score >= k).astype(float) for score in scores[f"rolling mean ± kσ, {WINDOWS[-1].days} d"]]
        recall, false = events(series, weekly, 1.0)
        first = [one * 0 for one in weekly]
        for one, breach in zip(first, weekly, strict=True):
            one[episodes(breach > 0)] = 1.0
        rows.append([f"rolling, 7 d, k = {k}", f"{false:.3f}", f"{recall:.2f}", f"{nab_at(series, first):.1f}"])
    text += table(["rule", "false incidents a series-day", "recall", "NAB score"], rows)
    return "\n".join(text)


def nab_at(series: Sequence[Series], detections: Sequence[np.ndarray]) -> float:
    """Return NAB's score of detections (1) without a threshold to choose; it may be below zero."""
    raw = 0.0
    for one, detection in zip(series, detections, strict=True):
        worth, window = weights(one)
        hit = (detection > 0) & (np.arange(len(detection)) >= one.probation)
        raw += worth[hit & (window < 0)].sum()
        raw += sum(worth[hit & (window == k)].max(initial=-1.0) for k in range(len(one.windows)))
    n = sum(len(one.windows) for one in series)
    return 50 * (raw + n) / n


def main() -> None:
    """Print the tables, and write them below the marker of a page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with nab_series.parquet")
    parser.add_argument("--write", type=Path, help="page whose part below the marker is replaced")
    arguments = parser.parse_args()
    text = report(load(arguments.folder / "nab_series.parquet"))
    print(text)
    if arguments.write:
        above = arguments.write.read_text("utf-8").split(MARKER)[0]
        arguments.write.write_text(f"{above}{MARKER}\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
