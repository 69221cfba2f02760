"""What the model said is what is judged: predictions that are missing or no class, and labels of other classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from checked import assert_sound, left_out
from sklearn import metrics as sk

from barograph.alerts.severity import Severity
from barograph.errors import SpecError
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report

ROWS = 4_000
HALF = np.arange(ROWS) % 2 == 0
TENTH = np.arange(ROWS) % 10 == 0
KINDS = ("plane", "ship", "train")


def binary(seed: int, *, threshold: float = 0.3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=ROWS)
    score = 1 / (1 + np.exp(0.8 - 1.3 * x))
    return pl.DataFrame(
        {
            "x": x,
            "score": score,
            "prediction": np.where(score >= threshold, "yes", "no"),
            "label": np.where(rng.random(ROWS) < score, "yes", "no"),
        }
    )


def classes(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 2))
    logits = np.column_stack((x[:, 0], x[:, 1], -0.5 * x[:, 0]))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (p.cumsum(axis=1) < rng.random((ROWS, 1))).sum(axis=1)
    kinds = np.array(KINDS)
    scores = {f"proba_{kind}": p[:, i] for i, kind in enumerate(KINDS)}
    return pl.DataFrame(
        {"a": x[:, 0], "b": x[:, 1], **scores, "prediction": kinds[p.argmax(1)], "label": kinds[np.minimum(label, 2)]}
    )


@pytest.fixture(scope="module")
def two() -> Reference:
    return fit(binary(0))


@pytest.fixture(scope="module")
def three() -> Reference:
    return fit(classes(0))


def replaced(frame: pl.DataFrame, column: str, value: Any, where: np.ndarray = HALF) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.Series(where)).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def row(report: Report, name: str) -> Any:
    (found,) = [r for r in report.rows if r.monitor == name]
    return found


def checked(reference: Reference, frame: pl.DataFrame) -> Report:
    report = check(reference, frame, chunk=f"{ROWS}rows")
    assert_sound(report)
    return report


@pytest.mark.parametrize("column", ["prediction", "label"])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_class_that_the_reference_does_not_have_is_wrong(
    task: str, column: str, two: Reference, three: Reference
) -> None:
    now = replaced(binary(1) if task == "binary" else classes(1), column, "rocket")
    report = checked(two if task == "binary" else three, now)
    accuracy = row(report, "performance.accuracy")
    assert accuracy.value == pytest.approx(sk.accuracy_score(now["label"], now["prediction"]))
    assert accuracy.n == ROWS
    assert accuracy.label_coverage == 1.0
    assert report.severity is Severity.CRITICAL
    assert not report.verdict.startswith("The model is all right")


def test_a_new_class_that_labels_confirm_is_right_and_usable(three: Reference) -> None:
    now = replaced(replaced(classes(1), "prediction", "rocket"), "label", " Rocket")
    report = checked(three, now)
    rest = now.filter(pl.Series(~HALF))
    right = HALF.sum() + (rest["label"] == rest["prediction"]).sum()
    assert row(report, "performance.accuracy").value == pytest.approx(right / ROWS)
    assert row(report, "quality.unusable_prediction_share").value == 0.0


@pytest.mark.parametrize(
    ("where", "severity"), [(HALF, Severity.CRITICAL), (TENTH, Severity.WARNING)], ids=["half", "a tenth"]
)
@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("labelled", [True, False])
def test_rows_without_a_prediction_are_outside_of_accuracy_and_alarm(
    task: str, where: np.ndarray, severity: Severity, labelled: bool, two: Reference, three: Reference
) -> None:
    now = replaced(binary(1) if task == "binary" else classes(1), "prediction", None, where)
    if not labelled:
        now = now.with_columns(label=pl.lit(None, pl.String))
    report = checked(two if task == "binary" else three, now)
    lost = row(report, "quality.unusable_prediction_share")
    assert (lost.value, lost.n) == (where.mean(), ROWS)
    assert report.severity is severity
    if labelled:
        rest = now.filter(pl.Series(~where))
        accuracy = row(report, "performance.accuracy")
        assert accuracy.n == len(rest)
        assert accuracy.value == pytest.approx(sk.accuracy_score(rest["label"], rest["prediction"]))
    told = left_out(report)[f"{where.sum():,} rows"]
    assert told.startswith("their predictions cannot be used")


def test_half_of_the_predictions_gone_is_one_incident(two: Reference) -> None:
    report = checked(two, replaced(binary(1), "prediction", None))
    assert report.verdict.startswith("50% of the predictions cannot be used: prediction is missing in 50 % of the rows")
    told = [i for i in report.incidents if i.severity >= Severity.WARNING]
    assert len(told) == 1


def test_without_a_prediction_column_a_row_without_a_score_has_no_prediction() -> None:
    reference = fit(binary(0).drop("prediction"))
    now = replaced(binary(1).drop("prediction"), "score", None)
    report = checked(reference, now)
    assert row(report, "quality.unusable_prediction_share").value == 0.5
    assert report.severity is Severity.CRITICAL
    assert left_out(report)["what the model said"] == (
        "no prediction column is known: a score of 0.5 or more counts as 'yes'"
    )


@pytest.mark.parametrize("said", [None, "error"])
def test_the_score_stands_in_for_the_prediction_only_where_that_is_said(said: str | None) -> None:
    now = replaced(binary(1, threshold=0.5), "prediction", said)
    report = checked(fit(binary(0, threshold=0.5), unusable="by score"), now)
    whole = binary(1, threshold=0.5)
    accuracy = row(report, "performance.accuracy")
    assert accuracy.value == pytest.approx(sk.accuracy_score(whole["label"], whole["prediction"]))
    assert accuracy.n == ROWS
    told = left_out(report)["predictions that are missing or no class"]
    assert told == "the specification says `unusable = \"by score\"`: there, a score of 0.5 or more counts as 'yes'"


def test_the_highest_score_stands_in_for_a_class_where_that_is_said() -> None:
    now = replaced(classes(1), "prediction", None)
    accuracy = row(checked(fit(classes(0), unusable="by score"), now), "performance.accuracy")
    assert accuracy.value == pytest.approx(sk.accuracy_score(classes(1)["label"], classes(1)["prediction"]))


@pytest.mark.parametrize("bad", ["error", "nan", "inf", None])
def test_a_regression_cannot_use_text_nan_or_nothing(bad: str | None) -> None:
    rng = np.random.default_rng(5)

    def frame() -> pl.DataFrame:
        x = rng.normal(size=ROWS)
        return pl.DataFrame({"x": x, "y_pred": 50 + 10 * x, "y_true": 50 + 10 * x + rng.normal(0, 3, ROWS)})

    reference, now = fit(frame()), frame()
    text = replaced(now.with_columns(pl.col("y_pred").cast(pl.String)), "y_pred", bad)
    report = checked(reference, text)
    rest = now.filter(pl.Series(~HALF))
    mae = row(report, "performance.mae")
    assert mae.n == len(rest)
    assert mae.value == pytest.approx((rest["y_pred"] - rest["y_true"]).abs().mean())
    assert row(report, "quality.unusable_prediction_share").value == 0.5
    assert report.severity is Severity.CRITICAL


def test_scores_are_judged_by_whether_the_label_is_the_positive_class(two: Reference) -> None:
    now = replaced(replaced(binary(1), "label", "rocket", TENTH), "prediction", None)
    report = checked(two, now)
    positive = (now["label"] == "yes").to_numpy()
    assert row(report, "performance.roc_auc").n == ROWS
    assert row(report, "performance.roc_auc").value == pytest.approx(sk.roc_auc_score(positive, now["score"]), abs=1e-3)
    assert row(report, "performance.log_loss").value == pytest.approx(sk.log_loss(positive, now["score"]))
    assert row(report, "performance.brier_score").value == pytest.approx(sk.brier_score_loss(positive, now["score"]))


def test_a_label_of_no_class_had_no_probability(three: Reference) -> None:
    now = replaced(classes(1), "label", "rocket", TENTH)
    rest = now.filter(pl.Series(~TENTH))
    known = sk.log_loss(rest["label"], rest.select(f"proba_{kind}" for kind in KINDS).to_numpy(), labels=list(KINDS))
    expected = 0.9 * known - 0.1 * np.log(np.finfo(float).eps)
    assert row(checked(three, now), "performance.log_loss").value == pytest.approx(expected)


@pytest.mark.parametrize("column", ["prediction", "label"])
@pytest.mark.parametrize("text", ["", " ", "NaN", "NULL", "NA", "n/a", "<NA>"])
def test_what_programs_write_for_nothing_is_nothing(column: str, text: str, two: Reference) -> None:
    report = checked(two, replaced(binary(1), column, text))
    rest = binary(1).filter(pl.Series(~HALF))
    accuracy = row(report, "performance.accuracy")
    assert accuracy.n == len(rest)
    assert accuracy.value == pytest.approx(sk.accuracy_score(rest["label"], rest["prediction"]))


def test_estimates_know_that_a_prediction_of_no_class_is_wrong(two: Reference) -> None:
    now = replaced(binary(1), "prediction", "error").with_columns(label=pl.lit(None, pl.String))
    estimated = row(checked(two, now), "estimation.accuracy")
    truth = replaced(binary(1), "prediction", "error")
    assert estimated.value == pytest.approx(sk.accuracy_score(truth["label"], truth["prediction"]), abs=0.03)
    assert estimated.n == ROWS


def test_estimates_of_several_classes_know_it_too(three: Reference) -> None:
    now = replaced(classes(1), "prediction", "error").with_columns(label=pl.lit(None, pl.String))
    estimated = row(checked(three, now), "estimation.accuracy")
    truth = replaced(classes(1), "prediction", "error")
    assert estimated.value == pytest.approx(sk.accuracy_score(truth["label"], truth["prediction"]), abs=0.03)


def test_scores_that_do_not_sum_to_one_are_told(three: Reference) -> None:
    now = classes(1).with_columns(pl.col("proba_ship") * 0.5)
    report = checked(three, now)
    off = (now.select(pl.sum_horizontal(f"proba_{kind}" for kind in KINDS)).to_series() - 1).abs() > 0.01
    assert f"the scores of {off.sum():,} rows as probabilities" in left_out(report)


def test_scores_of_some_classes_only_are_told() -> None:
    before, now = (classes(seed).drop("proba_train", "prediction") for seed in (0, 1))
    report = checked(fit(before, task="multiclass", score={k: f"proba_{k}" for k in KINDS[:2]}), now)
    told = left_out(report)["which class is the likeliest, and log loss"]
    assert told == "no score column is known for 'train': give all, or what the model predicted"
    assert report.verdict.startswith("Whether the model is all right cannot be told")


def margins(seed: int) -> pl.DataFrame:
    """Return the binary model with the log-odds, far from 0 in places, instead of probabilities."""
    frame = binary(seed, threshold=0.5)
    p = frame["score"].to_numpy()
    return frame.with_columns(score=np.log(p / (1 - p)) * 40).drop("prediction")


@pytest.mark.parametrize("role", ["score", "prediction"])
def test_margins_are_taken_for_what_they_are(role: str) -> None:
    before, now = (margins(seed).rename({"score": "output"}) for seed in (0, 1))
    report = checked(fit(before, label="label", **{role: "output"}), now)
    positive, outputs = (now["label"] == "yes").to_numpy(), now["output"].to_numpy()
    assert row(report, "performance.roc_auc").value == pytest.approx(sk.roc_auc_score(positive, outputs), abs=1e-3)
    ap = sk.average_precision_score(positive, outputs)
    assert row(report, "performance.average_precision").value == pytest.approx(ap, abs=5e-3)
    assert row(report, "performance.accuracy").value == pytest.approx(((outputs >= 0) == positive).mean())
    assert row(report, "estimation.roc_auc").value == pytest.approx(sk.roc_auc_score(positive, outputs), abs=0.03)
    assert not {"log_loss", "brier_score", "expected_calibration_error"} & {r.metric for r in report.rows}
    assert "log loss, Brier score, expected calibration error, and whether scores are calibrated" in left_out(report)
    assert left_out(report)["what the model said"].endswith("a score of 0 or more counts as 'yes'")
    assert any("holds margins, not probabilities" in decision for decision in report.reference.decisions)
    assert report.severity is None


def test_margins_of_another_threshold_follow_the_predictions() -> None:
    said = pl.when(pl.col("score") >= 20).then(pl.lit("yes")).otherwise(pl.lit("no"))
    before, now = (margins(seed).with_columns(prediction=said) for seed in (0, 1))
    report = checked(fit(before, score="score"), now)
    expected = sk.accuracy_score(now["label"], now["prediction"])
    assert row(report, "performance.accuracy").value == pytest.approx(expected)
    assert row(report, "estimation.accuracy").value == pytest.approx(expected, abs=0.03)


def test_predictions_that_are_neither_classes_nor_probabilities_are_refused() -> None:
    percent = binary(0).drop("score").with_columns(prediction=binary(0)["score"] * 100)
    with pytest.raises(SpecError, match=r"holds numbers that are neither classes nor probabilities, for example"):
        fit(percent)


@pytest.mark.parametrize("text", ["NA", "nan", "n/a"])
def test_what_stands_for_no_label_in_the_reference_is_said(text: str) -> None:
    reference = fit(replaced(binary(0), "label", text, TENTH))
    assert reference.schema.classes == ("no", "yes")
    assert reference.total.label_coverage == pytest.approx(0.9)
    assert f"label: '{text}' stands for none: name under `classes` what is a class" in reference.decisions


def test_a_class_that_may_stand_for_none_is_asked_about(three: Reference) -> None:
    before, now = (replaced(classes(seed), "label", "unknown", TENTH) for seed in (0, 1))
    asked = checked(fit(before), now)
    assert "whether 'unknown' in `label` is a class" in left_out(asked)
    answered = checked(fit(before, null_values=["unknown"]), now)
    rest = now.filter(pl.Series(~TENTH))
    accuracy = row(answered, "performance.accuracy")
    assert (accuracy.n, accuracy.label_coverage) == (len(rest), pytest.approx(0.9))
    assert accuracy.value == pytest.approx(sk.accuracy_score(rest["label"], rest["prediction"]))
    assert not any(what.startswith("whether") and "is a class" in what for what in left_out(answered))


def test_a_number_may_stand_for_no_label() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=ROWS)
    frame = pl.DataFrame({"x": x, "y_pred": 50 + 10 * x, "y_true": 50 + 10 * x + rng.normal(0, 3, ROWS)})
    report = checked(fit(frame, null_values=[-999]), replaced(frame, "y_true", -999.0))
    rest = frame.filter(pl.Series(~HALF))
    assert row(report, "performance.mae").value == pytest.approx((rest["y_pred"] - rest["y_true"]).abs().mean())
    assert row(report, "performance.mae").label_coverage == 0.5
