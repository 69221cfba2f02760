"""Why: what a drifting feature should cost, what a loss is made of, and whether labels confirm the estimates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from barograph.causes.decomposition import Decomposition, decompose
from barograph.causes.harm import Harm, feature_harm, leaf_loss
from barograph.causes.losses import (
    CellLosses,
    absolute_error_losses,
    accuracy_losses,
    accuracy_losses_of_classes,
)
from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.regression import calibrate_regression
from barograph.labels.residuals import Residuals, binary_residuals, class_residuals, regression_residuals
from barograph.labels.trust import ARL_LABELS, TrustState, Watch, start_watch, watch
from barograph.metrics import catalogue
from barograph.metrics.facts import title_of, worse_by
from barograph.monitors.evaluate import typical_rows
from barograph.outcome import Estimate, Undefined
from barograph.profiles.profiles import Profile, Profiles
from barograph.profiles.tables import column_slice
from barograph.reference.reference import Reference
from barograph.rules.limits import default_tolerance
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable
from barograph.text.format import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """How much worse the labels of a chunk are than the reference expects of these very rows.

    `gap` is realised less `expected` loss (error rate, or mean absolute error), `error` its standard error, and
    `log_evidence` what all labels so far say against an unchanged concept, up to the chunk at `position`.
    """

    position: int
    labels: int
    gap: float
    error: float
    expected: float
    log_evidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What arrived labels say of the estimates after each chunk. `contradicted_after` counts labels; None: never.

    `residuals` has an entry for each chunk with labels; a contradiction takes evidence of `arl` labels.
    """

    states: tuple[TrustState, ...]
    labels: int
    contradicted_after: int | None
    residuals: tuple[Residual, ...] = ()
    arl: float = ARL_LABELS
    after: Watch | None = None  # what is known after the last chunk

    @property
    def state(self) -> TrustState:
        """Return the state after the last chunk."""
        return self.states[-1] if self.states else TrustState.UNVERIFIED


def losses_of(profile: Profile) -> tuple[str, CellLosses] | None:
    """Return the loss that is explained and its sums by cell: accuracy, or the absolute error of a regression."""
    name, cells = profile.yardstick.schema.task.facts.measure, profile.cells
    if profile.cells_of_regression is not None:
        return name, absolute_error_losses(profile.cells_of_regression)
    if not cells:
        return None
    return name, accuracy_losses(cells[0]) if len(cells) == 1 else accuracy_losses_of_classes(cells)


def harm_of(reference: Reference, profile: Profile, column: str) -> tuple[Harm, float] | None:
    """Return the expected loss from the drift of a feature, positive is worse, and what would be material.

    None without labels in the reference, and for columns that are not features.
    """
    found = reference.once(("losses",), lambda: losses_of(reference.total))
    if found is None or column not in reference.schema.features or not found[1].rows.sum():
        return None
    metric, losses = found
    where = column_slice(reference.yardstick, column)
    codes = profile.tables["counts"][profile.row, where]
    loss = leaf_loss(losses) * (1.0 if reference.schema.task.facts.rises else -1.0)
    overall = float(losses.total.sum() / losses.rows.sum())
    harm = feature_harm(reference.leaf_codes[:, where], codes, loss)
    return harm, default_tolerance(catalogue()["performance", metric], overall)


def decomposition_of(reference: Reference, profile: Profile) -> tuple[str, Decomposition] | Undefined:
    """Return what the change of accuracy (or of the mean absolute error) since the reference is made of."""
    ours, theirs = losses_of(profile), losses_of(reference.total)
    if ours is None or theirs is None:
        return Undefined("the model's predictions are not in the data")
    parts = decompose(theirs[1], ours[1])
    return parts if isinstance(parts, Undefined) else (ours[0], parts)


def trust_over(
    reference: Reference,
    profiles: Profiles,
    *,
    arl: float = ARL_LABELS,
    short: Collection[str] = (),
    typical: int | None = None,
    before: Watch | None = None,
    first: int = 0,
) -> Trust | None:
    """Return whether the labels of these chunks confirm the estimates or contradict them; None without estimates.

    `arl` is the mean number of labels until an unchanged concept is contradicted. Chunks whose keys are in `short` have
    only their first labels, which are not like the others: these are left out. `typical` is the number of rows of a
    typical chunk, and `before` what was known `after` the `first` chunks, where these are not all.
    """
    of = reference.once(("residuals",), lambda: _residuals(reference))
    if of is None:
        return None
    chunks = list(profiles.select())
    like = reference.blocks_like(typical_rows(chunks) if typical is None else typical)

    def start() -> Watch:
        return start_watch([of(block) for block in like.select() if block.n])

    state = reference.once(("trust", len(like.chunks)), start) if before is None else before
    states, residuals = [], []
    for i, profile in enumerate(chunks):
        labels_before = state.labels
        found = of(profile)
        if profile.n and profile.chunk.key not in short:
            state = watch(state, found, chunk=first + i, arl=arl)
        if state.labels > labels_before:
            labels, gap, error = state.recent[-1]
            used = 1 if found.same_rows else len(found.rows)
            residuals.append(
                Residual(
                    position=first + i,
                    labels=labels,
                    gap=gap,
                    error=error,
                    expected=float(found.expected[:used].sum()) / labels,
                    log_evidence=state.log_evidence,
                )
            )
        states.append(state.state)
    return Trust(
        states=tuple(states),
        labels=state.labels,
        contradicted_after=state.contradicted_after,
        residuals=tuple(residuals),
        arl=arl,
        after=state,
    )


def _residuals(reference: Reference) -> Callable[[Profile], Residuals] | None:
    outcomes, total = reference.total.outcomes, reference.total
    if outcomes is None or not outcomes.n:
        return None
    if isinstance(outcomes, ScoreTable):
        binary = calibrate(total.cells[0], outcomes)
        return lambda profile: binary_residuals(binary, profile.cells[0])
    if isinstance(outcomes, ClassTables):
        classes = calibrate_classes(total.cells, outcomes)
        return lambda profile: class_residuals(classes, profile.cells)
    regression = calibrate_regression(outcomes)

    def of_regression(profile: Profile) -> Residuals:
        cells = profile.cells_of_regression
        assert isinstance(cells, RegressionCells)
        return regression_residuals(regression, cells)

    return of_regression


def sentence(metric: str, parts: Decomposition) -> str:
    """Return the decomposition in words: of the two causes, those that are certain not to be zero.

    "Other traffic" is covariate shift, "another rule" concept drift.
    """
    return f"{metric} changed by {parts.change.value:+.3g} since the reference: {causes_in_words(parts)}"


def why_worse(reference: Reference, profile: Profile) -> str:
    """Return what a loss since the reference comes from, in words; "" where that is not known, or there is none.

    That the metric which can be taken apart did not fall says nothing of why another one did.
    """
    found = decomposition_of(reference, profile)
    if isinstance(found, Undefined) or worse_by(found[1].change.value, 0.0, found[0], "performance") <= 0:
        return ""
    return sentence(title_of(found[0]), found[1])


def causes_in_words(parts: Decomposition) -> str:
    """Return what a change comes from, as the end of a sentence; a cause whose interval includes zero is none.

    Where hardly a row has its like in the reference, as with a column in another unit, neither cause can be told.
    """
    if not parts.is_comparable:
        return (
            f"only {percent(parts.overlap)} of the rows have their like in the reference, so the input itself is "
            "another, and whether the rule behind the labels has changed cannot be told"
        )

    def signed(estimate: Estimate) -> str:
        return f"{estimate.value:+.3g} (95 %: {estimate.lower:+.3g} to {estimate.upper:+.3g})"

    causes = (
        (parts.covariate, "because the inputs changed (covariate shift)"),
        (parts.concept, "because the same inputs have other outcomes (concept drift)"),
    )
    certain = [f"{signed(part)} {why}" for part, why in causes if part.excludes_zero]
    return ", ".join(certain) or "whether the inputs changed or the rule behind the labels is not certain"
