"""What is asked, and what is suggested, where columns do not tell their roles: nothing is guessed in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from barograph.spec.time_formats import Fit

# Words in a column's name that hint at a role.
HINTS: Mapping[str, frozenset[str]] = {
    "label": frozenset({"label", "labels", "target", "truth", "true", "actual", "actuals", "real", "outcome", "y"}),
    "prediction": frozenset({"pred", "preds", "predicted", "prediction", "predictions", "yhat", "hat", "forecast"}),
    "score": frozenset({"score", "scores", "prob", "probs", "proba", "probas", "probability", "probabilities"}),
    "timestamp": frozenset({"timestamp", "time", "date", "datetime", "ts", "at", "when", "created", "occurred"}),
    "id": frozenset({"id", "uuid", "guid"}),
}
_ANSWERS = frozenset({"is", "has", "was", "did"})  # is_canceled: a yes or no, so perhaps the label
MOST = 3  # suggestions for one role


def option(role: str) -> str:
    """Return the option of the command line that says a role.

    >>> option("label_timestamp")
    '--label-timestamp'
    """
    return "--" + role.replace("_", "-")


def ask_format(role: str, column: str, found: Fit) -> str:
    """Return the question for the format of a column of times that its values do not settle."""
    if not found.formats:
        return (
            f"{role}: {column!r} does not hold times that can be read, but for example {found.example!r}. "
            f"{_say('%d/%m/%Y %H:%M')} Of numbers since 1970 it is the unit: s, ms, us or ns. Or name another column; "
            "if it is no time, list it under `features` or `ignore`."
        )
    several = " or ".join(f"'{format}'" for format in found.formats)
    return (
        f"{role}: {column!r} holds dates that can be read as {several}, for example {found.example!r}, and no value "
        f"tells which. {_say(found.formats[0])}"
    )


def _say(format: str) -> str:
    name = "timestamp_format"
    return f"Say how they are written: {option(name)} '{format}', or {name} in a specification or in Python."


def hinted(role: str, names: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    """Return the columns whose names hint at a role and whose values could have it, most specific first.

    >>> hinted("label", ["age", "clf_target", "is_canceled"], lambda name: True)
    ['clf_target', 'is_canceled']
    """
    words = {name: _words(name) for name in names}
    other = frozenset().union(*(HINTS[r] for r in HINTS if r in ("prediction", "score")))
    found = [n for n in names if words[n] & HINTS[role] and not (role == "label" and words[n] & other)]
    if role == "label":
        found += [n for n in names if n not in found and words[n] & _ANSWERS and not words[n] & other]
    return [n for n in found if fits(n)][:MOST]


def suggestion(role: str, columns: Sequence[str]) -> str:
    """Return a line that asks whether one of these columns has a role.

    >>> suggestion("label", ["clf_target"])
    'label: none by name; is it `clf_target`? Say --label clf_target'
    """
    several = " or ".join(f"`{name}`" for name in columns)
    return f"{role}: none by name; is it {several}? Say {option(role)} {columns[0]}"


def suggested(decisions: Collection[str], role: str) -> str:
    """Return what `suggestion` asked, without the role; empty where it asked nothing."""
    for line in decisions:
        for kind in ("none by name; ", ONLY):
            if line.startswith(f"{role}: {kind}"):
                return line.removeprefix(f"{role}: none by name; ").removeprefix(f"{role}: ")
    return ""


ONLY = "only the reference has "


def reference_only(role: str, column: str) -> str:
    """Return the line that asks whether a column that production lacks is the label or prediction."""
    return f"{role}: {ONLY}`{column}`: is it the {role}? Say {option(role)} {column}; it is not watched"


def _words(name: str) -> frozenset[str]:
    """Return the words of a name in snake case, camel case or with digits between."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return frozenset(part.casefold() for part in parts)
