"""What a scenario's text says, key by key: values read, problems collected, lines found."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar  # Any: what stands in a file, before it is checked

from barograph.alerts.severity import Severity
from barograph.chunks import TimeChunks, parse_chunk_rule
from barograph.errors import SpecError, did_you_mean
from barograph.scenarios.values import Value, parse_values

T = TypeVar("T")


@dataclass(slots=True)
class Reader:
    """Reads values from tables and notes what is wrong with them, with the line in `text`."""

    text: str
    problems: list[tuple[int, str]] = field(default_factory=list)

    def problem(self, path: str, message: str) -> None:
        """Note a problem."""
        line = self.line(path)
        self.problems.append((line, f"line {line}, {path or 'the file'}: {message}"))

    def line(self, path: str) -> int:
        """Return the line of a path such as `monitors.a.upper` or `steps[2].expect.a`, or of what holds it.

        >>> Reader("a = 1\\n[[steps]]\\nadvance = 1\\n[[steps]]\\nexpect = {x = 1}").line("steps[1].expect.x")
        5
        """
        depth, line, table = 0, 1, ""
        seen: dict[str, int] = {}
        for i, raw in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", raw):
                table = re.sub("[\"']", "", header[2])
                if header[1] == "[[":
                    seen[table] = seen.get(table, -1) + 1
                    table = f"{table}[{seen[table]}]"
                here = table
            elif key := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*=", raw):
                here = f"{table}.{key[1]}" if table else key[1]
            else:
                continue
            if (path + ".").startswith(here + ".") and here.count(".") + 1 > depth:
                depth, line = here.count(".") + 1, i
        return line

    def read(self, table: Mapping[str, Any], key: str, path: str, parse: Callable[[object], T], default: T) -> T:
        """Return `table[key]` as `parse` reads it, or `default` after noting what is wrong."""
        if key not in table:
            return default
        try:
            return parse(table[key])
        except SpecError as error:
            self.problem(f"{path}.{key}" if path else key, " ".join(error.problems))
            return default

    def unknown(self, table: Mapping[str, Any], known: Collection[str], path: str) -> None:
        """Note the keys of `table` that are not `known`."""
        for key in table:
            if key not in known:
                self.problem(f"{path}.{key}" if path else key, f"there is no such key.{or_one_of(key, known)}")

    def table(self, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Return `data[key]`, tables by name; empty if there are none."""
        table = data.get(key, {})
        if not isinstance(table, dict):
            self.problem(key, f"this must be tables, [{key}.a_name_of_yours].")
            return {}
        return table

    def tables(self, data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        """Return `data[key]`, a list of tables; empty if there are none."""
        tables = data.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.problem(key, f"this must be a list of tables, [[{key}]].")
            return []
        return tables


def or_one_of(name: str, known: Collection[str]) -> str:
    """Return the closest known name as a question, or all of them."""
    return did_you_mean(name, known) or f" It is one of {', '.join(known)}."


def text_of(value: object) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise SpecError(f"a text in quotes is expected, got {value!r}.")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return a list of texts."""
    if not isinstance(value, list):
        raise SpecError(f'a list of texts is expected, such as ["score"]. Got {value!r}.')
    return tuple(text_of(item) for item in value)


def number(value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise SpecError(f"a number is expected, got {value!r}.")
    return float(value)


def whole(value: object) -> int:
    """Return a whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SpecError(f"a whole number, 0 or more, is expected. Got {value!r}.")
    return value


def positive(value: object) -> int:
    """Return a whole number, 1 or more."""
    if whole(value) < 1:
        raise SpecError(f"a whole number, 1 or more, is expected. Got {value!r}.")
    return whole(value)


def time_of(value: object) -> datetime:
    """Return a time in UTC, or the beginning of a day."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise SpecError(f"a day or time without quotes is expected, such as 2024-01-31. Got {value!r}.")


def chunk_of(value: object) -> TimeChunks:
    """Return a rule that cuts time."""
    rule = parse_chunk_rule(text_of(value))
    if not isinstance(rule, TimeChunks):
        raise SpecError(f"a scenario lets time pass: chunks are times, not rows. Write '1d' or '1h', got {value!r}.")
    return rule


def severity_of(value: object) -> Severity:
    """Return a severity."""
    try:
        return Severity(str(value))
    except ValueError:
        raise SpecError(f"one of {', '.join(s.value for s in Severity)} is expected, got {value!r}.") from None


def values_of(value: object) -> list[Value | None]:
    """Return the value of each chunk."""
    if isinstance(value, list):
        return [Value(number(item)) for item in value]
    return parse_values(text_of(value))


def one_of(kind: str, known: Collection[str]) -> Callable[[object], str]:
    """Return a reader of names of which `known` are all."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise SpecError(f"there is no {kind} {value!r}.{or_one_of(str(value), known)}")
        return value

    return read
