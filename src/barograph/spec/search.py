"""Find the columns of a frame that have a role: by what the user says, else by conventional names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any  # Any: values of whichever type a column has

import pyarrow as pa

from barograph.errors import did_you_mean
from barograph.spec.column_types import AS_IS, distinct, fit_times, is_naive, is_share, numbers_of, plain_text, zone_of
from barograph.spec.frozen import Frozen
from barograph.spec.roles import NULL_TEXTS, Roles, class_text
from barograph.spec.running import INDEX, is_index
from barograph.spec.suggest import Doubt, ask_format, ask_roles
from barograph.text.format import in_quotes

# The names by which a role is found, without regard to case, the first one first.
NAMES: Mapping[str, tuple[str, ...]] = Frozen(
    {
        "id": ("id", "event_id", "prediction_id"),
        "timestamp": ("timestamp", "datetime", "ts"),
        "label": ("y_true", "target", "label"),
        "label_timestamp": ("label_timestamp",),
        "prediction": ("y_pred", "prediction"),
        "score": ("y_pred_proba", "score", "proba"),
    }
)
SCORE_PREFIXES = ("y_pred_proba_", "proba_", "score_")  # before the name of a class
MOSTLY = 0.9  # of the values of a score found by name are probabilities; the others count as out of range
_TIMES = ("timestamp", "label_timestamp")


@dataclass(slots=True, kw_only=True)
class RoleSearch:
    """What has been found so far: which column has which role. The methods run in the order in which they stand."""

    sample: pa.Table
    roles: Roles
    found: dict[str, str] = field(default_factory=dict)  # role to column
    class_scores: dict[str, str] = field(default_factory=dict)  # class, as written in the name, to column
    scores: dict[str, str] = field(default_factory=dict)  # class to column, resolved
    ignored: dict[str, str] = field(default_factory=dict)  # column to reason
    formats: dict[str, str] = field(default_factory=dict)  # column of times to format
    zone: str = "UTC"
    questions: dict[str, str] = field(default_factory=dict)  # role to what is asked, while no column has it
    problems: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)  # the lines of these are among the decisions
    margins: bool = False  # the scores are numbers from below to above 0

    @property
    def names(self) -> list[str]:
        return list(self.sample.column_names)

    def values(self, role: str) -> list[Any] | None:
        column = self.found.get(role)
        if column is None:
            return None
        return [v for v in distinct(self.sample.column(column)) if not self._is_null(v)]

    def _is_null(self, value: Any) -> bool:
        text = class_text(value)
        if text in self.roles.classes:
            return False
        return text.strip().casefold() in NULL_TEXTS or text in self.roles.null_values

    def doubt(self, line: str, key: str, value: str | tuple[str, ...]) -> None:
        """Say what is in doubt, and which key of a specification with which value would settle it."""
        self.decisions.append(line)
        self.doubts.append(Doubt(line, key, value))

    def check_columns(self) -> None:
        """Note given columns that do not exist, and columns with two roles that exclude each other."""
        roles, uses = self.roles, dict[str, list[str]]()
        single = {role: given for role in NAMES if isinstance(given := getattr(roles, role), str)}
        scores = roles.score if isinstance(roles.score, Mapping) else {}
        for role, column in [*single.items(), *(("score", column) for column in scores.values())]:
            self._exists(role, column)
            uses.setdefault(column, []).append(role)
        formats = roles.timestamp_format if isinstance(roles.timestamp_format, Mapping) else ()
        for column in formats:
            self._exists("timestamp_format", column)
        for role in ("features", "ignore", "segments", "groups", "types"):
            for column in getattr(roles, role) or ():
                self._exists(role, column)
                if role in ("features", "ignore"):
                    uses.setdefault(column, []).append(role)
        for column, several in uses.items():
            if len(several) > 1:
                self.problems.append(
                    f"{column!r} is given as {' and '.join(several)}. A column has one of these roles."
                )
        for column in (*roles.segments, *roles.groups):
            if column in roles.ignore:
                self.problems.append(
                    f"{column!r} is both ignored and a segment or group. Take it from one of the lists."
                )

    def _exists(self, role: str, column: str) -> None:
        if column not in self.names:
            close = did_you_mean(column, self.names)
            told = any("The columns are" in problem for problem in self.problems)
            remedy = close or ("" if told else f" The columns are {in_quotes(self.names)}.")
            self.problems.append(f"{role}: there is no column {column!r}.{remedy}")

    def find_roles(self) -> None:
        """Take the columns that are given; look for the other roles by name."""
        roles = self.roles
        placed = {*(roles.features or ()), *roles.ignore, *roles.segments, *roles.groups}
        given = {v for role in NAMES if isinstance(v := getattr(roles, role), str)}
        given |= set(roles.score.values()) if isinstance(roles.score, Mapping) else set()
        free = [name for name in self.names if name not in placed | given]
        for role, known in NAMES.items():
            said = getattr(roles, role)
            matches = sorted((n for n in free if n.casefold() in known), key=lambda n: known.index(n.casefold()))
            if isinstance(said, str):
                if said in self.names:
                    self._take(role, said, "as given", must=True)
            elif said is None:
                while matches and role not in self.found:
                    self._take(role, matches.pop(0), "by name", must=False)
            if said is None and role == "timestamp" and role not in self.found:
                self._take_index(free)
            if question := self.questions.get(role):
                self.problems.append(question)
            for name in matches:
                has = self.found.get(role)
                self.ignored[name] = f"by its name a {role.replace('_', ' ')}" + (
                    f", but that is `{has}`" if has else ""
                )

    def _take(self, role: str, column: str, reason: str, *, must: bool) -> None:
        if role in _TIMES:
            self._take_time(role, column, reason)
            return
        if role == "id" and self._names_no_event(column):
            if must:
                self.problems.append(
                    f"id: all rows of {column!r} have one value, which names no event. Name another column, or none."
                )
            else:
                self.ignored[column] = "by its name an id, but it has one value in all rows"
            return
        if role == "score" and not self._is_probability(column, share=MOSTLY):
            if not must:
                hint = "; they look like margins: give it as `score` if they are" if self._is_margin(column) else ""
                line = f"score: not `{column}`, whose values are no probabilities{hint}"
                if hint:
                    self.doubt(line, "score", column)
                else:
                    self.decisions.append(line)
                return
            self._take_margins(column)
        self.found[role] = column
        self.decisions.append(f"{role.replace('_', ' ')}: `{column}` ({reason})")

    def _take_index(self, free: Sequence[str]) -> None:
        """Take the index of a frame as the timestamp if it holds times."""
        for name in free:
            metadata = self.sample.schema.field(name).metadata or {}
            if INDEX in metadata or (is_index(name) and pa.types.is_timestamp(self.sample.schema.field(name).type)):
                self._take_time("timestamp", name, "the index of the frame")
                return

    def suggest(self, current: Collection[str] | None) -> None:
        """Ask whether columns have the roles for which there is no name; guess nothing."""
        placed = {*self.found.values(), *self.class_scores.values(), *self.ignored, *self.roles.ignore}
        placed |= {*self.roles.groups, *(self.roles.features or ())}
        free = {name: self.sample.column(name) for name in self.names if name not in placed}
        known = {*self.found, *(("score",) if self.class_scores else ())}
        asked = ask_roles(free, known=known, current=current)
        for question in asked.questions:
            self.doubt(question.line, question.key, question.value)
        self.ignored.update(dict.fromkeys(asked.apart, "only the reference has it"))

    def _take_time(self, role: str, column: str, reason: str) -> None:
        """Take a column of times if it can be read in one way; else note the question."""
        values, said = self.sample.column(column), self.roles.timestamp_format
        given = said.get(column) if isinstance(said, Mapping) else said
        found = fit_times(values, given)
        if role != "timestamp" and not isinstance(said, Mapping) and not found.formats:
            found = fit_times(values)  # what is said of all times need not hold for this one
        self.questions.pop(role, None)
        if len(found.formats) != 1:
            example = found.example or next(iter(map(plain_text, distinct(values))), "")
            self.questions[role] = ask_format(role, column, replace(found, example=example))
            self.ignored[column] = f"by its name a {role.replace('_', ' ')}, but it cannot be read as one"
            return
        self.found[role], format = column, found.formats[0]
        self.ignored.pop(column, None)
        if format != AS_IS:
            self.formats[column] = format
            reason += f", read as {format}"
        self.decisions.append(f"{role.replace('_', ' ')}: `{column}` ({reason})")
        if role == "timestamp":
            self._find_zone(values, format)

    def _find_zone(self, values: Any, format: str) -> None:
        """Take the zone that is said, else that of the column, else UTC."""
        if self.roles.timezone is None and (zone := zone_of(values, format)) not in (None, "UTC"):
            self.zone = str(zone)
            self.decisions.append(f"timezone: {zone}, as the times say; it is the calendar of chunks, too")
        elif is_naive(values, format):
            self.decisions.append(f"timezone: {self.zone}, for times that name none")

    def _names_no_event(self, column: str) -> bool:
        return self.sample.num_rows > 1 and len(distinct(self.sample.column(column))) == 1

    def _is_probability(self, column: str, *, share: float = 1.0) -> bool:
        values = distinct(self.sample.column(column))
        return numbers_of(values) is not None and sum(map(is_share, values)) >= share * len(values)

    def _is_margin(self, column: str) -> bool:
        values = numbers_of(distinct(self.sample.column(column)))
        return values is not None and min(values, default=0.0) < -1e-6

    def _of_numbers(self) -> bool:
        """Return whether the user says that numbers are predicted."""
        return self.roles.task is not None and self.roles.task.numeric

    def _take_margins(self, column: str) -> None:
        """Take scores from below to above 0 for margins, and refuse other numbers that are no probabilities."""
        if self._of_numbers() or not self._is_margin(column):
            self._refuse_score(column)
            return
        values = numbers_of(distinct(self.sample.column(column))) or [0.0]
        self.margins = True
        if self.roles.threshold != Roles().threshold:
            self.problems.append(
                f"threshold: {column!r} holds margins, not probabilities: they are positive from 0 on. Leave it out, "
                "give the predictions in a column of their own, or turn margins into probabilities."
            )
        self.decisions.append(
            f"score: `{column}` holds margins, not probabilities (from {min(values):.4g} to {max(values):.4g}): what "
            "needs only their order works, such as ROC AUC and estimates; log loss, Brier score and calibration do not"
        )

    def _refuse_score(self, column: str) -> None:
        if self._of_numbers():
            return  # which has no score at all
        example = next(v for v in distinct(self.sample.column(column)) if not is_share(v))
        self.problems.append(
            f"score: {column!r} must hold probabilities from 0 to 1, but holds for example {example!r}. "
            "Divide percentages by 100, turn margins into probabilities, or give classes as `prediction`."
        )
