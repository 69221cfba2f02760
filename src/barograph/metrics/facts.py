"""What is known of metrics, by the names that result rows, breaches and specifications have; and how they are written.

Nothing else in barograph knows what a name stands for: a metric's facts are on its `@metric`.
"""

from __future__ import annotations

from barograph.metrics import LAST, Metric, catalogue
from barograph.metrics.broken import Broken
from barograph.tasks import Task
from barograph.text.format import quantity

_SAME = {"estimation": "performance", "operations": "quality"}  # families whose rows are of another family's metrics


def find_metric(name: str, family: str) -> Metric | None:
    """Return the metric behind a name in result rows; None for one that is no longer known, or is none.

    An estimated metric is described by the realised one. What follows a known name (`error_quantile_0.9`) is an option.
    """
    metrics, family = catalogue(), _SAME.get(family, family)
    if (found := metrics.get((family, name))) is not None:
        return found
    known = [n for f, n in metrics if f == family and name.startswith(f"{n}_")]
    return metrics[family, max(known, key=len)] if known else None


def what_breaks(name: str, family: str) -> Broken | None:
    """Return what a metric says is broken; None for one that says nothing of the kind."""
    found = find_metric(name, family)
    return found.breaks if found else None


def foretells(name: str, family: str) -> str:
    """Return the performance metric that a metric stands in for where few labels have come; "" for none.

    >>> foretells("label_shift_accuracy", "drift"), foretells("psi", "drift")
    ('accuracy', '')
    """
    found = find_metric(name, family)
    return found.foretells if found else ""


def alerting(task: Task) -> list[str]:
    """Return the performance metrics that tell people of models with this task, the first to be shown first.

    >>> alerting(Task.REGRESSION)
    ['mae', 'rmse']
    """
    return [m.name for m in _ranked("performance") if task in m.alerts]


def harm_metrics(task: Task) -> list[str]:
    """Return the metrics that harm is measured in: the first one that has values counts.

    >>> harm_metrics(Task.BINARY)
    ['roc_auc', 'accuracy']
    """
    return [m.name for m in _ranked("performance") if task in m.harm_in]


def row_counts() -> list[str]:
    """Return the metrics that count the rows which came.

    >>> row_counts()
    ['row_count']
    """
    return [m.name for m in catalogue().values() if m.counts_rows]


def drift_rank(name: str) -> tuple[int, str]:
    """Return what orders the drift metrics of a column: the first one that can be computed speaks for it."""
    found = find_metric(name, "drift")
    return (found.rank if found else LAST, name)


def title_of(name: str) -> str:
    """Return a metric's name as it stands within a sentence.

    >>> [title_of(name) for name in ("roc_auc", "log_loss", "brier_score", "r2", "out_of_range_share")]
    ['ROC AUC', 'log loss', 'Brier score', 'R²', 'out-of-range share']
    """
    found = next((m for (_, n), m in catalogue().items() if n == name), None)
    return found.title if found else name.replace("_", " ")


def heading_of(name: str) -> str:
    """Return a metric's name as it stands alone, or begins a sentence.

    >>> [heading_of(name) for name in ("roc_auc", "log_loss", "chi_square", "missing_share")]
    ['ROC AUC', 'Log loss', 'χ²', 'Missing share']
    """
    return capital(title_of(name))


def capital(title: str) -> str:
    """Return a title with a capital, where it begins with a word: symbols such as χ² are no words."""
    return title[:1].upper() + title[1:] if title[1:2].islower() else title


def unit_of(name: str, family: str) -> str:
    """Return the unit in which a metric is shown: "share" for what is shown as per cent.

    >>> unit_of("missing_share", "quality"), unit_of("accuracy", "performance"), unit_of("log_loss", "performance")
    ('share', '', 'nats')
    """
    found = find_metric(name, family)
    if found is None:
        return ""
    # Accuracy and the like are quoted as numbers, beside ROC AUC and F1, and distances beside their limits.
    return "" if found.unit == "share" and found.family != "quality" else found.unit


def value_of(value: float, name: str, family: str) -> str:
    """Return a value as it is shown: shares of rows as per cent, other numbers with three digits.

    >>> value_of(0.4, "missing_share", "quality"), value_of(0.66123, "roc_auc", "estimation")
    ('40 %', '0.661')
    """
    return quantity(value, unit_of(name, family))


def worse_by(value: float, than: float, name: str, family: str) -> float:
    """Return by how much a value is worse than another, below 0 if it is better; of a metric without a better side,
    how far it is from it.

    >>> round(worse_by(0.6, 0.7, "roc_auc", "performance"), 3), round(worse_by(0.6, 0.7, "log_loss", "performance"), 3)
    (0.1, -0.1)
    """
    metric = find_metric(name, family)
    if metric is None or metric.better not in ("higher", "lower"):
        return abs(value - than)
    return than - value if metric.better == "higher" else value - than


def _ranked(family: str) -> list[Metric]:
    return sorted((m for m in catalogue().values() if m.family == family), key=lambda m: (m.rank, m.name))
