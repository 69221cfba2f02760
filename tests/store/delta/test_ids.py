"""Hashes of ids, and whether they are among others, against plain sets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from barograph.store.delta import kernels
from barograph.store.delta.ids import Hashes, hash_ids, without_repeated


def test_the_hash_is_murmur3() -> None:
    """The published value of MurmurHash3 x64 128 with seed 0, and that of no bytes."""
    found = hash_ids(pa.array(["The quick brown fox jumps over the lazy dog", ""]))
    assert [int(n) for n in found.rows] == [1, 0]
    assert [f"{int(n):016x}" for n in found.high] == ["0" * 16, "e34bbc7bbc071b6c"]
    assert [f"{int(n):016x}" for n in found.low] == ["0" * 16, "7a433ca9c49a9347"]


def test_slices_and_chunks_hash_as_whole_columns() -> None:
    texts = [f"{n:x}" * (n % 9) + str(n) for n in range(200)]
    whole = hash_ids(pa.array(texts))
    parts = pa.chunked_array([pa.array(["x", *texts[:70], "y"]).slice(1, 70), [], pa.array(texts[70:])], pa.string())
    assert np.array_equal(hash_ids(parts).high, whole.high)
    assert np.array_equal(hash_ids(parts).rows, whole.rows)
    assert len(set(zip(whole.high.tolist(), whole.low.tolist(), strict=True))) == 200


@pytest.mark.parametrize("known", [0, 1, 50, 5_000, 200_000])
@pytest.mark.parametrize("spread", [2**64 - 1, 3_000])
def test_known_ids_are_found_like_in_a_set(known: int, spread: int) -> None:
    """Few or many known ones, evenly spread or all crowded at one end with equal upper halves."""
    rng = np.random.default_rng(known)
    high = np.sort(rng.integers(0, spread, known, dtype=np.uint64, endpoint=True))
    low = rng.integers(0, 3, known, dtype=np.uint64)
    asked = np.concatenate(
        [rng.integers(0, spread, 300, dtype=np.uint64, endpoint=True), rng.choice(high, min(known, 300))]
    )
    asked = np.sort(np.append(asked, np.array([0, 2**64 - 1], np.uint64)))
    asked_low = rng.integers(0, 3, len(asked), dtype=np.uint64)
    found = np.zeros(len(asked), np.bool_)
    kernels.mark_known(asked, asked_low, high, low, found)
    there = set(zip(high.tolist(), low.tolist(), strict=True))
    assert found.tolist() == [pair in there for pair in zip(asked.tolist(), asked_low.tolist(), strict=True)]
    assert known < 50 or found.any()


def test_the_first_of_equal_ids_stays() -> None:
    high = np.array([1, 1, 1, 1, 2, 3, 3], np.uint64)
    low = np.array([5, 6, 5, 6, 5, 5, 5], np.uint64)
    kept = without_repeated(Hashes(high, low, np.arange(7)))
    assert kept.rows.tolist() == [0, 1, 4, 5]
