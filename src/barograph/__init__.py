"""barograph watches machine-learning models in production.

>>> import barograph
>>> barograph.__all__[:3]
['BarographError', 'Chunk', 'ColumnType']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any  # Any: what a public name is

if TYPE_CHECKING:
    from barograph.chunks import Chunk as Chunk
    from barograph.errors import BarographError as BarographError
    from barograph.errors import FormatError as FormatError
    from barograph.errors import InputError as InputError
    from barograph.errors import MismatchError as MismatchError
    from barograph.errors import SpecError as SpecError
    from barograph.metrics import catalogue as catalogue
    from barograph.metrics import metric as metric
    from barograph.outcome import Estimate as Estimate
    from barograph.outcome import Outcome as Outcome
    from barograph.outcome import Undefined as Undefined
    from barograph.profiles.profiles import Profile as Profile
    from barograph.profiles.profiles import Profiles as Profiles
    from barograph.reference.fit import fit as fit
    from barograph.reference.reference import Reference as Reference
    from barograph.report.check import check as check
    from barograph.report.report import Report as Report
    from barograph.spec.file import load_spec as load_spec
    from barograph.spec.schema import ColumnType as ColumnType
    from barograph.spec.schema import Schema as Schema
    from barograph.tasks import Task as Task

# Where each public name lives: it is imported when it is first used, so that `import barograph` costs nothing.
_HOMES = {
    "BarographError": "barograph.errors",
    "Chunk": "barograph.chunks",
    "ColumnType": "barograph.spec.schema",
    "Estimate": "barograph.outcome",
    "FormatError": "barograph.errors",
    "InputError": "barograph.errors",
    "MismatchError": "barograph.errors",
    "Outcome": "barograph.outcome",
    "Profile": "barograph.profiles.profiles",
    "Profiles": "barograph.profiles.profiles",
    "Reference": "barograph.reference.reference",
    "Report": "barograph.report.report",
    "Schema": "barograph.spec.schema",
    "SpecError": "barograph.errors",
    "Task": "barograph.tasks",
    "Undefined": "barograph.outcome",
    "catalogue": "barograph.metrics",
    "check": "barograph.report.check",
    "fit": "barograph.reference.fit",
    "load_spec": "barograph.spec.file",
    "metric": "barograph.metrics",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'barograph' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
