import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from fairdarts.import_hook import when_imported


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules `leading` and `following`, which can be imported and are forgotten afterwards."""
    (tmp_path / "leading.py").write_text("loaded = True\n")
    (tmp_path / "following.py").write_text("from leading import loaded\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    for name in ("leading", "following"):
        monkeypatch.setitem(sys.modules, name, None)  # so that both are taken out at the end
        del sys.modules[name]


@pytest.mark.usefixtures("modules")
def test_follower_is_imported_after_a_module_that_is_not_imported_yet() -> None:
    when_imported("leading", "following")
    assert "leading" not in sys.modules
    import_module("leading")
    assert sys.modules["following"].loaded


@pytest.mark.usefixtures("modules")
def test_follower_is_imported_at_once_if_the_module_already_is() -> None:
    import_module("leading")
    when_imported("leading", "following")
    assert "following" in sys.modules


@pytest.mark.usefixtures("modules")
def test_asking_whether_the_module_exists_imports_nothing() -> None:
    when_imported("leading", "following")
    spec = find_spec("leading")
    assert spec is not None
    assert spec.origin is not None and spec.origin.endswith("leading.py")
    assert not {"leading", "following"} & sys.modules.keys()
    import_module("leading")
    assert "following" in sys.modules


@pytest.mark.usefixtures("modules")
def test_asking_twice_for_the_same_follower_is_asking_once() -> None:
    when_imported("leading", "following")
    when_imported("leading", "following")
    import_module("leading")
    assert "following" in sys.modules


@pytest.mark.usefixtures("modules")
def test_module_that_is_not_installed_is_still_not_found() -> None:
    when_imported("no_such_module", "following")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        import_module("no_such_module")
    assert "following" not in sys.modules
