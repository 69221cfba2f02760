"""The registry, and the page that is written from it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import barograph.metrics
from barograph.metrics import Metric, catalogue
from barograph.metrics.document import document

ROOT = Path(__file__).parents[2]
FAMILIES = {family for family, _ in catalogue()}


def test_every_metric_lives_in_the_file_of_its_name() -> None:
    for (family, name), metric in catalogue().items():
        assert metric.function.__module__ == f"barograph.metrics.{family}.{name}"


@pytest.mark.parametrize("metric", catalogue().values(), ids=lambda metric: f"{metric.family}-{metric.name}")
def test_every_metric_says_what_its_values_mean(metric: Metric) -> None:
    low, high = metric.bounds
    assert low < high
    assert metric.tolerance >= 0
    assert metric.relative_tolerance >= 0
    assert metric.summary.endswith(".")
    assert ">>>" in (metric.function.__doc__ or ""), "an example that a user can copy"
    assert set(metric.inputs) in ({"reference", "current"}, {"current"})


def test_the_catalogue_can_be_asked_twice() -> None:
    """A module of the name `catalogue` in the package would hide the function once it is imported."""
    assert catalogue() is barograph.metrics.catalogue()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_says_what_it_asks(family: str) -> None:
    assert import_module(f"barograph.metrics.{family}").__doc__


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert page == document(), "docs/metrics.md is stale: run `make docs`."


def test_the_page_is_markdown_that_keeps_the_formulas() -> None:
    page = document()
    assert all(f"### {name}\n" in page for _, name in catalogue())
    assert ":math:" not in page
    assert ".. " not in page.replace("...", "")
    assert "\\mathrm{TV} = \\frac12 \\sum_i |c_i - r_i|" in page
    assert page.count("$$") % 2 == 0
