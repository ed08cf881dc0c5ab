import pytest

from orchestrate.errors import ClusterError
from orchestrate.running.cluster import session_folder


def test_a_place_for_ray_in_which_its_sockets_do_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + "x" * 60)

    with pytest.raises(ClusterError, match=r"RAY_TMPDIR .* bytes too long .* shorter name"):
        session_folder()
