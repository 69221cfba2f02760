"""The page: complete, safe, accessible, the same each time, and honest when there is little to show."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from jinja2 import meta

from barograph.charts import style
from barograph.monitors.results import Result
from barograph.report import html
from barograph.report.html import PageContext, fragment, page
from barograph.report.report import Report
from barograph.rules.limits import Status

STATES = ("broken_report", "calm_report", "unlabelled_report", "empty_report", "bare_report")
VOID = {"meta", "br", "img", "input", "link", "hr"}
# What the templates and the renderer of charts write; anything else came in through a name.
KNOWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "h3", "p", "span", "a", "nav"),
    *(
        "section",
        "dl",
        "div",
        "dt",
        "dd",
        "ol",
        "ul",
        "li",
        "details",
        "summary",
        "strong",
        "code",
        "figure",
        "svg",
        "g",
    ),
    *("path", "rect", "line", "text", "tspan", "defs", "clippath", "table", "caption", "thead", "tbody", "tr", "th"),
    *("td", "script", "footer"),
}


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(params=STATES)
def report(request: pytest.FixtureRequest) -> Report:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Report)
    return found


def test_the_page_is_well_formed_and_loads_nothing(report: Report) -> None:
    text = page(report)
    found = Page(text)
    for tag, attrs in found.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
            assert (attrs.get(name) or "#").startswith("#"), (tag, attrs)
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text
    outside = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", text)
    assert re.findall(r"https?://", outside) == []
    assert "default-src 'none'" in text


def test_names_and_values_of_the_user_are_only_ever_text(broken_report: Report) -> None:
    found = Page(page(broken_report))
    assert {tag for tag, _ in found.tags} <= KNOWN_TAGS
    assert len(found.all("script")) == 1
    for tag, attrs in found.tags:
        assert [name for name in attrs if name.startswith("on")] == [], tag
    shown = "".join(found.text)
    assert "<script>alert('x')</script>" in shown
    assert "</svg><img src=x onerror" in shown


def test_the_fragment_is_as_safe_and_has_no_script(broken_report: Report) -> None:
    text = fragment(broken_report)
    found = Page(text)
    assert {tag for tag, _ in found.tags} <= KNOWN_TAGS - {"script", "html", "body", "head"}
    assert text == broken_report._repr_html_()
    assert len(text) < len(page(broken_report))


def test_drawings_are_xml_with_ids_of_their_own_and_a_description(broken_report: Report) -> None:
    text = page(broken_report)
    drawings = re.findall(r"<svg.*?</svg>(?=</div>)", text, re.DOTALL)
    assert len(drawings) >= 6
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        assert root.get("aria-label")
    ids = [attrs["id"] for _, attrs in Page(text).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_tables_and_headings_are_marked_up(broken_report: Report) -> None:
    found = Page(page(broken_report))
    assert len(found.all("h1")) == 1
    assert all(attrs.get("scope") in ("col", "row") for attrs in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table")) >= 3
    levels = [int(tag[1]) for tag, _ in found.tags if tag in ("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert found.all("html")[0]["lang"] == "en"


def test_the_verdict_comes_first_and_incidents_in_order(broken_report: Report) -> None:
    shown = " ".join("".join(Page(page(broken_report)).text).split())
    assert broken_report.severity is not None
    assert 0 < shown.index(broken_report.verdict.split(":")[0]) < shown.index("Incidents")
    told = [
        shown.index(incident.title.replace("`", ""), shown.index("How to read this"))
        for incident in broken_report.incidents[:2]
    ]
    assert told == sorted(told)
    assert broken_report.incidents[0].advice.replace("`", "") in shown


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("calm_report", "all right"),
        ("unlabelled_report", "Estimated ROC AUC"),
        ("empty_report", "Without rows, nothing can be said."),
        ("bare_report", "No performance was measured or estimated"),
    ],
)
def test_each_state_says_what_it_does_not_know(state: str, said: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(state)
    shown = "".join(Page(page(report)).text)
    assert said in shown
    for item in report.not_checked:
        assert item.why.replace("`", "") in shown
    assert "None" not in shown.replace("None of", "").replace("None:", "")
    assert "nan" not in shown.lower().split()


def test_nothing_is_called_all_right_without_rows(empty_report: Report) -> None:
    shown = "".join(Page(page(empty_report)).text)
    assert "all right" not in shown
    assert "as frequent as in the reference" not in shown


def test_all_undefined_is_shown_with_the_reason(calm_report: Report) -> None:
    rows = [
        replace(r, value=None, lower=None, upper=None, status=Status.UNDEFINED, reason="why") for r in calm_report.rows
    ]
    shown = "".join(Page(page(replace(calm_report, rows=rows))).text)
    assert "could not be computed: why" in shown


def test_one_chunk_is_enough(report_of: Callable[..., Report]) -> None:
    report = report_of(chunk="100000rows")
    assert len(report.profiles.chunks) == 1
    Page(page(report))


def test_decisions_about_roles_are_told(calm_report: Report) -> None:
    shown = "".join(Page(page(calm_report)).text)
    assert calm_report.reference.decisions
    assert all(decision.replace("`", "") in shown for decision in calm_report.reference.decisions)


def test_the_same_report_gives_the_same_page(broken_report: Report) -> None:
    assert page(broken_report) == page(broken_report)


def test_hundreds_of_columns_stay_small_and_are_counted(broken_report: Report) -> None:
    drift = [
        r for r in broken_report.rows if r.metric == "kolmogorov_smirnov" and r.column == "score" and not r.segment
    ]
    calm = [replace(r, status=Status.OK, value=0.001) for r in drift]
    extra = [_renamed(row, f"column_{i:03d}_with_a_long_name_that_goes_on") for i in range(500) for row in calm]
    report = replace(broken_report, rows=[*broken_report.rows, *extra])
    text = page(report)
    assert len(text.encode()) < 1_500_000
    assert "that moved less not shown" in text
    assert "more columns moved less" in text


def _renamed(row: Result, column: str) -> Result:
    return replace(row, column=column, monitor=f"drift.kolmogorov_smirnov.{column}")


def test_the_templates_use_every_field_of_the_context_and_no_other() -> None:
    environment = html._environment()
    known = {field.name for field in fields(PageContext)}
    used: dict[str, set[str]] = {}
    for name in ("page.html", "fragment.html"):
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
        used[name] = meta.find_undeclared_variables(environment.parse(source))
    assert used["page.html"] == known
    assert used["fragment.html"] <= known


def test_prose_keeps_dates_together_and_escapes_markup() -> None:
    assert html._prose("since 2024-01-05 <b>") == 'since <span class="nb">2024-01-05</span> &lt;b&gt;'
    assert html._prose("label: `<i>` (by name)") == "label: <code>&lt;i&gt;</code> (by name)"


def test_segments_are_shown_the_worst_first(broken_report: Report) -> None:
    assert broken_report.profiles.segments
    text = page(broken_report)
    assert "No segments were asked for" not in text
    assert "grey line: reference of the segment" in text


def test_every_colour_of_a_chart_has_another_in_the_dark() -> None:
    environment = html._environment()
    sheet, _, _ = environment.loader.get_source(environment, "page.css")  # type: ignore[union-attr]
    colors = {value for value in vars(style).values() if isinstance(value, str) and re.fullmatch("#[0-9a-f]{6}", value)}
    for color in (*colors, *style.STEP_COLORS):
        assert f'[fill="{color}"]' in sheet or f'[stroke="{color}"]' in sheet, color


@pytest.mark.parametrize("color", [style.INK, style.MUTED, style.CURRENT, style.ESTIMATED, style.BREACH_TEXT])
def test_letters_have_contrast(color: str) -> None:
    def luminance(text: str) -> float:
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert 1.05 / (luminance(color) + 0.05) >= 4.5  # WCAG 2.1, level AA, on white
