"""What each part of the predictive distribution is worth: `python benchmarks/ablation.py` prints it for docs/power.md.

Accuracy of 200 models in each cell, judged by the rule `predictive` alone: 42 days of reference and 60 of production,
of which the second half has changed; one false alarm in 60 days is stated. One part is switched off at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any  # what is patched is of any type
from unittest.mock import patch

import numpy as np
from scipy.signal import lfilter

from barograph.metrics import catalogue
from barograph.rules import Context, Feed, natural, predictive
from barograph.rules.natural import Filter
from barograph.rules.predictive_state import Suspicion

MODELS, REFERENCE, DAYS, CHANGE, ARL = 200, 42, 60, 30, 60.0


@dataclass(frozen=True)
class Cell:
    """A world: rows a day, accuracy, what is lost from the day of the change on, and how the log-odds vary."""

    name: str
    rows: int = 1000
    accuracy: float = 0.78
    loss: float = 0.0
    day_effects: float = 0.0
    memory: float = 0.0
    heavy: bool = False
    weekend: float = 0.0

    def feed(self, rng: np.random.Generator, days: int, *, first: int, changes: bool) -> Feed:
        """Return days of all models."""
        noise = rng.standard_t(3, (days, MODELS)) / np.sqrt(3) if self.heavy else rng.normal(size=(days, MODELS))
        wave = lfilter([np.sqrt(1 - self.memory**2)], [1.0, -self.memory], noise, axis=0)
        after = ((np.arange(days) >= CHANGE) & changes)[:, None]
        weekend = ((np.arange(days) + first) % 7 >= 5)[:, None]
        usual = self.accuracy - self.loss * after - self.weekend * weekend
        odds = np.log(usual / (1 - usual)) + self.day_effects * wave
        values = rng.binomial(self.rows, 1 / (1 + np.exp(-odds))) / self.rows
        return Feed(
            days=np.ones(days),
            came=np.ones(days, np.bool_),
            order=np.arange(days),
            values=values,
            errors=np.sqrt(np.maximum(values * (1 - values), 1e-4) / self.rows),
            rows=np.full(values.shape, float(self.rows)),
            phase=(np.arange(days) + first) % 7 if self.weekend else None,
        )


CELLS = (
    Cell("nothing, AR(.6)", day_effects=0.12, memory=0.6),
    Cell("nothing, heavy tails", day_effects=0.12, heavy=True),
    Cell("30 rows, errors × 2", rows=30, accuracy=0.95, loss=0.05),
    Cell("−2, day effects", loss=0.02, day_effects=0.12),
    Cell("−2, AR(.6)", loss=0.02, day_effects=0.12, memory=0.6),
    Cell("−2, weekends 5 worse", loss=0.02, weekend=0.05),
)
Part = Callable[[ExitStack], None]


def _set(module: Any, **values: object) -> Part:
    def apply(stack: ExitStack) -> None:
        stack.enter_context(patch.multiple(module, **values))

    return apply


def _frozen_weights(stack: ExitStack) -> None:
    step = Filter.step

    def still(self: Filter, y: Any, s2: Any, *, learns: Any, weighs: Any) -> Any:
        return step(self, y, s2, learns=learns, weighs=np.zeros_like(weighs) if len(y) and GOES_ON else weighs)

    stack.enter_context(patch.object(Filter, "step", still))


def _no_signature(stack: ExitStack) -> None:
    add = Suspicion.add

    def whole(self: Suspicion, *args: Any, **kwargs: Any) -> Suspicion:
        after = add(self, *args, **kwargs)
        return replace(after, in_level=0 * after.in_level, in_deviation=0 * after.in_deviation)

    stack.enter_context(patch.object(Suspicion, "add", whole))


GOES_ON = False  # production is run, not the reference
PARTS: dict[str, Part] = {
    "as it is": lambda stack: None,
    "no memory": _set(natural, MEMORY=(0.0,), PRIOR=(1.0,)),
    "one size of variation": _set(natural, QUANTILES=(0.5,)),
    "also a random walk": _set(natural, MEMORY=(0.0, 0.4, 0.8, 0.98), PRIOR=(0.35, 0.3, 0.2, 0.15)),
    "weights of the reference": _frozen_weights,
    "level of the reference": _set(predictive, LEARN=0.0),
    "no gate": _set(predictive, GATE=np.inf),
    "no signature of a step": _no_signature,
    "one size of bet": _set(predictive, SIZES=(1.65,)),
    "no exact counts": _set(predictive, FEW_ROWS=0.0),
    "no rhythm": lambda stack: None,
    "values as they are": lambda stack: None,
    "no tolerance": lambda stack: None,
}


def run(cell: Cell, part: str) -> tuple[float, float, float]:
    """Return false alarms as a share of the stated ones, the share found within 30 days, and the median delay."""
    global GOES_ON
    rng = np.random.default_rng(11)
    known = cell.feed(rng, REFERENCE, first=0, changes=False)
    now = cell.feed(rng, DAYS, first=REFERENCE, changes=True)
    if part == "no rhythm":
        known, now = replace(known, phase=None), replace(now, phase=None)
    plain = part == "values as they are"
    context = Context(
        arl=np.full(MODELS, ARL),
        step=1.0,
        rows=float(cell.rows),
        tolerance=np.full(MODELS, 0.0 if part == "no tolerance" else 0.02),
        better=("higher",) * MODELS,
        scales=("identity" if plain else catalogue()["performance", "accuracy"].scale,) * MODELS,
    )
    with ExitStack() as stack:
        PARTS[part](stack)
        GOES_ON = False
        rule = predictive.learn(known, context)
        GOES_ON = True
        breach = rule.run(rule.start(), now, arl=context.arl)[1].breach
    opens = breach & ~np.vstack([np.zeros((1, MODELS), np.bool_), breach[:-1]])
    quiet = DAYS if not cell.loss else CHANGE
    after = breach[CHANGE:]
    delay = np.where(after.any(axis=0), after.argmax(axis=0), np.inf)
    false = float(opens[:quiet].sum()) / (MODELS * quiet / ARL)
    return false, float(np.isfinite(delay).mean()), float(np.median(delay))


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| switched off | " + " | ".join(cell.name for cell in CELLS) + " |"
    yield "|---" * (len(CELLS) + 1) + "|"
    for part in PARTS:
        cells = []
        for cell in CELLS:
            false, found, delay = run(cell, part)
            cells.append(f"{false:.2f}" + (f"; {found:.0%} / {delay:g}" if cell.loss else ""))
        yield f"| {part} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    for line in table():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
