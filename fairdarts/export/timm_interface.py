"""The interface of timm's models, as far as it is the same for S1 and S2.

Shapes: B batch, C channels, H W space, K classes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from timm.layers.classifier import create_classifier
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.errors import ConfigError
from fairdarts.training.recompute import recomputed


class Stage(NamedTuple):
    """The last output of one size in a network."""

    output: int
    """Its number."""
    channels: int
    reduction: int
    """How many pixels of the image, in height and width, one of its pixels stands for."""
    module: str
    """Name of the module whose output it is."""


class TimmInterface(nn.Module):
    """A mixin for networks that are chains of steps, each with an output."""

    outputs: Callable[[Tensor, float], Iterator[Tensor]]
    """Given by the network: from images and drop-path probability to the output of each step."""
    global_pool: SelectAdaptivePool2d
    classifier: nn.Module
    grad_checkpointing = False

    def set_up(
        self,
        stages: Sequence[Stage],
        num_features: int,
        *,
        in_chans: int,
        num_classes: int,
        global_pool: str,
        drop_rate: float,
        drop_path_rate: float,
    ) -> None:
        """Take what timm gives every model, and build pooling and classifier.

        Args:
            stages: In the order of their outputs.
            num_features: Channels of `forward_features`.
            in_chans: Channels of an image.
            num_classes: K; 0: no classifier.
            global_pool: See `reset_classifier`.
            drop_rate: Dropout before the classifier.
            drop_path_rate: Probability of dropping a path.
        """
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        self.num_features = num_features
        self.stage_ends = [stage.output for stage in stages]
        self.feature_info: list[dict[str, Any]] = [
            {"num_chs": stage.channels, "reduction": stage.reduction, "module": stage.module}
            for stage in stages
        ]
        self.reset_classifier(num_classes, global_pool)

    def keep_outputs(self, number: int) -> None:
        """Drop the steps after the first `number`."""
        raise NotImplementedError

    def finish(self, x: Tensor) -> Tensor:
        """From the output of the last step to what is pooled; a network may add to this."""
        return x

    def compute(self, step: nn.Module, *inputs: Any) -> Tensor:
        """Output of one step; with checkpointing only its inputs are kept for the gradient."""
        output: Tensor = (
            recomputed(step, *inputs, draws=True) if self.grad_checkpointing else step(*inputs)
        )
        return output

    def forward_features(self, x: Tensor) -> Tensor:
        """From images to the features that are pooled, (B, num_features, H', W')."""
        for features in self.outputs(x, self.drop_path_rate):
            x = features
        return self.finish(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_chans, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """From the output of `forward_features` to logits, or to the input of the classifier."""
        pooled: Tensor = F.dropout(self.global_pool(x), self.drop_rate, self.training)
        return pooled if pre_logits else self.classifier(pooled)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """From images to the features that are pooled, and to the last output of each size.

        Args:
            x: Images.
            indices: Which sizes: this many of the last ones, or positions in `feature_info`;
                None: all.
            norm: Without effect, because there is no norm after the last step.
            stop_early: Leave out the steps after the last one asked for; the first result is then
                its output.
            output_fmt: Only `NCHW` is allowed.
            intermediates_only: Return only the list.
        """
        if output_fmt != "NCHW":
            raise ConfigError(f"output_fmt (={output_fmt!r}) must be 'NCHW'.")
        ends = [self.stage_ends[position] for position in self._positions(indices)]
        last = max(ends) if stop_early else self.stage_ends[-1]
        intermediates = []
        for index, features in enumerate(islice(self.outputs(x, self.drop_path_rate), last + 1)):
            x = features
            if index in ends:
                intermediates.append(features)
        if intermediates_only:
            return intermediates
        return (self.finish(x) if last == self.stage_ends[-1] else x), intermediates

    def prune_intermediate_layers(
        self,
        indices: int | Sequence[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Drop the steps after the last one asked for, and the classifier with them.

        Args:
            indices: As in `forward_intermediates`; afterwards give it the positions returned here.
            prune_norm: Without effect.
            prune_head: Drop the classifier even if all steps stay.
        Returns:
            The positions of `indices` in `feature_info`.
        """
        positions = self._positions(indices)
        last = max(positions)
        if prune_head or last < len(self.stage_ends) - 1:
            self.keep_outputs(self.stage_ends[last] + 1)
            self.num_features = self.feature_info[last]["num_chs"]
            self.reset_classifier(0, "")
        return positions

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute each step again in the backward pass instead of remembering it."""
        self.grad_checkpointing = enable

    def get_classifier(self) -> nn.Module:
        """The linear layer, or an identity if there is none."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a new one, or for 0 classes by an identity; None: same
        pooling."""
        if global_pool is None:
            global_pool = self.global_pool.pool_type
        self.num_classes = num_classes
        pooling, classifier = create_classifier(self.num_features, num_classes, global_pool)
        self.global_pool = pooling.train(self.training)
        self.classifier = classifier.to(next(self.parameters())).train(self.training)
        self.head_hidden_size = self.num_features * pooling.feat_mult()

    def _positions(self, indices: int | Sequence[int] | None) -> list[int]:
        stages = range(len(self.stage_ends))
        if indices is None:
            return list(stages)
        if isinstance(indices, int):
            indices = range(-indices, 0)
        return [stages[index] for index in indices]
