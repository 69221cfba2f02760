"""Compressed bodies: any pieces, any streams, never more than the bound."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard

from barograph.errors import InputError, TooLarge
from barograph.ingest.expand import expand
from barograph.ingest.limits import STREAMS, Limits

LIMITS = Limits(body_bytes=1_000_000, expanded_bytes=3_000_000)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
TEXT = random.Random(1).randbytes(50_000) * 3

each = pytest.mark.parametrize("encoding", COMPRESS)


@each
@pytest.mark.parametrize("piece", [1, 7, 1000, 10**6])
def test_any_pieces_give_the_body(encoding: str, piece: int) -> None:
    data = COMPRESS[encoding](TEXT)
    assert expand((data[i : i + piece] for i in range(0, len(data), piece)), encoding, LIMITS) == TEXT


@each
@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 2 * 2**20])
def test_sizes_around_one_step_come_out_whole(encoding: str, size: int) -> None:
    assert expand([COMPRESS[encoding](bytes(size))], encoding, LIMITS) == bytes(size)


@each
def test_several_streams_in_a_row_are_one_body(encoding: str) -> None:
    compress = COMPRESS[encoding]
    data = compress(b"one") + compress(b"") + compress(TEXT)
    assert expand([data], encoding, LIMITS) == b"one" + TEXT
    assert expand([], encoding, LIMITS) == b""


@each
def test_a_stream_that_ends_early_or_is_damaged_is_refused(encoding: str) -> None:
    data = COMPRESS[encoding](TEXT)
    for bad in (data[:-1], data[:5], data[:1], data + data[:100]):
        with pytest.raises(InputError, match="ends in the middle"):
            expand([bad], encoding, LIMITS)
    checked = data if encoding == "gzip" else zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)
    damaged = bytearray(checked)
    damaged[len(damaged) // 2] ^= 0xFF
    for bad in (b"hello, world", bytes(damaged), data + b"more"):
        with pytest.raises(InputError):
            expand([bad], encoding, LIMITS)


def endless(encoding: str, taken: list[int]) -> Iterator[bytes]:
    stream = zlib.compressobj(wbits=31) if encoding == "gzip" else zstandard.ZstdCompressor().compressobj()
    while True:
        data = stream.compress(bytes(2**20))
        taken.append(len(data))
        yield data


@each
def test_endless_zeros_stop_at_the_bound(encoding: str) -> None:
    taken: list[int] = []
    with pytest.raises(TooLarge, match="expands to more than 3,000,000 bytes"):
        expand(endless(encoding, taken), encoding, LIMITS)
    assert sum(taken) < 100_000, "of what would have been endless"


@each
def test_a_bomb_in_one_piece_is_never_held(encoding: str) -> None:
    bomb = COMPRESS[encoding](bytes(500 * 2**20)) if encoding == "zstd" else COMPRESS[encoding](bytes(100 * 2**20))
    with pytest.raises(TooLarge, match="expands"):
        expand([bomb], encoding, LIMITS)


@pytest.mark.parametrize("encoding", [*COMPRESS, None, "identity"])
def test_the_bound_on_the_wire_holds_before_anything_is_expanded(encoding: str | None) -> None:
    taken = []

    def pieces() -> Iterator[bytes]:
        data = COMPRESS.get(encoding or "", bytes)(random.Random(2).randbytes(1_200_000))
        for i in range(0, len(data), 100_000):
            taken.append(i)
            yield data[i : i + 100_000]

    with pytest.raises(TooLarge, match="more than 1,000,000 bytes"):
        expand(pieces(), encoding, LIMITS)
    assert len(taken) == 11


@each
def test_countless_tiny_streams_are_refused(encoding: str) -> None:
    with pytest.raises(TooLarge, match="compressed streams"):
        expand([COMPRESS[encoding](b"") * (STREAMS + 1)], encoding, LIMITS)


def test_a_body_that_is_not_compressed_is_taken_as_it_is() -> None:
    data = b"x" * 1000
    assert expand([data], None, LIMITS) is data
    assert expand([data, b"y"], "identity", LIMITS) == data + b"y"
    with pytest.raises(InputError, match="identity, gzip, zstd"):
        expand([data], "br", LIMITS)


def test_a_window_larger_than_http_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    data = zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(TEXT * 3)
    with pytest.raises(InputError, match="Zstandard"):
        expand([data], "zstd", LIMITS)
