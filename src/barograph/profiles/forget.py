"""Profiles without what they hold of one row by itself, where the events are not there any more to profile anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from barograph.profiles import kernels
from barograph.profiles.profiles import Profiles


def hash_of(id: str) -> np.uint64:
    """Return the hash by which samples and sketches of ids know an id that is a text.

    >>> int(hash_of("a")) == int(hash_of("a")), int(hash_of("a")) == int(hash_of("b"))
    (True, False)
    """
    data = np.frombuffer(id.encode(), np.uint8)
    out = np.empty(1, np.uint64)
    kernels.hash_texts(data, np.array([0, len(data)], np.int32), out)
    return np.uint64(out[0])


def holds(profiles: Profiles, hash: np.uint64) -> bool:
    """Return whether a sample, or a sketch of ids, knows this id."""
    known = [*(sample.hashes for sample in profiles.samples), *(distinct.hashes for distinct in profiles.ids)]
    return any(bool((hashes == hash).any()) for hashes in known)


def forget(profiles: Profiles, hash: np.uint64) -> Profiles:
    """Return the profiles without this id in samples and sketches of ids. What was counted of it stays counted."""
    samples, ids = [], []
    for sample in profiles.samples:
        kept = sample.hashes != hash
        samples.append(
            replace(sample, hashes=sample.hashes[kept], codes=sample.codes[kept], outputs=sample.outputs[kept])
        )
    for distinct in profiles.ids:
        kept = distinct.hashes != hash
        ids.append(replace(distinct, hashes=distinct.hashes[kept], counts=distinct.counts[kept]))
    return replace(profiles, samples=tuple(samples), ids=tuple(ids))
