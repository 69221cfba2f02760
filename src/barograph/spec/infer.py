"""From a frame's columns, and what the user says of them, to a schema."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any  # Any: values of whichever type a column has

import pyarrow as pa

from barograph.errors import SpecError, did_you_mean
from barograph.spec.classes import MAX_CLASSES, Outputs, binary_classes, by_class, in_order, infer_task
from barograph.spec.column_types import (
    AS_IS,
    column_type,
    distinct,
    fit_times,
    is_naive,
    is_share,
    numbers_of,
    plain_text,
    zone_of,
)
from barograph.spec.frozen import Frozen
from barograph.spec.roles import NULL_TEXTS, Roles, class_text, is_doubtful
from barograph.spec.running import INDEX, is_index, order_in_time, why_not_watched
from barograph.spec.schema import ColumnType, Schema, Task
from barograph.spec.suggest import ask_format, ask_roles

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """A schema, and how each part of it was found, a line each: "label: `late` (as given)"."""

    schema: Schema
    decisions: tuple[str, ...]


def infer_schema(
    sample: pa.Table, schema: pa.Schema | None = None, *, current: Collection[str] | None = None, **roles: Any
) -> Inferred:
    """Find the role and type of every column from names and a sample of rows; what is given in `roles` stands.

    `roles` are the fields of :class:`~barograph.spec.roles.Roles`. `schema` has all columns of the source, where the
    sample lacks some. `current` are the columns of production data, where it is known.

    A feature is every column without another role, except: a column with a conventional name of a role that
    another column has, score columns of single classes that are not needed, nested columns, groups, what is ignored,
    row numbers and what else runs on with time, and what may be the label, as only the reference has it. A segment is
    a feature as well. Listing `features` overrides all of that.

    >>> table = pa.table({"ts": ["2024-01-01"], "x": [1.0], "score": [0.2], "y_true": [0]})
    >>> inferred = infer_schema(table)
    >>> inferred.schema.task.value, inferred.schema.classes, list(inferred.schema.features)
    ('binary', ('0', '1'), ['x'])
    >>> inferred.decisions[0]
    'timestamp: `ts` (by name)'

    Raises SpecError with everything that does not hold together.
    """
    for column in schema or ():
        if column.name not in sample.column_names:
            sample = sample.append_column(column.name, pa.nulls(sample.num_rows, column.type))
    given = Roles.of(roles)
    search = _Search(sample=sample, roles=given, zone=given.timezone or "UTC")
    search.check_columns()
    search.find_roles()
    search.find_class_scores()
    search.suggest(current)
    task, classes = search.find_task()
    features = search.find_features(task, classes)
    if search.problems:
        raise SpecError(search.problems)
    said, found = search.roles, search.found
    resolved = Schema(
        task=task,
        features=Frozen(features),
        id=found.get("id"),
        timestamp=found.get("timestamp"),
        formats=Frozen(search.formats),
        timezone=search.zone,
        label=found.get("label"),
        label_timestamp=found.get("label_timestamp"),
        prediction=found.get("prediction"),
        scores=Frozen(search.scores),
        classes=classes,
        threshold=said.threshold,
        unusable=said.unusable,
        null_values=said.null_values,
        margins=search.margins,
        segments=said.segments,
        groups=said.groups,
        ignored=tuple(search.ignored),
    )
    return Inferred(schema=resolved, decisions=tuple(search.decisions))


@dataclass(slots=True, kw_only=True)
class _Search:
    """What has been found so far. The methods run in the order in which they stand."""

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
            remedy = close or ("" if told else f" The columns are {_listed(self.names)}.")
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
                self.decisions.append(f"score: not `{column}`, whose values are no probabilities{hint}")
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
        self.decisions.extend(asked.questions)
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

    def find_class_scores(self) -> None:
        """Look for a column a class, such as `proba_home`, when the user says nothing of scores."""
        if isinstance(self.roles.score, Mapping):
            self.class_scores = {k: v for k, v in self.roles.score.items() if v in self.names}
            for column in self.class_scores.values():
                if not self._is_probability(column, share=MOSTLY):
                    self._take_margins(column)
            return
        placed = {*self.found.values(), *(self.roles.features or ()), *self.roles.ignore}
        label = self.values("label") or []
        classes = {c.casefold() for c in (*in_order(label), *self.roles.classes)}
        for prefix in SCORE_PREFIXES:
            columns = {n[len(prefix) :]: n for n in self.names if n.casefold().startswith(prefix) and n not in placed}
            named = {c: n for c, n in columns.items() if c and self._is_probability(n)}
            if classes and not classes <= {c.casefold() for c in named}:
                named = {c: n for c, n in named.items() if c.casefold() in classes}
            if len(named) >= min(2, len(classes) or 2):
                if "score" in self.found or self.class_scores:
                    self.ignored.update(dict.fromkeys(named.values(), "by its name a score, but there is another"))
                else:
                    self.class_scores = named

    def _is_probability(self, column: str, *, share: float = 1.0) -> bool:
        values = distinct(self.sample.column(column))
        return numbers_of(values) is not None and sum(map(is_share, values)) >= share * len(values)

    def _is_margin(self, column: str) -> bool:
        values = numbers_of(distinct(self.sample.column(column)))
        return values is not None and min(values, default=0.0) < -1e-6

    def _take_margins(self, column: str) -> None:
        """Take scores from below to above 0 for margins, and refuse other numbers that are no probabilities."""
        if self.roles.task is Task.REGRESSION or not self._is_margin(column):
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
        if self.roles.task is Task.REGRESSION:
            return  # which has no score at all
        example = next(v for v in distinct(self.sample.column(column)) if not is_share(v))
        self.problems.append(
            f"score: {column!r} must hold probabilities from 0 to 1, but holds for example {example!r}. "
            "Divide percentages by 100, turn margins into probabilities, or give classes as `prediction`."
        )

    def find_task(self) -> tuple[Task, tuple[str, ...]]:
        """Decide the task, the classes, and which column is the score of which class."""
        self._prediction_as_score()
        label, prediction = self.values("label"), self.values("prediction")
        outputs = Outputs(
            label=label, prediction=prediction, score="score" in self.found, class_scores=tuple(self.class_scores)
        )
        task, reason = infer_task(outputs)
        if len(self.roles.classes) > 1 and task is not Task.REGRESSION:
            task, reason = (Task.BINARY if len(self.roles.classes) == 2 else Task.MULTICLASS), "classes as given"
        task, reason = (self.roles.task, "as given") if self.roles.task else (task, reason)
        self.decisions.append(f"task: {task.value} ({reason})")
        self._tell_null_values(task)
        if task is Task.REGRESSION:
            self._check_regression(label, prediction)
            return task, ()
        classes = self._find_classes(task, label or (), prediction or ())
        self._resolve_scores(task, classes)
        return task, classes

    def _tell_null_values(self, task: Task) -> None:
        """Say which labels and predictions are read as none, and ask of those that may stand for none."""
        for role in ("label", "prediction"):
            if (column := self.found.get(role)) is None:
                continue
            texts = [class_text(v) for v in distinct(self.sample.column(column))]
            nulls = [t for t in texts if t.strip() and self._is_null(t)]
            if nulls:
                named = "" if set(nulls) <= set(self.roles.null_values) else ": name under `classes` what is a class"
                self.decisions.append(f"{role}: {_listed(nulls)} stands for none{named}")
            if task is Task.REGRESSION:
                continue  # where -1 is a number like others
            doubtful = [t for t in texts if is_doubtful(t, texts) and t not in self.roles.classes]
            if doubtful and not set(doubtful) <= set(self.roles.null_values):
                self.decisions.append(
                    f"{role}: {_listed(doubtful)} is taken as a class. If it stands for no {role}, name it under "
                    "`null_values`; if it is one, under `classes`"
                )

    def _prediction_as_score(self) -> None:
        """Take a prediction that is a probability for what it is."""
        prediction = self.values("prediction")
        if not prediction or "score" in self.found or self.class_scores or self.roles.task is Task.REGRESSION:
            return
        label, numbers = self.values("label"), numbers_of(prediction)
        if numbers is None or all(n.is_integer() for n in numbers):
            return
        two = label is not None and 0 < len(in_order(label)) <= 2
        if (two or self.roles.task is Task.BINARY) and not all(0 <= n <= 1 for n in numbers):
            column = self.found["prediction"]
            if set(in_order(prediction)) <= set(in_order(label or ())):
                return
            if not self._is_margin(column):
                self.problems.append(
                    f"prediction: {column!r} holds numbers that are neither classes nor probabilities, for example "
                    f"{max(numbers):g}. Give the predicted classes, or probabilities from 0 to 1 as `score`."
                )
                return
            self._take_margins(self.found.setdefault("score", self.found.pop("prediction")))
            return
        if two or self.roles.task is Task.BINARY:
            column = self.found["score"] = self.found.pop("prediction")
            self.decisions.append(f"score: `{column}` (a prediction whose values are probabilities)")

    def _check_regression(self, label: Sequence[Any] | None, prediction: Sequence[Any] | None) -> None:
        for role, values in (("label", label), ("prediction", prediction)):
            if values and numbers_of(values) is None:
                example = next(v for v in values if numbers_of([v]) is None)
                self.problems.append(
                    f"{role}: a regression needs numbers, but {self.found[role]!r} holds {example!r}. "
                    "Choose the task binary or multiclass, or another column."
                )
        if self.roles.score is not None:
            self.problems.append(
                "score: a regression has no score. Give the column as `prediction`, or change the task."
            )
        for column in (self.found.pop("score", None), *self.class_scores.values()):
            if column is not None:
                self.ignored.setdefault(column, "a regression has no score")
        self.class_scores = {}

    def _find_classes(self, task: Task, label: Sequence[Any], prediction: Sequence[Any]) -> tuple[str, ...]:
        said = self.roles
        known: Sequence[Any] = said.classes or (*label, *(p for p in prediction if self._is_class(p, label)))
        if not said.classes and (task is Task.MULTICLASS or not known):
            known = (*known, *self._scored_beyond(in_order(known)))
        if task is Task.BINARY:
            scored = next(iter(self.class_scores), None) if len(self.class_scores) == 1 else None
            pair = binary_classes(known, said.positive or scored)
            if isinstance(pair, str):
                self.problems.append(f"label: {pair}")
                return ()
            source = "" if label or said.classes else ", assumed: the sample has no label"
            self.decisions.append(f"positive class: {pair[1]!r} (the other is {pair[0]!r}{source})")
            return pair
        classes = tuple(said.classes or in_order(known))
        if said.positive is not None:
            self.problems.append("positive: only a binary task has a positive class. Take it out, or change the task.")
        if len(classes) > MAX_CLASSES:
            self.problems.append(
                f"label: {len(classes)} classes are more than {MAX_CLASSES}. Is {self.found.get('label')!r} the label? "
                "For a number to predict, the task is regression."
            )
        elif len(classes) < 2:
            self.problems.append("label: a multiclass task needs at least two classes. Name them with `classes`.")
        else:
            self.decisions.append(
                f"classes: {_listed(list(classes))}" + ("" if said.classes else " (seen in the sample)")
            )
        return classes

    def _scored_beyond(self, known: Sequence[str]) -> list[str]:
        """Return classes that have a score and no row; note those that look misspelt, as other classes lack a score."""
        folded = {c.casefold() for c in known}
        beyond = [c for c in self.class_scores if c.casefold() not in folded]
        unscored = [c for c in known if c.casefold() not in {name.casefold() for name in self.class_scores}]
        if beyond and unscored:
            close = did_you_mean(beyond[0], unscored)
            self.problems.append(f"score: there is no class {beyond[0]!r}.{close} The classes are {_listed(known)}.")
        return beyond

    @staticmethod
    def _is_class(prediction: Any, label: Sequence[Any]) -> bool:
        """Return whether a predicted value counts as a class: a fraction does only if labels are fractions."""
        number = numbers_of([prediction])
        return number is None or number[0].is_integer() or prediction in label

    def _resolve_scores(self, task: Task, classes: tuple[str, ...]) -> None:
        if not classes:
            return
        if task is Task.MULTICLASS and (column := self.found.pop("score", None)):
            if self.roles.score is None:
                self.ignored[column] = "a multiclass task has one score a class"
            else:
                self.problems.append(
                    f"score: {column!r} is one column, but there are {len(classes)} classes. "
                    f"Give one column a class, as in {{{classes[0]!r}: 'score_{classes[0]}', …}}."
                )
            return
        scores, unknown = by_class(classes, self.class_scores)
        if unknown and isinstance(self.roles.score, Mapping):
            self.problems.append(f"score: {_listed(unknown)} are none of the classes {_listed(list(classes))}.")
        if task is Task.BINARY:
            if (column := self.found.get("score")) is not None:
                scores = {classes[1]: column}
            self.ignored.update({c: "the score of the negative class" for k, c in scores.items() if k == classes[0]})
            scores = {k: c for k, c in scores.items() if k == classes[1]}
        elif 0 < len(scores) < len(classes):
            missing = [c for c in classes if c not in scores]
            self.decisions.append(f"scores: none for the classes {_listed(missing)}")
        if "score" not in self.found and scores:
            columns = ", ".join(f"`{c}` for {k!r}" for k, c in scores.items())
            self.decisions.append(f"score: {columns} ({'as given' if self.roles.score else 'by name'})")
        self.scores = scores

    def find_features(self, task: Task, classes: tuple[str, ...]) -> dict[str, ColumnType]:
        """Take all other columns as features, or those that are given, and find their types."""
        roles = self.roles
        used = {*self.found.values(), *self.scores.values(), *self.class_scores.values()}
        self.ignored.update(dict.fromkeys((c for c in roles.ignore if c in self.names), "as given"))
        if roles.features is None:
            wanted = [n for n in self.names if n not in used and n not in self.ignored and n not in roles.groups]
        else:
            wanted = [n for n in roles.features if n in self.names]
            rest = [n for n in self.names if n not in {*wanted, *used, *roles.segments, *roles.groups}]
            for name in rest:
                self.ignored.setdefault(name, "not among the features given")
        features: dict[str, ColumnType] = {}
        time = self.found.get("timestamp")
        order = None if time is None else order_in_time(self.sample.column(time), self.formats.get(time, AS_IS))
        for name in wanted:
            found, reason = column_type(self.sample.column(name))
            if (given := roles.types.get(name)) is not None:
                found, reason = given, "as given"
            if found is None:
                self.ignored[name] = reason
                continue
            chosen = roles.features is not None or name in roles.types or name in roles.segments
            if found is ColumnType.NUMERIC and not chosen:
                why = why_not_watched(name, self.sample.column(name), order)
                if why is not None:
                    self.ignored[name] = why
                    continue
            features[name] = found
            if reason:
                self.decisions.append(f"`{name}`: {found.value} ({reason})")
        for name in roles.types:
            if name in self.names and name not in features:
                self.problems.append(f"types: {name!r} is no feature, so its type is not used. Take it out.")
        self.decisions.append(f"features: {len(features)} columns" + (" (as given)" if roles.features else ""))
        self.decisions.extend(f"`{name}`: ignored ({why})" for name, why in self.ignored.items() if why != "as given")
        return features


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
