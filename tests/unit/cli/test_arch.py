"""Architectures on the command line: shown, counted, drawn, derived from a store, sampled."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from in_process import exit_code

from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.genotype.darts_notation import to_darts
from fairdarts.genotype.published import PUBLISHED, published
from fairdarts.spaces import CELL_KINDS, S1
from results.store.layout import live_name, plan_name
from results.store.store import Store

SEARCH, DERIVE, RETRAIN, SAMPLE, SAMPLED = (letter * 16 for letter in "abcde")
"""Keys of the stages of a searched trial, then those of a random one."""
OTHER = "0" * 16
NOW = datetime(2020, 1, 1, tzinfo=UTC)
ISOLATED = {
    "normal": [
        {"op": "sep_conv_3x3", "from": 0, "to": 2},
        {"op": "skip_connect", "from": 3, "to": 4},
        {"op": "max_pool_3x3", "from": 1, "to": 4},
    ],
    "reduce": [{"op": "skip_connect", "from": 0, "to": 2}],
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        return exit_code(*arguments), *capsys.readouterr()

    return run


def gates(*high: tuple[str, int, int, float]) -> list[float]:
    """Flat gates of both cells: those named, and 0.1 elsewhere."""
    named = {(op, src, dst): gate for op, src, dst, gate in high}
    cell = [named.get((op, *edge), 0.1) for edge in S1.edges for op in S1.operations]
    return cell * len(CELL_KINDS)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A search of four epochs, derived and being retrained, and a random genotype."""
    root = tmp_path / "store"
    results = Store.create(root)
    common: dict[str, Any] = {"sweep": "s", "submission": 1, "label": "x", "planned_at": NOW}
    searched = {"trial_id": RETRAIN, "method": "fairdarts", "search_key": SEARCH, "space": "s1"}
    searched |= {"derive_key": DERIVE, "retrain_key": RETRAIN}
    sampled = {"trial_id": SAMPLED, "method": "random", "sample_key": SAMPLE}
    rows = [common | searched, common | sampled | {"retrain_key": SAMPLED}]
    results.write_rows("trials", plan_name("s", 1), rows)
    first = gates(("skip_connect", 0, 2, 0.9))
    second = gates(("sep_conv_3x3", 0, 2, 0.9), ("dil_conv_5x5", 2, 4, 0.8))
    epochs = [
        {"stage_key": SEARCH, "kind": "search", "attempt": 1, "epoch": epoch, "gates": values}
        for epoch, values in reversed(list(enumerate([first, first, second, second])))
    ]
    results.write_rows("epochs", live_name(SEARCH, 1), epochs)
    for key in (DERIVE, SAMPLE):
        row = {"stage_key": key, "genotype_json": json.dumps(ISOLATED)}
        results.write_rows("genotypes", live_name(key, 1), [row])
    return root


def test_list_prints_our_counts_beside_the_printed_ones(run: Run) -> None:
    code, out, _ = run("arch", "list")

    assert code == 0
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert PUBLISHED.keys() <= rows.keys()
    assert rows["FairDARTS_a"][1:8] == ["2.36M", "2.84M", "2.83M", "h", "371.46M", "373M", "97.46"]
    assert rows["DARTS_V2"][1:7] == ["3.35M", "3.83M", "3.30M", "528.36M", "528M", "97.24"]
    assert rows["SNAS"][3:5] == ["2.80M", "?"]
    assert rows["random_m2_0"][3:7] == ["-", "431.92M", "-", "-"]


def test_show_prints_a_line_for_every_node(run: Run) -> None:
    code, out, _ = run("arch", "show", "FairDARTS_a")

    assert code == 0
    assert "node 0 = sep_conv_3x3(c_{k-2}) + sep_conv_5x5(c_{k-1})" in out
    assert "isolated: node 1" in out
    assert "c_k    = concat(node 0, node 2, node 3)" in out
    assert "2.36M params (2.84M with auxiliary head), 371.46M MultAdds" in out


def test_show_marks_what_reads_an_isolated_node(run: Run) -> None:
    _, out, _ = run("arch", "show", json.dumps(ISOLATED))
    assert "node 2 = max_pool_3x3(c_{k-1}) + [skip_connect(node 1)]" in out


def test_show_says_why_no_network_can_be_built(run: Run) -> None:
    code, out, _ = run("arch", "show", '{"normal": [], "reduce": []}')
    assert code == 0
    assert "builds no network: the normal cell has no live node" in out


WAYS = ["name", "file", "json", "darts", "file of darts", DERIVE, RETRAIN, SAMPLE, SAMPLED]


@pytest.mark.parametrize("given", WAYS)
def test_a_genotype_may_be_given_in_every_way(
    given: str, run: Run, store: Path, tmp_path: Path
) -> None:
    expected = Genotype.from_dict(ISOLATED)
    files = {"file": tmp_path / "mine.json", "file of darts": tmp_path / "my genotype"}
    files["file"].write_text(expected.to_json())
    files["file of darts"].write_text(f"genotype = {to_darts(expected)}\n")
    if given == "name":
        expected = published("FairDARTS_b").genotype
    texts = {name: str(file) for name, file in files.items()}
    texts |= {"name": "FairDARTS_b", "json": expected.to_json(), "darts": to_darts(expected)}
    text = texts.get(given, given)

    code, out, _ = run("arch", "show", text, "--format", "json", "--store", store)

    assert code == 0
    assert Genotype.from_json(out) == expected


def test_show_prints_the_notation_of_darts(run: Run) -> None:
    genotype = published("DARTS_V2").genotype
    assert run("arch", "show", "DARTS_V2", "--format", "darts")[1] == f"{to_darts(genotype)}\n"


def test_count_is_at_any_scale(run: Run) -> None:
    _, paper, _ = run("arch", "count", "FairDARTS_a")
    _, small, _ = run(
        *("arch", "count", "FairDARTS_a", "--init-channels", 4, "--num-cells", 3),
        *("--image-size", 16, "--num-classes", 2),
    )

    assert [line.split()[-1] for line in paper.splitlines()] == [
        "2,360,782",
        "2,837,208",
        "371,455,200",
    ]
    assert "too small" in small


@pytest.mark.parametrize("suffix", [".svg", ".png", ".PNG"])
def test_draw_writes_a_picture(suffix: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"

    assert run("arch", "draw", "FairDARTS_a", "-o", path, "--cell", "normal")[0] == 0

    start = b"<?xml" if suffix == ".svg" else b"\x89PNG"
    assert path.read_bytes().startswith(start)
    if suffix == ".svg":
        assert b"normal-node-3-isolated" in path.read_bytes()
        assert b"reduce-node" not in path.read_bytes()


@pytest.mark.parametrize("id_", [SEARCH, DERIVE, RETRAIN])
def test_derive_reads_a_stored_search(id_: str, run: Run, store: Path) -> None:
    before = sorted(path for path in store.rglob("*"))

    code, out, _ = run("derive", id_, "--store", store)

    assert code == 0
    edges = (Edge("sep_conv_3x3", 0, 2),)
    assert Genotype.from_json(out.splitlines()[-1]) == Genotype(edges, edges)
    assert f"search {SEARCH} (fairdarts), epoch 3, rule threshold 0.85" in out
    assert "normal 0.8, reduce 0.8" in out
    assert "the last 2 of 4 epochs" in out
    assert sorted(path for path in store.rglob("*")) == before


def test_derive_as_json_has_keys_rule_and_both_genotypes(run: Run, store: Path) -> None:
    _, out, _ = run("derive", RETRAIN, "--store", store, "--format", "json")
    derived = json.loads(out)
    assert (derived["search_key"], derived["epoch"], derived["stable_epochs"]) == (SEARCH, 3, 2)
    assert (derived["rule"], derived["op_threshold"]) == ("threshold", 0.85)
    assert derived["valid"] and derived["margins"]["normal"] == pytest.approx(0.8)
    assert derived["genotype"] == derived["raw_genotype"]
    _, out, _ = run("derive", RETRAIN, "--store", store, "--format", "json", "--rule", "darts")
    assert json.loads(out)["op_threshold"] is None


def test_derive_takes_another_rule_threshold_and_epoch(run: Run, store: Path) -> None:
    def derived(*arguments: object) -> tuple[str, Genotype]:
        code, out, _ = run("derive", SEARCH, "--store", store, *arguments)
        assert code == 0
        return out, Genotype.from_json(out.splitlines()[-1])

    out, genotype = derived("--epoch", 1)
    assert genotype.normal == (Edge("skip_connect", 0, 2),)
    assert "the last 2 of 2 epochs" in out
    _, genotype = derived("--threshold", 0.75)
    assert genotype.normal == (Edge("sep_conv_3x3", 0, 2), Edge("dil_conv_5x5", 2, 4))
    _, genotype = derived("--rule", "threshold_edge", "--threshold", 0.05)
    assert len(genotype.normal) == 28
    out, genotype = derived("--rule", "darts")
    assert len(genotype.normal) == 8
    assert "rule darts\n" in out
    out, genotype = derived("--threshold", 0.95)
    assert "builds no network" in out
    assert genotype == Genotype((), ())


def test_sample_prints_distinct_genotypes_with_their_counts(run: Run) -> None:
    arguments = ("sample", "--num-skips", 3, "--max-multadds", 400, "--count", 3)
    code, out, err = run(*arguments)

    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert len({json.dumps(line["genotype"]) for line in lines}) == 3
    for index, line in enumerate(lines):
        assert Genotype.from_dict(line["genotype"]).num_skips("normal") == 3
        assert (line["seed"], line["index"]) == (0, index)
        assert line["multadds"] <= 400e6
        assert line["params"] < line["params_with_auxiliary"]
    assert not err
    assert run(*arguments)[1] == out
    assert run(*arguments, "--seed", 1)[1] != out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["arch", "show", "FairDARTS_z"], ["FairDARTS_z", "closest"]),
        (["arch", "count", "missing.json"], ["missing.json"]),
        (["arch", "show", "x" * 5000], ["'xxx", "not a published genotype"]),
        (["arch", "show", f"Genotype({'x' * 5000})"], ["Genotype(...)", "normal_concat"]),
        (["arch", "show", "E3K3 " * 1000], ["not 1000"]),
        (["arch", "show", __file__], ["JSON, Genotype(...)"]),
        (["arch", "show", "E3K3 " * 6, "--format", "darts"], ["--format darts", "no cells"]),
        (["arch", "show", OTHER], [OTHER]),
        (["arch", "show", SEARCH], [SEARCH, "fairdarts derive"]),
        (["arch", "show", '{"normal": [{"op": "x", "from": 0, "to": 2}], "reduce": []}'], ["'x'"]),
        (["arch", "count", '{"normal": [], "reduce": []}'], ["no live node"]),
        (["arch", "count", "FairDARTS_a", "--image-size", "30"], ["30x30", "divisible by 4"]),
        (["arch", "draw", "FairDARTS_a", "-o", "x.gif"], ["x.gif", ".svg, .png or .pdf"]),
        (["arch", "show", "nosuch"], ["not a published genotype", "JSON", "an id", "a file"]),
        (
            ["arch", "export", "FairDARTS_a", "-o", "x.onnx", "--set", "retrain.width=2.0"],
            ["retrain.width (=2.0)", "layers (S2)"],
        ),
        (
            [
                "arch",
                "export",
                "FairDARTS_a",
                "-o",
                "x.onnx",
                "--set",
                "retrain.init_channels=9999",
            ],
            ["params takes", "GiB are free"],
        ),
        (["derive", "nonsense"], ["nonsense", "16 digits"]),
        (["derive", OTHER], [OTHER]),
        (
            ["derive", SEARCH, "--rule", "darts", "--threshold", "0.5"],
            ["--threshold (=0.5)"],
        ),
        (["derive", SAMPLED], [SAMPLED, "random"]),
        (["derive", SEARCH, "--threshold", "1.5"], ["error: --threshold (=1.5) should"]),
        (["derive", SEARCH, "--threshold", "0"], ["error: --threshold (=0.0) should"]),
        (["derive", SEARCH, "--rule", "best"], ["'best'", "threshold_edge"]),
        (["derive", SEARCH, "--epoch", "4"], ["--epoch (=4)", "0 to 3"]),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_bad_input_is_refused_in_one_sentence(
    arguments: list[str], words: list[str], run: Run, store: Path
) -> None:
    code, _, err = run(*arguments, "--store", store)

    assert code == 2
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--num-skips", "9"], ["--num-skips (=9)"]),
        (["--min-multadds", "-1"], ["--min-multadds (=-1.0)"]),
        (["--seed", "-1"], ["--seed (=-1)"]),
        (["--num-skips", "8", "--min-multadds", "900"], ["--min-multadds = 900", "280.8M"]),
    ],
)
def test_a_sample_that_cannot_be_is_refused(
    arguments: list[str], words: list[str], run: Run
) -> None:
    code, _, err = run("sample", *arguments)
    assert code == 2
    assert err.startswith("error: ")
    for word in words:
        assert word in err


def test_a_search_without_an_epoch_is_named(run: Run, store: Path) -> None:
    Store.open(store).live_path("epochs", live_name(SEARCH, 1)).unlink()
    code, _, err = run("derive", RETRAIN, "--store", store)
    assert code == 2
    assert SEARCH in err
