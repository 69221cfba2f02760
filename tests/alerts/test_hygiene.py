from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from barograph.alerts.breach import Breach
from barograph.alerts.hygiene import Finding, Problem, hygiene
from barograph.alerts.lifecycle import watch
from barograph.chunks import Chunk
from barograph.monitors.results import Result
from barograph.rules.limits import Status

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def rows(
    values: Sequence[float | None],
    *,
    metric: str = "missing_share",
    family: str = "quality",
    column: str | None = "age",
    **more: Any,
) -> list[Result]:
    """Rows of one monitor, a day each; in breach beyond `limit_upper` or below `limit_lower`."""
    found = []
    for i, value in enumerate(values):
        given = {"n": 1000, **{key: v[i] if isinstance(v, list) else v for key, v in more.items()}}
        high, low = given.get("limit_upper"), given.get("limit_lower")
        beyond = value is not None and ((high is not None and value > high) or (low is not None and value < low))
        status = Status.UNDEFINED if value is None else Status.BREACH if beyond else Status.OK
        found.append(
            Result(
                **{
                    "model": "m",
                    "version": "",
                    "monitor": ".".join(filter(None, (family, metric, column))),
                    "metric": metric,
                    "family": family,
                    "column": column,
                    "segment": None,
                    "chunk": f"{START + i * DAY:%Y-%m-%d}",
                    "chunk_start": START + i * DAY,
                    "chunk_end": START + (i + 1) * DAY,
                    "value": value,
                    "status": status,
                    **given,
                }
            )
        )
    return found


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def noise(n: int, sd: float, mean: float = 0.0, seed: int = 0) -> list[float]:
    return (mean + sd * np.random.default_rng(seed).normal(size=n)).tolist()


def test_a_monitor_that_works_is_left_alone() -> None:
    good = rows(noise(30, 0.002, 0.02), limit_upper=0.05, reference_value=0.02, lower=0.015, upper=0.025)
    trouble = rows([*noise(20, 0.002, 0.02), *noise(5, 0.01, 0.8)], column="income", limit_upper=0.05)
    assert hygiene([*good, *trouble]) == []
    assert hygiene([]) == []


def test_always_undefined_says_the_reason() -> None:
    reasons = ["current has no rows", *["the reference has no labels"] * 4]
    found = only(hygiene(rows([None] * 5, metric="accuracy", family="performance", column=None, reason=reasons)))
    assert found.problem is Problem.ALWAYS_UNDEFINED
    assert found.seen == "It was undefined in all of 5 days, mostly: the reference has no labels."
    once = rows([None, None, 0.02])
    assert hygiene(once) == []


def test_a_constant_column_makes_its_drift_monitors_useless_and_no_others() -> None:
    constant = rows([1.0] * 10, metric="constant_column", reference_value=1.0)
    drift = rows([0.0] * 10, metric="psi", family="drift", limit_upper=0.1)
    elsewhere = rows([0.0] * 10, metric="psi", family="drift", column="income", limit_upper=0.1)
    found = only(hygiene([*constant, *drift, *elsewhere]))
    assert (found.problem, found.monitor) == (Problem.CONSTANT_COLUMN, "drift.psi.age")
    became = rows([1.0] * 10, metric="constant_column", reference_value=0.0, limit_upper=0.5)
    assert hygiene([*became, *drift]) == []  # that is news, not a useless monitor


@pytest.mark.parametrize(
    ("limits", "reachable"),
    [({"limit_upper": 1.0}, False), ({"limit_upper": 0.99}, True), ({"limit_lower": 0.0}, False)],
)
def test_a_limit_out_of_reach(limits: dict[str, float], reachable: bool) -> None:
    found = hygiene(rows([0.5] * 3, **limits))
    assert [f.problem for f in found] == ([] if reachable else [Problem.OUT_OF_REACH])


def test_tiny_chunks_are_told_how_much_longer_they_have_to_be() -> None:
    n, share = 40, 0.9
    half = 1.96 * (share * (1 - share) / n) ** 0.5
    accuracy: dict[str, Any] = {"metric": "accuracy", "family": "performance", "column": None, "reference_value": share}
    found = only(hygiene(rows([share] * 10, n=n, limit_lower=0.87, lower=share - half, upper=share + half, **accuracy)))
    assert found.problem is Problem.TINY_CHUNKS
    assert "With 40 rows a day" in found.seen
    # with so many rows the interval is half of the way to the limit
    needed = share * (1 - share) * (1.96 * 2 / 0.03) ** 2
    proposed = int(found.proposal.split("about ")[1].split(" rows")[0].replace(",", ""))
    assert needed <= proposed < 1.1 * needed
    narrow = rows([share] * 10, n=4000, limit_lower=0.87, lower=share - half / 10, upper=share + half / 10, **accuracy)
    assert hygiene(narrow) == []


def test_a_limit_within_the_noise_is_moved_out_of_it() -> None:
    values = noise(200, 0.01, 0.1, seed=4)
    found = only(hygiene(rows(values, limit_upper=0.12)))
    assert found.problem is Problem.LIMIT_IN_NOISE
    proposed = float(found.proposal.split("limit to ")[1].split(",")[0])
    assert proposed == pytest.approx(0.1 + 3.5 * 0.01, abs=0.006)
    assert hygiene(rows(values, limit_upper=proposed)) == []
    assert (
        hygiene(rows(values, limit_upper=0.12, evidence=0.0, status=Status.OK)) == []
    )  # evidence has no limit for single chunks


def test_noise_does_not_hide_a_level_beyond_the_limit() -> None:
    assert hygiene(rows(noise(30, 0.01, 0.5), limit_upper=0.2)) == []
    moved = [*noise(40, 0.001, 0.1), *noise(20, 0.001, 0.5)]
    assert hygiene(rows(moved, limit_upper=0.2)) == []


def test_what_comes_and_goes_is_asked_to_hold() -> None:
    values = [0.01, 0.01, 0.01, 0.01, 0.3] * 5
    found = only(hygiene(rows(values, limit_upper=0.05)))
    assert found.problem is Problem.FLAPPING
    assert "5 times in 25 days" in found.seen
    assert hygiene(rows([*[0.01] * 15, *[0.3] * 10], limit_upper=0.05)) == []


@pytest.mark.parametrize(
    ("mark", "calm", "asked"),
    [("c", 0, False), ("c", 5, False), ("w", 0, False), ("w", 5, True)],
    ids=["critical", "critical, over", "goes on", "over"],
)
def test_nobody_is_asked_to_quiet_a_monitor_whose_alarms_matter(
    history: Callable[..., list[Breach]], weeks: Callable[[int], list[Chunk]], mark: str, calm: int, asked: bool
) -> None:
    values = [0.01, 0.01, 0.01, 0.01, 0.3] * 5 + [0.01] * calm
    marks = "".join(mark if value > 0.05 else "." for value in values)
    found = rows(values, limit_upper=0.05)
    _, incidents = watch(history(f"{found[0].monitor} {marks}"), weeks(len(values)))
    assert bool(hygiene(found, incidents=incidents)) is asked
    assert only(hygiene(rows(values, limit_upper=0.05, column="other"), incidents=incidents))


def test_a_critical_change_is_not_taken_for_how_it_is_going_to_be(
    history: Callable[..., list[Breach]], weeks: Callable[[int], list[Chunk]]
) -> None:
    moved = [row for name in "ab" for row in rows([0.0] * 5 + [0.5] * 10, column=name, **DRIFT)]
    for mark, stale in (("c", False), ("w", True)):
        _, incidents = watch(history("drift.psi.a ....." + 10 * mark), weeks(15))
        assert bool(hygiene(moved, incidents=incidents)) is stale


def test_a_reference_that_the_input_has_left_is_stale() -> None:
    names = ["a", "b", "c", "d"]
    moved = [
        rows(
            [0.0] * 5 + [0.5] * (10 if name in "abc" else 0) + [0.0] * (10 if name == "d" else 0), column=name, **DRIFT
        )
        for name in names
    ]
    found = only(hygiene([row for part in moved for row in part]))
    assert (found.problem, found.monitor) == (Problem.STALE_REFERENCE, "")
    assert found.seen.startswith("3 of 4 monitors of the input")
    assert found.seen.endswith("since 2024-01-06.")
    back = [*moved[0], *moved[3], *(row for name in "bc" for row in rows([0.5] * 14 + [0.0], column=name, **DRIFT))]
    assert hygiene(back) == []


DRIFT: dict[str, Any] = {"metric": "psi", "family": "drift", "limit_upper": 0.2}


def test_an_old_reference_is_stale() -> None:
    good = rows([0.0] * 10, **DRIFT)
    assert hygiene(good, reference_end=START - timedelta(days=100)) == []
    found = only(hygiene(good, reference_end=START - timedelta(days=400)))
    assert (found.problem, found.seen) == (
        Problem.STALE_REFERENCE,
        "The reference ends 410 days before the latest events.",
    )


def test_each_finding_is_a_sentence_and_a_proposal() -> None:
    found = hygiene(rows([None] * 5), reference_end=START - timedelta(days=400))
    assert len(found) == 2
    for finding in found:
        as_dict = finding.to_dict()
        assert as_dict["problem"] in set(Problem)
        assert as_dict["seen"].endswith(".")
        assert as_dict["proposal"].endswith(".")


def test_the_order_of_monitors_does_not_matter() -> None:
    parts = [
        rows([None] * 5, column="x"),
        rows([0.01, 0.01, 0.01, 0.01, 0.3] * 5, limit_upper=0.05),
        rows([0.0] * 10, **DRIFT),
    ]
    forward = hygiene([row for part in parts for row in part])
    assert forward == hygiene([row for part in parts[::-1] for row in part])
    assert len(forward) == 2
