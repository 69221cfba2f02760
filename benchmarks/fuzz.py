"""The fuzz campaign: files and bodies made from known tables, then damaged, through the readers and decoders.

Every input must give all of its rows, or one clear error: no other exception, no row that is neither read nor named.

    python benchmarks/fuzz.py --inputs 20000
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any  # Any: a strategy of whichever kind of input

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz_checks import BODIES, check_body, check_file, check_spec
from fuzz_inputs import FORMS, Damage, damages, inputs

SPEC = """
name = "model"
task = "binary"
label = "late"
score = "score"
timestamp = "time"
timezone = "Europe/Berlin"
chunk = "1d"
budget = "1 false alarm per month"
features = ["x", "größe"]

[types]
x = "numeric"

[value]
tp = 1.5
fn = -2

[tolerance]
roc_auc = 0.01

[[monitors]]
metric = "psi"
columns = ["x"]
"""


def _damaged(done: list[Damage]) -> bytes:
    data = SPEC.encode()
    for damage in done:
        data = damage(data)
    return data


def targets() -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str]]]:
    """Return what is tried: each form of a file, each content type of a body, and specification files."""
    found: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str]]] = {}
    for form in FORMS:
        found[f"file {form}"] = (inputs(form), check_file)
    for form in BODIES:
        found[f"body {form}"] = (inputs(form), check_body)
    found["specification"] = (st.lists(damages, max_size=3).map(_damaged), check_spec)
    return found


def run(name: str, most: int, first: int) -> Counter[str]:
    """Try `most` inputs of a target; return what became of them. Raises what the first bad one raises, made small."""
    strategy, check = targets()[name]
    outcomes: Counter[str] = Counter()

    @seed(first)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(value: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcomes[check(value)] += 1

    one()
    return outcomes


def main() -> int:
    """Run the campaign; end with 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="targets whose names hold this")
    options = parser.parse_args()
    names = [name for name in targets() if options.only in name]
    bad = 0
    for name in names:
        started = time.monotonic()
        try:
            outcomes = run(name, -(-options.inputs // len(names)), options.seed)
        except Exception as error:
            bad += 1
            notes = "\n".join(getattr(error, "__notes__", ()))
            print(f"{name}: {type(error).__name__}: {error}\n{notes}", flush=True)
            continue
        told = ", ".join(f"{n:,} {what}" for what, n in sorted(outcomes.items()))
        print(f"{name}: {outcomes.total():,} inputs, {told}, {time.monotonic() - started:.0f} s", flush=True)
    print("nothing found" if not bad else f"{bad} of {len(names)} targets have faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
