"""The specification file: defaults, all errors at once, and back to text without a change."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import SpecError
from barograph.spec.file import ModelSpec, MonitorSpec, ServiceSpec, Value, load_spec
from barograph.spec.infer import infer_schema
from barograph.spec.schema import ColumnType, Unusable
from barograph.spec.write import MEANING, init_spec, spec_text
from barograph.tasks import Task

FULL = """
name = "late flights"
version = "7"
task = "multiclass"
label = "late"
label_timestamp = "closed at"
score = { 0 = "p0", "1.x" = "p 1", 2 = "p2" }
prediction = "said"
threshold = 1
unusable = "by score"
null_values = [-1, "none"]
classes = [0, "1.x", 2.0]
timestamp = "ts"
timestamp_format = { ts = "%d/%m/%Y" }
timezone = "Europe/Berlin"
id = "key"
features = ["a.b", "ü"]
ignore = "c"
segments = ["a.b"]
groups = ["sex"]
types = { "a.b" = "text" }
sensitive = { "a.b" = "mask", mail = "drop" }
reference = "ref.parquet"
chunk = "1w"
budget = "2 false alarms a quarter"
tolerance = { roc_auc = 0.01 }
value = { fn = -20, tp = 1.5 }
service = { lateness = "2h", silence = "30m" }

[sources.sql]
url = "sqlite:///a.db"
table = "events"
overlap = 5

[[sources.other]]
name = "a b"
options = { "x y" = [1, 2] }

[[sources.other]]
name = "c"

[[monitors]]
metric = "psi"
columns = ["a.b", "ü"]
weight = 2

[[monitors]]
metric = "roc_auc"
segment = "a.b=x"
tolerance = 0
"""


def problems(text: str, **known: list[str]) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_spec(text, **known)  # type: ignore[arg-type]
    return list(caught.value.problems)


def test_two_lines_are_enough() -> None:
    spec = load_spec('task = "binary"\nlabel = "late"\n')
    assert spec == ModelSpec(task=Task.BINARY, label="late")
    assert spec.roles() == {"task": Task.BINARY, "label": "late"}
    assert load_spec("\n") == ModelSpec()
    assert ModelSpec().roles() == {}


def test_every_key_is_read() -> None:
    spec = load_spec(FULL, metrics=["psi", "roc_auc"])
    assert spec.score == {"0": "p0", "1.x": "p 1", "2": "p2"}
    assert spec.classes == ("0", "1.x", "2")
    assert spec.unusable is Unusable.BY_SCORE
    assert spec.null_values == ("-1", "none")
    assert spec.ignore == ("c",)
    assert spec.types == {"a.b": ColumnType.TEXT}
    assert spec.sensitive == {"a.b": "mask", "mail": "drop"}
    assert spec.value == Value(fn=-20.0, tp=1.5)
    assert spec.monitors[0] == MonitorSpec(metric="psi", columns=("a.b", "ü"), weight=2.0)
    assert spec.monitors[1] == MonitorSpec(metric="roc_auc", segment="a.b=x", tolerance=0.0)
    assert spec.service == ServiceSpec(lateness="2h", silence="30m")
    assert spec.sources["sql"] == {"url": "sqlite:///a.db", "table": "events", "overlap": 5}
    assert [one["name"] for one in spec.sources["other"]] == ["a b", "c"]
    assert set(tomllib.loads(FULL)) | {"positive"} == set(ModelSpec.model_fields)


@pytest.mark.parametrize("text", ["\n", 'label = "late"', "positive = true\nvalue = { tp = 3 }", FULL])
def test_the_text_of_a_specification_reads_back_as_it_was(text: str) -> None:
    spec = load_spec(text)
    assert load_spec(spec_text(spec)) == spec
    for key in ModelSpec.model_fields:
        assert key in spec_text(spec)
    assert set(MEANING) == set(ModelSpec.model_fields)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda t: bool(t.strip()))


@given(names, st.lists(names, unique=True, max_size=3), st.dictionaries(names, st.floats(0, 1e50), max_size=3))
def test_any_names_survive_the_way_to_text_and_back(name: str, columns: list[str], tolerance: dict[str, float]) -> None:
    spec = ModelSpec.model_validate({"name": name, "features": columns, "tolerance": tolerance, "label": name})
    assert load_spec(spec_text(spec)) == spec


def test_a_specification_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ModelSpec().label = "x"  # type: ignore[misc]


def test_init_writes_what_was_found() -> None:
    table = pa.table(
        {
            "ts": ["2024-01-01", "2024-01-02"],
            "a.b": [1.0, 2.0],
            "tags": [{"x": 1}, {"x": 2}],
            "late": ["yes", "no"],
            "score": [0.1, 0.9],
            "proba": [0.5, 0.5],
        }
    )
    inferred = infer_schema(table, label="late")
    text = init_spec(inferred, name="flights", reference="ref.parquet", chunk="1d")
    spec = load_spec(text)
    assert (spec.name, spec.reference, spec.chunk) == ("flights", "ref.parquet", "1d")
    assert infer_schema(table, **spec.roles()).schema == inferred.schema
    assert all(f"# {decision}" in text for decision in inferred.decisions)


def test_init_marks_what_is_in_doubt_where_it_is_to_be_settled() -> None:
    table = pa.table(
        {
            "ts": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
            "x": [1.0, 2.0, 3.5, 2.0],
            "score": [-0.2, 0.4, 3.0, -1.0],
            "clf\ntarget": [0, 1, 0, 1],
        }
    )
    inferred = infer_schema(table)
    text = init_spec(inferred)
    assert load_spec(text).label is None  # a comment, whatever the column is called
    lines = text.splitlines()
    assert f"# {len(inferred.doubts)} in doubt below: look for 'IN DOUBT:'." in lines
    for doubt in inferred.doubts:
        line = " ".join(doubt.line.split())
        assert lines.count(f"# IN DOUBT: {line}") == 1
        assert f"# {line}" not in lines  # said once
    at = lines.index(
        "# IN DOUBT: score: not `score`, whose values are no probabilities; they look like margins: "
        "give it as `score` if they are"
    )
    assert lines[at + 1] == '# score = "score"  # and take it out of `features` and [types]'
    task = lines.index(
        "# IN DOUBT: task: regression (no label, prediction or score has a value: only the inputs can be watched)"
    )
    assert lines[task + 1] == 'task = "regression"'

    # What it says settles it.
    settled = [line.removeprefix("# ") if line.startswith("# label = ") else line for line in lines]
    text = "\n".join(settled).replace(', "clf\\ntarget"]', "]").replace('task = "regression"', "")
    text = text.replace('"clf\\ntarget" = "numeric"', "")
    assert infer_schema(table, **load_spec(text).roles()).schema.label == "clf\ntarget"


def test_init_asks_which_classes_stand_for_none() -> None:
    labels = ["None", "a", "b", "a"]
    table = pa.table({"label": labels, "prediction": labels, "x": [1.0, 2.0, 3.0, 2.5]})
    inferred = infer_schema(table, task="multiclass")
    doubts = [doubt for doubt in inferred.doubts if doubt.key == "null_values"]
    text = init_spec(inferred)
    assert [doubt.value for doubt in doubts] in ([], [("None",)], [("None",), ("None",)])
    assert all(f"# IN DOUBT: {doubt.line}" in text for doubt in doubts)


def test_init_of_several_classes() -> None:
    table = pa.table(
        {"x": [1, 2, 3], "y_true": ["a", "b c", "d"], **{f"proba_{c}": [0.3, 0.3, 0.4] for c in ("a", "b c", "d")}}
    )
    inferred = infer_schema(table)
    assert infer_schema(table, **load_spec(init_spec(inferred)).roles()).schema == inferred.schema


# Bad input


def test_three_errors_are_told_at_once_with_file_path_and_value(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text('lable = "late"\nthreshold = 2\n[[monitors]]\nmetric = "psi"\nweigh = "x"\n')
    with pytest.raises(SpecError, match=r"model\.toml:\n") as caught:
        load_spec(file)
    assert caught.value.problems == (
        "$.threshold: This must be a number from 0 to 1. Got 2.",
        "$.monitors[0].weigh: there is no such key. Did you mean 'weight'?",
        "$.lable: there is no such key. Did you mean 'label'?",
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("name = 1", "$.name: This must be a text. Got 1."),
        ('task = "binry"', "Did you mean 'binary'? Got 'binry'."),
        ("label = 3", "$.label: This must be the name of a column. Got 3."),
        ("score = {}", "$.score: This must be a column, or a column for each class. Got {}."),
        ("positive = [1]", "$.positive: This must be one of the classes of the label. Got [1]."),
        ('threshold = "0.5"', "$.threshold: This must be a number from 0 to 1. Got '0.5'."),
        ("threshold = true", "$.threshold: This must be a number from 0 to 1. Got True."),
        ("threshold = nan", "$.threshold: This must be a number from 0 to 1. Got nan."),
        ('timezone = "Europe/Berln"', "Did you mean 'Europe/Berlin'?"),
        ("features = [1]", "$.features: This must be a list of names of columns. Got [1]."),
        ('types = { "a b" = "numerc" }', "$.types['a b']: A type is one of numeric,"),
        ('chunk = "7h"', "$.chunk: A chunk of minutes must divide the hour, one of hours the day"),
        ('chunk = "D"', "$.chunk: A chunk is a number with a unit (min, h, d,"),
        ('budget = "0 false alarms per month"', "$.budget: Nothing that ever alarms can keep this budget."),
        ("value = { tp = inf }", "$.value.tp: This must be a finite number, at most 1e+50 in size. Got inf."),
        ("value = { tpp = 1 }", "$.value.tpp: there is no such key. Did you mean 'tp'?"),
        ("value = 3", "$.value: This must be a table. Got 3."),
        ("tolerance = { psi = -1 }", "$.tolerance.psi: This must be zero or more. Got -1."),
        ("tolerance = { pis = 1 }", "$.tolerance.pis: There is no such metric. Did you mean 'psi'? Got 'pis'."),
        ("monitors = 3", "$.monitors: This must be a list of tables: write [[monitors]]. Got 3."),
        ("monitors = [3]", "$.monitors[0]: This must be a table. Got 3."),
        ("[[monitors]]", "$.monitors[0].metric: this is needed."),
        ('[[monitors]]\nmetric = "psi"\nweight = 0', "$.monitors[0].weight: This must be a number from 0.001 to 1000;"),
        ("value = { tp = 1e300 }", "$.value.tp: This must be a finite number, at most 1e+50 in size. Got 1e+300."),
        (
            "service = { lateness = '1 century' }",
            "$.service.lateness: This must be a number with a unit",
        ),
        ("service = { lateness = '99999999w' }", "$.service.lateness: This must be 100 years (36525d) at most."),
        ("service = { keep_events = '0d' }", "$.service.keep_events: This must be longer than nothing. Got '0d'."),
    ],
)
def test_each_key_says_what_it_must_be(line: str, expected: str) -> None:
    found = problems(line + "\n", metrics=["psi"])
    assert len(found) == 1
    assert expected in found[0]


def test_what_is_no_toml_or_no_file() -> None:
    assert "line 2" in problems('task = "binary"\nlabel = late\n')[0]
    assert "`barograph init` writes one" in problems("gone.toml")[0]


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes('label = "é"'.encode("latin-1"))
    assert "UTF-8" in problems(str(tmp_path / "a.toml"))[0]
    (tmp_path / "b.toml").write_bytes('\ufefflabel = "é"'.encode())
    assert load_spec(tmp_path / "b.toml").label == "é"
