"""Figures of gates: they count as a search does, mark what was derived, average like with like."""

import json
import math
from pathlib import Path

import pytest
from gate_rows import searched, write_gates
from small_sweep import Trial, submit

from results.errors import QueryError
from results.figures.catalog import FIGURES, figure
from results.figures.kind import Options
from results.query.sql import query
from results.query.tables import Tables
from results.store.layout import live_name
from results.store.store import Store

HOSTILE = "$x_{1}$ <b>&\n\x1b[31m a label that goes on and on, far beyond the width of its panel"
GATES = ("dominant-skips", "dominant-ops", "alphas", "gates", "gate-histogram")


def sweep(store: Store, trials: dict[Trial, int]) -> Tables:
    """Searches, each with its number of epochs."""
    submit(store, "exp", 1, list(trials))
    for trial, num_epochs in trials.items():
        write_gates(store, trial, num_epochs)
    return Tables(store)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Every space, both kinds of gates, and labels that are hard to write."""
    store = Store.create(tmp_path_factory.mktemp("gates"))
    kinds = [("s1", "sigmoid"), ("s1_no_skip", "softmax"), ("s2", "softmax"), ("s2", "sigmoid")]
    trials = [
        searched(HOSTILE, seed, space, relaxation, zero_one_weight=1.0)
        for space, relaxation in kinds
        for seed in range(2)
    ]
    return sweep(store, dict.fromkeys(trials, 4))


def test_dominant_operations_add_up_to_what_the_search_counted(tables: Tables) -> None:
    rows = figure("dominant-ops").data(tables, Options())
    summed = rows.groupby(["group_number", "epoch"])["mean_num_dominant"].sum()
    counted = figure("dominant-skips").data(tables, Options())
    assert summed.tolist() == pytest.approx(
        counted.groupby(["group_number", "epoch"])["num_dominant"].mean().tolist()
    )
    skips = rows[rows["operation"].isin(["skip", "skip_connect"])]
    assert skips.groupby(["group_number", "epoch"])["mean_num_dominant"].sum().sum() == (
        pytest.approx(counted.groupby(["group_number", "epoch"])["num_dominant_skip"].mean().sum())
    )


@pytest.mark.parametrize("name", GATES)
def test_any_label_is_plain_text_in_a_figure(tables: Tables, name: str) -> None:
    options = Options(edge="normal 0-2" if name == "alphas" else None)
    rows = FIGURES[name].data(tables, options)
    svg = FIGURES[name].picture(rows, options, "svg").decode()
    assert "$x_{1}$" in svg.replace("&lt;", "<")
    assert "\x1b" not in svg
    assert "<b>" not in svg


def test_gates_are_named_by_edge_and_averaged_over_seeds(tables: Tables) -> None:
    rows = figure("alphas").data(tables, Options(edge="normal 0-2"))
    stored = query(
        tables,
        "SELECT avg(gate) AS mean, min(gate) AS low, max(gate) AS high FROM alphas JOIN trials "
        "ON stage_key = search_key WHERE space = 's1' AND cell = 'normal' AND epoch = 3 "
        "AND operation = 'skip_connect' AND source = 0 AND destination = 2 AND search_key IN "
        "(SELECT stage_key FROM epochs WHERE len(gates) = 196)",
    ).to_pylist()[0]
    row = rows[(rows["operation"] == "skip_connect") & (rows["epoch"] == 3)].iloc[0]
    assert [row["mean_gate"], row["min_gate"], row["max_gate"]] == pytest.approx(
        list(stored.values())
    )
    assert set(rows["edge"]) == {"normal 0-2"}


def test_an_edge_that_no_search_has_is_refused_with_those_that_there_are(tables: Tables) -> None:
    with pytest.raises(QueryError, match=r"must be one of 'normal 0-2'.*'reduce 4-5'.*'18'"):
        figure("alphas").data(tables, Options(edge="normal 2-0"))


def test_a_layer_is_an_edge(tables: Tables) -> None:
    rows = figure("alphas").data(tables, Options(edge="Layer 7"))
    assert set(rows["edge"]) == {"7"}


def test_what_was_derived_is_marked_in_the_heatmap(tables: Tables) -> None:
    rows = figure("gates").data(tables, Options())
    assert rows.groupby("group_number").size().tolist() == [196, 168, 133, 133]
    assert set(rows["epoch"]) == {3}
    assert ((rows["derived"] == "kept") == (rows["gate"] > 0.9)).all()


def test_a_pruned_operation_is_marked_as_such(store: Store) -> None:
    trial = searched("fairdarts", 0)
    sweep(store, {trial: 2})
    kept, pruned = ({"op": "sep_conv_3x3", "from": source, "to": 5} for source in (0, 3))
    row = {
        "stage_key": trial.genotype_key,
        "genotype_json": json.dumps({"normal": [kept], "reduce": []}),
        "raw_genotype_json": json.dumps({"normal": [kept, pruned], "reduce": []}),
    }
    store.write_rows("genotypes", live_name(trial.genotype_key, 2), [row])
    rows = figure("gates").data(Tables(store), Options())
    marked = rows[rows["derived"] != ""]
    assert dict(zip(marked["edge"], marked["derived"], strict=True)) == {
        "normal 0-5": "kept",
        "normal 3-5": "pruned",
    }


def test_a_mean_does_not_jump_where_a_run_ended(store: Store) -> None:
    tables = sweep(store, {searched("fairdarts", seed): n for seed, n in enumerate((8, 8, 8, 2))})
    rows = figure("dominant-ops").data(tables, Options())
    assert set(rows["num_searches"]) == {3}
    assert set(rows["num_begun"]) == {4}
    assert rows["epoch"].max() == 7
    skips = figure("dominant-skips").data(tables, Options())
    assert skips.groupby("search_key")["averaged"].all().sum() == 3


def test_weights_are_compared_at_the_same_epoch(store: Store) -> None:
    trials = {
        searched(f"fairdarts search.zero_one_weight={weight}", seed, zero_one_weight=weight): 6
        for weight in (0.0, 10.0)
        for seed in range(2)
    }
    running = searched("fairdarts search.zero_one_weight=5", 0, zero_one_weight=5.0)
    tables = sweep(store, {**trials, running: 1})
    rows = figure("dominance-by-weight").data(tables, Options())
    assert rows["zero_one_weight"].tolist() == [0, 0, 10, 10]
    assert set(rows["series"]) == {"fairdarts"}
    assert set(rows["epoch"]) == {5}


def test_shares_of_a_histogram_add_up(tables: Tables) -> None:
    rows = figure("gate-histogram").data(tables, Options())
    assert rows.groupby("group_number")["share_pct"].sum().tolist() == pytest.approx([100] * 4)
    assert rows.groupby("group_number")["num_gates"].sum().tolist() == [392, 336, 266, 266]


@pytest.mark.parametrize("name", GATES)
def test_a_search_that_diverged_keeps_no_figure_from_being_drawn(store: Store, name: str) -> None:
    fine = searched("darts", 0, "s1", "softmax")
    diverged = searched("noisy", 0, "s1", "softmax")
    tables = sweep(store, {fine: 3, diverged: 1})
    rows = store.read("epochs", [diverged.search_key]).to_pylist()
    nans = {"gates": [math.nan] * 196, "alphas": [math.nan] * 196}
    store.write_rows("epochs", live_name(diverged.search_key, 1), [rows[0] | nans])
    options = Options(edge="normal 0-2" if name == "alphas" else None)
    rows = FIGURES[name].data(tables, options)
    assert b"darts" in FIGURES[name].picture(rows, options, "svg")
    if name == "gate-histogram":
        assert set(rows["group_label"]) == {"darts"}


def test_the_zero_one_loss_is_that_of_the_search(tmp_path: Path) -> None:
    import torch

    from fairdarts.search.loss import zero_one_loss

    rows = figure("zero-one-loss").data(Tables(Store(tmp_path)), Options())
    for form in ("l2", "l1"):
        of_form = rows[rows["form"] == form]
        gates = torch.tensor(of_form["gate"].tolist(), dtype=torch.float64, requires_grad=True)
        losses = torch.stack([zero_one_loss(gate, form) for gate in gates])  # type: ignore[arg-type]
        losses.sum().backward()
        assert of_form["loss"].tolist() == pytest.approx(losses.tolist())
        assert gates.grad is not None
        assert of_form["slope"].tolist() == pytest.approx(gates.grad.tolist())
