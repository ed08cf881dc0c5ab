"""Architectures of S2 on the command line: shown, counted, drawn and derived from a store."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from in_process import exit_code

from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.spaces import S2
from results.store.layout import live_name, plan_name
from results.store.store import Store

SEARCH, DERIVE, TRIAL = (letter * 16 for letter in "abc")
WORDS = "E3K3+skip E6K5+E3K3 E3K3 E3K5+skip E6K3 skip E6K7 skip E3K3 E3K3+skip E6K7"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        return exit_code(*arguments), *capsys.readouterr()

    return run


def gates(**high: float) -> list[float]:
    """Gates of a proxy of 11 layers: 0.1 but for those of layer 1 that are named."""
    return [
        high.get(name, 0.1) if index == 1 else 0.1
        for index, names in enumerate(S2.choices(11))
        for name in names
    ]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A FairDARTS search in S2 of two epochs, and its genotype."""
    root = tmp_path / "store"
    results = Store.create(root)
    trial = {"sweep": "s", "submission": 1, "label": "x", "planned_at": datetime.now(UTC)}
    trial |= {"trial_id": TRIAL, "method": "fairdarts", "space": "s2"}
    trial |= {"search_key": SEARCH, "derive_key": DERIVE, "retrain_key": TRIAL}
    results.write_rows("trials", plan_name("s", 1), [trial])
    epochs = [
        {"stage_key": SEARCH, "kind": "search", "attempt": 1, "epoch": epoch, "gates": values}
        for epoch, values in enumerate([gates(E3K5=0.8), gates(E3K5=0.8, skip=0.77)])
    ]
    results.write_rows("epochs", live_name(SEARCH, 1), epochs)
    row = {"stage_key": DERIVE, "genotype_json": json.dumps({"layers": WORDS.split()})}
    results.write_rows("genotypes", live_name(DERIVE, 1), [row])
    return root


@pytest.mark.parametrize("given", ["words", "json", "file", DERIVE, TRIAL])
def test_a_genotype_may_be_given_in_every_way(
    given: str, run: Run, store: Path, tmp_path: Path
) -> None:
    genotype = LayerGenotype.from_text(WORDS)
    file = tmp_path / "mine.json"
    file.write_text(genotype.to_json())
    text = {"words": WORDS, "json": genotype.to_json(), "file": str(file)}.get(given, given)

    code, out, _ = run("arch", "show", text, "--format", "json", "--store", store)

    assert code == 0
    assert LayerGenotype.from_dict(json.loads(out)) == genotype


def test_show_prints_a_line_for_every_layer_and_the_cost(run: Run) -> None:
    code, out, _ = run("arch", "show", " ".join(["E6K7"] * 19))
    assert code == 0
    assert "layer  0 (16 -> 32, stride 2): E6K7" in out
    assert "5.09M params, 557.41M MultAdds at 224 x 224, 1000 classes." in out
    assert "layer  5 (80 -> 80): skip  (no block)" in run("arch", "show", WORDS)[1]


def test_show_says_why_no_network_can_be_built(run: Run) -> None:
    code, out, _ = run("arch", "show", " ".join(["skip"] * 6))
    assert code == 0
    assert "It builds no network: layer 0 changes the shape" in out


def test_count_is_at_any_scale(run: Run) -> None:
    uniform = " ".join(["E3K3"] * 19)
    _, paper, _ = run("arch", "count", uniform)
    small_scale = ("--width", 0.25, "--image-size", 32, "--num-classes", 10)
    _, small, _ = run("arch", "count", uniform, *small_scale)
    assert [line.split()[-1] for line in paper.splitlines()] == ["3,189,080", "247,129,856"]
    assert "head" not in small
    assert int(small.split()[1].replace(",", "")) < 300_000


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_draw_writes_a_picture(suffix: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"
    assert run("arch", "draw", WORDS, "-o", path)[0] == 0
    assert path.read_bytes().startswith(b"<?xml" if suffix == ".svg" else b"\x89PNG")


def test_derive_follows_the_presets_of_the_space(run: Run, store: Path) -> None:
    code, out, _ = run("derive", TRIAL, "--store", store)
    assert code == 0
    assert "rule threshold_edge 0.75" in out
    assert "layer  1 (32 -> 32): E3K5+skip" in out
    assert "layer  0 (16 -> 32, stride 2): none" in out
    assert "layers 0.67" in out
    assert "the last 1 of 2 epochs" in out
    derived = LayerGenotype.from_dict(json.loads(out.splitlines()[-1]))
    assert derived.layers[:2] == (("E3K3",), ("E3K5", "skip"))


def test_derive_takes_another_threshold_and_rule(run: Run, store: Path) -> None:
    _, out, _ = run("derive", SEARCH, "--store", store, "--threshold", 0.78)
    assert LayerGenotype.from_dict(json.loads(out.splitlines()[-1])).layers[1] == ("E3K5",)
    _, out, _ = run("derive", SEARCH, "--store", store, "--rule", "threshold", "--epoch", 0)
    assert LayerGenotype.from_dict(json.loads(out.splitlines()[-1])).layers[1] == ("E3K5",)
    _, out, _ = run("derive", SEARCH, "--store", store, "--rule", "darts")
    assert LayerGenotype.from_dict(json.loads(out.splitlines()[-1])).layers[3] == ("E3K3",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "E3K3 E4K4"], ["layers, not 2"]),
        (["show", '{"layers": ["E4K3", "skip", "skip", "skip", "skip", "skip"]}'], ["'E4K3'"]),
        (["count", WORDS, "--num-cells", "8"], ["--num-cells does not fit", "--width"]),
        (["count", "FairDARTS_a", "--width", "0.5"], ["--width does not fit", "--init-channels"]),
        (["draw", WORDS, "-o", "x.png", "--cell", "normal"], ["--cell does not fit"]),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_sentence(
    arguments: list[str], words: list[str], run: Run
) -> None:
    code, _, err = run("arch", *arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err
