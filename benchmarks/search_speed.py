"""Time of one S1 search step against the plain baseline, and what each idea contributes.

python -m benchmarks.search_speed [--ideas] [--batch-size 32] [--device cpu] [--rounds 3]
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.gpu.measure import trace
from benchmarks.plain import AnyPlainSupernet, PlainState, plain_step
from benchmarks.timing import Timings, interleaved, ratio, table
from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.operations import functional
from fairdarts.presets import presets
from fairdarts.search.loss import architecture_loss
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.supernet import mixed_ops, stacked_ops
from fairdarts.supernet.base import Supernet, flat
from fairdarts.training.capture import NUM_EAGER_STEPS, CapturedStep, Step
from fairdarts.training.gradients import frozen
from fairdarts.training.precision import float32_products

NUM_CLASSES = 10
Variant = Callable[[], object]
State = PlainState | SearchState


def main() -> None:
    """Print one table: seconds per step and the ratio to the plain baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--ideas", action="store_true", help="also time each idea by itself")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    variants = bi_level_variants(options.batch_size, device)
    if options.ideas:
        variants |= ideas(options.batch_size, device)
    single = single_level_variants(options.batch_size, device)
    print(
        f"S1, 8 cells, C = 16, 32 x 32, batches of {options.batch_size}, "
        f"{options.threads} CPU thread(s), {device}, torch {torch.__version__}"
    )
    with float32_products("float32"):
        timings = interleaved(variants, options.rounds, device)
        single_timings = interleaved(single, options.rounds, device)
    print(report(timings, options.batch_size, baseline="plain"))
    if device.type == "cuda":
        for name, variant in variants.items():
            seen = trace(variant, 1e3 * statistics.median(timings[name].wall_s), device)
            print(f"{name}: {seen.kernels} kernels, the GPU is busy {seen.busy_pct:.0f} %")
    print()
    print(report(single_timings, options.batch_size, baseline="plain, single level"))


def report(timings: dict[str, Timings], batch_size: int, baseline: str) -> str:
    """The table; ratios are the baseline's time by the variant's."""
    rows: list[tuple[str, ...]] = [
        ("variant", "CPU s", "wall s", "images/s", "CPU ratio", "wall ratio")
    ]
    base = timings[baseline]
    for name, timing in timings.items():
        wall_s = statistics.median(timing.wall_s)
        rows.append(
            (
                name,
                _seconds(statistics.median(timing.cpu_s)),
                _seconds(wall_s),
                f"{batch_size / wall_s:.1f}",
                ratio(base.cpu_s, timing.cpu_s),
                ratio(base.wall_s, timing.wall_s),
            )
        )
    return table(rows)


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"  # a GPU takes a few hundredths


def config_of(batch_size: int, **changes: object) -> SearchConfig:
    """The paper's FairDARTS search at a batch size, in S1 unless a space is given."""
    space = str(changes.get("space", "s1"))
    search = presets("fairdarts", space)["search"]
    return SearchConfig.build(search | {"batch_size": batch_size} | changes)


def batches(
    config: SearchConfig, device: torch.device, image_size: int | None = None
) -> tuple[Batch, Batch]:
    """A training and a validation batch of noise, of the size that the space is searched at."""
    size = image_size or (224 if config.space.startswith("s2") else 32)
    memory_format = torch.channels_last if config.channels_last else torch.contiguous_format

    def batch() -> Batch:
        images = torch.randn(config.batch_size, 3, size, size, device=device)
        labels = torch.randint(NUM_CLASSES, (config.batch_size,), device=device)
        return images.contiguous(memory_format=memory_format), labels

    return batch(), batch()


def plain_state(config: SearchConfig, device: torch.device) -> PlainState:
    """The plain baseline on a device, in the configuration's memory format."""
    state = PlainState.of(config, NUM_CLASSES, device)
    if config.channels_last:
        nn.Module.to(state.supernet, memory_format=torch.channels_last)
    return state


def fast_state(config: SearchConfig, device: torch.device) -> SearchState:
    """The product's search on a device, in training mode."""
    state = SearchState(config, NUM_CLASSES, device)
    state.supernet.train()
    return state


def plain_variant(batch_size: int, device: torch.device, **changes: object) -> Variant:
    """The baseline's step, and its metrics read as the authors' code reads them."""
    config = config_of(batch_size, channels_last=False, **changes)
    state, (train, val) = plain_state(config, device), batches(config, device)

    def step() -> list[float]:
        loss, logits, _, _ = plain_step(state, train, val, config)
        correct = (logits.argmax(dim=1) == train[1]).sum()
        return [loss.item(), correct.item()]

    return step


def fast_variant(batch_size: int, device: torch.device, **changes: object) -> Variant:
    """The product's step."""
    config = config_of(batch_size, **changes)
    state, (train, val) = fast_state(config, device), batches(config, device)
    return on_batches(partial(search_step, state, config=config), config, train, val)


def on_batches(step: Step, config: SearchConfig, train: Batch, val: Batch) -> Variant:
    """A step on these batches, recorded as a CUDA graph if the configuration says so."""
    if not config.cuda_graph:
        return partial(step, train, val)
    captured = CapturedStep(step)
    for _ in range(NUM_EAGER_STEPS):
        captured(train, val)
    return partial(captured, train, val)


def bi_level_variants(batch_size: int, device: torch.device) -> dict[str, Variant]:
    """Baseline and product, with the settings that make sense on the device."""
    fast = partial(fast_variant, batch_size, device)
    variants = {"plain": plain_variant(batch_size, device), "fairdarts": fast()}
    if device.type == "cuda":
        variants["fairdarts, NCHW"] = fast(channels_last=False)
        variants["fairdarts, CUDA graph"] = fast(cuda_graph=True)
        variants["fairdarts, bfloat16, CUDA graph"] = fast(cuda_graph=True, precision="bfloat16")
    return variants


def ideas(batch_size: int, device: torch.device) -> dict[str, Variant]:
    """The baseline with one idea each, and the product without one idea each."""
    last = config_of(batch_size)
    first = config_of(batch_size, channels_last=False)
    variants: dict[str, Variant] = {}
    for name, config, trim in (
        ("plain + channels last", last, False),
        ("plain + only the gradients that a level needs", first, True),
        ("plain + both", last, True),
    ):
        state, (train, val) = plain_state(config, device), batches(config, device)
        variants[name] = partial(_step, state, train, val, config, trim)
    fast_twin, (train, val) = fast_state(last, device), batches(last, device)
    fast = partial(search_step, fast_twin, train, val, last)
    variants["fairdarts - depthwise gradients"] = _patched(
        fast, stacked_ops, "depthwise_conv", functional._conv
    )
    variants["fairdarts - edges as the cache holds"] = _patched(
        fast, mixed_ops.MixedOps, "_parts", lambda self, _: [(self.num_edges, ...)]
    )
    variants["fairdarts - only the gradients that a level needs"] = partial(
        _step, fast_twin, train, val, last, trim=False
    )
    variants["fairdarts - channels last"] = fast_variant(batch_size, device, channels_last=False)
    variants["fairdarts + recompute"] = fast_variant(batch_size, device, recompute=True)
    return variants


def single_level_variants(batch_size: int, device: torch.device) -> dict[str, Variant]:
    """One forward and backward for weights and alphas together, plain and fast."""
    return {
        "plain, single level": plain_variant(batch_size, device, optimization="single_level"),
        "fairdarts, single level": fast_variant(batch_size, device, optimization="single_level"),
    }


def _total_loss(
    supernet: Supernet | AnyPlainSupernet, images: Tensor, labels: Tensor, config: SearchConfig
) -> Tensor:
    gates = supernet.gates()
    logits = supernet(images, gates)
    total, _, _ = architecture_loss(logits, labels, flat(gates), config.zero_one_weight)
    return total


def _step(state: State, train: Batch, val: Batch, config: SearchConfig, trim: bool) -> None:
    """A step in which each level computes the gradients of the other too, or not (`trim`)."""
    supernet = state.supernet
    state.alpha_optimizer.zero_grad()
    with frozen(supernet.weight_parameters() if trim else []):
        torch.autograd.backward(_total_loss(supernet, *val, config))
    state.alpha_optimizer.step()
    state.weight_optimizer.zero_grad()
    with frozen(supernet.architecture_parameters() if trim else []):
        logits = supernet(train[0], supernet.gates())
        torch.autograd.backward(F.cross_entropy(logits, train[1]))
    nn.utils.clip_grad_norm_(supernet.weight_parameters(), config.grad_clip)
    state.weight_optimizer.step()


def _patched(variant: Variant, owner: object, name: str, value: object) -> Variant:
    @contextmanager
    def replaced() -> Iterator[None]:
        before = getattr(owner, name)
        setattr(owner, name, value)
        try:
            yield
        finally:
            setattr(owner, name, before)

    def run() -> None:
        with replaced():
            variant()

    return run


if __name__ == "__main__":
    main()
