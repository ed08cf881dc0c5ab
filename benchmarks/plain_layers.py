"""The supernet of S2 written the obvious way: plain layers of torch, a loop over the choices.

The oracle of the tests; it shares no operation with the product, not even the channel plan. Its
parameters and statistics stand in the same order as those of the product.
"""

import torch
from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.seeding import generator

PLANS = {
    6: [(16, 32, 2), (32, 40, 2), (40, 80, 2), (80, 96, 1), (96, 192, 2), (192, 320, 1)],
    11: [
        *((16, 32, 2), (32, 32, 1), (32, 40, 2), (40, 40, 1), (40, 80, 2), (80, 80, 1)),
        *((80, 96, 1), (96, 96, 1), (96, 192, 2), (192, 192, 1), (192, 320, 1)),
    ],
}
"""Number of layers to channels in, channels out and stride of each."""
CHOICES = [(3, 3), (3, 5), (3, 7), (6, 3), (6, 5), (6, 7)]
"""Expansion and kernel size; the skip comes last."""


def scaled(channels: int, width: float) -> int:
    """The nearest multiple of 8, halves up, and never a tenth too few."""
    exact = channels * width
    multiple = max(8, int(exact / 8 + 0.5) * 8)
    return multiple if multiple >= 0.9 * exact else multiple + 8


def plain_bottleneck(c_in: int, c_out: int, stride: int, expansion: int, kernel: int) -> nn.Module:
    """Inverted bottleneck without residual."""
    hidden = c_in * expansion
    expand = [nn.Conv2d(c_in, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()]
    return nn.Sequential(
        *(expand if expansion > 1 else []),
        nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU6(),
        nn.Conv2d(hidden, c_out, 1, bias=False),
        nn.BatchNorm2d(c_out),
    )


class PlainLayer(nn.Module):
    """All choices of one layer, summed by their gates (Eq. 5 and 6)."""

    def __init__(self, c_in: int, c_out: int, stride: int, width: float, projects: bool) -> None:
        super().__init__()
        changes_shape = c_in != c_out or stride == 2  # at width 1: widths leave the choices alone
        c_in, c_out = scaled(c_in, width), scaled(c_out, width)
        self.choices = nn.ModuleList(
            plain_bottleneck(c_in, c_out, stride, *choice) for choice in CHOICES
        )
        if not changes_shape:
            self.choices.append(nn.Identity())
        elif projects:
            projection = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.choices.append(nn.Sequential(projection, nn.BatchNorm2d(c_out)))

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:
        """(B, C, H, W) and gates (O,) to (B, C', H', W')."""
        terms = [gate * choice(x) for gate, choice in zip(gates, self.choices, strict=True)]
        return torch.stack(terms).sum(dim=0)


class PlainLayerSupernet(nn.Module):
    """Stem, mixed layers and head."""

    def __init__(self, config: SearchConfig, num_classes: int) -> None:
        super().__init__()
        self.relaxation = config.relaxation
        width, projects = config.width, config.space == "s2"
        stem, first, last, head = (scaled(channels, width) for channels in (32, 16, 320, 1280))
        layers = [PlainLayer(*sizes, width, projects) for sizes in PLANS[config.num_layers]]
        draw = generator("cpu", config.seed, "alphas")
        self.alphas = nn.ParameterDict(
            {
                f"layer_{i:02}": nn.Parameter(
                    config.alpha_init_std * torch.randn(len(layer.choices), generator=draw)
                )
                for i, layer in enumerate(layers)
            }
        )
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU6(),
            plain_bottleneck(stem, first, 1, 1, 3),
        )
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(
            nn.Conv2d(last, head, 1, bias=False), nn.BatchNorm2d(head), nn.ReLU6()
        )
        self.classifier = nn.Linear(head, num_classes)

    def gates(self) -> dict[str, Tensor]:
        """What each choice is multiplied by, layer by layer."""
        if self.relaxation == "sigmoid":
            return {name: 1 / (1 + (-alpha).exp()) for name, alpha in self.alphas.items()}
        return {name: alpha.exp() / alpha.exp().sum() for name, alpha in self.alphas.items()}

    def forward(self, images: Tensor, gates: dict[str, Tensor]) -> Tensor:
        """Images (B, 3, H, W) and the gates of all layers to logits (B, classes)."""
        x = self.stem(images)
        for index, layer in enumerate(self.layers):
            x = layer(x, gates[f"layer_{index:02}"])
        logits: Tensor = self.classifier(self.head(x).mean(dim=(2, 3)))
        return logits

    def architecture_parameters(self) -> list[nn.Parameter]:
        """The alphas of all layers."""
        return list(self.alphas.values())

    def weight_parameters(self) -> list[nn.Parameter]:
        """Every parameter that is no alpha."""
        alphas = {id(alpha) for alpha in self.alphas.values()}
        return [weight for weight in self.parameters() if id(weight) not in alphas]


def same_numbers(plain: nn.Module, fast: nn.Module) -> list[tuple[str, Tensor, Tensor]]:
    """Every parameter and running statistic of the product: its name, the plain one, and it."""
    ours, theirs = (
        [
            (name, tensor)
            for name, tensor in (*network.named_parameters(), *network.named_buffers())
            if not name.endswith("num_batches_tracked")
        ]
        for network in (plain, fast)
    )
    return [(name, one, other) for (_, one), (name, other) in zip(ours, theirs, strict=True)]
