"""Means over an epoch that stay on the device until the epoch is over."""

import torch
from torch import Tensor


class EpochMeter:
    """Sums of named per-image quantities; only reading them makes the host wait for the device."""

    def __init__(self, names: tuple[str, ...], device: torch.device) -> None:
        self.names = names
        self.sums = torch.zeros(len(names), dtype=torch.float64, device=device)
        self.num_images = 0

    def add(self, batch_size: int, *means: Tensor) -> None:
        """Add the means over one batch, scalars in the order of the names; the sums change."""
        self.sums += torch.stack([mean.detach().double() for mean in means]) * batch_size
        self.num_images += batch_size

    def means(self) -> dict[str, float]:
        """Mean per image of each quantity."""
        values = (self.sums / max(self.num_images, 1)).tolist()
        return dict(zip(self.names, values, strict=True))


def top1_pct(logits: Tensor, labels: Tensor) -> Tensor:
    """Percentage of images whose highest logit is at the label, a scalar in [0, 100]."""
    return 100 * (logits.argmax(dim=1) == labels).double().mean()
