"""Arrays and plain values to bytes and back: the one file format of sketches, profiles and references.

Layout: `b"barograph\\n"`, the length of the header (8 bytes, little-endian), the header (JSON: kind, version,
meta, arrays), then the array data as a zlib stream, compressed where that repays. No pickle: reading never runs code.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any  # `meta` is JSON: its values are of any JSON type

import numpy as np
import numpy.typing as npt

from barograph.errors import FormatError

MAGIC = b"barograph\n"
MAX_HEADER_BYTES = 64 * 2**20
STORED = 0.8  # from this share of its size on, compressed data are stored as they are


def pack(kind: str, version: int, meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return `meta` and `arrays` as bytes.

    >>> data = pack("example", 1, {"a": [1, 2]}, {"x": np.arange(3)})
    >>> meta, arrays = unpack(data, kind="example", version=1)
    >>> meta, arrays["x"].tolist()
    ({'a': [1, 2]}, [0, 1, 2])
    """
    little = {k: np.ascontiguousarray(v).astype(v.dtype.newbyteorder("<"), copy=False) for k, v in arrays.items()}
    shapes = {k: [v.dtype.str, list(v.shape)] for k, v in little.items()}
    header = json.dumps(
        {"kind": kind, "version": version, "meta": dict(meta), "arrays": shapes},
        ensure_ascii=False,
        allow_nan=False,
    ).encode()
    plain = b"".join(v.tobytes() for v in little.values())
    body = zlib.compress(plain, level=1)
    if len(body) > STORED * len(plain):  # hashes, and what is compressed within: they would be slow to read for nothing
        body = zlib.compress(plain, level=0)
    check = zlib.crc32(header + body)
    return MAGIC + len(header).to_bytes(8, "little") + check.to_bytes(4, "little") + header + body


def unpack(data: bytes, *, kind: str, version: int) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the meta and arrays that `pack` wrote.

    Raises FormatError when the bytes are damaged, of another kind, or of another version than `version`.
    """
    if not data.startswith(MAGIC):
        raise FormatError(f"This is not a barograph {kind}: it starts with {data[:10]!r}.")
    try:
        size = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 8], "little")
        if size > MAX_HEADER_BYTES:
            raise ValueError("header too large")
        start = len(MAGIC) + 12
        header = json.loads(data[start : start + size])
        found_kind, found_version = header["kind"], header["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"This barograph {kind} is damaged: its header cannot be read ({error}).") from error
    if found_kind != kind:
        raise FormatError(f"Expected a barograph {kind}, got a {found_kind}.")
    if found_version > version:
        raise FormatError(
            f"This {kind} has format version {found_version}; this barograph reads version {version}. "
            "Upgrade barograph, or write the file again with this version."
        )
    if found_version < version:
        raise FormatError(
            f"This {kind} has the older format version {found_version}; this barograph reads version {version}. "
            "Learn the reference again from its data, and profile with that."
        )
    if zlib.crc32(data[start:]) != int.from_bytes(data[start - 4 : start], "little"):
        raise FormatError(f"This barograph {kind} is damaged or truncated: its checksum is wrong.")
    try:
        body = zlib.decompress(data[start + size :])
        arrays: dict[str, npt.NDArray[Any]] = {}
        offset = 0
        for name, (dtype, shape) in header["arrays"].items():
            n = int(np.prod(shape, dtype=np.int64))
            kind_of = np.dtype(dtype)
            if kind_of.hasobject:
                raise ValueError("object arrays are not allowed")
            arrays[name] = np.frombuffer(body, kind_of, n, offset).reshape(shape).astype(kind_of.newbyteorder("="))
            offset += n * kind_of.itemsize
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise FormatError(f"This barograph {kind} is damaged or truncated ({error}).") from error
    return header["meta"], arrays
