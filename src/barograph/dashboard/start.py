"""The start: from nothing to a watched model, a step after the other, each checked live."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any  # Any: values of an event

CHUNKS = (("1h", "hour"), ("1d", "day"), ("1w", "week"), ("1mo", "month"))
BUDGETS = (
    ("1 false alarm per quarter", "about one false alarm a quarter"),
    ("1 false alarm per month", "about one false alarm a month"),
    ("1 false alarm per week", "about one false alarm a week: small losses are found sooner"),
)
ROLES = ("feature", "ignore", "label", "score", "prediction", "timestamp", "id", "label_timestamp")
TYPES = ("numeric", "categorical", "boolean", "datetime", "text")
MANY_VALUES = 0.9  # of the rows: a column with so many different values looks like an id


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPage:
    """The page `/start`, where a model gets its name."""

    title: str
    chunks: Sequence[tuple[str, str]] = CHUNKS
    budgets: Sequence[tuple[str, str]] = BUDGETS
    name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChoice:
    """What a column was taken for, and why; `doubt` is what a person should look at."""

    name: str
    role: str
    type: str
    why: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of a program that log an event of this model, and its label."""

    key: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStart:
    """The page `/start/{model}`. `reference` is the state of the newest reference, "" before there is one."""

    title: str
    name: str
    reference: str
    reference_number: int | None
    reason: str
    rows: int | None
    pending: str
    task: str
    columns: Sequence[ColumnChoice]
    roles: Sequence[str]
    types: Sequence[str]
    chunk: str
    budget: str
    chunks: Sequence[tuple[str, str]]
    budgets: Sequence[tuple[str, str]]
    lines: Sequence[Lines]
    label_lines: str
    events: int
    labels: int
    last_received_us: int | None
    is_evaluated: bool
    problem: str = ""
    upload_line: str = ""
    doubts: Sequence[str] = field(default=())


def why_of(column: str, decisions: Sequence[str]) -> str:
    """Return what was decided of a column, in words."""
    return next((said for said in decisions if f"`{column}`" in said or repr(column) in said), "")


def lines_of(url: str, model: str, event: Mapping[str, Any], *, needs_key: bool) -> list[Lines]:
    """Return the lines that log one event, in several languages.

    >>> lines_of("http://127.0.0.1:8321", "m", {"x": 1.5}, needs_key=False)[0].text.splitlines()[0]
    'curl http://127.0.0.1:8321/v1/models/m/events \\\\'
    """
    place = f"{url}/v1/models/{model}/events"
    body = json.dumps([event], ensure_ascii=False)
    pretty = json.dumps(event, ensure_ascii=False, indent=4)
    key = '  -H "Authorization: Bearer $BAROGRAPH_KEY" \\\n' if needs_key else ""
    quoted = body.replace("'", "'\\''")
    curl = f"curl {place} \\\n{key}  -H 'Content-Type: application/json' \\\n  -d '{quoted}'"
    header = ', "Authorization": "Bearer " + os.environ["BAROGRAPH_KEY"]' if needs_key else ""
    imports = "import json\nimport os\nimport urllib.request\n" if needs_key else "import json\nimport urllib.request\n"
    python = (
        f"{imports}\nevent = {_python(event)}\nrequest = urllib.request.Request(\n    {json.dumps(place)},\n"
        f"    data=json.dumps([event]).encode(),\n"
        f'    headers={{"Content-Type": "application/json"{header}}},\n)\n'
        "print(urllib.request.urlopen(request, timeout=10).read().decode())"
    )
    auth = ', Authorization: "Bearer " + process.env.BAROGRAPH_KEY' if needs_key else ""
    script = (
        f'const event = {pretty};\nconst answer = await fetch({json.dumps(place)}, {{\n  method: "POST",\n'
        f'  headers: {{"Content-Type": "application/json"{auth}}},\n  body: JSON.stringify([event]),\n}});\n'
        "console.log(await answer.json());"
    )
    return [
        Lines(key="curl", name="curl", text=curl),
        Lines(key="python", name="Python", text=python),
        Lines(key="javascript", name="JavaScript", text=script),
    ]


def label_line(url: str, model: str, id: str, label: object, *, needs_key: bool) -> str:
    """Return the line that sends the label of an event."""
    key = '  -H "Authorization: Bearer $BAROGRAPH_KEY" \\\n' if needs_key else ""
    body = json.dumps([{"id": id, "label": label}], ensure_ascii=False).replace("'", "'\\''")
    place = f"{url}/v1/models/{model}/labels"
    return f"curl {place} \\\n{key}  -H 'Content-Type: application/json' \\\n  -d '{body}'"


def _python(event: Mapping[str, Any]) -> str:
    """Return a dictionary as Python writes it, a line an entry."""
    return "{\n" + "".join(f"    {key!r}: {value!r},\n" for key, value in event.items()) + "}"
