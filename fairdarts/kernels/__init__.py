"""How a GPU computes the mixed operations: batched products, and kernels in Triton."""
