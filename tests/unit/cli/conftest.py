import pytest


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine anything may take long; what a command says then is tested by itself."""
    for module in ("cli.progress", "cli.images"):
        monkeypatch.setattr(f"{module}.PATIENCE_S", 600.0)
