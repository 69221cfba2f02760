"""How times are written: formats as in `strptime`, which of them a column fits, and how a column is read with one.

Everything runs on whole columns; no row is visited in Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any  # Any: values of whichever type a column has
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.plain_arrays import arrow_texts

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Dates as people and programs write them, besides ISO 8601. A time of day may follow each that has none.
COMPACT = ("%Y%m%d%H%M", "%Y%m%d%H%M%S")
KNOWN = (
    *(f"%{a}{s}%{b}{s}%{year}" for s in "/.-" for year in "Yy" for a, b in ("dm", "md")),
    "%y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    *(f"%d{s}%b{s}%{year}" for s in " -/" for year in "Yy"),
    "%d. %b %Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%Y-%b-%d",
    "%a, %d %b %Y",
    "%a %d %b %Y",
    "%a, %b %d, %Y",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %z %Y",
    "%Y%m%d",
    *COMPACT,
    "%Y%m%dT%H%M",
    "%Y%m%dT%H%M%S",
    "%Y-%m",
    "%Y/%m",
    "%m/%Y",
    "%m.%Y",
    "%m-%Y",
    "%Y%m",
    "%b %Y",
    "%b-%Y",
)
ISO = "%Y-%m-%d"
UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}  # of a number since 1970, as microseconds
EXCEL = "excel"  # days since the eve of 1900, as spreadsheets count them
YEARS = (1900, 2200)  # a format that reads years beyond does not fit
SHARE = 0.9  # of the texts are read by a format that fits

_EXCEL_DAYS = 25_569  # from 1899-12-30 to 1970-01-01
_DAY, _SECOND = 86_400_000_000, 1_000_000
_LOOKED_AT = 100  # texts by which most formats are ruled out
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE = r"(?P<z>[Zz]|UTC|GMT|UT|[+-]\d\d(?::?\d\d)?)"
_NAMED = r"\s*\[?(?P<Z>[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)\]?"
_AFTER = rf"\s*{_ZONE}?(?:\[UTC\]|{_NAMED})?"
_CLOCK = (
    r"(?:(?:[Tt]|,?\s+|:)(?P<H>\d{1,2})(?::?(?P<M>\d\d)(?::?(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?)?"
    rf"\s*(?P<p>[AaPp]\.?[Mm]\.?)?{_AFTER})?"
)
_PARTS = {
    "d": r"(?P<d>\d{1,2})",
    "m": r"(?P<m>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3,9})\.?",
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "a": r"[A-Za-z]{2,9}\.?",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "z": _ZONE,
    "%": "%",
}
_SAME = {"B": "%b", "A": "%a", "h": "%b", "e": "%d", "T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What texts were read as: wall-clock time in microseconds since 1970, and what each says of its zone.

    `offset` counts where `zoned`; else `zone` is the position in `zones` of the zone that the text names, -1 for none.
    Where not `known`, all are 0.
    """

    local: Ints
    known: Mask
    offset: Ints
    zoned: Mask
    zone: Ints
    zones: tuple[str, ...] = ()

    @property
    def naive(self) -> Mask:
        """Return which of the texts that were read do not say their zone."""
        return self.known & ~self.zoned & (self.zone < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a column can be read: by the `formats` that read it, each with an example that the others read otherwise.

    One format: settled. Several: the values do not tell which. None: not as times. `example` is a value that tells.
    """

    formats: tuple[str, ...]
    example: str = ""


def check_format(format: str) -> str:
    """Return a format that can be used; raise ValueError with what is wrong with it.

    >>> check_format("%d.%m.%Y"), check_format("ms")
    ('%d.%m.%Y', 'ms')
    """
    if format not in UNITS and format != EXCEL:
        _pattern(format)
    return format


@lru_cache(maxsize=256)
def _pattern(format: str) -> str:
    """Return the regular expression of a format, one that Rust and Python read alike."""
    for short, long in _SAME.items():
        format = format.replace(f"%{short}", long)
    pieces = re.findall(r"%.?|[^%]+", format)
    said = [piece[1:] for piece in pieces if piece.startswith("%")]
    if unknown := [part for part in said if part not in _PARTS]:
        raise ValueError(f"There is no '%{unknown[0]}': known are {', '.join(f'%{p}' for p in (*_PARTS, *_SAME))}.")
    if not {"Y", "y"} & {*said} or not {"m", "b"} & {*said}:
        raise ValueError(
            "This must say where year and month stand, as in '%d/%m/%Y' or '%Y%m%d', or be the unit of a number: "
            f"{', '.join((*UNITS, EXCEL))}."
        )
    pattern = ""
    for i, piece in enumerate(pieces):
        beside = any(other.startswith("%") for other in pieces[max(i - 1, 0) : i + 2 : 2] if other is not piece)
        if not piece.startswith("%"):
            pattern += re.sub(r"(?:\\ )+", r"\\s+", re.escape(piece))
        elif beside and piece[1] in "dmHI":  # without anything between them, all have their full width
            pattern += _PARTS[piece[1]].replace("{1,2}", "{2}")
        else:
            pattern += _PARTS[piece[1]]
    if not {"H", "I"} & {*said}:
        # Digits of a time of day would be taken for those of a day, and the other way round.
        pattern += _CLOCK if not format.endswith(("%Y%m", "%m-%Y")) else ""
    elif "z" not in said:
        pattern += _AFTER
    pattern = rf"^\s*{pattern}\s*$"
    try:
        re.compile(pattern)
    except re.error:
        raise ValueError("Each part of a time may stand once.") from None
    return pattern


def read_text(text: pa.StringArray, format: str = ISO) -> Reading:
    """Read texts by one format; a text that does not follow it, or is no day of the calendar, is not known.

    >>> reading = read_text(pa.array(["31/01/2024 8:30 PM", "01/31/2024"]), "%d/%m/%Y")
    >>> reading.local.astype("datetime64[us]")[0].item().isoformat(), reading.known.tolist()
    ('2024-01-31T20:30:00', [True, False])
    """
    import polars as pl

    pattern = _pattern(format)
    n = len(text)
    nothing = np.zeros(n, np.int64)
    if not n:
        none = np.zeros(0, np.bool_)
        return Reading(local=nothing, known=none, offset=nothing, zoned=none, zone=nothing)
    groups = pl.Series(pl.from_arrow(text)).cast(pl.String).str.extract_groups(pattern).struct.unnest()

    def texts(name: str) -> pl.Series:
        return groups[name] if name in groups.columns else pl.Series([None], dtype=pl.String).new_from_index(0, n)

    def numbers(name: str, default: int) -> Ints:
        return texts(name).cast(pl.Int64, strict=False).fill_null(default).to_numpy()

    known = (texts("Y").is_not_null() | texts("y").is_not_null()).to_numpy().copy()
    short = numbers("y", 0)
    year = np.where(texts("Y").is_not_null().to_numpy(), numbers("Y", 1970), short + np.where(short < 69, 2000, 1900))
    month = numbers("m", 1)
    if "b" in groups.columns:
        name = texts("b").str.to_lowercase().str.slice(0, 3)
        month = name.replace_strict(_MONTHS, range(1, 13), default=0, return_dtype=pl.Int64).fill_null(0).to_numpy()
    day, hour, minute, second = numbers("d", 1), numbers("H", 0), numbers("M", 0), numbers("S", 0)
    half = texts("p").str.slice(0, 1).str.to_lowercase()
    pm, twelve = (half == "p").fill_null(False).to_numpy(), half.is_not_null().to_numpy()
    known &= (month >= 1) & (month <= 12) & (year >= 1) & (day >= 1) & (minute < 60) & (second < 60)
    known &= np.where(twelve, (hour >= 1) & (hour <= 12), hour < 24)
    hour = np.where(twelve, hour % 12 + 12 * pm, hour)
    months = np.where(known, 12 * (year - 1970) + month - 1, 0)
    first, following = _month_start(months), _month_start(months + 1)
    known &= day <= following - first
    fraction = texts("f").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    local = (first + day - 1) * _DAY + (3600 * hour + 60 * minute + second) * _SECOND + fraction
    digits = texts("z").str.extract_groups(r"([+-])(\d\d):?(\d\d)?").struct.rename_fields(["sign", "h", "m"])
    parts = [digits.struct.field(name).cast(pl.Int64, strict=False).fill_null(0).to_numpy() for name in ("h", "m")]
    known &= (parts[0] < 24) & (parts[1] < 60)
    zoned = texts("z").is_not_null().to_numpy() & known
    negative = (digits.struct.field("sign") == "-").fill_null(False).to_numpy()
    offset = (60 * parts[0] + parts[1]) * np.where(negative, -60, 60) * _SECOND
    names = texts("Z")
    named = names.filter(pl.Series(known & ~zoned)).drop_nulls().unique().sort().to_list()
    zones = tuple(name for name in named if name in available_timezones())
    if len(zones) < len(named):
        known &= zoned | ~names.is_in([*{*named} - {*zones}]).fill_null(False).to_numpy()
    zone = names.replace_strict(zones, range(len(zones)), default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    return Reading(
        local=np.where(known, local, 0),
        known=known,
        offset=np.where(zoned, offset, 0),
        zoned=zoned,
        zone=np.where(zoned | ~known, -1, zone),
        zones=zones,
    )


def _month_start(months: Ints) -> Ints:
    """Return the days since 1970 of the first day of months since January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def read_numbers(values: npt.NDArray[np.float64], format: str) -> tuple[Ints, Mask]:
    """Read numbers by their unit: microseconds since 1970, and which of them are times."""
    scaled = (values - _EXCEL_DAYS) * _DAY if format == EXCEL else values * UNITS[format]
    known = np.abs(scaled) < 2.0**62
    return np.round(np.where(known, scaled, 0.0)).astype(np.int64), known


def fit(values: Sequence[Any], *, known: Sequence[str] = KNOWN, share: float = SHARE) -> Fit:
    """Find the formats by which at least a `share` of the values are times of the years 1900 to 2200.

    One that reads all that any other reads is settled, such as day first where a day is above 12; if several do, and
    differ, or none does, the values do not tell.

    >>> fit(["31/01/2024", "01/02/2024"]).formats
    ('%d/%m/%Y',)
    >>> fit(["02/01/2024", "01/02/2024"])
    Fit(formats=('%d/%m/%Y', '%m/%d/%Y'), example='02/01/2024')
    """
    texts = [t for v in values if not isinstance(v, bool) and (t := _text(v))]
    if not texts:
        return Fit(formats=())
    some = arrow_texts(texts[:: max(1, len(texts) // _LOOKED_AT)])
    array = arrow_texts(texts)
    least = share * len(texts)
    found: dict[str, Reading] = {}
    for format in known:
        if _plausible(read_text(some, format)).sum() >= share * len(some) - 1:
            reading = read_text(array, format)
            if _plausible(reading).sum() >= least:
                found[format] = reading
    return _settled(found, texts)


def fit_said(texts: Sequence[str], format: str) -> Fit:
    """Return whether nine of ten texts follow the format that a user says; `example` is one that does not."""
    array = arrow_texts(texts)
    if format in (*UNITS, EXCEL):
        import polars as pl

        known = pl.Series(pl.from_arrow(array)).cast(pl.Float64, strict=False).is_finite().fill_null(False).to_numpy()
    else:
        known = read_text(array, format).known
    wrong = np.flatnonzero(~known)
    example = texts[int(wrong[0])] if len(wrong) else ""
    return Fit(formats=(format,) if known.sum() >= SHARE * len(texts) else (), example=example)


def _settled(found: dict[str, Reading], texts: Sequence[str]) -> Fit:
    if not found:
        return Fit(formats=())
    by_any = np.logical_or.reduce([_plausible(r) for r in found.values()])
    whole = {f: r for f, r in found.items() if np.array_equal(_plausible(r), by_any)}
    left = whole or found  # none reads all that the others read: they contradict each other
    different: dict[str, Reading] = {}
    for format, reading in left.items():
        if not whole or all((reading.local != other.local).any() for other in different.values()):
            different[format] = reading
    first, *others = different.values()
    at = [np.flatnonzero((first.local != other.local) & by_any) for other in others]
    example = texts[int(at[0][0])] if at and len(at[0]) else texts[0]
    return Fit(formats=tuple(different), example=example)


def _plausible(reading: Reading) -> Mask:
    year = reading.local.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
    return reading.known & (year >= YEARS[0]) & (year <= YEARS[1])


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
