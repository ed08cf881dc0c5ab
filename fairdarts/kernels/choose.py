"""One of several tensors, by a number that is known only when the kernel runs."""

# mypy: ignore-errors
# Triton compiles these functions; their arguments have no Python types.

import triton
import triton.language as tl


@triton.jit
def choose(pointers, index):
    """The pointer, or the number, at a place of a tuple."""
    chosen = pointers[0]
    for i in tl.static_range(1, len(pointers)):
        chosen = tl.where(index == i, pointers[i], chosen)
    return chosen
