"""Every setting of the method: frozen, checked when built, with its default and its source.

Defaults are the paper's FairDARTS search in S1 and its CIFAR-10 retraining. `fairdarts.presets` has
the changes of methods, spaces and recipes. Nothing here imports torch, because planning a sweep
must not load it.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fairdarts.config_base import NUM_SEEDS, NameIn
from fairdarts.config_base import Config as Config
from fairdarts.config_data import DataConfig as DataConfig
from fairdarts.config_sample import SampleConfig as SampleConfig
from fairdarts.cures import PERTURBATIONS, STOPPING_RULES
from fairdarts.presets import RECIPES
from fairdarts.spaces import S1, SKIP, SPACES, CellSpace, LayerSpace
from fairdarts.vocabulary import (
    DeriveRule,
    DropPathMode,
    Optimization,
    Precision,
    Relaxation,
    Stem,
    ZeroOneForm,
)

KERNEL_CHANNELS = (16, 32, 64, 128)
"""Channels of the cells that `fairdarts.kernels` computes: products of tiles want 16 or more, a
power of two; tiles of 256 would not fit."""
LARGEST_FACTOR = 1e20
"""Of learning rates and weight decays: optimisers refuse products that no 32-bit float can hold."""


class SearchConfig(Config):
    """One differentiable search (paper Sections 3.1, 4 and supplementary Section 3.1)."""

    space: Annotated[str, NameIn(SPACES)] = "s1"
    """`s1`: the DARTS cell with 7 candidates an edge (supplementary Section 2); `s1_no_skip`: the
    same without skip connections (paper Section 6.1); `s2`: 19 layers with 7 candidates each
    (supplementary Section 2); `s2_identity_skip`: the same without skips that change the shape."""
    relaxation: Relaxation = "sigmoid"
    """`sigmoid`: independent gates (Eq. 6, FairDARTS); `softmax`: gates compete (Eq. 2, DARTS)."""
    zero_one_weight: float = Field(default=10.0, ge=0)
    """Weight w_{0-1} of the zero-one loss (Eq. 8); 0: without this loss."""
    zero_one_form: ZeroOneForm = "l2"
    """`l2`: the zero-one loss of Eq. 7; `l1`: the form of Eq. 9 for comparison, whose gradient has
    the same size at every gate."""
    optimization: Optimization = "bilevel"
    """`bilevel`: one half of the training images trains the weights and the other half the alphas,
    in turn (Eq. 4); `single_level`: all images train both together (supplementary Section 3.4)."""
    order: Literal[1, 2] = 1
    """1: the gradient of the alphas uses the current weights; 2: it uses the weights after one more
    step (DARTS, arXiv:1806.09055)."""
    perturbation: Annotated[str | None, NameIn(PERTURBATIONS)] = None
    """What disturbs the supernet while it trains; left out: nothing. `skip_noise`, `alpha_noise`:
    Gaussian noise on skip connections or alphas, which decays over the search (experiment 12);
    `skip_dropout`: dropout of skip connections (P-DARTS, arXiv:1904.12760); `drop_path`: of any
    operation (RobustDARTS, arXiv:1909.09656)."""
    perturbation_strength: float = Field(default=1.0, ge=0)
    """Standard deviation of a perturbation's noise, or its probability of dropping an output."""
    stopping: Annotated[str | None, NameIn(STOPPING_RULES)] = None
    """A rule that may end the search before its last epoch; left out: none. `two_skips`: when the
    normal cell would get two skip connections (DARTS+, arXiv:1909.06035); `eigenvalue`: when the
    largest eigenvalue of the alphas' Hessian grows too fast (RobustDARTS, arXiv:1909.09656)."""
    epochs: int = Field(default=50, ge=1, le=1_000_000)
    """Passes over the training images (if bilevel, over the half that trains the weights)."""
    batch_size: int = Field(default=128, ge=2)
    """Images in a step of the weights, and the same number in a step of the alphas."""
    micro_batches: int = Field(default=1, ge=1)
    """Number of parts in which a batch is computed, one after the other; their gradients are
    summed. This needs less memory. Results are those of the whole batch, except that batch norm
    sees one part at a time."""
    init_channels: int = Field(default=16, ge=1, le=10_000)
    """Channels C of the first cell (S1 only)."""
    num_cells: int = Field(default=8, ge=3, le=1_000)
    """Cells in the supernet; the reduction cells are at a third and two thirds (S1 only)."""
    width: float = Field(default=1.0, gt=0, le=4)
    """Factor of all channels; below 1 it gives a smaller proxy (S2 only)."""
    num_layers: int = 19
    """Layers of the supernet: 19, or for a smaller proxy 15, 11 or 6, with at most 3, 2 or 1 layers
    of each stage (S2 only)."""
    weight_lr: float = Field(default=0.005, gt=0, le=LARGEST_FACTOR)
    """Learning rate of the supernet's weights in the first epoch; it falls along a cosine."""
    weight_lr_min: float = Field(default=0.001, ge=0)
    """Learning rate of the supernet's weights at the end of the cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of the supernet's weights (SGD)."""
    weight_decay: float = Field(default=3e-4, ge=0, le=LARGEST_FACTOR)
    """Weight decay of the supernet's weights."""
    grad_clip: float = Field(default=5.0, gt=0)
    """Largest norm of the gradient of the supernet's weights."""
    alpha_lr: float = Field(default=3e-3, gt=0, le=LARGEST_FACTOR)
    """Learning rate of the alphas (Adam)."""
    alpha_weight_decay: float = Field(default=1e-3, ge=0, le=LARGEST_FACTOR)
    """Weight decay of the alphas; it pulls gates towards 0.5."""
    alpha_beta1: float = Field(default=0.9, ge=0, lt=1)
    """Adam's beta1 for the alphas; its beta2 is 0.999."""
    alpha_init_std: float = Field(default=0.0, ge=0)
    """Standard deviation of the alphas at the start, around 0; 0 starts every gate at 0.5."""
    channels_last: bool = True
    """Memory format NHWC of images and weights. It changes rounding, so it is in a trial's key."""
    precision: Precision = "float32"
    """Precision of convolutions and matrix products: `tf32` rounds their factors (CUDA only),
    `bfloat16` computes under autocast. Weights, alphas and losses stay float32."""
    recompute: bool = False
    """Keep only the inputs of cells (S1) or choices (S2) for the gradient, and compute the rest
    again: the same numbers with a quarter of the memory or less, in 1.5 times the time
    (docs/performance.md)."""
    cuda_graph: bool | None = None
    """Whether to replay the search step as one CUDA graph; left out: wherever that is possible,
    which is on CUDA without a perturbation."""
    kernels: bool | None = None
    """Whether a GPU computes mixed operations with the package's own kernels (S1 only); left out:
    wherever that is possible; false: torch computes everything, as on a CPU."""
    seed: int = Field(default=0, ge=0, lt=NUM_SEEDS)
    """Seed of the search: initial weights and alphas, order and augmentation of the images."""

    def is_captured(self, device_type: str) -> bool:
        """Whether a step on such a device is replayed as a CUDA graph."""
        wanted = self.perturbation is None if self.cuda_graph is None else self.cuda_graph
        return wanted and device_type == "cuda"

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
        self._check_space()
        if self.kernels:
            self._check_kernels()
        if 2 * self.micro_batches > self.batch_size:
            raise ValueError(
                f"micro_batches (={self.micro_batches}) must leave two images or more in each part "
                f"of a batch of {self.batch_size}: batch norm needs two."
            )
        if self.optimization == "single_level" and (self.order == 2 or self.stopping):
            setting = "order 2" if self.order == 2 else f"stopping = {self.stopping}"
            raise ValueError(f"{setting} needs optimization = bilevel: it uses both halves.")
        if self.order == 2 and (self.precision != "float32" or self.perturbation):
            raise ValueError(
                "order 2 needs precision = float32 and no perturbation: it computes a small "
                "difference of two gradients."
            )
        if self.order == 2 and self.micro_batches > 1:
            raise ValueError("order 2 needs micro_batches = 1: it computes whole batches.")
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
                    f"{setting} cannot be used with a perturbation: the perturbation would draw "
                    "other random numbers the second time."
                )
        return self

    def _check_kernels(self) -> None:
        """What is known without a device; `fairdarts.kernels.engine` knows the rest."""
        space = SPACES[self.space]
        fault = None
        if not isinstance(space, CellSpace) or {*space.operations, SKIP} != {*S1.operations}:
            fault = f"they compute the candidates of space = {S1.name} alone"
        elif not self.channels_last:
            fault = "they need channels_last = true"
        elif not {factor * self.init_channels for factor in (1, 2, 4)} <= {*KERNEL_CHANNELS}:
            fault = f"they compute cells of {', '.join(map(str, KERNEL_CHANNELS))} channels alone"
        if fault is not None:
            raise ValueError(
                f"kernels = true cannot be used with these settings: {fault}. Without it, kernels "
                "are used where they can be."
            )

    def _check_space(self) -> None:
        space = SPACES[self.space]
        own = _SIZE_SETTINGS[type(space)]
        for setting in (name for names in _SIZE_SETTINGS.values() for name in names):
            value = getattr(self, setting)
            if setting not in own and value != type(self).model_fields[setting].default:
                raise ValueError(
                    f"{setting} (={value}) is not a setting of space = {self.space}, which has "
                    f"{' and '.join(own)} instead."
                )
        if isinstance(space, LayerSpace):
            space.layers(self.num_layers)  # raises if there is no such depth
        has_skips = isinstance(space, LayerSpace) or SKIP in space.operations
        for setting, registry in (("perturbation", PERTURBATIONS), ("stopping", STOPPING_RULES)):
            name = getattr(self, setting)
            if name is None:
                continue
            if registry[name].needs_skips and not has_skips:
                raise ValueError(f"{name} needs skip connections: {self.space} has none.")
            if registry[name].needs_cells and not isinstance(space, CellSpace):
                raise ValueError(
                    f"{setting} = {name} needs a space of cells and not {self.space}: it looks at "
                    "the normal cell."
                )


_SIZE_SETTINGS: dict[type, tuple[str, ...]] = {
    CellSpace: ("init_channels", "num_cells"),
    LayerSpace: ("width", "num_layers"),
}
"""Settings of `SearchConfig` that only one kind of space has."""


class DeriveConfig(Config):
    """How a genotype is derived from the final alphas."""

    rule: DeriveRule = "threshold"
    """`threshold`: the two edges of each node with the highest gates, one operation each;
    `threshold_edge`: up to two operations on every edge (in S2: a layer); `darts`: as `threshold`,
    without a threshold."""
    op_threshold: float = Field(default=0.85, gt=0, lt=1)
    """Lowest gate that is kept (paper Section 5.1); the `darts` rule does not use it."""

    @property
    def threshold(self) -> float | None:
        """`op_threshold`; None by the rule `darts`, which has no threshold."""
        return None if self.rule == "darts" else self.op_threshold


class RetrainConfig(Config):
    """Training a derived network from scratch (paper Section 5.1, recipe of DARTS)."""

    recipe: Annotated[str, NameIn(RECIPES)] = "cifar-600"
    """Named set of settings for the retraining (docs/sweeps.md); tables show beside the name which
    settings differ from it."""
    stem: Stem = "cifar"
    """What comes before the cells: `cifar` keeps the size of the image, `imagenet` halves it three
    times (S1 only)."""
    init_channels: int = Field(default=36, ge=1, le=10_000)
    """Channels C of the first cell (S1 only)."""
    num_cells: int = Field(default=20, ge=3, le=1_000)
    """Cells of the network; the reduction cells are at a third and two thirds (S1 only)."""
    width: float = Field(default=1.0, gt=0, le=4)
    """Factor of all channels (S2 only)."""
    squeeze_excite: bool = False
    """Whether the blocks have squeeze-and-excitation (S2 only)."""
    activation: Literal["relu6", "swish"] = "relu6"
    """Activation of the blocks (S2 only)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of dropping a feature before the classifier (S2 only)."""
    epochs: int = Field(default=600, ge=1, le=1_000_000)
    """Passes over the training images."""
    batch_size: int = Field(default=96, ge=2)
    """Images in a step."""
    optimizer: Literal["sgd", "rmsprop"] = "sgd"
    """`sgd`: SGD with momentum; `rmsprop`: as in TensorFlow, with decay 0.9 and epsilon 1e-3."""
    lr: float = Field(default=0.025, gt=0, le=LARGEST_FACTOR)
    """Learning rate at the start of the schedule."""
    lr_schedule: Literal["cosine", "exponential"] = "cosine"
    """`cosine`: from `lr` to 0; `exponential`: multiplied by 0.97 after every `lr_decay_epochs`."""
    lr_decay_epochs: float = Field(default=1.0, gt=0)
    """Epochs between two steps of the exponential schedule."""
    warmup_epochs: int = Field(default=0, ge=0)
    """Epochs before the schedule in which the learning rate grows linearly from near 0."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of the optimizer."""
    weight_decay: float = Field(default=3e-4, ge=0, le=LARGEST_FACTOR)
    """Weight decay of the weights."""
    decay_norms: bool = True
    """Whether weight decay applies to batch norm and to biases too."""
    grad_clip: float = Field(default=5.0, ge=0)
    """Largest norm of the gradient; 0: no limit."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target probability that is spread evenly over all classes."""
    auxiliary_weight: float = Field(default=0.4, ge=0)
    """Weight of the auxiliary head's loss; 0: without a head (S1 only)."""
    cutout: int = Field(default=16, ge=0)
    """Side in pixels of the square that cutout erases; 0: no cutout."""
    color_jitter: bool = False
    """Whether brightness, contrast, saturation and hue are changed by up to 0.4, 0.4, 0.4 and 0.2;
    needs `data.augmentation = resized_crop`."""
    auto_augment: bool = False
    """Whether images are changed by AutoAugment's policy for ImageNet (arXiv:1805.09501); needs
    `data.augmentation = resized_crop`."""
    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Final drop-path probability; it grows linearly from 0."""
    drop_path_mode: DropPathMode = "node"
    """What drop path drops: `node`: the sum of a node (official FairDARTS code); `edge`: single
    operations (DARTS) (S1 only)."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Decay per step of the moving average of the weights. Accuracy is measured with the average;
    0: with the weights themselves."""
    num_validation: int = Field(default=0, ge=0)
    """Training images that are held out to choose an epoch, spread evenly over the classes."""
    channels_last: bool = True
    """Memory format NHWC of images and weights. It changes rounding, so it is in a trial's key."""
    precision: Precision = "float32"
    """Precision of convolutions and matrix products: `tf32` (CUDA only) and `bfloat16` are faster
    on a GPU and round differently."""
    compile: bool = False
    """Whether torch compiles the network: this takes minutes at the start and rounds
    differently."""
    cuda_graph: bool | None = None
    """Whether to replay the training step as one CUDA graph; left out: wherever that is possible,
    which is on CUDA unless the network is compiled."""
    seed: int = Field(default=0, ge=0, lt=NUM_SEEDS)
    """Seed of the training: initial weights, order and augmentation of the images."""

    def is_captured(self, device_type: str) -> bool:
        """Whether a step on such a device is replayed as a CUDA graph."""
        wanted = not self.compile if self.cuda_graph is None else self.cuda_graph
        return wanted and device_type == "cuda"

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        if self.cuda_graph and self.compile:
            raise ValueError(
                "cuda_graph cannot be used with compile: torch may compile again at any step, "
                "which cannot be recorded."
            )
        if self.stem == "imagenet" and self.init_channels < 2:
            raise ValueError("init_channels (=1) must be 2 or more for the ImageNet stem.")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs (={self.warmup_epochs}) must be below epochs (={self.epochs})."
            )
        return self
