import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from results.store.blocks import CheckedFile, block_sums

READS = 2000


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_that_ask_for_the_size_do_not_disturb_those_that_read(tmp_path: Path) -> None:
    content = Random(14).randbytes(300_000)
    (tmp_path / "file").write_bytes(content)
    file = pa.PythonFile(CheckedFile(tmp_path / "file", len(content), block_sums(content)), "r")
    wrong = []

    def ask() -> None:
        wrong.extend(size for _ in range(READS) if (size := file.size()) != len(content))

    def read(start: int) -> None:
        wanted = content[start : start + 100]
        wrong.extend(start for _ in range(READS) if file.read_at(100, start) != wanted)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads += [threading.Thread(target=read, args=(start,)) for start in (0, 70_000, 200_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
