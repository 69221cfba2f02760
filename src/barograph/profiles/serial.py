"""A yardstick as plain values and arrays, and back; its digest."""

from __future__ import annotations

import hashlib
from typing import Any  # the header is JSON, the arrays are of several dtypes
from weakref import WeakKeyDictionary

import numpy.typing as npt

from barograph.profiles.yardstick import (
    BinaryOutcome,
    CategoricalBins,
    ColumnBins,
    NumericBins,
    Partition,
    RegressionOutcome,
    Yardstick,
)
from barograph.sketches.serial import pack
from barograph.spec.plain import schema_from_plain, schema_to_plain

Meta = dict[str, Any]
Arrays = dict[str, npt.NDArray[Any]]


def yardstick_parts(yardstick: Yardstick) -> tuple[Meta, Arrays]:
    """Return the header and the arrays that `yardstick_from` reads."""
    arrays: Arrays = {}
    tree = yardstick.partition
    arrays |= {"tree.features": tree.features, "tree.goes_left": tree.goes_left, "tree.children": tree.children}
    for i, outcome in enumerate(yardstick.outcomes):
        arrays |= {f"outcome{i}.{name}": getattr(outcome, name) for name in BinaryOutcome.__dataclass_fields__}
    regression = yardstick.regression
    meta: Meta = {
        "schema": schema_to_plain(yardstick.schema),
        "columns": [_column(c, f"column{i}", arrays) for i, c in enumerate(yardstick.columns)],
        "segments": [_column(c, f"segment{i}", arrays) for i, c in enumerate(yardstick.segments.values())],
        "leaves": tree.leaves,
        "rules": list(tree.rules),
        "outcomes": len(yardstick.outcomes),
        "errors": _column(regression.errors, "errors", arrays) if regression else None,
        "covariance": list(yardstick.covariance),
        "turning": list(yardstick.turning),
        "kept": {name: list(columns) for name, columns in yardstick.kept.items()},
    }
    if regression:
        arrays["regression.edges"] = regression.edges
        meta["center"] = regression.center
    return meta, arrays


def yardstick_from(meta: Meta, arrays: Arrays) -> Yardstick:
    """Return the yardstick that `yardstick_parts` took apart."""
    errors = _column_from(meta["errors"], "errors", arrays) if meta["errors"] else None
    segments = [_column_from(c, f"segment{i}", arrays) for i, c in enumerate(meta["segments"])]
    tree = (arrays["tree.features"], arrays["tree.goes_left"], arrays["tree.children"])
    return Yardstick(
        schema=schema_from_plain(meta["schema"]),
        columns=tuple(_column_from(c, f"column{i}", arrays) for i, c in enumerate(meta["columns"])),
        partition=Partition(*tree, meta["leaves"], tuple(meta["rules"])),
        outcomes=tuple(
            BinaryOutcome(**{name: arrays[f"outcome{i}.{name}"] for name in BinaryOutcome.__dataclass_fields__})
            for i in range(meta["outcomes"])
        ),
        regression=RegressionOutcome(arrays["regression.edges"], errors, meta["center"])
        if isinstance(errors, NumericBins)
        else None,
        segments={s.name: s for s in segments if isinstance(s, CategoricalBins)},
        covariance=tuple(meta["covariance"]),
        turning=tuple(meta["turning"]),
        kept={name: tuple(columns) for name, columns in meta["kept"].items()},
    )


def digest(yardstick: Yardstick) -> str:
    """Return a name of what rows are measured with: equal wherever the same yardstick was read or learned."""
    if yardstick not in _DIGESTS:
        _DIGESTS[yardstick] = hashlib.sha256(pack("yardstick", 1, *yardstick_parts(yardstick))).hexdigest()
    return _DIGESTS[yardstick]


_DIGESTS: WeakKeyDictionary[Yardstick, str] = WeakKeyDictionary()


def _column(column: ColumnBins, key: str, arrays: Arrays) -> Meta:
    arrays[f"{key}.cuts"] = column.cuts
    if isinstance(column, CategoricalBins):
        others = None if column.others is None else list(column.others)
        return {
            "name": column.name,
            "names": list(column.names),
            "others": others,
            "classes": column.classes,
            "novelty": column.novelty,
        }
    arrays[f"{key}.edges"] = column.edges
    return {"name": column.name, "center": column.center, "scale": column.scale}


def _column_from(meta: Meta, key: str, arrays: Arrays) -> ColumnBins:
    cuts = arrays[f"{key}.cuts"]
    if "names" in meta:
        others = None if meta["others"] is None else tuple(meta["others"])
        return CategoricalBins(meta["name"], tuple(meta["names"]), others, cuts, meta["classes"], meta["novelty"])
    return NumericBins(meta["name"], arrays[f"{key}.edges"], cuts, meta["center"], meta["scale"])
