"""The recursion against plain products, its supermartingale, and the counting of chunks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from barograph.errors import FormatError, MismatchError
from barograph.rules import evidence as module
from barograph.rules.bets import log_e_shares
from barograph.rules.evidence import Evidence

THETA = np.array([0.2, 0.7, 1.5])


def fed(log_e: np.ndarray, steps: np.ndarray | None = None) -> Evidence:
    """Return the evidence after chunks of `log_e`, (chunks, monitors, bets)."""
    evidence = Evidence.start(*log_e.shape[1:])
    for t, row in enumerate(log_e):
        evidence = evidence.add(row, chunk=t, step=1.0 if steps is None else steps[t])
    return evidence


def test_equals_the_sum_of_products_over_all_starts() -> None:
    rng = np.random.default_rng(1)
    log_e, steps = rng.normal(0, 0.5, (12, 4, 3)), rng.uniform(0.5, 3, (12, 4))
    direct = np.zeros((4, 3))
    for start in range(12):  # each step is a stake that plays from its chunk on
        direct += steps[start][:, None] * np.exp(log_e[start:].sum(axis=0))
    evidence = fed(log_e, steps)
    assert np.exp(evidence.log_m) == pytest.approx(direct, rel=1e-12)
    assert np.exp(evidence.log_mean()) == pytest.approx(direct.mean(axis=1), rel=1e-12)
    assert evidence.elapsed == pytest.approx(steps.sum(axis=0))


@pytest.mark.parametrize(("p", "exact"), [(0.3, True), (0.2, False)])
def test_its_mean_is_the_number_of_steps_at_the_allowed_level_and_less_below_it(p: float, exact: bool) -> None:
    # All 2^10 sequences of ten rows at once, one a monitor: the supermartingale from which the run length follows.
    rows = np.array(list(product((0.0, 1.0), repeat=10)))
    chance = np.prod(np.where(rows == 1, p, 1 - p), axis=1)
    level = np.full(len(rows), 0.3)
    log_e = np.stack([log_e_shares(r, np.ones(len(rows)), level, np.tile(THETA, (len(rows), 1))) for r in rows.T])
    mean = float(chance @ np.exp(fed(log_e).log_mean()))
    assert mean == pytest.approx(10.0, rel=1e-10) if exact else mean < 8.0


def test_windows_with_their_rows_as_step_keep_the_run_length_in_rows() -> None:
    # Three windows of 2, 1 and 3 rows: every outcome, by its probability.
    sizes, p = (2, 1, 3), 0.3
    mean = 0.0
    for outcome in product(*(range(n + 1) for n in sizes)):
        evidence, chance = Evidence.start(1, 3), 1.0
        for t, (n, s) in enumerate(zip(sizes, outcome, strict=True)):
            log_e = log_e_shares(np.array([s], float), np.array([n], float), np.array([p]), THETA[None])
            evidence = evidence.add(log_e, chunk=t, step=float(n))
            chance *= np.exp(_log_binomial(n, s)) * p**s * (1 - p) ** (n - s)
        mean += chance * float(np.exp(evidence.log_mean()[0]))
    assert mean == pytest.approx(6.0, rel=1e-10)


def _log_binomial(n: int, s: int) -> float:
    from scipy.special import gammaln

    return float(gammaln(n + 1) - gammaln(s + 1) - gammaln(n - s + 1))


def test_a_window_is_its_rows_for_bets_that_were_placed_before_it_and_not_for_those_placed_within() -> None:
    rows = np.array([1.0, 0, 1, 1, 0, 1])
    single = [log_e_shares(np.array([r]), np.ones(1), np.array([0.3]), THETA[None]) for r in rows]
    window = log_e_shares(rows.sum(keepdims=True), np.array([6.0]), np.array([0.3]), THETA[None])
    before = fed(single[0][None] * 0 + 0.1)
    by_row, by_window = before, before.add(window, chunk=9, step=1.0)
    for t, log_e in enumerate(single):
        by_row = by_row.add(log_e, chunk=10 + t, step=1.0 if t == 0 else 0.0)
    assert by_row.log_m == pytest.approx(by_window.log_m, abs=1e-12)
    restarted = before
    for t, log_e in enumerate(single):
        restarted = restarted.add(log_e, chunk=10 + t)
    assert np.all(restarted.log_m > by_window.log_m)  # single rows find a change that begins within the window sooner


def test_no_data_changes_nothing_and_is_no_step() -> None:
    evidence = fed(np.full((3, 2, 3), 0.4))
    log_e = np.array([[0.0, 0, 0], [0.1, 0.2, 0.3]])
    after = evidence.add(log_e, chunk=7)
    assert np.array_equal(after.log_m[0], evidence.log_m[0])
    assert after.elapsed.tolist() == [3.0, 4.0]
    assert np.isneginf(Evidence.start(1, 2).add(np.zeros((1, 2)), chunk=0).log_mean()).all()


def test_a_chunk_counts_once_and_a_late_one_is_new_evidence() -> None:
    evidence = fed(np.full((5, 1, 1), 0.3))
    assert evidence.refusal(3) == "chunk 3 was counted before"
    with pytest.raises(MismatchError, match="chunk 3 was counted before"):
        evidence.add(np.full((1, 1), 0.3), chunk=3)
    late = evidence.add(np.full((1, 1), 0.3), chunk=-1)
    assert late.log_m == pytest.approx(fed(np.full((6, 1, 1), 0.3)).log_m)
    assert late.refusal(-1)


def test_chunks_that_are_too_old_to_be_told_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_CHUNKS", 3)
    evidence = fed(np.full((5, 1, 1), 0.3))
    assert evidence.chunks == (2, 3, 4)
    assert "older than the last 3" in evidence.refusal(1)
    assert "older than the last 3" in evidence.refusal(-10)
    assert Evidence.from_bytes(evidence.to_bytes()).refusal(1)


def test_the_ceiling_keeps_the_leader_and_lets_the_evidence_fall() -> None:
    rising, falling = np.log([[3.0, 1.1]]), np.log([[0.3, 0.8]])
    evidence = Evidence.start(1, 2)
    for t in range(40):
        evidence = evidence.add(rising, chunk=t, log_ceiling=np.log(1000.0))
    assert evidence.log_mean() == pytest.approx(np.log(1000.0))
    assert evidence.log_m.argmax() == 0
    for t in range(40, 46):
        evidence = evidence.add(falling, chunk=t, log_ceiling=np.log(1000.0))
    assert evidence.log_mean() < np.log(10.0)  # without the ceiling it would take as long as it took to rise


def test_reset_is_a_new_start_for_the_chosen_monitors_only() -> None:
    evidence = fed(np.full((3, 2, 2), 0.4)).reset(np.array([True, False]))
    assert np.isneginf(evidence.log_m[0]).all()
    assert evidence.elapsed.tolist() == [0.0, 3.0]
    again = evidence.add(np.full((2, 2), 0.4), chunk=9)
    assert again.log_m[0] == pytest.approx(0.4)


def test_bytes_come_back_as_they_went() -> None:
    evidence = fed(np.random.default_rng(2).normal(size=(4, 3, 2))).reset(np.array([False, True, False]))
    back = Evidence.from_bytes(evidence.to_bytes())
    assert np.array_equal(back.log_m, evidence.log_m)
    assert np.array_equal(back.elapsed, evidence.elapsed)
    assert (back.chunks, back.forgotten) == (evidence.chunks, evidence.forgotten)
    with pytest.raises(FormatError):
        Evidence.from_bytes(evidence.to_bytes()[:-9])


def test_evidence_far_beyond_floats_stays_finite() -> None:
    evidence = fed(np.full((5, 1, 1), 900.0))
    assert evidence.log_mean()[0] == pytest.approx(4500.0)
    evidence = evidence.add(np.full((1, 1), -1e6), chunk=99)
    assert evidence.add(np.full((1, 1), 0.5), chunk=100).log_mean()[0] == pytest.approx(0.5)


def test_other_monitors_or_bets_are_an_error() -> None:
    with pytest.raises(MismatchError, match="2 monitors with 3 bets"):
        Evidence.start(2, 3).add(np.zeros((2, 4)), chunk=0)
