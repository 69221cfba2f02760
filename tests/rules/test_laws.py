"""Laws of every rule: what it carries from chunk to chunk is all that it needs."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from barograph.rules import Context, Feed, Judged, RuleKind, catalogue

MONITORS, GROUPS = 3, 4
OPTIONS: dict[str, dict[str, Any]] = {
    "constant": {"lower": 0.05, "upper": 0.2},
    "relative": {"fall": 0.2, "rise": 0.2},
    "rate": {"allowed": 0.15},
}


def feed_of(kind: RuleKind, rng: np.random.Generator, chunks: int, share: float) -> Feed:
    """Return chunks of about 200 rows of which a `share` is part, some of them empty."""
    came = rng.random(chunks) < 0.9
    rows = np.where(came[:, None], rng.integers(150, 250, (chunks, MONITORS)), 0).astype(np.float64)
    arrays: dict[str, Any] = {"rows": rows}
    match kind.takes:
        case "values":
            p = rng.binomial(200, share, (chunks, MONITORS)) / 200
            arrays["values"] = np.where(came[:, None], p * (10_000 if kind.name == "absent" else 1), np.nan)
            arrays["errors"] = np.where(came[:, None], np.full(p.shape, np.sqrt(0.1 * 0.9 / 200)), np.nan)
        case "parts":
            arrays["counts"] = rng.binomial(rows.astype(int), share)[:, :, None].astype(np.float64)
        case "bins":
            shares = np.array([share, *np.full(GROUPS - 1, (1 - share) / (GROUPS - 1))])
            arrays["counts"] = np.array(
                [[rng.multinomial(int(n), shares) for n in chunk] for chunk in rows], np.float64
            )
            del arrays["rows"]
        case "cells":
            arrays["rows"] = np.stack([rows // GROUPS] * GROUPS, axis=2)
            arrays["counts"] = rng.binomial(arrays["rows"].astype(int), share).astype(np.float64)
    return Feed(days=np.ones(chunks), came=came, order=np.arange(chunks), **arrays)


def context_of(kind: RuleKind) -> Context:
    return Context(
        arl=np.array([30.0, 90.0, 365.0]),
        step=1.0,
        rows=200.0,
        tolerance=np.full(MONITORS, 0.01),
        better=("lower", "neither", "higher"),
        options=OPTIONS.get(kind.name, {}),
    )


def part(feed: Feed, where: slice) -> Feed:
    names = [f.name for f in fields(Feed)]
    return replace(feed, **{name: getattr(feed, name)[where] for name in names if getattr(feed, name) is not None})


def parts_of(judged: Judged) -> dict[str, np.ndarray[Any, Any]]:
    return {
        name: array
        for name in ("breach", "known", "evidence", "lower", "upper")
        if (array := getattr(judged, name)) is not None
    }


@pytest.mark.parametrize("name", catalogue())
def test_running_on_from_a_kept_state_is_running_over_everything(name: str) -> None:
    kind, rng = catalogue()[name], np.random.default_rng(5)
    context = context_of(kind)
    rule = kind.learn(feed_of(kind, rng, 20, 0.1), context)
    current = feed_of(kind, rng, 120, 0.13)
    _, whole = rule.run(rule.start(), current, arl=context.arl)
    state, found = rule.start(), []
    for where in (slice(0, 50), slice(50, 51), slice(51, 51), slice(51, 120)):
        state, judged = rule.run(state, part(current, where), arl=context.arl)
        found.append(parts_of(judged))
        if state is not None:
            state = type(state).from_bytes(state.to_bytes())
    for key, array in parts_of(whole).items():
        np.testing.assert_array_equal(np.concatenate([one[key] for one in found]), array)


@pytest.mark.parametrize("name", catalogue())
def test_what_is_said_of_a_chunk_does_not_depend_on_later_ones_or_on_other_monitors_order(name: str) -> None:
    kind, rng = catalogue()[name], np.random.default_rng(6)
    context = context_of(kind)
    reference, current = feed_of(kind, rng, 20, 0.1), feed_of(kind, rng, 60, 0.2)
    rule = kind.learn(reference, context)
    _, whole = rule.run(rule.start(), current, arl=context.arl)
    _, first = rule.run(rule.start(), part(current, slice(0, 30)), arl=context.arl)
    for key, array in parts_of(first).items():
        np.testing.assert_array_equal(array, parts_of(whole)[key][:30])


@pytest.mark.parametrize("name", [name for name, kind in catalogue().items() if kind.has_evidence])
def test_a_large_change_is_found_and_the_reference_itself_is_not(name: str) -> None:
    kind, rng = catalogue()[name], np.random.default_rng(7)
    context = replace(context_of(kind), better=("lower",) * MONITORS, arl=np.full(MONITORS, 3650.0))
    quiet = feed_of(kind, rng, 100, 0.1)
    rule = kind.learn(feed_of(kind, rng, 40, 0.1), context)
    state, before = rule.run(rule.start(), quiet, arl=context.arl)
    loud = feed_of(kind, rng, 40, 0.6)
    if name == "absent":  # fewer events, and not more
        assert loud.values is not None
        loud = replace(loud, values=loud.values * 0.01)
    _, after = rule.run(state, replace(loud, order=loud.order + 1000), arl=context.arl)
    assert not before.breach.any()
    assert after.breach.any(axis=0).all()


@pytest.mark.parametrize("name", catalogue())
def test_the_smallest_change_is_a_number_for_each_monitor_or_infinite(name: str) -> None:
    kind, rng = catalogue()[name], np.random.default_rng(8)
    context = context_of(kind)
    reference = feed_of(kind, rng, 20, 0.1)
    changes = kind.learn(reference, context).smallest_change(reference, context)
    assert changes.shape == (MONITORS,)
    assert not np.isnan(changes).any()
    assert (changes >= 0).all()


def test_each_rule_says_what_it_is() -> None:
    for kind in catalogue().values():
        assert kind.summary.endswith(".")
        assert all(setting.meaning for setting in kind.options.values())
