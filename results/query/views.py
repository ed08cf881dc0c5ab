"""The tables that people query: those of the store, resolved, two that are computed from them, and
the numbers that the paper prints.

Resolved means: of each stage only the rows of its highest attempt, and of each sweep only the
trials of its newest submission. `attempts` has every attempt, because lost ones cost time, too.
"""

from results.schema import (
    ATTEMPTS,
    BOOL,
    EPOCHS,
    F32,
    F64,
    GENOTYPES,
    I16,
    RETRAINS,
    STR,
    TRIALS,
    Column,
    Table,
)

FROM_GENOTYPES = (
    "genotype_json",
    "num_skips_normal",
    "num_skips_reduce",
    "num_edges_normal",
    "num_edges_reduce",
    "margin_normal",
    "margin_reduce",
    "stable_epochs",
    "num_blocks",
    "num_removed_layers",
    "num_skips_layers",
    "margin_layers",
)
FROM_RETRAINS = (
    "test_top1_pct",
    "best_test_top1_pct",
    "best_epoch",
    "val_test_top1_pct",
    "val_epoch",
    "params",
    "params_with_auxiliary",
    "multadds",
    "image_size",
    "init_channels",
    "num_cells",
    "trained_as",
)
"""Columns of these tables that the row of a trial gets."""

OUTCOMES = Table(
    "outcomes",
    ("sweep", "trial_id"),
    (
        *TRIALS.columns,
        *(GENOTYPES.column(name) for name in FROM_GENOTYPES),
        *(RETRAINS.column(name) for name in FROM_RETRAINS),
        Column("search_s", F64, "sum of the durations of the search's epochs", "s"),
        Column(
            "retrain_s",
            F64,
            "sum of the durations of the retraining's epochs; null if its rows are copied from "
            "`trained_as`, so that a sum counts every training once",
            "s",
        ),
        Column(
            "num_damaged",
            ATTEMPTS.column("num_damaged").type,
            "damaged images left out by the stage that left out most; null: none is left out",
        ),
        Column("outcome", STR, "ok, invalid, failed or unfinished"),
        Column("failure_kind", STR, "as in `attempts`; null: not failed"),
        Column("reason", STR, "why the trial is invalid or failed"),
    ),
)

ALL_ATTEMPTS = Table(
    ATTEMPTS.name,
    ATTEMPTS.key,
    (*ATTEMPTS.columns, Column("newest", BOOL, "true: the highest attempt of its stage")),
)

ALPHAS = Table(
    "alphas",
    ("stage_key", "epoch", "cell", "edge", "operation"),
    (
        EPOCHS.column("stage_key"),
        EPOCHS.column("epoch"),
        Column("cell", STR, "normal or reduce; in S2 `layers`"),
        Column("edge", I16, "number of the edge in its cell, from 0; in S2 of the layer"),
        Column("source", I16, "node where the edge begins; 0 and 1 are inputs; null in S2"),
        Column("destination", I16, "node where the edge ends; null in S2"),
        Column("operation", STR, "candidate operation; in S2 the choice of a layer"),
        Column("position", I16, "index in the lists of `epochs.alphas` and `gates`, from 0"),
        Column("alpha", F32, "architecture parameter, before the sigmoid or softmax"),
        Column("gate", F32, "factor of the operation in the forward pass"),
    ),
)

REFERENCE = Table(
    "reference",
    ("source", "label", "dataset"),
    (
        Column("source", STR, "where the paper (arXiv:1911.12126) prints it"),
        Column("label", STR, "what the paper calls it"),
        Column("method", STR, "the method here that it stands for; null: none does"),
        Column("space", STR, "search space here; null: another one"),
        Column("dataset", STR, "data set"),
        Column("test_top1_pct", F64, "test accuracy", "%"),
        Column("spread_pct", F64, "the ± printed beside it", "%"),
        Column("num_runs", I16, "runs that it is the mean of; null: not printed"),
        Column("runs", STR, "searches, samples, retrainings of one model, or a single model"),
        Column("params_m", F64, "parameters, in millions"),
        Column("params_spread_m", F64, "the ± printed beside them, in millions"),
        Column("multadds_m", F64, "multiply-adds, in millions"),
        Column("multadds_spread_m", F64, "the ± printed beside them, in millions"),
        Column("test_top5_pct", F64, "test accuracy, five guesses", "%"),
        Column("search_gpu_days", F64, "cost of the search", "d"),
        Column("convention", STR, "how it was counted, where that is known"),
    ),
)

OPS = Table(
    "ops",
    ("space", "num_layers", "position"),
    (
        Column("space", STR, "search space"),
        Column("num_layers", I16, "layers of the network searched; null: the space has cells"),
        *(
            ALPHAS.column(name)
            for name in ("position", "cell", "edge", "source", "destination", "operation")
        ),
    ),
)

VIEWS = {
    table.name: table
    for table in (
        TRIALS,
        OUTCOMES,
        ALL_ATTEMPTS,
        EPOCHS,
        ALPHAS,
        OPS,
        GENOTYPES,
        RETRAINS,
        REFERENCE,
    )
}
"""Every view by name, in the order in which a newcomer needs them."""
