"""Values of one Arrow column as the arrays that are counted: numbers, categories, times.

Three questions are answered in one place, so that a reference from Parquet and today's CSV agree: which number a
value is, which text a category has, which moment a time means. Everything runs on whole arrays; no row is
visited in Python.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias  # Any: numpy arrays of whichever type the column has

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.frames.zones import to_utc
from barograph.plain_arrays import NO_TEXT, arrow_numbers, arrow_texts, numpy_of
from barograph.spec.column_types import number
from barograph.spec.roles import NULL_TEXTS
from barograph.spec.time_formats import EXCEL, ISO, UNITS, read_numbers, read_text

Array: TypeAlias = "pa.Array[pa.Scalar[pa.DataType]]"
Column: TypeAlias = "Array | pa.ChunkedArray[pa.Scalar[pa.DataType]]"
Mask: TypeAlias = npt.NDArray[np.bool_]

# A whole number of one of these sizes is a time since 1970 in that unit; anything else is not a time.
_EPOCH_UNITS = ((1e8, 1e11, 1e6), (1e11, 1e14, 1e3), (1e14, 1e17, 1.0), (1e17, 1e20, 1e-3))
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_LARGEST = 2**62  # microseconds: about 146,000 years; a time beyond it is not a time
OF_NULL, OF_NO_CLASS = -1, -2  # instead of the position of a class
_SAME_TRUTH = {"true": "1", "1": "true", "false": "0", "0": "false"}


class Numbers(NamedTuple):
    """Values as float64. A mask is None where nothing is masked; masked values are NaN."""

    values: npt.NDArray[np.float64]
    null: Mask | None
    type_error: Mask | None


class Categories(NamedTuple):
    """Each row's position in `values`, -1 for null. `values` may hold texts that no row has."""

    indices: npt.NDArray[np.int32]
    values: list[str]


class Times(NamedTuple):
    """Moments in microseconds since 1970, UTC. A mask is None where nothing is masked; masked values are 0."""

    microseconds: npt.NDArray[np.int64]
    null: Mask | None
    type_error: Mask | None


def is_null(array: Column) -> Mask:
    """Return which values are null. NaN is not null; a null in the dictionary of an encoded column is."""
    return numpy_of(pc.is_null(_plain(array)))


def numbers(array: Column) -> Numbers:
    """Return the values of a column as numbers.

    Integers, floats, decimals and booleans (1 and 0) are numbers; durations and times of the day are in seconds.
    Text is a number if all of it, but for spaces around it, is one in decimal or exponent form (`inf` and `nan`
    too); empty text is null, other text is a type error. Anything else that is not null is a type error. NaN stays
    NaN, apart from null. A float64 column without nulls is not copied, so the result may be read-only.

    >>> numbers(pa.array(["1.5", " 2", "", "two", None])).values.tolist()
    [1.5, 2.0, nan, nan, nan]
    >>> numbers(pa.array(["1.5", " 2", "", "two", None])).type_error.tolist()
    [False, False, False, True, False]
    """
    array = _plain(array)
    kind = array.type
    if isinstance(array, pa.DictionaryArray):
        return _numbers_of_dictionary(array)
    if pt.is_float64(kind):
        return Numbers(numpy_of(array), _nulls(array), None)
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind) or pt.is_boolean(kind):
        cast = pc.cast(array, pa.float64(), safe=False)
        return Numbers(numpy_of(cast), _nulls(array), None)
    if pt.is_duration(kind):
        microseconds = pc.cast(array, pa.duration("us"), safe=False).cast(pa.int64()).cast(pa.float64(), safe=False)
        return Numbers(numpy_of(microseconds) / 1e6, _nulls(array), None)
    if pt.is_time(kind):
        since_midnight = pc.cast(pc.cast(array, pa.time64("us"), safe=False), pa.int64())
        return Numbers(numpy_of(pc.cast(since_midnight, pa.float64())) / 1e6, _nulls(array), None)
    if _is_text(kind):
        return _numbers_of_text(array)
    return Numbers(np.full(len(array), np.nan), _nulls(array), _some(~is_null(array)))


def or_null(values: npt.NDArray[np.float64], null: Mask | None, null_values: tuple[str, ...]) -> Mask | None:
    """Return which values are null, with those that are one of `null_values`."""
    numbers_of_none = [found for text in null_values if (found := number(text)) is not None]
    if not numbers_of_none:
        return null
    stands_for_none = np.isin(values, numbers_of_none)
    return _some(stands_for_none if null is None else null | stands_for_none)


def _numbers_of_dictionary(array: pa.DictionaryArray) -> Numbers:
    inner = numbers(array.dictionary)
    indices, missing = _indices(array)
    if not len(inner.values):
        return Numbers(np.full(len(indices), np.nan), missing, None)
    values = inner.values[indices]
    null, wrong = missing, None
    if missing is not None:
        values[missing] = np.nan
    if inner.null is not None:
        null = inner.null[indices] if missing is None else inner.null[indices] | missing
    if inner.type_error is not None:
        wrong = inner.type_error[indices] if missing is None else inner.type_error[indices] & ~missing
    return Numbers(values, _some(null), _some(wrong))


def _numbers_of_text(array: Array) -> Numbers:
    try:  # three times faster than the way below, and the usual case
        parsed = pc.cast(array, pa.float64())
        return Numbers(numpy_of(parsed), _nulls(array), None)
    except pa.ArrowInvalid:
        import polars as pl

        text = _strings(array)
        trimmed = pl.Series(pl.from_arrow(pc.utf8_trim_whitespace(text)))
        parsed_or_null = trimmed.cast(pl.Float64, strict=False)
        null = (trimmed.is_null() | (trimmed == "").fill_null(True)).to_numpy()
        wrong = parsed_or_null.is_null().to_numpy() & ~null & ~is_null(array)
        undecodable = is_null(text) & ~is_null(array)
        return Numbers(
            parsed_or_null.fill_null(float("nan")).to_numpy(), _some(null & ~undecodable), _some(wrong | undecodable)
        )


def categories(array: Column) -> Categories:
    """Return the values of a column as positions in a list of texts.

    A text does not depend on how the value was stored: integers and whole floats are `1`, booleans `True` and
    `False`, dates `2024-01-31`, other floats the shortest text that reads back the same; text is itself, empty text
    included. Null and NaN are -1.

    >>> categories(pa.array([1.0, 2.0, None, 1.0]))
    Categories(indices=array([ 0,  1, -1,  0], dtype=int32), values=['1', '2'])
    """
    array = _plain(array)
    kind = array.type
    if pt.is_null(kind):
        return Categories(np.full(len(array), -1, np.int32), [])
    if pt.is_boolean(kind):
        indices = numpy_of(pc.cast(array, pa.int8()), null=-1).astype(np.int32)
        return Categories(indices, ["False", "True"])
    if not isinstance(array, pa.DictionaryArray):
        if pt.is_nested(kind):
            array = arrow_texts([None if v is None else str(v) for v in array.to_pylist()])
        elif pt.is_decimal(kind) or pt.is_float16(kind):
            array = pc.cast(array, pa.float64(), safe=False)
        array = pc.dictionary_encode(array)
    assert isinstance(array, pa.DictionaryArray)
    positions, missing = _indices(array)
    indices = positions if missing is None else np.where(missing, -1, positions).astype(np.int32)
    values = as_text(array.dictionary).to_pylist()
    if None in values or len(set(values)) < len(values):  # a null or repeated entry: rare, but allowed
        unique = list(dict.fromkeys(v for v in values if v is not None))
        place = {v: i for i, v in enumerate(unique)}
        moved = np.array([*(-1 if v is None else place[v] for v in values), -1], np.int32)
        return Categories(moved[indices], unique)
    return Categories(indices, [v for v in values if v is not None])


def as_text(array: Column) -> pa.StringArray:
    """Return each value as the text that names it as a category, null for null and NaN.

    >>> as_text(pa.array([1.0, 1.5, float("nan")])).to_pylist()
    ['1', '1.5', None]
    """
    array = _plain(array)
    kind = array.type
    if isinstance(array, pa.DictionaryArray):
        return as_text(array.dictionary).take(array.indices)
    if _is_text(kind):
        return _strings(array)
    if pt.is_boolean(kind):
        return pc.if_else(array, "True", "False").cast(pa.string())
    if pt.is_floating(kind) or pt.is_decimal(kind):
        floats = pc.cast(array, pa.float64(), safe=False)
        values = numpy_of(floats)
        whole = arrow_numbers((np.abs(values) < 2.0**53) & (values == np.trunc(values)))
        integers = pc.cast(pc.if_else(whole, floats, 0.0), pa.int64(), safe=False).cast(pa.string())
        text = pc.if_else(whole, integers, pc.cast(floats, pa.string()))
        return pc.if_else(arrow_numbers(np.isnan(values)), pa.scalar(None, pa.string()), text)
    try:
        return pc.cast(array, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return arrow_texts([None if v is None else str(v) for v in array.to_pylist()])


def class_codes(array: Column, classes: tuple[str, ...], null_values: tuple[str, ...] = ()) -> npt.NDArray[np.int32]:
    """Return each row's position in `classes`, -1 for null and -2 for a value that is none of them.

    Null is also what programs write for it (`spec.roles.NULL_TEXTS`: empty text, `nan`, `NA` and the like, in any
    case), and each of `null_values`, unless it is a class.

    A class is found by its text; failing that, without regard to case and spaces, as a number (`1.0` is `1`), or
    as a truth value (`true` is `1`, where the classes have no other such class). So labels stay the same classes
    when a column turns from integers to floats, booleans or text.

    >>> class_codes(pa.array(["1", "0.0", "True", "maybe", None]), ("0", "1")).tolist()
    [1, 0, 1, -2, -1]
    """
    indices, values = categories(array)
    folded: list[str | None] = [_folded(c) for c in classes]
    nulls = {_folded(v) for v in null_values}

    def code(text: str) -> int:
        if text in classes:
            return classes.index(text)
        plain = _folded(text)
        for form in (plain, _SAME_TRUTH.get(plain)):
            if folded.count(form) == 1:
                return folded.index(form)
        return OF_NULL if plain in NULL_TEXTS or plain in nulls else OF_NO_CLASS

    return np.array([*map(code, values), OF_NULL], np.int32)[indices]


def _folded(text: str) -> str:
    plain = text.strip().casefold()
    try:
        number = float(plain)
    except ValueError:
        return plain
    return str(int(number)) if number.is_integer() and abs(number) < 2.0**53 else plain


def times(array: Column, zone: str = "UTC", format: str = "") -> Times:
    """Return the values of a column as moments in UTC.

    - A timestamp with a zone is that moment; one without, and a date (its midnight), is in `zone`. Of a local time
      that a clock change repeats, the first is meant; one that it skips is moved forward by the gap.
    - Text is read as ISO 8601, with or without offset or the name of a zone, row by row: `2024-01-31`,
      `2024-01-31T08:30`, `2024-01-31 08:30:00.25+01:00`, `2024-01-31T08:30[Europe/Berlin]`. Empty text is null.
    - With a `format` of `spec.time_formats`, text and numbers are read by it; text also as ISO 8601, if the format
      does not begin with the year.
    - Numbers are time since 1970 in the unit that their size tells: seconds below 1e11, milliseconds below 1e14,
      microseconds below 1e17, nanoseconds above. Below 1e8 a number is no time.

    Whatever is not a time is a type error. Below a microsecond, times are cut.

    >>> times(pa.array(["2024-07-01T10:00:00+02:00", "2024-07-01 10:00", "soon"]), "Europe/Berlin")
    Times(microseconds=array([1719820800000000, 1719820800000000,                0]), null=None,
          type_error=array([False, False,  True]))
    """
    array = _plain(array)
    kind = array.type
    if isinstance(array, pa.DictionaryArray):
        return _times_of_dictionary(array, zone, format)
    if pt.is_timestamp(kind):
        return _times_of_timestamps(array, zone)
    if pt.is_date(kind):
        return _times_of_timestamps(pc.cast(array, pa.timestamp("s")), zone)
    is_number = pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)
    if format and (is_number or _is_text(kind)):
        return _times_by_format(array, zone, format)
    if is_number:
        values, null, _ = numbers(array)
        return _times_of_numbers(values, null)
    if _is_text(kind):
        return _times_of_text(_strings(array), zone)
    return Times(np.zeros(len(array), np.int64), _nulls(array), _some(~is_null(array)))


def _times_by_format(array: Array, zone: str, format: str) -> Times:
    if format in (*UNITS, EXCEL):
        values, null, wrong = numbers(array)
        absent = _or_false(null, len(values)) | (np.isnan(values) & ~_or_false(wrong, len(values)))
        moments, known = read_numbers(np.nan_to_num(values, nan=0.0, posinf=1e300, neginf=-1e300), format)
        if format == EXCEL:
            moments = to_utc(moments, zone)
        known &= ~_or_false(wrong, len(values))
        return Times(_zeroed(moments, absent, ~known), _some(absent), _some(~known & ~absent))
    text = pc.utf8_trim_whitespace(as_text(array))
    null = is_null(text) | numpy_of(pc.equal(text, NO_TEXT), null=True)
    result, known = _as_written(text, zone, format)
    if not format.startswith("%Y"):
        rows = np.flatnonzero(~known & ~null)
        if len(rows):
            result[rows], known[rows] = _as_written(text.take(arrow_numbers(rows)), zone, ISO)
    return Times(_zeroed(result, null, ~known), _some(null), _some(~known & ~null))


def _as_written(text: pa.StringArray, zone: str, format: str) -> tuple[npt.NDArray[np.int64], Mask]:
    """Return the moments of texts of one format in UTC, and which of them follow it."""
    reading = read_text(text, format)
    result = reading.local - reading.offset
    for place, name in ((-1, zone), *enumerate(reading.zones)):
        rows = np.flatnonzero(reading.known & ~reading.zoned & (reading.zone == place))
        if len(rows):
            result[rows] = to_utc(reading.local[rows], name)
    return result, reading.known.copy()


def _times_of_dictionary(array: pa.DictionaryArray, zone: str, format: str) -> Times:
    inner = times(array.dictionary, zone, format)
    indices, missing = _indices(array)
    if missing is None and not len(indices):
        return Times(np.empty(0, np.int64), None, None)
    absent = np.zeros(len(indices), bool) if missing is None else missing
    if not len(inner.microseconds):
        return Times(np.zeros(len(indices), np.int64), _some(absent), None)
    null = absent if inner.null is None else absent | inner.null[indices]
    wrong = None if inner.type_error is None else inner.type_error[indices] & ~absent
    return Times(np.where(null, 0, inner.microseconds[indices]), _some(null), _some(wrong))


def _times_of_timestamps(array: Array, zone: str) -> Times:
    kind = array.type
    assert isinstance(kind, pa.TimestampType)
    null = _nulls(array)
    counts = pc.cast(array, pa.int64())
    raw = numpy_of(counts, null=0)
    wrong: Mask | None = None
    if kind.unit == "ns":
        raw = raw // 1000
    elif kind.unit != "us":
        factor = _MICROSECONDS[kind.unit]
        wrong = _some(np.abs(raw) > _LARGEST // factor)
        raw = (raw if wrong is None else np.where(wrong, 0, raw)) * factor
    if kind.tz is None:
        raw = to_utc(raw, zone)
    return Times(_zeroed(raw, null, wrong), null, wrong)


def _times_of_numbers(values: npt.NDArray[np.float64], null: Mask | None) -> Times:
    size = np.abs(values)
    found = np.zeros(len(values), np.int64)
    known = np.zeros(len(values), bool)
    for low, high, factor in _EPOCH_UNITS:
        here = (size >= low) & (size < high)
        if here.any():
            # Rounded, as a fraction of a second in binary is a hair off.
            found[here] = np.round(values[here] * factor).astype(np.int64)
            known |= here
    nan = np.isnan(values)
    return Times(found, _some(nan), _some(~known & ~nan)) if nan.any() else Times(found, null, _some(~known))


def _times_of_text(text: pa.StringArray, zone: str) -> Times:
    text = pc.utf8_trim_whitespace(text)
    null = is_null(text) | (numpy_of(pc.binary_length(text), null=0) == 0)
    has_zone = numpy_of(pc.match_substring_regex(text, r":\d\d(\.\d+)?\s?(Z|z|[+-]\d\d(:?\d\d)?)$"), null=False)
    result, wrong = np.zeros(len(text), np.int64), np.zeros(len(text), bool)
    for rows, zoned in ((np.flatnonzero(has_zone), True), (np.flatnonzero(~has_zone & ~null), False)):
        if len(rows):
            part = text if len(rows) == len(text) else text.take(arrow_numbers(rows))
            found, known = _parse_times(part, zone, zoned=zoned)
            result[rows], wrong[rows] = found, ~known
    if wrong.any():  # rarer ways to write it: the name of a zone, a comma before the fraction, am and pm
        rows = np.flatnonzero(wrong)
        result[rows], known = _as_written(text.take(arrow_numbers(rows)), zone, ISO)
        wrong[rows[known]] = False
    if wrong.any():  # the last thing a text can be: a number
        rows = np.flatnonzero(wrong)
        epoch = _times_of_numbers(numbers(text.take(arrow_numbers(rows))).values, None)
        good = rows[~_or_false(epoch.type_error, len(rows)) & ~_or_false(epoch.null, len(rows))]
        result[rows] = epoch.microseconds
        wrong[good] = False
    return Times(_zeroed(result, null, wrong), _some(null), _some(wrong))


def _parse_times(text: pa.StringArray, zone: str, *, zoned: bool) -> tuple[npt.NDArray[np.int64], Mask]:
    known = np.ones(len(text), bool)
    try:  # far faster than the way below; all or nothing
        moments = numpy_of(pc.cast(text, pa.timestamp("us", "UTC" if zoned else None)).cast(pa.int64()))
    except pa.ArrowInvalid:
        import polars as pl

        series = pl.Series(pl.from_arrow(text)).str.replace("[Tt]", " ").str.replace(r"\s?[Zz]$", "+00:00")
        stem = "%Y-%m-%d %H:%M"
        formats = [f"{stem}:%S%.f%#z", f"{stem}%#z"] if zoned else [f"{stem}:%S%.f", stem]
        options = [series.str.to_datetime(f, strict=False, time_unit="us") for f in formats]
        if not zoned:
            options.append(series.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")))
        best = pl.select(pl.coalesce(options)).to_series().to_physical()
        known = best.is_not_null().to_numpy()
        moments = best.fill_null(0).to_numpy()
    return (moments if zoned else to_utc(moments, zone)), known


def _plain(array: Column) -> Array:
    """Return one array of a type without wrapping: no chunks, extension, run-end or view encoding."""
    if isinstance(array, pa.ChunkedArray):
        if pt.is_dictionary(array.type):
            array = array.unify_dictionaries()
        combined = array.combine_chunks()
        array = pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage)
    if isinstance(array, pa.RunEndEncodedArray):
        return _plain(pc.run_end_decode(array))
    if pt.is_string_view(array.type):
        return pc.cast(array, pa.string())
    if pt.is_binary_view(array.type):
        return pc.cast(array, pa.binary())
    return array


def _is_text(kind: pa.DataType) -> bool:
    return any(is_text(kind) for is_text in (pt.is_string, pt.is_large_string, pt.is_binary, pt.is_large_binary))


def _strings(array: Array) -> pa.StringArray:
    """Return text as `string`; bytes that are not UTF-8 have their odd bytes written as escapes."""
    try:
        return pc.cast(array, pa.string())
    except pa.ArrowInvalid:
        rows = (None if v is None else v.decode("utf-8", "backslashreplace") for v in array.to_pylist())
        return arrow_texts(list(rows))


def _indices(array: pa.DictionaryArray) -> tuple[npt.NDArray[np.int32], Mask | None]:
    """Return positions in the dictionary (0 under nulls) and which are null."""
    missing = _nulls(array.indices)
    return numpy_of(array.indices, null=0).astype(np.int32, copy=False), missing


def _nulls(array: Array) -> Mask | None:
    return numpy_of(pc.is_null(array)) if array.null_count else None


def _some(mask: Mask | None) -> Mask | None:
    return mask if mask is not None and mask.any() else None


def _or_false(mask: Mask | None, n: int) -> Mask:
    return np.zeros(n, bool) if mask is None else mask


def _zeroed(values: npt.NDArray[np.int64], null: Mask | None, wrong: Mask | None) -> npt.NDArray[np.int64]:
    masks = [mask for mask in (null, wrong) if mask is not None and mask.any()]
    return values if not masks else np.where(np.logical_or.reduce(masks), 0, values)
