"""From a frame's columns, and what the user says of them, to a schema."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Any: values of whichever type a column has

import pyarrow as pa

from barograph.errors import SpecError, did_you_mean
from barograph.spec.classes import MAX_CLASSES, Outputs, binary_classes, by_class, in_order, infer_task
from barograph.spec.column_types import (
    AS_IS,
    column_type,
    distinct,
    numbers_of,
)
from barograph.spec.frozen import Frozen
from barograph.spec.roles import Roles, class_text, is_doubtful
from barograph.spec.running import order_in_time, why_not_watched
from barograph.spec.schema import ColumnType, Schema
from barograph.spec.search import MOSTLY, SCORE_PREFIXES, RoleSearch
from barograph.spec.suggest import Doubt
from barograph.tasks import Task, with_classes
from barograph.text.format import in_quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """A schema, and how each part of it was found, a line each: "label: `late` (as given)".

    `doubts` are those of these lines of which a person should say whether it is so.
    """

    schema: Schema
    decisions: tuple[str, ...]
    doubts: tuple[Doubt, ...] = ()


def infer_schema(
    sample: pa.Table,
    schema: pa.Schema | None = None,
    *,
    current: Collection[str] | None = None,
    check: Callable[[], None] = lambda: None,
    **roles: Any,
) -> Inferred:
    """Find the role and type of every column from names and a sample of rows; what is given in `roles` stands.

    `roles` are the fields of :class:`~barograph.spec.roles.Roles`. `schema` has all columns of the source, where the
    sample lacks some. `current` are the columns of production data, where it is known. `check` is called again and
    again, and may raise to end this early.

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
    features = search.find_features(check)
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
    return Inferred(schema=resolved, decisions=tuple(search.decisions), doubts=tuple(search.doubts))


@dataclass(slots=True, kw_only=True)
class _Search(RoleSearch):
    """What has been found so far of outputs and features, after the roles."""

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

    def find_task(self) -> tuple[Task, tuple[str, ...]]:
        """Decide the task, the classes, and which column is the score of which class."""
        self._prediction_as_score()
        label, prediction = self.values("label"), self.values("prediction")
        outputs = Outputs(
            label=label, prediction=prediction, score="score" in self.found, class_scores=tuple(self.class_scores)
        )
        task, reason = infer_task(outputs)
        if len(self.roles.classes) > 1 and not task.numeric:
            task, reason = with_classes(len(self.roles.classes)), "classes as given"
        task, reason = (self.roles.task, "as given") if self.roles.task else (task, reason)
        line = f"task: {task.value} ({reason})"
        if outputs == Outputs(label=None, prediction=None, score=False, class_scores=()) and not self.roles.task:
            self.doubt(line, "task", task.value)
        else:
            self.decisions.append(line)
        self._tell_null_values(task)
        if task.numeric:
            self._check_numbers(task, label, prediction)
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
                self.decisions.append(f"{role}: {in_quotes(nulls)} stands for none{named}")
            if task.numeric:
                continue  # where -1 is a number like others
            doubtful = [t for t in texts if is_doubtful(t, texts) and t not in self.roles.classes]
            if doubtful and not set(doubtful) <= set(self.roles.null_values):
                line = (
                    f"{role}: {in_quotes(doubtful)} is taken as a class. If it stands for no {role}, name it under "
                    "`null_values`; if it is one, under `classes`"
                )
                self.doubt(line, "null_values", tuple(doubtful))

    def _prediction_as_score(self) -> None:
        """Take a prediction that is a probability for what it is."""
        prediction = self.values("prediction")
        if not prediction or "score" in self.found or self.class_scores or self._of_numbers():
            return
        label, numbers = self.values("label"), numbers_of(prediction)
        if numbers is None or all(n.is_integer() for n in numbers):
            return
        said = self.roles.task is not None and self.roles.task.has_positive
        two = said or (label is not None and 0 < len(in_order(label)) <= 2)
        if two and not all(0 <= n <= 1 for n in numbers):
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
        if two:
            column = self.found["score"] = self.found.pop("prediction")
            self.decisions.append(f"score: `{column}` (a prediction whose values are probabilities)")

    def _check_numbers(self, task: Task, label: Sequence[Any] | None, prediction: Sequence[Any] | None) -> None:
        noun = task.facts.noun
        for role, values in (("label", label), ("prediction", prediction)):
            if values and numbers_of(values) is None:
                example = next(v for v in values if numbers_of([v]) is None)
                self.problems.append(
                    f"{role}: {noun} needs numbers, but {self.found[role]!r} holds {example!r}. "
                    f"Choose the task {' or '.join(one for one in Task if not one.numeric)}, or another column."
                )
        if self.roles.score is not None:
            self.problems.append(f"score: {noun} has no score. Give the column as `prediction`, or change the task.")
        for column in (self.found.pop("score", None), *self.class_scores.values()):
            if column is not None:
                self.ignored.setdefault(column, f"{noun} has no score")
        self.class_scores = {}

    def _find_classes(self, task: Task, label: Sequence[Any], prediction: Sequence[Any]) -> tuple[str, ...]:
        said = self.roles
        known: Sequence[Any] = said.classes or (*label, *(p for p in prediction if self._is_class(p, label)))
        if not said.classes and (not task.has_positive or not known):
            known = (*known, *self._scored_beyond(in_order(known)))
        if task.has_positive:
            scored = next(iter(self.class_scores), None) if len(self.class_scores) == 1 else None
            pair = binary_classes(known, said.positive or scored)
            if isinstance(pair, str):
                self.problems.append(f"label: {pair}")
                return ()
            source = "" if label or said.classes else ", assumed: the sample has no label"
            line = f"positive class: {pair[1]!r} (the other is {pair[0]!r}{source})"
            if source:
                self.doubt(line, "positive", pair[1])
            else:
                self.decisions.append(line)
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
            self.problems.append(f"label: {task.facts.noun} needs at least two classes. Name them with `classes`.")
        else:
            self.decisions.append(
                f"classes: {in_quotes(list(classes))}" + ("" if said.classes else " (seen in the sample)")
            )
        return classes

    def _scored_beyond(self, known: Sequence[str]) -> list[str]:
        """Return classes that have a score and no row; note those that look misspelt, as other classes lack a score."""
        folded = {c.casefold() for c in known}
        beyond = [c for c in self.class_scores if c.casefold() not in folded]
        unscored = [c for c in known if c.casefold() not in {name.casefold() for name in self.class_scores}]
        if beyond and unscored:
            close = did_you_mean(beyond[0], unscored)
            self.problems.append(f"score: there is no class {beyond[0]!r}.{close} The classes are {in_quotes(known)}.")
        return beyond

    @staticmethod
    def _is_class(prediction: Any, label: Sequence[Any]) -> bool:
        """Return whether a predicted value counts as a class: a fraction does only if labels are fractions."""
        number = numbers_of([prediction])
        return number is None or number[0].is_integer() or prediction in label

    def _resolve_scores(self, task: Task, classes: tuple[str, ...]) -> None:
        if not classes:
            return
        if not task.has_positive and (column := self.found.pop("score", None)):
            if self.roles.score is None:
                self.ignored[column] = f"{task.facts.noun} has one score a class"
            else:
                self.problems.append(
                    f"score: {column!r} is one column, but there are {len(classes)} classes. "
                    f"Give one column a class, as in {{{classes[0]!r}: 'score_{classes[0]}', …}}."
                )
            return
        scores, unknown = by_class(classes, self.class_scores)
        if unknown and isinstance(self.roles.score, Mapping):
            self.problems.append(f"score: {in_quotes(unknown)} are none of the classes {in_quotes(list(classes))}.")
        if task.has_positive:
            if (column := self.found.get("score")) is not None:
                scores = {classes[1]: column}
            self.ignored.update({c: "the score of the negative class" for k, c in scores.items() if k == classes[0]})
            scores = {k: c for k, c in scores.items() if k == classes[1]}
        elif 0 < len(scores) < len(classes):
            missing = [c for c in classes if c not in scores]
            self.decisions.append(f"scores: none for the classes {in_quotes(missing)}")
        if "score" not in self.found and scores:
            columns = ", ".join(f"`{c}` for {k!r}" for k, c in scores.items())
            self.decisions.append(f"score: {columns} ({'as given' if self.roles.score else 'by name'})")
        self.scores = scores

    def find_features(self, check: Callable[[], None]) -> dict[str, ColumnType]:
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
            check()
            found, reason = column_type(self.sample.column(name))
            if (given := roles.types.get(name)) is not None:
                found, reason = given, "as given"
            if found is None:
                self.ignored[name] = reason
                continue
            chosen = roles.features is not None or name in roles.types or name in roles.segments
            if found.is_number and not chosen:
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
