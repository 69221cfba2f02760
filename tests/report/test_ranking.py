"""What a report shows first: the same ranking for page and terminal."""

from dataclasses import replace

from barograph.report.ranking import digest, which_moved
from barograph.report.report import Report
from barograph.report.tables import detectable_table, drift_table, performance_table, quality_table
from barograph.rules.limits import Status


def test_columns_in_breach_come_first_and_the_furthest_before_others(broken_report: Report) -> None:
    ranked = digest(broken_report)
    breached = [d.breached > 0 for d in ranked.drift]
    assert breached == sorted(breached, reverse=True)
    assert "<script>alert('x')</script>" in [d.column for d in ranked.drift[:3]]
    assert {d.role for d in ranked.drift} >= {"", "label", "score"}
    assert len(ranked.drift) == len({d.column for d in ranked.drift})


def test_a_role_is_named_where_the_column_does_not_tell_it(broken_report: Report) -> None:
    drift = next(d for d in digest(broken_report).drift if d.column == "score")
    assert drift.name == "score"
    assert replace(drift, column="p1").name == "p1 (score)"


def test_features_that_moved_are_counted_apart_from_outputs(broken_report: Report) -> None:
    drift = digest(broken_report).drift
    features = [d for d in drift if not d.role]
    score = next(d for d in drift if d.role == "score")
    assert which_moved([features[0]], drift) == f"1 of {len(features)} features"
    assert which_moved([score, features[0]], drift) == f"1 of {len(features)} features, score"
    assert which_moved([], drift) == f"0 of {len(features)} features"


def test_the_main_metric_is_the_one_in_breach(broken_report: Report, calm_report: Report) -> None:
    assert digest(calm_report).performance[0].metric == "roc_auc"
    main = digest(broken_report).main
    assert main is not None
    assert any(row.status == Status.BREACH for row in main.rows)
    assert digest(broken_report).harm_seen
    assert not digest(calm_report).harm_seen


def test_the_main_metric_is_the_one_that_is_hurt_most(calm_report: Report) -> None:
    def main(**losses: float) -> str:
        rows = [
            replace(row, value=row.reference_value - losses[row.metric], status=Status.BREACH)
            if row.family == "performance" and row.metric in losses and not row.segment and row.reference_value
            else row
            for row in calm_report.rows
        ]
        found = digest(replace(calm_report, rows=rows)).main
        assert found is not None
        return found.metric

    assert main(roc_auc=0.03, accuracy=0.35) == "accuracy"
    assert main(roc_auc=0.3, accuracy=0.03) == "roc_auc"
    assert main(roc_auc=-0.01, accuracy=0.03) == "accuracy"
    assert main(roc_auc=0.02, log_loss=-3.0) == "roc_auc"  # harm is not measured in it
    assert main(log_loss=-3.0) == "log_loss"


def test_without_labels_the_estimate_speaks(unlabelled_report: Report, bare_report: Report) -> None:
    main = digest(unlabelled_report).main
    assert main is not None
    assert main.latest is not None
    assert main.latest.family == "estimation"
    assert digest(unlabelled_report).harm_known
    assert not digest(bare_report).harm_known


def test_rows_and_period_are_those_of_the_profiles(broken_report: Report, empty_report: Report) -> None:
    ranked = digest(broken_report)
    assert ranked.rows == 6000
    assert ranked.period == "2024-01-01 to 2024-01-12"
    assert ranked.label_coverage == 1.0
    assert digest(empty_report).rows == 0
    assert digest(empty_report).period == "no time"


def test_quality_is_ranked_by_how_many_rows_have_the_fault(broken_report: Report) -> None:
    first = digest(broken_report).quality[0][0]
    assert (first.column, first.metric) == ("y", "missing_share")


def test_the_table_of_performance_has_a_row_a_chunk_and_the_reference(broken_report: Report) -> None:
    ranked = digest(broken_report)
    table = performance_table(ranked, dict.fromkeys(ranked.keys, 500))
    assert table is not None
    assert [row[0].text for row in table.rows] == [*ranked.keys, "reference"]
    assert any(cell.state == "breach" for row in table.rows for cell in row)
    assert all(len(row) == len(table.header) == len(table.numeric) for row in table.rows)


def test_estimates_are_marked_in_the_table(unlabelled_report: Report) -> None:
    ranked = digest(unlabelled_report)
    table = performance_table(ranked, {})
    assert table is not None
    assert any(cell.text.startswith("≈") for row in table.rows for cell in row)
    assert "estimated" in table.note


def test_tables_say_what_they_leave_out(broken_report: Report) -> None:
    ranked = digest(broken_report)
    table = drift_table(ranked, limit=2)
    assert table is not None
    assert len(table.rows) == 2
    assert f"{len(ranked.drift) - 2} more columns" in table.note
    watched = detectable_table(broken_report.watches, limit=1)
    assert watched is not None
    assert len(watched.rows) == 1
    assert "more are not shown" in watched.note
    assert detectable_table([]) is None


def test_the_table_of_faults_names_the_worst_chunk(broken_report: Report, calm_report: Report) -> None:
    table = quality_table(digest(broken_report))
    assert table is not None
    column, fault, reference, worst, chunk, *_ = (cell.text for cell in table.rows[0])
    assert (column, fault) == ("y", "Missing share")
    assert worst != reference
    assert chunk >= "2024-01-07"
