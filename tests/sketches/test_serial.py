"""Arrays to bytes and back: compressed where that repays, stored as they are where it does not."""

from __future__ import annotations

import numpy as np

from barograph.sketches.serial import pack, unpack


def test_what_compresses_is_compressed_and_what_does_not_takes_its_own_size() -> None:
    counts = np.zeros(50_000, np.int64)
    hashes = np.random.default_rng(1).integers(0, 2**63, 50_000, np.int64)
    small, large = (pack("example", 1, {}, {"x": array}) for array in (counts, hashes))
    assert len(small) < counts.nbytes / 100
    assert hashes.nbytes <= len(large) < 1.01 * hashes.nbytes
    for data, array in ((small, counts), (large, hashes)):
        np.testing.assert_array_equal(unpack(data, kind="example", version=1)[1]["x"], array)


def test_what_was_packed_is_not_compressed_again() -> None:
    rng = np.random.default_rng(2)
    inner = np.frombuffer(pack("inner", 1, {}, {"x": rng.integers(0, 50, 100_000)}), np.uint8)
    assert len(pack("outer", 1, {}, {"inner": inner})) > inner.nbytes
