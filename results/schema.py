"""Every table and column of the store: Arrow type, unit, meaning.

Percentages run from 0 to 100 and end in `_pct`; times end in `_s`; counts start with `num_` where
that reads well; timestamps are UTC. NaN is a measured value (a loss that diverged); null means "not
measured". Within a major version, new columns are only added at the end of a table, so that
programs which read older files keep working.
"""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from results.version import SCHEMA_MAJOR, SCHEMA_MINOR

STR = pa.string()
BOOL = pa.bool_()
I16 = pa.int16()
I32 = pa.int32()
I64 = pa.int64()
F32 = pa.float32()
F64 = pa.float64()
VECTOR = pa.list_(F32)
CHANNELS = pa.list_(pa.float64())
TEXTS = pa.list_(pa.string())
TIME = pa.timestamp("us", tz="UTC")

UNIT = b"unit"
DESCRIPTION = b"description"
VERSION = b"fairdarts_schema"
"""Keys of Arrow metadata: the first two belong to a field, the third to a schema."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    type: pa.DataType
    description: str
    unit: str = "1"
    """`1` for a count, a ratio or text."""

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with unit and description in its metadata."""
        metadata = {UNIT: self.unit.encode(), DESCRIPTION: self.description.encode()}
        return pa.field(self.name, self.type, metadata=metadata)


@dataclass(frozen=True)
class Table:
    """One table: its key and its columns, in order."""

    name: str
    key: tuple[str, ...]
    """Columns that together identify a row."""
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: If there is none.
        """
        return {column.name: column for column in self.columns}[name]

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of this table's files."""
        version = f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}".encode()
        return pa.schema([column.field for column in self.columns], metadata={VERSION: version})


STAGE_KEY = Column("stage_key", STR, "hash of everything that can change the stage's result")

TRIALS = Table(
    "trials",
    ("sweep", "submission", "trial_id"),
    (
        Column("sweep", STR, "name of the sweep that planned the trial"),
        Column("submission", I32, "number of the submission, from 1"),
        Column("trial_id", STR, "key of the trial's last stage"),
        Column("label", STR, "name for people, with seeds"),
        Column("group_id", STR, "hash of the configuration without its seeds"),
        Column("group_label", STR, "name for people, without seeds"),
        Column("method", STR, "search method, or random or given where nothing was searched"),
        Column("space", STR, "search space"),
        Column("dataset", STR, "data set"),
        Column("recipe", STR, "retraining recipe; null: search only"),
        Column("zero_one_weight", F64, "weight of the zero-one loss; null: not searched"),
        Column("search_seed", I64, "seed of the search; null: not searched"),
        Column("sample_seed", I64, "seed of the sampler; null: not sampled"),
        Column(
            "sample_index",
            I64,
            "number of the genotype in the draws of that seed, from 0; null: not sampled",
        ),
        Column("retrain_seed", I64, "seed of the retraining; null: search only"),
        Column("search_key", STR, "key of the search stage; null: not searched"),
        Column("sample_key", STR, "key of the sample or given stage; null: searched"),
        Column("derive_key", STR, "key of the derive stage; null: not searched"),
        Column("retrain_key", STR, "key of the retrain stage; null: search only"),
        Column("config_json", STR, "the resolved configuration, as JSON"),
        Column("planned_at", TIME, "when the submission was made", "UTC"),
    ),
)

ATTEMPTS = Table(
    "attempts",
    ("stage_key", "attempt"),
    (
        STAGE_KEY,
        Column("attempt", I16, "number of the attempt, from 1"),
        Column("kind", STR, "search, sample, given, derive or retrain"),
        Column(
            "status",
            STR,
            "running, ok, failed, or lost: interrupted, stopped, its process died, or its disk was "
            "full",
        ),
        Column(
            "failure_kind",
            STR,
            "exception, oom, diverged, disk_full, bad_checkpoint, wrong_images (not there, or not "
            "those that were planned with), crash, stalled, or stopped (by a user, or because too "
            "many stages had failed)",
        ),
        Column("error_type", STR, "class of the error"),
        Column("error_message", STR, "text of the error, at most 2 kB, no control characters"),
        Column(
            "resumed_from_epoch",
            I32,
            "last epoch kept from earlier attempts; null: started from scratch",
        ),
        Column("bitwise", BOOL, "true: resumed with the same software and thread count as before"),
        Column("started_at", TIME, "start of the attempt", "UTC"),
        Column(
            "ended_at",
            TIME,
            "end of the attempt; if it is lost, its last sign of life; null: running",
            "UTC",
        ),
        Column("wall_s", F64, "duration of this attempt alone", "s"),
        Column("host", STR, "host name"),
        Column("pid", I64, "process id"),
        Column("device", STR, "device computed on"),
        Column("num_threads", I16, "CPU threads of torch"),
        Column("peak_memory_mib", F64, "peak memory of the device, or of the process", "MiB"),
        Column("versions_json", STR, "versions of python, torch, timm, ray, this package; commit"),
        Column(
            "num_damaged",
            I64,
            "damaged images left out, named in the attempt's log; null: none is left out "
            "(data.damaged = refuse)",
        ),
        Column(
            "num_gpus",
            F64,
            "GPUs reserved: 1, or the fraction of one that others may share; 0: computed on CPUs; "
            "null: not recorded (older version)",
        ),
        Column(
            "energy_j",
            F64,
            "energy of the GPU during the attempt, by its driver's counter, times num_gpus: of a "
            "shared GPU each attempt gets the part that it reserved, whatever it used of it; null: "
            "on CPUs, killed, or not counted by the driver",
            "J",
        ),
    ),
)

EPOCHS = Table(
    "epochs",
    ("stage_key", "epoch"),
    (
        STAGE_KEY,
        Column("kind", STR, "search or retrain"),
        Column("attempt", I16, "attempt that computed the row"),
        Column("epoch", I32, "epoch, from 0"),
        Column("train_loss", F64, "mean training loss", "nat"),
        Column("train_top1_pct", F64, "training accuracy", "%"),
        Column("arch_loss", F64, "search: cross-entropy on the half that trains alphas", "nat"),
        Column("arch_top1_pct", F64, "search: accuracy on the half that trains alphas", "%"),
        Column("zero_one_loss", F64, "search: zero-one loss, unweighted"),
        Column("test_loss", F64, "retrain: test loss", "nat"),
        Column("test_top1_pct", F64, "retrain: test accuracy", "%"),
        Column("lr", F64, "learning rate of the weights"),
        Column("wall_s", F64, "duration of the epoch", "s"),
        Column("images_per_s", F64, "training images a second", "1/s"),
        Column(
            "num_dominant",
            I16,
            "search: gates above 0.75; of softmax gates, those that would be selected; null: it "
            "diverged",
        ),
        Column("num_dominant_skip", I16, "search: skip connections among these"),
        Column(
            "alphas",
            VECTOR,
            "search: cell (normal, reduce) x edge x operation, or layer x choice, row-major",
        ),
        Column(
            "gates", VECTOR, "search: factors of the operations in the forward pass, same order"
        ),
        Column("written_at", TIME, "when the row was written", "UTC"),
        Column("stopping_value", F64, "search: what the stopping rule measured; null: no rule"),
        Column(
            "chosen_epoch",
            I32,
            "search: epoch whose alphas count, if a stopping rule ended it; else null",
        ),
        Column("val_loss", F64, "retrain: loss on held-out training images; null: none", "nat"),
        Column("val_top1_pct", F64, "retrain: accuracy on held-out training images", "%"),
    ),
)

GENOTYPES = Table(
    "genotypes",
    ("stage_key",),
    (
        STAGE_KEY,
        Column("kind", STR, "derive, sample or given"),
        Column("search_key", STR, "key of the search stage; null: not searched"),
        Column("rule", STR, "derivation rule; null: not derived"),
        Column("op_threshold", F64, "lowest gate that survives; null: the rule has none"),
        Column("genotype_json", STR, "genotype, pruned, as JSON"),
        Column("raw_genotype_json", STR, "genotype before pruning, as JSON"),
        Column("valid", BOOL, "true: a network can be built from it"),
        Column("invalid_reason", STR, "why no network can be built; null: valid"),
        Column("num_skips_normal", I16, "skip connections in the normal cell"),
        Column("num_skips_reduce", I16, "skip connections in the reduction cell"),
        Column("num_edges_normal", I16, "operations in the normal cell"),
        Column("num_edges_reduce", I16, "operations in the reduction cell"),
        Column("margin_normal", F64, "normal cell: lowest gate kept minus highest dropped"),
        Column("margin_reduce", F64, "reduction cell: lowest gate kept minus highest dropped"),
        Column("stable_epochs", I32, "number of final epochs that all gave this genotype"),
        Column("num_rejected", I64, "sample: draws thrown away before this one; null: none"),
        Column("epoch", I32, "derive: epoch whose alphas gave it, from 0"),
        Column("num_blocks", I16, "S2: inverted bottlenecks"),
        Column("num_removed_layers", I16, "S2: layers without one"),
        Column("num_skips_layers", I16, "S2: layers with a skip"),
        Column(
            "margin_layers", F64, "S2: smallest margin of any layer, defined like margin_normal"
        ),
    ),
)

RETRAINS = Table(
    "retrains",
    ("stage_key",),
    (
        STAGE_KEY,
        Column("derive_key", STR, "key of the stage with the genotype, of any kind that has one"),
        Column("drop_path_mode", STR, "what drop path drops: node (the sum of a node) or edge"),
        Column("epochs", I32, "epochs trained"),
        Column("test_top1_pct", F64, "test accuracy of the last epoch: the headline", "%"),
        Column("best_test_top1_pct", F64, "best test accuracy of any epoch: biased upwards", "%"),
        Column("best_epoch", I32, "epoch of the best test accuracy, from 0"),
        Column("params", I64, "parameters without the auxiliary head"),
        Column("params_with_auxiliary", I64, "parameters with the auxiliary head"),
        Column("multadds", I64, "multiply-adds of one image of `image_size`"),
        Column("image_size", I16, "height and width of an image", "px"),
        Column("init_channels", I16, "channels of the first cell; null: a network of S2"),
        Column("num_cells", I16, "cells; null: a network of S2"),
        Column("wall_s", F64, "sum of the durations of its epochs", "s"),
        Column("val_test_top1_pct", F64, "test accuracy of `val_epoch`; null: none held out", "%"),
        Column("val_epoch", I32, "epoch of the best accuracy on held-out training images, from 0"),
        Column(
            "trained_as",
            STR,
            "stage whose rows these copy: same genotype and settings; null: trained here",
        ),
        Column(
            "image_mean",
            CHANNELS,
            "mean of red, green, blue for normalising images; pixels in 0..1",
        ),
        Column("image_std", CHANNELS, "standard deviation of red, green, blue; pixels in 0..1"),
        Column("class_names", TEXTS, "names of the classes, in the order of the outputs"),
    ),
)

SCHEMA = {table.name: table for table in (TRIALS, ATTEMPTS, EPOCHS, GENOTYPES, RETRAINS)}
"""Every table by name."""
