"""Object detection with a network of S2 as the backbone of RetinaNet (paper Section 5.4, Table 4).

    python examples/detection.py                        # a few steps on generated boxes, CPU
    python examples/detection.py --coco IMAGES ANNOTATIONS.json --size 800 --steps 90000

The second command needs `pip install pycocotools`. Give it trained weights (`--weights`, a file
from `fairdarts arch export`): without them training on COCO takes far longer than in the paper.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.transforms import v2

import fairdarts.timm_models  # noqa: F401 - registers the networks with timm

PYRAMID_CHANNELS = 256
Batch = tuple[list[Tensor], list[dict[str, Tensor]]]
"""Images, (3, H, W) in 0..1, and for each `boxes`, (N, 4) as x1 y1 x2 y2, and `labels`, (N,)."""


class PyramidBackbone(nn.Module):
    """Features at strides 8, 16 and 32, and the pyramid of strides 8 to 128 that RetinaNet
    reads."""

    def __init__(self, arch: str, weights: Path | None) -> None:
        super().__init__()
        self.features = timm.create_model(
            "fairdarts_s2", arch=arch, features_only=True, out_indices=(2, 3, 4)
        )
        if weights is not None:
            missing, _ = self.features.model.load_state_dict(load_file(weights), strict=False)
            if missing:  # More weights than these features have are fine, fewer are not.
                raise SystemExit(f"{weights} has no {missing[0]}: is it for another architecture?")
        channels = self.features.feature_info.channels()
        self.pyramid = FeaturePyramidNetwork(
            channels, PYRAMID_CHANNELS, LastLevelP6P7(PYRAMID_CHANNELS, PYRAMID_CHANNELS)
        )
        self.out_channels = PYRAMID_CHANNELS

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) to the five levels of the pyramid."""
        levels = dict(zip("345", self.features(images), strict=True))
        pyramid: dict[str, Tensor] = self.pyramid(levels)
        return pyramid


def detector(arch: str, num_classes: int, size: int, weights: Path | None) -> RetinaNet:
    """RetinaNet over the pyramid; images are resized to `size` pixels on their short side."""
    octaves = [2 ** (step / 3) for step in range(3)]
    sizes = tuple(
        tuple(int(side * octave) for octave in octaves) for side in (32, 64, 128, 256, 512)
    )
    anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return RetinaNet(
        PyramidBackbone(arch, weights),
        num_classes,
        min_size=size,
        max_size=size * 5 // 3,
        anchor_generator=anchors,
    )


def generated_batches(batch_size: int, size: int, num_classes: int) -> Iterator[Batch]:
    """Images of noise with one or two rectangles; the colour of a rectangle tells its class."""
    chance = torch.Generator().manual_seed(0)
    colours = torch.rand(num_classes, 3, generator=chance)
    while True:
        images, targets = [], []
        for _ in range(batch_size):
            image = 0.2 * torch.rand(3, size, size, generator=chance)
            count = int(torch.randint(1, 3, (), generator=chance))
            sides = torch.randint(size // 4, size // 2, (count, 2), generator=chance)
            corners = (torch.rand(count, 2, generator=chance) * (size - sides)).long()
            boxes = torch.cat([corners, corners + sides], dim=1)
            labels = torch.randint(num_classes, (count,), generator=chance)
            for (left, top, right, bottom), label in zip(boxes.tolist(), labels, strict=True):
                image[:, top:bottom, left:right] = colours[label][:, None, None]
            images.append(image)
            targets.append({"boxes": boxes.float(), "labels": labels})
        yield images, targets


def coco_batches(images: Path, annotations: Path, batch_size: int) -> Iterator[Batch]:
    """Pass after pass over COCO, mirrored at random; images without a box are left out."""
    transforms = v2.Compose(
        [v2.ToImage(), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)]
    )
    dataset = wrap_dataset_for_transforms_v2(
        CocoDetection(images, str(annotations), transforms=transforms),
        target_keys=("boxes", "labels"),
    )
    loader = DataLoader(
        dataset, batch_size, shuffle=True, num_workers=2, collate_fn=lambda pairs: pairs
    )
    for pairs in itertools.chain.from_iterable(itertools.repeat(loader)):
        kept = [(image, target) for image, target in pairs if len(target.get("boxes", ()))]
        if kept:
            yield [image for image, _ in kept], [target for _, target in kept]


def main() -> None:
    """Train for some steps and print the losses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--arch", default=" ".join(["E3K3"] * 19), help="a word for every layer")
    parser.add_argument("--weights", type=Path, help="of the backbone, a .safetensors file")
    parser.add_argument("--coco", type=Path, nargs=2, metavar=("IMAGES", "ANNOTATIONS"))
    parser.add_argument("--size", type=int, default=128, help="short side of an image, in pixels")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.01)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    num_classes = 91 if arguments.coco else 3
    model = detector(arguments.arch, num_classes, arguments.size, arguments.weights)
    model.to(device).train()
    if arguments.coco:
        batches = coco_batches(*arguments.coco, arguments.batch_size)
    else:
        batches = generated_batches(arguments.batch_size, arguments.size, num_classes)
    optimizer = torch.optim.SGD(model.parameters(), arguments.lr, momentum=0.9, weight_decay=1e-4)
    for step, (images, targets) in enumerate(itertools.islice(batches, arguments.steps)):
        losses = model(
            [image.to(device) for image in images],
            [{name: value.to(device) for name, value in target.items()} for target in targets],
        )
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        print(f"step {step} " + " ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))


if __name__ == "__main__":
    main()
