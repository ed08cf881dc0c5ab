"""A question about some stages opens no files of others."""

from pathlib import Path

import pytest
from small_sweep import Trial, finish, submit

from results.errors import DamagedFile
from results.query.sql import query
from results.query.tables import Tables
from results.store.layout import live_name
from results.store.manifest import SealedStage
from results.store.seal import seal
from results.store.store import Store

# Only where something is sealed: else there are few files.

ASKED, OTHER, SEALED = (Trial("fairdarts", seed) for seed in range(3))
OF_ONE = (
    f"FROM epochs WHERE stage_key = '{ASKED.search_key}'",
    f"SELECT epoch, max(gate) FROM alphas WHERE stage_key = '{ASKED.search_key}' "
    "GROUP BY epoch ORDER BY epoch",
    "WITH own AS (FROM alphas WHERE operation = 'skip_connect') "
    f"SELECT count(*) FROM own JOIN trials ON stage_key = search_key "
    f"WHERE stage_key = '{ASKED.search_key}' AND epoch > 0",
)
OF_MORE = (
    "FROM epochs",
    f"FROM epochs WHERE stage_key = '{ASKED.search_key}' OR epoch = 0",
    f"FROM epochs WHERE stage_key <> '{ASKED.search_key}'",
    f"FROM alphas WHERE stage_key IN ('{ASKED.search_key}', '{OTHER.search_key}')",
    f"FROM epochs AS a JOIN epochs AS b USING (epoch) WHERE a.stage_key = '{ASKED.search_key}'",
)


@pytest.fixture
def three(store: Store) -> Store:
    submit(store, "exp", 1, [ASKED, OTHER, SEALED])
    finish(store, SEALED, 95.0)
    finish(store, ASKED, 97.0)
    finish(store, OTHER, 96.0)
    seal(store, {SEALED.search_key: SealedStage("search", 1)})
    return store


def damage(store: Store) -> Path:
    path = store.live_path("epochs", live_name(OTHER.search_key, 1))
    path.write_bytes(path.read_bytes()[:-1])
    return path


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("sql", OF_ONE)
def test_a_question_about_one_search_does_not_read_another(
    three: Store, sql: str, sealed: bool
) -> None:
    before = query(Tables(three), sql)
    assert before.num_rows
    if sealed:
        seal(three, {ASKED.search_key: SealedStage("search", 1)})
    damage(three)
    assert query(Tables(three), sql) == before


@pytest.mark.parametrize("sql", OF_MORE)
def test_a_question_about_more_reads_all_that_it_asks_for(three: Store, sql: str) -> None:
    damage(three)
    with pytest.raises(DamagedFile, match=OTHER.search_key):
        query(Tables(three), sql)


def test_a_question_that_no_stage_answers_has_no_rows(three: Store) -> None:
    assert query(Tables(three), "FROM alphas WHERE stage_key = '0123456789abcdef'").num_rows == 0
