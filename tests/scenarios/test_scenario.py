from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import SpecError
from barograph.scenarios.reader import Reader
from barograph.scenarios.rules import settings_of, tried
from barograph.scenarios.scenario import run_scenario
from barograph.scenarios.values import Value, parse_values

FOLDER = Path(__file__).parent / "examples"
GOOD = sorted(FOLDER.glob("*.toml"))
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))


def text_of(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    result = run_scenario(path.read_text("utf-8"), where=path.name)
    assert result.passed, str(result)
    assert result.lines


def test_every_rule_is_tried() -> None:
    text = "".join(path.read_text("utf-8") for path in GOOD)
    assert set(re.findall(r'^rule = "(\w+)"', text, re.MULTILINE)) == set(tried())


def test_the_page_about_scenarios_runs_and_names_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text("utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    assert run_scenario(example).passed
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(tried())
    for name, kind in tried().items():
        assert all(f"`{setting}`" in rows[name] for setting in settings_of(kind))


# A wrong expectation is told with what came instead


def test_each_wrong_expectation_says_what_came() -> None:
    result = run_scenario(text_of("wrong/expectation.toml"))
    assert not result.passed
    failed = [line for line in result.lines if not line.passed]
    assert [line.at for line in failed] == [15, 15, 15]
    state, incidents, title = (line.text for line in failed)
    assert "expected pending, got firing (in breach in 1 chunk since 2024-01-02" in state
    assert "expected 0, got 1\n" in incidents
    assert "age is missing in 20 % of the rows" in incidents
    assert "'income', got age is missing" in title
    assert str(result).startswith("FAIL A wrong expectation\n  ok   after 1 chunk (2024-01-01): missing is quiet\n")


@pytest.mark.parametrize("state", ["quiet", "pending", "firing", "resolved"])
@pytest.mark.parametrize("after", range(1, 13))
def test_a_monitor_is_in_exactly_one_state(after: int, state: str) -> None:
    """The alert of `hold_and_flapping` at each time, against its definition."""
    values = [0.01, 0.01, 0.2, 0.2, 0.01, 0.2, 0.01, 0.2, 0.01, 0.01, 0.01, 0.01][:after]
    hold, quiet = 1, 3
    expected, since, calm = "quiet", 0, 0
    for i, value in enumerate(values):
        if value > 0.05:
            since, calm = (i, 0) if expected in ("quiet", "resolved") else (since, 0)
            expected = "firing" if expected == "firing" or i - since >= hold else "pending"
        elif expected == "pending":
            expected = "quiet"
        elif expected == "firing":
            calm += 1
            expected = "resolved" if calm >= quiet else "firing"
    head, _, _ = text_of("hold_and_flapping.toml").partition("[[steps]]")
    steps = f'[[steps]]\nadvance = {after}\nexpect = {{ every_other_day = "{state}" }}'
    assert run_scenario(head + steps).passed == (state == expected)


def test_the_order_of_monitors_does_not_matter() -> None:
    text = text_of("one_column_missing.toml")
    top, *monitors = re.split(r"(?=^\[monitors)", text.split("[[steps]]")[0], flags=re.MULTILINE)
    steps = "[[steps]]" + text.split("[[steps]]", 1)[1]
    assert run_scenario(top + "".join(monitors[::-1]) + steps).passed


# Texts that do not hold together


def test_all_problems_come_at_once_with_line_path_and_remedy() -> None:
    with pytest.raises(SpecError) as caught:
        run_scenario(text_of("wrong/everything.toml"), where="wrong/everything.toml")
    assert str(caught.value).startswith("wrong/everything.toml:\n  - line 1, title: ")
    problems = "\n".join(caught.value.problems)
    for expected in (
        "line 2, chunk: a scenario lets time pass",
        "line 4, colour: there is no such key",
        "line 7, monitors.missing.metric: there is no metric 'missing_shar'. Did you mean 'missing_share'?",
        "line 9, monitors.missing.rule: there is no rule 'constnt'. Did you mean 'constant'?",
        "line 10, monitors.missing.values: 'many' is no value",
        "line 12, monitors.errors: the rule loss needs `reference`",
        "line 14, monitors.errors.family: accuracy is of the family performance or estimation",
        "line 16, monitors.errors.budget: This must be as in '1 false alarm per month'",
        "line 17, monitors.errors.values: the rule loss counts rows",
        "line 23, monitors.traffic.lower: `lower` must not be above `upper`",
        "line 25, monitors.traffic.values: there are 2 values, but the steps advance 4 chunks",
        "line 27, monitors.incidents: this name has a meaning",
        "line 27, monitors.incidents: the rule relative needs `fall` or `rise`",
        "Did you mean 'column'?",
        "A silence needs a reason",
        "line 39, steps[0].expect.misssing: there is no monitor 'misssing'. Did you mean 'missing'?",
        "line 39, steps[0].expect.errors: a state is expected: quiet, pending, firing, resolved",
        "line 41, steps[1]: `advance` is missing",
    ):
        assert expected in problems
    lines = [int(problem.split(",")[0].removeprefix("line ")) for problem in caught.value.problems]
    assert lines == sorted(lines)


@pytest.mark.parametrize(("name", "says"), [("not_toml", "this is not TOML"), ("empty", "at least one monitor")])
def test_what_is_no_scenario_at_all(name: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        run_scenario(text_of(f"wrong/{name}.toml"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("advance = 5", "advance = 1.5", r"steps\[0\].advance: a whole number"),
        ("[monitors.missing]", "[monitors]\nmissing = 3\n[monitors.m2]", "monitors.missing: this must be a table"),
        ('column = "weather"\nrule', "column = 7\nrule", "monitors.missing.column: a text in quotes"),
        (
            "upper = 0.05",
            "upper = 0.05\nlowr = 0.01",
            "monitors.missing.lowr: there is no such key. Did you mean 'lower'",
        ),
        ("upper = 0.05", "", "the rule constant needs `lower` or `upper`"),
        ("upper = 0.05", "upper = nan", "monitors.missing.upper: a number is expected"),
        ('rule = "relative"', "", "monitors.auc: `rule` is missing"),
        ("fall = 0.05", 'fall = "5 %"', "monitors.auc.fall: a number is expected"),
        ("start = 2013-06-05", 'start = "June"', "start: a day or time without quotes"),
        ("quiet = 2", "quiet = 0", "quiet: a whole number, 1 or more"),
        ('outputs = ["late_probability"]', 'outputs = "late_probability"', "outputs: a list of texts"),
        ('explained = ["drift", "score"]', 'explained = "drift"', r"steps\[2\].expect.explained: a list of monitors"),
    ],
)
def test_one_thing_wrong(old: str, new: str, says: str) -> None:
    text = text_of("one_column_missing.toml")
    assert old in text
    with pytest.raises(SpecError, match=says):
        run_scenario(text.replace(old, new, 1))


def test_lines_of_paths() -> None:
    reader = Reader(text_of("one_column_missing.toml"))
    lines = reader.text.splitlines()
    assert lines[reader.line("monitors.drift.upper") - 1] == "upper = 0.1"
    assert lines[reader.line("monitors.drift.nothing") - 1] == "[monitors.drift]"
    assert lines[reader.line("steps[1].advance") - 1].startswith("advance = 1 # 10 June")
    assert reader.line("nowhere") == 1


# Values


@given(st.lists(st.tuples(numbers, st.integers(1, 5)), min_size=1, max_size=6))
def test_repeated_values_are_read_as_written(items: list[tuple[float, int]]) -> None:
    text = ", ".join(f"{value} x {times}" for value, times in items)
    assert parse_values(text) == [Value(value) for value, times in items for _ in range(times)]
    assert parse_values(f"({text}) x 2") == 2 * parse_values(text)


def test_every_kind_of_value() -> None:
    assert parse_values("-3, -, - x 2, +.5, 1e3 , 3/10 ,5 ± 2") == [
        Value(-3.0),
        None,
        None,
        None,
        Value(0.5),
        Value(1000.0),
        Value(0.3, rows=10),
        Value(5.0, spread=2.0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1,",
        "1 2",
        "(1",
        "1)",
        "x 3",
        "1 x",
        "1 x 0",
        "1 x 1.5",
        "3/",
        "3/2",
        "1/0",
        "1 ± -2",
        "1 ± ",
        "a",
        "1 x 1e9",
    ],
)
def test_values_that_make_no_sense(text: str) -> None:
    with pytest.raises(SpecError):
        parse_values(text)
