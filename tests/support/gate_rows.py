"""Searches with gates that move, of any space, for figures of gates."""

import json

import numpy as np
from small_sweep import Trial, attempt

from results.query.dominance import dominant
from results.query.positions import positions
from results.store.layout import live_name
from results.store.store import Store

STEP = 0.35
"""How far an alpha goes in an epoch."""


def searched(
    label: str, seed: int, space: str = "s1", relaxation: str = "sigmoid", **settings: object
) -> Trial:
    """A trial whose search has these settings."""
    num_layers = 19 if space.startswith("s2") else None
    search = {"space": space, "relaxation": relaxation, "num_layers": num_layers, **settings}
    return Trial(label, seed, settings=tuple(search.items()))


def write_gates(store: Store, trial: Trial, num_epochs: int) -> None:
    """Epochs of the trial's search, as the search itself would count them."""
    search = dict(trial.settings)
    places = positions(str(search["space"]), search["num_layers"])
    sizes = [[place.operation for place in places].count(name) for name in ("skip", "skip_connect")]
    is_skip = np.array([place.operation in ("skip", "skip_connect") for place in places])
    assert any(sizes) == is_skip.any()
    random = np.random.default_rng(int(trial.search_key[:8], 16))
    drift = random.normal(0, STEP, len(places)) + 0.2 * is_skip
    alphas = drift * np.arange(1, num_epochs + 1)[:, None]
    alphas += random.normal(0, 0.1, alphas.shape).cumsum(axis=0)
    gates = 1 / (1 + np.exp(-alphas))
    if search["relaxation"] == "softmax":
        edges = np.array([hash((place.cell, place.edge)) for place in places])
        powers = np.exp(0.3 * alphas)
        for edge in set(edges):
            gates[:, edges == edge] = powers[:, edges == edge]
            gates[:, edges == edge] /= powers[:, edges == edge].sum(axis=1, keepdims=True)
    found = dominant(gates, places, str(search["relaxation"]))
    rows = [
        {
            "stage_key": trial.search_key,
            "kind": "search",
            "epoch": epoch,
            "wall_s": 1.0,
            "alphas": alphas[epoch].tolist(),
            "gates": gates[epoch].tolist(),
            "num_dominant": int(found[epoch].sum()),
            "num_dominant_skip": int((found[epoch] & is_skip).sum()),
        }
        for epoch in range(num_epochs)
    ]
    store.write_rows("epochs", live_name(trial.search_key, 1), rows)
    attempt(store, trial.search_key, "search", "ok")
    _write_genotype(store, trial, places, gates[-1])


def _write_genotype(store: Store, trial: Trial, places: list, gates: np.ndarray) -> None:  # type: ignore[type-arg]
    """What is above 0.9, so that there is something to mark."""
    chosen = [place for place, gate in zip(places, gates, strict=True) if gate > 0.9]
    genotype: dict[str, list[object]] = {"normal": [], "reduce": []}
    for place in chosen:
        if place.destination is not None:
            edge = {"op": place.operation, "from": place.source, "to": place.destination}
            genotype[place.cell].append(edge)
    if places[0].destination is None:
        layers = [
            "+".join(p.operation for p in chosen if p.edge == layer) or "none"
            for layer in range(19)
        ]
        genotype = {"layers": list(layers)}
    row = {
        "stage_key": trial.genotype_key,
        "kind": "derive",
        "search_key": trial.search_key,
        "valid": True,
        "genotype_json": json.dumps(genotype),
    }
    store.write_rows("genotypes", live_name(trial.genotype_key, 1), [row])
