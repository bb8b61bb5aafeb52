"""Seeds that depend on what is drawn, never on who draws it."""

import hashlib

import numpy as np


def stable_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that is a function of `parts` alone, the same in every process and release.

    Args:
        parts: what the draw is for, for instance (seed, "swap", epoch, sample).
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """Return a NumPy generator seeded by `parts` (see `stable_seed`)."""
    return np.random.default_rng(stable_seed(*parts))
