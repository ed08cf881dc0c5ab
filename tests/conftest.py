import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Tiny tensors gain nothing from threads, and the order of sums stays the same everywhere."""
    torch.set_num_threads(1)
