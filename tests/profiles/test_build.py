"""Profiles equal what Polars and NumPy compute from the same rows, however the rows come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.chunks import parse_chunk_rule
from barograph.errors import InputError, MismatchError
from barograph.profiles.build import build_profiles
from barograph.profiles.profiles import Profile, Profiles
from barograph.profiles.samples import SAMPLE_SIZE
from barograph.profiles.yardstick import NumericBins, Yardstick
from barograph.reference.bins import fit_numeric_bins
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.sketches.histogram import Categories, Histogram
from barograph.sketches.scores import NONE, ScoreTable

Frames = Callable[..., pl.DataFrame]


@pytest.fixture(scope="module")
def reference(reference_events: pl.DataFrame) -> Reference:
    return fit(reference_events, segments=["colour"])


@pytest.fixture(scope="module")
def current(reference_events: pl.DataFrame) -> pl.DataFrame:
    x = pl.col("x")
    changed = reference_events.head(7_000).with_columns(
        x=pl.when(x > 2).then(float("inf")).when(x < -2).then(float("nan")).otherwise(x + 0.3),
        colour=pl.when(pl.col("amount") > 60).then(pl.lit("violet")).otherwise("colour"),
        label=pl.when(pl.col("score") > 0.1).then("label"),
    )
    return changed.sample(fraction=1.0, shuffle=True, seed=5)


def same(a: Profiles, b: Profiles) -> None:
    assert [c.key for c in a.chunks] == [c.key for c in b.chunks]
    for mine, theirs in zip((a.tables, *a.segment_tables), (b.tables, *b.segment_tables), strict=True):
        for name, array in mine.items():
            if array.dtype == np.int64:
                np.testing.assert_array_equal(array, theirs[name], err_msg=name)
            else:
                np.testing.assert_allclose(array, theirs[name], rtol=1e-9, atol=1e-9, err_msg=name)
    assert a.samples == b.samples
    assert a.ids == b.ids


def test_counts_equal_polars(reference: Reference, current: pl.DataFrame) -> None:
    profiles = reference.profile(current, chunk="1d")
    for profile in profiles.select():
        rows = current.filter(pl.col("timestamp").is_between(profile.chunk.start, profile.chunk.end, closed="left"))
        assert profile.n == len(rows) > 0
        counts = profile.counts("x")
        assert counts.nan == rows["x"].is_nan().sum()
        assert counts.positive_inf == rows["x"].is_infinite().sum()
        assert profile.counts("amount").null == rows["amount"].null_count()
        assert profile.counts("colour").unseen == (rows["colour"] == "violet").sum()
        finite = rows["x"].filter(rows["x"].is_finite()).to_numpy()
        histogram = profile.binned("x")
        assert isinstance(histogram, Histogram)
        expected, _ = np.histogram(finite, np.concatenate(([-np.inf], histogram.edges, [np.inf])))
        np.testing.assert_array_equal(histogram.counts, expected)
        assert (histogram.minimum, histogram.maximum) == (finite.min(), finite.max())
        moments = profile.moments("x")
        assert moments.mean == pytest.approx(finite.mean())
        assert moments.variance == pytest.approx(finite.var())
        colours = profile.binned("colour")
        assert isinstance(colours, Categories)
        for name, n in zip(colours.names, colours.counts, strict=False):
            assert n == (rows["colour"] == name).sum()


def test_outcomes_equal_polars(reference: Reference, current: pl.DataFrame) -> None:
    [profile] = reference.profile(current).select()
    table = profile.outcomes
    assert isinstance(table, ScoreTable)
    positive, label = current["score"] >= 0.5, current["label"]
    assert table.n == label.is_not_null().sum()
    assert table.confusion.tolist() == [
        [(~positive & (label == 0)).sum(), (~positive & (label == 1)).sum()],
        [(positive & (label == 0)).sum(), (positive & (label == 1)).sum()],
    ]
    assert table.sums[:, :, 0].sum() == pytest.approx(current["score"].sum())
    assert table.sums[:, 1, 2].sum() == pytest.approx(current.filter(label == 1)["score"].log().sum())
    [cells] = profile.cells
    assert cells.counts.sum() == len(current)
    np.testing.assert_array_equal(cells.counts.sum(axis=(0, 1)), table.by_score.sum(axis=0))
    assert profile.label_coverage == pytest.approx(label.is_not_null().mean())


def test_second_moments_equal_numpy(reference: Reference, current: pl.DataFrame) -> None:
    covariance = reference.profile(current).total().covariance
    assert covariance is not None
    assert covariance.names == ("x", "amount")
    columns = []
    for name in covariance.names:
        moments = reference.total.moments(name)
        values = current[name].fill_null(float("nan")).to_numpy()
        z = np.where(np.isfinite(values), (values - moments.center) / moments.scale, 0.0)
        columns.append(np.clip(z, -20, 20))
    np.testing.assert_allclose(covariance.matrix, np.cov(columns, bias=True), rtol=1e-9)


def test_order_of_rows_does_not_matter(reference: Reference, current: pl.DataFrame) -> None:
    same(reference.profile(current, chunk="1d"), reference.profile(current.sort("timestamp"), chunk="1d"))
    same(reference.profile(current, chunk="500rows"), reference.profile(current.sort("timestamp"), chunk="500rows"))


def test_threads_and_parts_do_not_matter(reference: Reference, current: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "current.parquet"
    current.write_parquet(path, row_group_size=700)
    whole = reference.profile(current, chunk="1d")
    same(whole, reference.profile(path, chunk="1d", threads=3))
    same(whole, reference.profile(path, chunk="1d", threads=1))


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 7_000))
def test_parts_merge_to_the_whole(reference: Reference, current: pl.DataFrame, cut: int) -> None:
    parts = [reference.profile(current[:cut], chunk="1w"), reference.profile(current[cut:], chunk="1w")]
    same(parts[0].merge(parts[1]), reference.profile(current, chunk="1w"))
    same(parts[1].merge(parts[0]), parts[0].merge(parts[1]))


def test_what_was_counted_elsewhere_with_the_same_reference_merges(reference: Reference, current: pl.DataFrame) -> None:
    """One half is counted with a copy of the reference, and comes back as bytes."""
    elsewhere = Reference.from_bytes(reference.to_bytes())
    half = elsewhere.profile(current[:3_000], chunk="1w").to_bytes()
    came = Profiles.from_bytes(half, elsewhere.yardstick)
    same(came.merge(reference.profile(current[3_000:], chunk="1w")), reference.profile(current, chunk="1w"))


def test_segments_add_up_to_all_rows(reference: Reference, current: pl.DataFrame) -> None:
    profiles = reference.profile(current, chunk="1w")
    for i, whole in enumerate(profiles.select()):
        parts = [profiles.at(i, segment) for segment in profiles.segments]
        assert sum(p.n for p in parts) == whole.n
        np.testing.assert_array_equal(sum(p.tables["counts"][p.row] for p in parts), whole.tables["counts"][whole.row])
    red = current.filter(pl.col("colour") == "red")
    assert sum(p.n for p in profiles.select("colour=red")) == len(red)
    assert sum(p.n for p in profiles.select("colour=(unseen)")) == (current["colour"] == "violet").sum()


def test_bytes_round_trip(reference: Reference, current: pl.DataFrame) -> None:
    profiles = reference.profile(current, chunk="1w")
    again = Profiles.from_bytes(profiles.to_bytes(), reference.yardstick)
    same(profiles, again)
    assert again.chunks == profiles.chunks
    assert again.to_bytes() == profiles.to_bytes()


def test_sample_is_uniform_and_reproducible(reference: Reference, current: pl.DataFrame) -> None:
    sample = reference.profile(current).total().sample
    assert sample is not None
    assert sample.n == SAMPLE_SIZE
    share = np.mean(sample.outputs[:, 0] > 0.5)
    assert share == pytest.approx((current["score"] > 0.5).mean(), abs=0.06)


def test_duplicate_ids_are_counted_exactly_in_small_chunks(reference: Reference, current: pl.DataFrame) -> None:
    twice = pl.concat([current, current.head(100)])
    [profile] = reference.profile(twice).select()
    assert profile.ids is not None
    assert profile.ids.exact
    assert profile.ids.duplicate_share == pytest.approx(100 / len(twice))


def test_days_follow_the_calendar_of_the_zone(reference_events: pl.DataFrame) -> None:
    zoned = fit(reference_events, timezone="America/New_York")
    start = datetime(2024, 3, 9, 5, tzinfo=UTC)  # midnight in New York; clocks change on the 10th
    hours = reference_events.head(72).with_columns(
        timestamp=pl.Series([start + timedelta(hours=i) for i in range(72)], dtype=pl.Datetime("us", "UTC"))
    )
    profiles = zoned.profile(hours, chunk="1d")
    assert [(p.chunk.key, p.n) for p in profiles.select()] == [
        ("2024-03-09", 24),
        ("2024-03-10", 23),
        ("2024-03-11", 24),
        ("2024-03-12", 1),
    ]
    assert [c.complete for c in profiles.chunks] == [True, True, True, False]


def test_gaps_in_time_are_chunks_without_rows(reference: Reference, reference_events: pl.DataFrame) -> None:
    gap = reference_events.filter(~pl.col("timestamp").dt.day().is_between(5, 7))
    by_day = {p.chunk.key: p.n for p in reference.profile(gap, chunk="1d").select()}
    assert by_day["2024-01-06"] == 0
    assert sum(by_day.values()) == len(gap)


def test_rows_without_a_time_are_outside_and_counted(reference: Reference, reference_events: pl.DataFrame) -> None:
    lost = reference_events.with_columns(timestamp=pl.when(pl.col("x") < 1).then("timestamp"))
    profiles = reference.profile(lost, chunk="1w")
    assert profiles.outside == (reference_events["x"] >= 1).sum()
    assert sum(p.n for p in profiles.select()) + profiles.outside == len(lost)


def test_no_time_at_all_is_one_clear_error(reference: Reference, reference_events: pl.DataFrame) -> None:
    with pytest.raises(InputError, match=r"'timestamp' is not in the data.*5000rows"):
        reference.profile(reference_events.drop("timestamp"), chunk="1d")
    with pytest.raises(InputError, match=r"'timestamp' has no usable time"):
        reference.profile(reference_events.with_columns(timestamp=None), chunk="1d")


def test_no_rows_and_one_row(reference: Reference, reference_events: pl.DataFrame) -> None:
    none = reference.profile(reference_events.head(0), chunk="1d")
    assert len(none) == 0
    assert none.total().n == 0
    [one] = reference.profile(reference_events.head(1), chunk="1d").select()
    assert one.n == 1


def test_missing_and_extra_columns_are_listed(reference: Reference, reference_events: pl.DataFrame) -> None:
    profiles = reference.profile(reference_events.drop("x").with_columns(new=1))
    assert profiles.missing_columns == ("x",)
    assert profiles.extra_columns == ("new",)
    assert profiles.total().counts("x").null == len(reference_events)


def test_text_in_a_numeric_column_is_a_type_error(reference: Reference, reference_events: pl.DataFrame) -> None:
    text = reference_events.with_columns(
        x=pl.when(pl.col("x") > 0).then(pl.lit("n/a")).otherwise(pl.col("x").cast(str))
    )
    profiles = reference.profile(text)
    assert profiles.type_changes == ("x",)
    assert profiles.total().counts("x").type_errors == (reference_events["x"] > 0).sum()


def test_scores_outside_zero_and_one_are_no_scores(reference: Reference, reference_events: pl.DataFrame) -> None:
    percent = reference_events.with_columns(score=pl.col("score") * 100)
    profile = reference.profile(percent).total()
    table = profile.outcomes
    assert isinstance(table, ScoreTable)
    assert table.by_score.sum() == (percent["score"] <= 1).sum()
    assert table.counts[NONE].sum() == (percent["score"] > 1).sum()
    assert profile.counts("score").above == (percent["score"] > 1).sum()


def test_profiles_of_two_references_do_not_merge(reference: Reference, reference_events: pl.DataFrame) -> None:
    other = fit(reference_events[:5_000], segments=["colour"])
    with pytest.raises(MismatchError, match="different references"):
        reference.profile(reference_events).merge(other.profile(reference_events))


def test_yardstick_of_a_constant_and_of_nothing() -> None:
    constant = fit_numeric_bins("x", np.full(100, 3.0))
    assert constant.edges.tolist() == [3.0, np.nextafter(3.0, np.inf)]
    nothing = fit_numeric_bins("x", np.array([np.nan, np.inf]))
    assert isinstance(nothing, NumericBins)
    assert nothing.bins == 1


def test_chunks_are_limited(reference: Reference, reference_events: pl.DataFrame) -> None:
    far = reference_events.head(2).with_columns(
        timestamp=pl.Series([datetime(1900, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)])
    )
    with pytest.raises(Exception, match="more than"):
        reference.profile(far, chunk="1h")


def test_progress_reaches_the_number_of_rows(reference: Reference, reference_events: pl.DataFrame) -> None:
    seen: list[tuple[int, int | None]] = []
    build_profiles(
        reference.yardstick,
        reference_events,
        chunk=parse_chunk_rule("1d"),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (len(reference_events), len(reference_events))


def test_profile_of_an_unknown_column_says_which_are_known(reference: Reference) -> None:
    profile: Profile = reference.total
    with pytest.raises(InputError, match="Did you mean 'colour'"):
        profile.binned("color")
    assert isinstance(reference.yardstick, Yardstick)


@pytest.mark.parametrize("chunk", ["1d", "all", "5000rows"])
@pytest.mark.parametrize("until", [None, datetime(2024, 1, 5, 13, tzinfo=UTC)])
def test_profiles_are_the_same_where_times_need_not_be_read(
    tmp_path: Path, reference: Reference, reference_events: pl.DataFrame, chunk: str, until: datetime | None
) -> None:
    rows = reference_events.head(8_000)
    for name, statistics in (("with", True), ("without", False)):
        rows.write_parquet(tmp_path / f"{name}.parquet", row_group_size=500, statistics=statistics)
    rule = parse_chunk_rule(chunk)
    one, other = (
        build_profiles(reference.yardstick, tmp_path / f"{name}.parquet", chunk=rule, until=until)
        for name in ("with", "without")
    )
    assert one.chunks == other.chunks
    assert one.outside == other.outside
    for name, array in one.tables.items():
        np.testing.assert_array_equal(array, other.tables[name])
