import pytest
from command_process import start_python

CODE = """
import threading
from cli import progress
progress.PATIENCE_S = {patience_s}
with progress.working("reading the tables"):
    while progress.PATIENCE_S == 0 and threading.active_count() > 1:  # Until it is named.
        threading.Event().wait(0.01)
print("finished")
"""


@pytest.mark.parametrize(("patience_s", "errors"), [(0, "reading the tables ...\n"), (60, "")])
def test_work_is_named_on_stderr_once_it_takes_long(patience_s: float, errors: str) -> None:
    process = start_python(CODE.format(patience_s=patience_s))

    assert process.communicate(timeout=60) == ("finished\n", errors)
