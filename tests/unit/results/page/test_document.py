"""The report says what was asked, what came out, what is missing and why, of any sweep."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from golden_stores import STORES
from report_pages import page_of
from small_sweep import Trial, attempt, finish, finish_genotype, finish_search, submit

from results.page.given import Plan, TrialState
from results.store.manifest import SealedStage
from results.store.seal import seal
from results.store.store import Store

PARTS = ["asked", "answer", "figures", "architectures", "trials", "cost", "provenance", "reproduce"]
HOSTILE = """x"'><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"""
SEARCHED = [Trial("fairdarts", seed) for seed in range(2)]


def test_the_parts_are_in_the_order_in_which_a_lab_asks(example: Store) -> None:
    assert list(page_of(example).sections) == ["", *PARTS]


def test_it_counts_what_is_missing_and_says_why(example: Store) -> None:
    page = page_of(example, log=lambda kind, key, attempt, lines: [f"the end of {kind}"])
    assert "4 of 6 planned trials have a result; 1 failed (1 oom), 1 pending." in page.sections[""]
    asked = page.sections["asked"]
    assert "6 planned 4 ok 1 failed (1 oom) 1 pending" in asked
    assert "1 failed, such as fairdarts w=10 seed=3: oom in search, OutOfMemoryError" in asked
    assert "the end of search" in asked


def test_the_files_of_stages_say_which_trials_are_running_or_lost(example: Store) -> None:
    planned = [Trial("fairdarts w=10", seed).retrain_key for seed in range(5)]
    states = {
        planned[3]: TrialState("failed", "search: crash"),
        planned[4]: TrialState("running", "search, epoch 1/2, by node7 pid 42"),
    }
    asked = page_of(example, states=states).sections["asked"]
    assert "1 running" in asked
    assert "fairdarts w=10 seed=4 search, epoch 1/2, by node7 pid 42" in asked
    states[planned[4]] = TrialState("lost")
    assert (
        "1 lost, such as fairdarts w=10 seed=4: its process is gone"
        in page_of(example, states=states).sections["asked"]
    )


def test_it_answers_in_words_and_with_tests(store: Store) -> None:
    trials = [Trial(method, seed) for method in ("fairdarts", "darts") for seed in range(7)]
    submit(store, "exp", 1, trials)
    for trial, top1 in zip(
        trials, [97.0 + n / 10 for n in [*range(3, 10), *range(7)]], strict=True
    ):
        finish(store, trial, top1)
    answer = page_of(store).sections["answer"]
    assert "The highest mean is that of fairdarts: 97.60 ± 0.22 % (n = 7)." in answer
    assert "fairdarts is 0.30 points above darts, 95% interval +0.30 to +0.30, n = 7" in answer
    assert "distinguishable (p = 0.016)" in answer
    assert "Against darts" in answer


def test_every_trial_has_its_attempts_with_the_end_of_their_logs(example: Store) -> None:
    page = page_of(example, log=lambda kind, key, number, lines: [f"log of {kind} {key} {number}"])
    trial = Trial("fairdarts w=10", 0)
    assert {"id": f"trial-{trial.retrain_key}"} in page.all("tbody")
    assert f"log of retrain {trial.retrain_key} 1" in page.sections["trials"]
    assert f"search {trial.search_key}, attempt 1: ok" in page.sections["trials"]


def test_cost_counts_failed_and_lost_attempts_and_shared_stages_once(store: Store) -> None:
    twice = [Trial("fairdarts", 0, retrain_seed=n) for n in range(2)]
    submit(store, "exp", 1, [*twice, Trial("darts", 0)])
    for number, status in enumerate(("lost", "failed", "ok"), 1):
        attempt(
            store, twice[0].search_key, "search", status, number,
            wall_s=3600.0, num_gpus=0.5, energy_j=3.6e6,
        )  # fmt: skip
    cost = page_of(store).sections["cost"]
    assert "fairdarts 4 3 3.00 1.50 3.000 2.00" in cost
    assert "all, each stage once 7 3 3.00 1.50 3.000 2.00" in cost


def test_provenance_has_versions_machines_seeds_and_the_sweep_file(store: Store) -> None:
    submit(store, "exp", 1, SEARCHED)
    versions = '{"python": "3.11.7", "commit": "c0ffee-dirty"}'
    where = {"host": "node7", "device": "H100", "versions_json": versions}
    attempt(store, SEARCHED[0].search_key, "search", "ok", **where)
    plan = Plan("exp", 1, "2026-01-01", "fairdarts sweep run exp.toml", "seed = [0, 1]\n")
    page = page_of(store, plans=(plan,))
    for text in (
        "c0ffee-dirty",
        "uncommitted.diff",
        "node7 H100",
        "fairdarts 0, 1",
        "seed = [0, 1]",
    ):
        assert text in page.sections["provenance"]
    for text in ("git checkout c0ffee", "fairdarts sweep run exp.toml", "again"):
        assert text in page.sections["reproduce"]


def unfinished(store: Store) -> None:
    submit(store, "exp", 1, SEARCHED)


def only_failures(store: Store) -> None:
    submit(store, "exp", 1, SEARCHED)
    for trial in SEARCHED:
        attempt(store, trial.search_key, "search", "failed")


def one_seed(store: Store) -> None:
    submit(store, "exp", 1, SEARCHED[:1])
    finish(store, SEARCHED[0], 97.0)


def invalid(store: Store) -> None:
    submit(store, "exp", 1, SEARCHED[:1])
    finish_search(store, SEARCHED[0])
    finish_genotype(store, SEARCHED[0], invalid_reason="no gate reached 0.85")


def searches_only(store: Store) -> None:
    trials = [Trial("fairdarts", seed, recipe=None) for seed in range(2)]
    submit(store, "exp", 1, trials)
    for trial in trials:
        finish_search(store, trial)
        finish_genotype(store, trial)


def several_sweeps_that_share_trials(store: Store) -> None:
    for sweep in ("one", "two"):
        submit(store, sweep, 1, SEARCHED)
    finish(store, SEARCHED[0], 97.0)


def damaged_free_text(store: Store) -> None:
    submit(store, "exp", 1, [Trial("odd\x1b[2J`name", 0, dataset="a`b", recipe="`")])


def empty(store: Store) -> None:
    submit(store, "exp", 1, [])


@pytest.mark.parametrize(
    ("prepare", "verdict"),
    [
        (unfinished, "0 of 2 planned trials have a result; 2 pending."),
        (only_failures, "0 of 2 planned trials have a result; 2 failed (2 oom)."),
        (one_seed, "Finished."),
        (invalid, "0 of 1 planned trials have a result; 1 invalid."),
        (searches_only, "All 2 planned trials are finished."),
        (several_sweeps_that_share_trials, "2 of 4 planned trials have a result; 2 pending."),
        (damaged_free_text, "0 of 1 planned trials have a result; 1 pending."),
        (empty, "No trial was planned."),
    ],
)
def test_any_sweep_has_a_report(store: Store, prepare, verdict: str) -> None:  # type: ignore[no-untyped-def]
    prepare(store)
    page = page_of(store)
    assert verdict in page.sections[""]
    assert list(page.sections) == ["", *PARTS]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "nan" not in page.sections["answer"].lower().split()


@pytest.mark.parametrize("root", sorted(STORES.glob("*/*/")), ids=lambda path: str(path)[-10:])
def test_a_store_of_any_version_has_a_report(root: Path) -> None:
    assert "4 of 6 planned trials have a result" in page_of(Store.open(root)).sections[""]


def test_sealed_rows_give_the_same_page(tmp_path: Path) -> None:
    pages = []
    for name in ("live", "sealed"):
        store = Store.create(tmp_path / name)
        submit(store, "exp", 1, SEARCHED)
        finish(store, SEARCHED[0], 97.0)
        if name == "sealed":
            keys = (SEARCHED[0].search_key, SEARCHED[0].genotype_key, SEARCHED[0].retrain_key)
            kinds = ("search", "derive", "retrain")
            sealed = [SealedStage(kind, 1) for kind in kinds]
            seal(store, dict(zip(keys, sealed, strict=True)))
            assert not list(tmp_path.glob("sealed/live/epochs/*"))
        pages.append(page_of(store).html.replace(str(store.root), "STORE"))
    assert pages[0] == pages[1]


def test_names_and_messages_of_runs_are_text(store: Store) -> None:
    trials = [Trial(HOSTILE, 0, dataset=HOSTILE, recipe=HOSTILE), Trial("darts", 0)]
    submit(store, "exp", 1, trials)
    attempt(store, trials[0].search_key, "search", "lost", host=HOSTILE, device=HOSTILE)
    page = page_of(
        store,
        states={trials[0].retrain_key: TrialState("lost", HOSTILE)},
        activity=(HOSTILE,),
        plans=(Plan("exp", 1, "", HOSTILE, HOSTILE),),
        log=lambda *where: [HOSTILE, "</pre></script>"],
    )
    assert [name for name, _ in page.elements if name in ("script", "img", "style")] == [
        "style",
        "script",
    ]
    for part in ("", "asked", "answer", "trials", "provenance", "reproduce"):
        assert "<script>alert(1)</script>" in page.sections[part], part


def test_a_browser_may_load_nothing_and_run_only_its_own_script(example: Store) -> None:
    page = page_of(example)
    (policy,) = [
        one["content"]
        for one in page.all("meta")
        if one.get("http-equiv", "").startswith("Content")
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name in ("style", "script"):
        text = page.html.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "style") or name.startswith("on")
    ]
    assert addresses
    assert all(address.startswith(("#", "data:image/")) for address in addresses)


def test_a_page_of_a_running_sweep_loads_itself_again(example: Store) -> None:
    assert "refresh" not in str(page_of(example).all("meta"))
    refresh = page_of(example, refresh_s=15).all("meta")
    assert {"http-equiv": "refresh", "content": "15"} in refresh
