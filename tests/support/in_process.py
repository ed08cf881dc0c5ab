"""The `fairdarts` command in the process of the test."""

import pytest

from cli.app import main


def exit_code(*arguments: object) -> int:
    """Run the command with these arguments and return its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_:
        patch.setattr("sys.argv", ["fairdarts", *map(str, arguments)])
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code
