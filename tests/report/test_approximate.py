"""A number that bins could not find is told as approximate, with the bound, wherever it is shown."""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from barograph.monitors.results import APPROXIMATE, meaning_of_mark
from barograph.reference.fit import fit
from barograph.report.check import check
from barograph.report.ranking import digest
from barograph.report.tables import performance_table
from barograph.text.format import number


def rows(seed: int, n: int = 4_000) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    z = 1.6 * rng.normal(size=n)
    score = 1 / (1 + np.exp(-z))
    return pl.DataFrame({"score": score, "label": (rng.random(n) < score).astype("int8")})


def test_a_value_that_bins_cannot_tell_is_marked_and_says_how_near_it_is() -> None:
    reference = fit(rows(0), label="label", score="score")
    narrow = rows(1).with_columns(pl.col("score") / 2000 + 0.42)
    report = check(reference, pl.concat([rows(2), narrow]), chunk=4_000)
    plain, near = [r for r in report.rows if (r.family, r.metric, r.segment) == ("performance", "roc_auc", None)]
    assert (plain.mark, plain.binning_error) == ("", None)
    assert near.mark == "≈ "
    assert near.binning_error is not None
    assert near.reason is not None
    assert f"{APPROXIMATE}within {number(near.binning_error)}" in near.reason
    assert APPROXIMATE not in (near.other_reason or "")
    exact = roc_auc_score(narrow["label"], narrow["score"])
    assert near.value is not None
    assert abs(near.value - exact) <= near.binning_error
    assert near.lower is not None
    assert near.upper is not None
    assert near.lower <= exact <= near.upper
    table = performance_table(digest(report), {})
    assert table is not None
    of = table.header.index("ROC AUC")
    assert [row[of].text[:1] for row in table.rows] == ["0", "≈", "0"]
    assert table.note == meaning_of_mark([near])
    assert "estimated" not in table.note
    assert [
        row["reason"] for row in report.results.to_dicts() if row["chunk"] == near.chunk and row["metric"] == "roc_auc"
    ]
