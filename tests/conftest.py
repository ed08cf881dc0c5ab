import os

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Tiny tensors gain nothing from threads, and the order of sums stays the same everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept of data sets stays out of the user's cache, subprocesses included."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--device cpu` tries the tests for a GPU themselves where there is none.

    The others are for `make chaos`.
    """
    parser.addoption("--device", default="cuda", help="of the tests marked `gpu`: cuda or cpu")
    parser.addoption("--kills", type=int, default=100, help="of processes, in tests/chaos")
    parser.addoption("--raylets", type=int, default=10, help="to kill, in tests/chaos")
    parser.addoption("--pairs", type=int, default=50, help="of drivers at once, in tests/chaos")
    parser.addoption("--seed", type=int, help="of all chance in tests/chaos; default: the time")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """The device of the tests marked `gpu`; without it they are skipped."""
    device = torch.device(request.config.getoption("--device"))
    if device.type == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return device


@pytest.fixture(scope="session")
def cuda(device: torch.device) -> torch.device:
    """That device if it is a GPU, for what nothing else can do."""
    if device.type != "cuda":
        pytest.skip("needs a CUDA device, whatever --device says")
    return device
