"""Metrics of models with several classes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from barograph.errors import SpecError
from barograph.metrics.performance.accuracy import accuracy
from barograph.metrics.performance.average_precision import average_precision
from barograph.metrics.performance.brier_score import brier_score
from barograph.metrics.performance.expected_calibration_error import expected_calibration_error
from barograph.metrics.performance.f1 import f1
from barograph.metrics.performance.log_loss import log_loss
from barograph.metrics.performance.mcc import mcc
from barograph.metrics.performance.precision import precision
from barograph.metrics.performance.recall import recall
from barograph.metrics.performance.roc_auc import roc_auc
from barograph.metrics.performance.specificity import specificity
from barograph.outcome import Estimate, Undefined
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.confusion import Confusion

EDGES = np.array([0.5])


def of_confusion(counts: Any) -> ClassTables:
    counts = np.asarray(counts)
    k = len(counts)
    tables = ClassTables.empty([f"class {i}" for i in range(k)], [EDGES] * k)
    tables.confusion.counts[:k, :k] = counts
    return tables


def rows_of(counts: Any) -> tuple[Any, Any]:
    predicted, label = np.indices(np.shape(counts))
    return np.repeat(label.ravel(), np.ravel(counts)), np.repeat(predicted.ravel(), np.ravel(counts))


def specificity_by_hand(label: Any, predicted: Any, *, average: str, k: int) -> float:
    values = [np.mean(predicted[label != i] != i) if (label != i).any() else np.nan for i in range(k)]
    weights = np.ones(k) if average == "macro" else np.bincount(label, minlength=k)
    known = np.isfinite(values)
    return float(np.average(np.array(values)[known], weights=weights[known]))


confusions = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 40), min_size=k, max_size=k), min_size=k, max_size=k)
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(confusions.filter(lambda c: np.diag(c).any()), st.sampled_from(["macro", "weighted"]))
@pytest.mark.filterwarnings("ignore")  # scikit-learn warns of classes without rows
def test_equal_to_scikit_learn(counts: list[list[int]], average: Any) -> None:
    label, predicted = rows_of(counts)
    tables = of_confusion(counts)
    options = {"average": average, "labels": range(len(counts)), "zero_division": np.nan}
    for ours, theirs in ((precision, sk.precision_score), (recall, sk.recall_score), (f1, sk.f1_score)):
        outcome = ours(tables, average=average)
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(theirs(label, predicted, **options), abs=1e-12), ours.__name__
        assert outcome.n == len(label)
        assert outcome.lower <= outcome.value + 1e-12
        assert outcome.value <= outcome.upper + 1e-12
        assert outcome.standard_error > 0
    outcome = accuracy(tables)
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(sk.accuracy_score(label, predicted), abs=1e-12)
    if len(set(label)) > 1 and len(set(predicted)) > 1:
        outcome = mcc(tables)
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(sk.matthews_corrcoef(label, predicted), abs=1e-12)
    if len(set(label)) > 1:
        outcome = specificity(tables, average=average)
        assert isinstance(outcome, Estimate)
        expected = specificity_by_hand(label, predicted, average=average, k=len(counts))
        assert outcome.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("function", [precision, recall, f1, specificity])
def test_the_delta_method_agrees_with_simulation(function: Any, average: Any) -> None:
    rng = np.random.default_rng(8)
    shares = np.array([[0.50, 0.05, 0.10], [0.03, 0.10, 0.05], [0.02, 0.10, 0.05]])
    draws = rng.multinomial(2_000, shares.ravel(), 2_000).reshape(-1, 3, 3)
    values = [function(of_confusion(counts), average=average).value for counts in draws]
    expected = function(of_confusion((shares * 2_000).astype(int)), average=average)
    assert isinstance(expected, Estimate)
    assert expected.standard_error == pytest.approx(np.std(values), rel=0.06)


def test_weighted_recall_is_the_accuracy_with_its_standard_error() -> None:
    counts = of_confusion([[700, 20, 60], [90, 80, 30], [10, 0, 10]])
    outcome = recall(counts, average="weighted")
    share = 790 / 1000
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(share, abs=1e-12)
    assert outcome.standard_error == pytest.approx(np.sqrt(share * (1 - share) / 1000), rel=0.01)


def test_one_class_alone_has_no_interval() -> None:
    assert precision(of_confusion([[5]])) == Estimate(value=1.0, n=5)


def test_probability_metrics_equal_scikit_learn(tables: ModuleType) -> None:
    rng = np.random.default_rng(9)
    probabilities, label, predicted = tables.multiclass_rows(rng, 20_000, 4)
    edges = [tables.score_edges(probabilities[:, i], (label == i).astype(int)) for i in range(4)]
    of_rows = tables.class_tables(probabilities, label, predicted, edges)
    loss, brier = log_loss(of_rows), brier_score(of_rows)
    assert isinstance(loss, Estimate)
    assert isinstance(brier, Estimate)
    assert loss.value == pytest.approx(sk.log_loss(label, probabilities), rel=1e-9)
    surprise = -np.log(probabilities[np.arange(20_000), label])
    assert loss.standard_error == pytest.approx(surprise.std(ddof=1) / np.sqrt(20_000), rel=1e-6)
    assert brier.value == pytest.approx(sk.brier_score_loss(label, probabilities), abs=1e-12)
    for average in ("macro", "weighted"):
        area = roc_auc(of_rows, average=average)
        precision_ = average_precision(of_rows, average=average)
        assert isinstance(area, Estimate)
        assert isinstance(precision_, Estimate)
        one_hot = np.eye(4)[label]
        assert area.value == pytest.approx(
            sk.roc_auc_score(label, probabilities, multi_class="ovr", average=average), abs=2e-4
        )
        assert precision_.value == pytest.approx(
            sk.average_precision_score(one_hot, probabilities, average=average), abs=1e-3
        )


@pytest.mark.parametrize("function", [roc_auc, average_precision, expected_calibration_error])
def test_macro_is_the_mean_of_the_classes(tables: ModuleType, function: Any) -> None:
    rows = tables.multiclass_rows(np.random.default_rng(10), 2_000, 3)
    of_rows = tables.class_tables(*rows, [np.linspace(0, 1, 65)[1:-1]] * 3)
    each = [function(table) for table in of_rows.scores]
    outcome = function(of_rows)
    assert outcome.value == pytest.approx(np.mean([o.value for o in each]))
    assert outcome.standard_error == pytest.approx(np.mean([o.standard_error for o in each]))


def test_two_classes_give_the_binary_values(tables: ModuleType) -> None:
    probabilities, label, predicted = tables.multiclass_rows(np.random.default_rng(10), 2_000, 2)
    of_rows = tables.class_tables(probabilities, label, predicted, [np.linspace(0, 1, 65)[1:-1]] * 2)
    yes = of_rows.scores[1]
    for function in (accuracy, mcc, log_loss, roc_auc):
        many, one = function(of_rows), function(yes)
        assert isinstance(many, Estimate)
        assert isinstance(one, Estimate)
        assert many.value == pytest.approx(one.value, abs=1e-9), function.__name__
        assert (many.lower, many.upper) == pytest.approx((one.lower, one.upper), abs=1e-3)


def test_a_class_without_rows_is_left_out(tables: ModuleType) -> None:
    probabilities, label, predicted = tables.multiclass_rows(np.random.default_rng(10), 500, 3)
    two = label != 2
    of_rows = tables.class_tables(probabilities[two], label[two], predicted[two], [EDGES] * 3)
    outcome = roc_auc(of_rows)
    assert isinstance(outcome, Estimate)
    assert outcome.value == pytest.approx(np.mean([roc_auc(t).value for t in of_rows.scores[:2]]))


def test_when_no_class_can_be_measured_the_reason_names_one() -> None:
    tables = of_confusion([[3, 0], [0, 0]])
    for i, table in enumerate(tables.scores):
        table.counts[1 - i, 0, 1 - i] = table.finest[0, 1 - i, 0] = 3
    assert roc_auc(tables) == Undefined(
        "no class can be measured; class 'class 0': only positive labels: ROC AUC compares positives with negatives"
    )


@pytest.mark.parametrize("function", [precision, roc_auc])
def test_an_unknown_average_is_refused(function: Any) -> None:
    with pytest.raises(SpecError, match="'macro' or 'weighted'"):
        function(of_confusion([[3, 0], [0, 1]]), average="micro")


def test_labels_without_scores_are_named() -> None:
    assert log_loss(of_confusion([[3, 0], [0, 1]])) == Undefined("no row has valid scores and a label")


def test_rows_without_a_prediction_are_in_no_metric_of_predictions() -> None:
    tables = of_confusion([[3, 0], [0, 1]])
    tables.confusion.counts[3, 0] = 5
    assert accuracy(tables) == accuracy(of_confusion([[3, 0], [0, 1]]))
    only = Confusion.empty(["a", "b"])
    only.counts[3, 0] = 5
    unknown = ClassTables(scores=tables.scores, confusion=only)
    assert accuracy(unknown) == Undefined("no row has a usable prediction")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("where", ["prediction", "label", "both", "both, another"])
def test_what_is_no_class_is_one_class_more(tables: ModuleType, where: str, share: float) -> None:
    """Against scikit-learn, which takes all texts that it sees for classes."""
    rng = np.random.default_rng(3)
    probabilities, label, predicted = tables.multiclass_rows(rng, 800, 3)
    other = rng.random(800) < share
    said, true = predicted.copy(), label.copy()
    if where != "label":
        said[other] = 3
    if where != "prediction":
        true[other] = 4 if where == "both, another" else 3
    edges = [np.array([0.3, 0.6])] * 3
    counted = tables.class_tables(probabilities, label, predicted, edges)
    confusion = Confusion.empty(counted.classes)
    np.add.at(confusion.counts, (said, np.minimum(true, 3)), 1)
    current = ClassTables(
        scores=counted.scores,
        confusion=Confusion(
            classes=counted.classes,
            counts=confusion.counts,
            loss=confusion.loss,
            agreed=int(((said == 3) & (true == 3)).sum()),
        ),
    )
    assert accuracy(current).value == pytest.approx(sk.accuracy_score(true, said))
    assert accuracy(current).n == 800
    if share < 1:
        assert mcc(current).value == pytest.approx(sk.matthews_corrcoef(true, said))
        if where in ("prediction", "label", "both"):
            assert f1(current).value == pytest.approx(sk.f1_score(true, said, average="macro"))
    if where == "label" and share < 1:
        assert recall(current).value == pytest.approx(sk.recall_score(true, said, average="macro"))
    if where == "prediction" and share < 1:
        assert precision(current).value == pytest.approx(sk.precision_score(true, said, average="macro"))
