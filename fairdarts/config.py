"""Every setting of the method: frozen, checked when built, with its default and its source.

Defaults are the paper's FairDARTS search in S1 and its CIFAR-10 retraining. `fairdarts.presets`
has what methods, spaces and recipes change. Nothing here imports torch: sweeps are planned
without it.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fairdarts.errors import ConfigError
from fairdarts.presets import RECIPES
from fairdarts.search.stopping import STOPPING_RULES
from fairdarts.spaces import SKIP, SPACES, CellSpace, LayerSpace
from fairdarts.supernet.perturbation import PERTURBATIONS

DATA_SOURCES = "digits, cifar10, cifar100, imagenet, parquet:DIR or folder:DIR"


class Config(BaseModel):
    """A frozen group of settings that refuses unknown keys, wrong types and nonsense values."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def build(cls, values: dict[str, Any], where: str = "") -> Self:
        """Check `values` and build the group.

        Args:
            values: Field name to value.
            where: Prefix of the names in an error, such as "search".
        Raises:
            ConfigError: One sentence that names the setting, its value and what is allowed.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(_first_fault(cls, error, where)) from None


def _first_fault(cls: type[Config], error: ValidationError, where: str) -> str:
    fault = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in fault["loc"] if isinstance(part, str))
    full_name = ".".join(part for part in (where, name) if part)
    if fault["type"] == "extra_forbidden":
        return f"{full_name} is not a setting; allowed here: {', '.join(cls.model_fields)}."
    if fault["type"] == "value_error":
        return f"{where + ': ' if where else ''}{fault['ctx']['error']}"
    message = fault["msg"].removeprefix("Input ").rstrip(".")
    return f"{full_name} (={fault['input']!r}) {message}."


class DataConfig(Config):
    """Which images a trial uses."""

    source: str = "digits"
    """`digits` (embedded), `cifar10`, `cifar100`, `imagenet`, `parquet:DIR` or `folder:DIR`."""
    augmentation: Literal["crop", "resized_crop"] = "crop"
    """`crop`: images are kept decoded in memory, padded, cropped and mirrored (CIFAR);
    `resized_crop`: they are read anew for every batch, and a random part is resized (ImageNet)."""
    damaged: Literal["refuse", "skip"] = "refuse"
    """Whether an image that cannot be decoded ends the stage, or is named once and left out of its
    batches (`resized_crop` only)."""
    num_train: int | None = Field(default=None, ge=4)
    """Use only the first so many training images, spread evenly over the classes; None: all."""
    num_test: int | None = Field(default=None, ge=2)
    """Likewise for the test images."""
    num_classes: int | None = Field(default=None, ge=2)
    """Use only the images of the first so many classes; None: of all."""
    image_size: int | None = Field(default=None, ge=8, le=512, multiple_of=4)
    """Height and width in pixels, halved twice by the networks; None: as stored (digits: 32), or
    224 with `resized_crop`."""

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        kind, _, path = source.partition(":")
        named = source in ("digits", "cifar10", "cifar100", "imagenet")
        if not named and not (kind in ("parquet", "folder") and path):
            raise ValueError(f"source (={source!r}) is not a data set; allowed: {DATA_SOURCES}.")
        return source

    @model_validator(mode="after")
    def _source_fits(self) -> Self:
        if self.augmentation == "resized_crop":
            if self.source in ("digits", "cifar10", "cifar100"):
                raise ValueError(
                    f"augmentation = resized_crop reads images from files, and {self.source} has "
                    "none: use augmentation = crop, or another source."
                )
        elif self.damaged == "skip":
            raise ValueError(
                "damaged = skip needs augmentation = resized_crop: what lies in memory was decoded."
            )
        elif self.source == "imagenet" and self.image_size is None:
            raise ValueError(
                "source = imagenet needs augmentation = resized_crop, or an image_size at which "
                "all of it fits in memory."
            )
        return self


class SearchConfig(Config):
    """One differentiable search (paper Sections 3.1, 4 and supplementary Section 3.1)."""

    space: str = "s1"
    """`s1`: the DARTS cell with 7 candidates an edge (supplementary Section 2); `s1_no_skip`: the
    same without skip connections (paper Section 6.1); `s2`: 19 layers with 7 candidates each
    (supplementary Section 2); `s2_identity_skip`: the same without skips that change the shape."""
    relaxation: Literal["sigmoid", "softmax"] = "sigmoid"
    """`sigmoid`: independent gates (Eq. 6, FairDARTS); `softmax`: exclusive ones (Eq. 2, DARTS)."""
    zero_one_weight: float = Field(default=10.0, ge=0)
    """w_{0-1} of Eq. 8; 0 leaves the zero-one loss out."""
    zero_one_form: Literal["l2", "l1"] = "l2"
    """The loss of Eq. 7, or its control of Eq. 9, whose gradient is the same at every gate."""
    optimization: Literal["bilevel", "single_level"] = "bilevel"
    """`bilevel`: weights and alphas by a half of the training images each, in turn (Eq. 3 and 4);
    `single_level`: together, by all of them (supplementary Section 3.4)."""
    order: Literal[1, 2] = 1
    """2: the alphas' gradient looks one step of the weights ahead (DARTS, arXiv:1806.09055)."""
    perturbation: str | None = None
    """What disturbs the supernet, see `fairdarts.supernet.perturbation`."""
    perturbation_strength: float = Field(default=1.0, ge=0)
    stopping: str | None = None
    """What ends the search before its last epoch, see `fairdarts.search.stopping`."""
    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=128, ge=2)
    micro_batches: int = Field(default=1, ge=1)
    """Parts of a batch whose gradients are summed before a step: their share of the memory, and the
    numbers of the whole batch but for batch norm, which sees a part at a time."""
    init_channels: int = Field(default=16, ge=1)
    """C of the first cell; of S1 only, like `num_cells`."""
    num_cells: int = Field(default=8, ge=3)
    """Cells in the supernet; those at a third and two thirds are reduction cells."""
    width: float = Field(default=1.0, gt=0, le=4)
    """What all channels are multiplied by; of S2 only, like `num_layers`. Below 1: a proxy."""
    num_layers: int = 19
    """Layers of the supernet, 19, or 15, 11 or 6 for a proxy: at most 3, 2 or 1 of each stage."""
    weight_lr: float = Field(default=0.005, gt=0)
    weight_lr_min: float = Field(default=0.001, ge=0)
    """Learning rate of the supernet weights: cosine from `weight_lr` to `weight_lr_min`."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=3e-4, ge=0)
    grad_clip: float = Field(default=5.0, gt=0)
    alpha_lr: float = Field(default=3e-3, gt=0)
    alpha_weight_decay: float = Field(default=1e-3, ge=0)
    alpha_beta1: float = Field(default=0.9, ge=0, lt=1)
    alpha_init_std: float = Field(default=0.0, ge=0)
    """Alphas start at N(0, std^2); FairDARTS starts every gate at 0.5."""
    channels_last: bool = True
    """Memory format of images and weights; changes rounding, hence part of a trial's identity."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of convolutions and matrix products: `tf32` rounds their factors (CUDA only), `bfloat16`
    computes under autocast. Weights, alphas and losses stay float32."""
    recompute: bool = False
    """Keep only the inputs of cells (S1) or choices (S2) for the gradient and compute each of them
    a second time: the same numbers in a quarter of the memory or less, for half as much time again
    (docs/performance.md)."""
    cuda_graph: bool = False
    """Replay the search step as one CUDA graph (CUDA only)."""
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _lr_falls(self) -> Self:
        if self.weight_lr_min > self.weight_lr:
            raise ValueError(
                f"weight_lr_min (={self.weight_lr_min}) must not exceed weight_lr "
                f"(={self.weight_lr}): the schedule decays from one to the other."
            )
        return self

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        _check_name("space", self.space, SPACES)
        _check_name("stopping", self.stopping, STOPPING_RULES)
        _check_name("perturbation", self.perturbation, PERTURBATIONS)
        self._check_space()
        if 2 * self.micro_batches > self.batch_size:
            raise ValueError(
                f"micro_batches (={self.micro_batches}) must leave two images or more in each part "
                f"of a batch of {self.batch_size}: batch norm needs two."
            )
        if self.optimization == "single_level" and (self.order == 2 or self.stopping):
            setting = "order 2" if self.order == 2 else f"stopping = {self.stopping}"
            raise ValueError(f"{setting} needs optimization = bilevel: it looks at the other half.")
        if self.order == 2 and (self.precision != "float32" or self.perturbation):
            raise ValueError(
                "order 2 needs precision = float32 and no perturbation: it is a small difference "
                "of two gradients."
            )
        if self.order == 2 and self.micro_batches > 1:
            raise ValueError("order 2 needs micro_batches = 1: it looks ahead on whole batches.")
        if self.perturbation is None:
            if self.perturbation_strength != 1.0:
                raise ValueError(
                    f"perturbation_strength (={self.perturbation_strength}) needs a perturbation; "
                    f"allowed: {', '.join(PERTURBATIONS)}."
                )
            return self
        below = PERTURBATIONS[self.perturbation].strength_below
        if self.perturbation_strength >= below:
            raise ValueError(
                f"perturbation_strength (={self.perturbation_strength}) must be below {below:g} "
                f"for {self.perturbation}: it is a probability."
            )
        for setting in ("recompute", "cuda_graph"):
            if getattr(self, setting):
                raise ValueError(
                    f"{setting} cannot be used with a perturbation: it would not draw the same "
                    "numbers twice."
                )
        return self

    def _check_space(self) -> None:
        space = SPACES[self.space]
        own = _SIZE_SETTINGS[type(space)]
        for setting in (name for names in _SIZE_SETTINGS.values() for name in names):
            value = getattr(self, setting)
            if setting not in own and value != type(self).model_fields[setting].default:
                raise ValueError(
                    f"{setting} (={value}) is no setting of space = {self.space}, which has "
                    f"{' and '.join(own)} instead."
                )
        if isinstance(space, CellSpace) and SKIP not in space.operations:
            in_vain = [name for name, one in PERTURBATIONS.items() if one.needs_skips]
            for name in (self.perturbation, self.stopping):
                if name in (*in_vain, "two_skips"):
                    raise ValueError(f"{name} needs skip connections: {self.space} has none.")
        if isinstance(space, LayerSpace):
            space.layers(self.num_layers)  # raises if there is no such depth
            if self.stopping == "two_skips":
                raise ValueError(
                    f"stopping = two_skips needs a space of cells and not {self.space}: it counts "
                    "the skip connections of the normal cell."
                )


_SIZE_SETTINGS: dict[type, tuple[str, ...]] = {
    CellSpace: ("init_channels", "num_cells"),
    LayerSpace: ("width", "num_layers"),
}
"""Settings of `SearchConfig` that only one kind of space has."""


def _check_name(setting: str, name: str | None, registry: Mapping[str, object]) -> None:
    if name is not None and name not in registry:
        raise ValueError(
            f"{setting} (={name!r}) is not known; allowed: {', '.join(sorted(registry))}."
        )


class DeriveConfig(Config):
    """How a genotype is read off the final alphas."""

    rule: Literal["threshold", "threshold_edge", "darts"] = "threshold"
    """See `fairdarts.genotype.cell_genotype.derive`."""
    op_threshold: float = Field(default=0.85, gt=0, lt=1)
    """Lowest gate that survives (paper Section 5.1); unused by the `darts` rule."""


class SampleConfig(Config):
    """One random-sampling baseline (paper Section 6.3 and Table 3)."""

    space: Literal["s1"] = "s1"
    index: int = Field(default=0, ge=0)
    """Which of the distinct genotypes that `seed` draws, in order."""
    num_skips: int = Field(default=2, ge=0, le=8)
    """Skip connections in the normal cell, exactly (M)."""
    min_multadds_m: float | None = Field(default=None, ge=0)
    max_multadds_m: float | None = Field(default=None, gt=0)
    """Window of MultAdds in millions, at C = 36, 20 cells, 32 x 32, whatever the retrain scale."""
    seed: int = Field(default=0, ge=0, lt=2**31)


class RetrainConfig(Config):
    """Training a derived network from scratch (paper Section 5.1, recipe of DARTS)."""

    recipe: str = "cifar-600"
    """Name of the recipe; other fields that differ from it are shown beside the name."""
    stem: Literal["cifar", "imagenet"] = "cifar"
    """What stands before the cells: `imagenet` halves the image three times. Of S1 only, as are
    `init_channels`, `num_cells`, `auxiliary_weight` and `drop_path_mode`."""
    init_channels: int = Field(default=36, ge=1)
    num_cells: int = Field(default=20, ge=3)
    width: float = Field(default=1.0, gt=0, le=4)
    """What all channels are multiplied by; of S2 only, as are the three that follow."""
    squeeze_excite: bool = False
    activation: Literal["relu6", "swish"] = "relu6"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of dropping a feature before the classifier."""
    epochs: int = Field(default=600, ge=1)
    batch_size: int = Field(default=96, ge=2)
    optimizer: Literal["sgd", "rmsprop"] = "sgd"
    """`rmsprop` is that of TensorFlow, with decay 0.9 and epsilon 1e-3."""
    lr: float = Field(default=0.025, gt=0)
    lr_schedule: Literal["cosine", "exponential"] = "cosine"
    """`cosine`: from `lr` to 0; `exponential`: times 0.97 after every `lr_decay_epochs`."""
    lr_decay_epochs: float = Field(default=1.0, gt=0)
    warmup_epochs: int = Field(default=0, ge=0)
    """Epochs in which the learning rate grows linearly from 0, before the schedule."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=3e-4, ge=0)
    decay_norms: bool = True
    """Whether weight decay applies to batch norm and to biases."""
    grad_clip: float = Field(default=5.0, ge=0)
    """Largest norm of the gradient; 0: any."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    auxiliary_weight: float = Field(default=0.4, ge=0)
    """Weight of the auxiliary head's loss; 0 builds no head."""
    cutout: int = Field(default=16, ge=0)
    """Side of the square that cutout erases, in pixels; 0: none."""
    color_jitter: bool = False
    """Change brightness, contrast, saturation and hue by up to 0.4, 0.4, 0.4 and 0.2; stored images
    only (`data.augmentation = resized_crop`), as `auto_augment`."""
    auto_augment: bool = False
    """AutoAugment's policy for ImageNet (arXiv:1805.09501)."""
    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Final drop-path probability; it grows linearly from 0."""
    drop_path_mode: Literal["node", "edge"] = "node"
    """`node` drops a node's sum (official FairDARTS code); `edge` each operation (DARTS)."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Accuracy is that of an exponential moving average of the weights; 0: of the weights."""
    num_validation: int = Field(default=0, ge=0)
    """Training images held out to choose an epoch by, spread evenly over the classes."""
    channels_last: bool = True
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """As in a search: `tf32` and `bfloat16` are faster on a GPU and not bit for bit the same."""
    compile: bool = False
    """Whether torch compiles the network: minutes at the start, and other last bits."""
    seed: int = Field(default=0, ge=0, lt=2**31)

    @field_validator("recipe")
    @classmethod
    def _known_recipe(cls, recipe: str) -> str:
        _check_name("recipe", recipe, RECIPES)
        return recipe

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        if self.stem == "imagenet" and self.init_channels < 2:
            raise ValueError("init_channels (=1) must be 2 or more for the ImageNet stem.")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs (={self.warmup_epochs}) must be below epochs (={self.epochs})."
            )
        return self
