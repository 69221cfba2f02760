"""Compressed bodies, expanded piece by piece: no more is held than the bound allows, whatever they would become."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeAlias

import zstandard

from barograph.errors import InputError, TooLarge
from barograph.ingest.limits import STREAMS, Limits
from barograph.ingest.memory import Reserve, unbounded

ENCODINGS = ("identity", "gzip", "zstd")
Body: TypeAlias = bytes | bytearray

_SLICE_BYTES = 64 * 1024  # of gzip, at a time
_STEP_BYTES = 1024 * 1024  # that gzip expands to at a time
# Zstandard cannot be told to stop, and a block of 4 bytes can become 128 KiB: at most 8 MiB from so few.
_ZSTD_SLICE_BYTES = 256
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # what RFC 9659 allows in HTTP


def expand(chunks: Iterable[Body], encoding: str | None, limits: Limits, *, reserve: Reserve = unbounded) -> Body:
    """Return a body as it was before it was compressed.

    `encoding` is that of the Content-Encoding header, `chunks` are the bytes as they come. Several gzip members or
    Zstandard frames in a row are one body. Raises TooLarge as soon as `limits.body_bytes` have come or
    `limits.expanded_bytes` would be held, and InputError for bytes that are not what the encoding says or end early.
    Each piece is reserved before it is kept; what `reserve` raises passes through.

    >>> expand([zlib.compress(b"[1, 2]", wbits=31)], "gzip", Limits())
    bytearray(b'[1, 2]')
    """
    counted = _counted(chunks, limits.body_bytes)
    if encoding in (None, "", "identity"):
        first, second = next(counted, b""), next(counted, None)
        if second is None:  # the usual case: nothing is copied
            _check_size(len(first), limits)
            return first
        return _collected(chain((first, second), counted), limits, reserve)
    if encoding == "gzip":
        return _collected(_gzip(_sliced(counted, _SLICE_BYTES)), limits, reserve)
    if encoding == "zstd":
        return _collected(_zstd(_sliced(counted, _ZSTD_SLICE_BYTES)), limits, reserve)
    raise InputError(f"A body may be encoded as one of {', '.join(ENCODINGS)}. Got {encoding!r}.")


def _collected(pieces: Iterable[Body], limits: Limits, reserve: Reserve) -> bytearray:
    body = bytearray()
    for piece in pieces:
        _check_size(len(body) + len(piece), limits)
        reserve(len(piece))
        body += piece
    return body


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.expanded_bytes:
        raise TooLarge(f"The body expands to more than {limits.expanded_bytes:,} bytes. Send fewer rows at once.")


def _counted(chunks: Iterable[Body], most: int) -> Iterator[Body]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise TooLarge(f"The body has more than {most:,} bytes. Send fewer rows at once.")
        yield chunk


def _sliced(chunks: Iterable[Body], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), size):
            yield bytes(view[start : start + size])


def _gzip(slices: Iterable[bytes]) -> Iterator[bytes]:
    def new() -> zlib._Decompress:
        return zlib.decompressobj(wbits=31)

    stream, streams, begun = new(), 1, False
    try:
        for data in slices:
            rest = data
            while rest:
                if stream.eof:
                    stream, streams = new(), _one_more(streams)
                begun = True
                piece = stream.decompress(rest, _STEP_BYTES)
                yield piece
                while len(piece) == _STEP_BYTES:  # there may be more, also when all bytes have been taken in
                    piece = stream.decompress(stream.unconsumed_tail, _STEP_BYTES)
                    yield piece
                rest = stream.unused_data if stream.eof else b""
    except zlib.error as error:
        raise InputError(f"The body is not gzip as it claims to be: {error}. Compress it again.") from error
    _check_end(stream.eof or not begun, "gzip")


def _zstd(slices: Iterable[bytes]) -> Iterator[bytes]:
    new: Callable[[], zstandard.ZstdDecompressionObj] = zstandard.ZstdDecompressor(
        max_window_size=_ZSTD_WINDOW_BYTES
    ).decompressobj
    stream, streams, begun = new(), 1, False
    try:
        for data in slices:
            rest = data
            while rest:
                if stream.eof:
                    stream, streams = new(), _one_more(streams)
                begun = True
                yield stream.decompress(rest)
                rest = stream.unused_data if stream.eof else b""
    except zstandard.ZstdError as error:
        raise InputError(f"The body is not Zstandard as it claims to be: {error}. Compress it again.") from error
    _check_end(stream.eof or not begun, "Zstandard")


def _one_more(streams: int) -> int:
    if streams >= STREAMS:
        raise TooLarge(f"The body consists of more than {STREAMS:,} compressed streams. Compress it as one.")
    return streams + 1


def _check_end(complete: bool, what: str) -> None:
    if not complete:
        raise InputError(f"The body ends in the middle of its {what} stream. Send all of it.")
