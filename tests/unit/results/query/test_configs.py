"""Settings of trials that other programs wrote, or that nobody kept."""

import pytest
from small_sweep import Trial, finish, submit

from results.errors import QueryError
from results.figures.kind import Options
from results.figures.searches import searches
from results.query.configs import stages_of
from results.query.labels import settings
from results.query.sql import query
from results.query.tables import Tables
from results.store.layout import plan_name
from results.store.store import Store

FORMS = [None, "[]", "{", '"text"', "[1]", '[{"kind": "search"}]']


@pytest.mark.parametrize("config_json", FORMS)
def test_settings_in_no_known_form_are_none(config_json: str | None) -> None:
    assert stages_of(config_json) == []
    assert settings(config_json) == {}


@pytest.mark.parametrize("config_json", [*FORMS, '[{"kind": "search", "config": {}}]'])
def test_alphas_of_a_search_without_settings_have_no_names_and_no_figure(
    store: Store, config_json: str | None
) -> None:
    trial = Trial("fairdarts", 0)
    submit(store, "exp", 1, [])
    row = trial.row("exp", 1) | {"config_json": config_json}
    store.write_rows("trials", plan_name("exp", 1), [row])
    finish(store, trial, 97.0)
    tables = Tables(store)
    (named,) = query(tables, "SELECT count(operation) AS n FROM alphas").to_pylist()
    assert named == {"n": 0}
    with pytest.raises(QueryError, match="no search with known settings, so there is nothing"):
        searches(tables, Options())
