"""Random numbers as functions of where they are used, so that no generator has to be saved.

Every random draw comes from a generator seeded by (seed, what, epoch or step). A run resumed at any
epoch therefore draws the same numbers as a run without interruption.
"""

import hashlib
import random

import numpy as np
import torch


def mix_seed(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part and on their order."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(device: torch.device | str, *parts: int | str) -> torch.Generator:
    """A generator on `device`, seeded by `parts`."""
    return torch.Generator(device).manual_seed(mix_seed(*parts))


def seed_everything(*parts: int | str) -> None:
    """Seed the global generators of Python, NumPy and torch (all devices) by `parts`."""
    seed = mix_seed(*parts)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
