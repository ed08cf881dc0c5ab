"""Every kernel that the paper's search launches compiles for A100 and H100 and spills no features.

No GPU is needed: launches are recorded on the meta device, and Triton brings NVIDIA's assembler.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fairdarts.kernels.engine import HAS_TRITON, INTERPRETED
from fairdarts.spaces import S1
from fairdarts.supernet.mixed_ops import MixedOps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # a second or more for each kernel, and other machines are slower
    pytest.mark.skipif(not HAS_TRITON, reason="Triton comes with torch for CUDA on Linux only"),
    pytest.mark.skipif(INTERPRETED, reason="what is interpreted cannot be compiled"),
]
NAMES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.int8: "*i8"}
MOST_SPILLED_BYTES = {16: 8, 32: 8, 64: 8, 128: 64}
"""By channels: a number or two of each thread in the paper's search; features would be hundreds."""
# Channels, height and stride of the nodes of the paper's search, and of one with twice its width.
NODES = [(16, 32, 1), (32, 32, 2), (32, 16, 1), (64, 16, 2), (64, 8, 1), (128, 8, 1)]


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("node", NODES, ids=str)
def test_kernels_compile_without_spilled_features_and_without_tf32(
    node: tuple[int, int, int], dtype: torch.dtype, capability: int, tmp_path: Path
) -> None:
    compiled: list[str] = []
    for launch in _launches(node, dtype):
        binary = _compiled(launch, capability)
        ptx = tmp_path / "kernel.ptx"
        ptx.write_text(binary.asm["ptx"])
        target = _match(r"\.target (\w+)", binary.asm["ptx"])[0]
        report = subprocess.run(
            [_ptxas(), "-v", f"--gpu-name={target}", str(ptx), "-o", os.devnull],
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        registers = _match(r"Used (\d+) registers", report)[0]
        spilled = int(_match(r"(\d+) bytes spill stores", report)[0])
        what = f"sm_{capability} {node} {dtype} {launch.kernel.__name__}"
        print(f"{what}: {registers} registers, {spilled} bytes spilled")
        assert spilled <= MOST_SPILLED_BYTES[node[0]], launch.kernel.__name__
        compiled.append(launch.kernel.__name__)
        if dtype == torch.float32:
            for language in ("ttgir", "ptx"):
                assert "tf32" not in binary.asm[language], launch.kernel.__name__
    assert len(compiled) >= 15


def _launches(node: tuple[int, int, int], dtype: torch.dtype) -> Iterator[Any]:
    """One of each kind, of both levels of a step: gradients of weights, or of gates alone."""
    from fairdarts.kernels.launch import launches

    channels, size, stride = node
    module = MixedOps(S1, channels, 4, stride).to("meta").train()
    images = torch.empty(128, channels, size, size, device="meta", dtype=dtype)
    x = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    gates = torch.empty(4, len(S1.operations), device="meta", requires_grad=True)
    recorded: list[Any] = []
    with launches(recorded.append):
        for frozen, sums in (
            (False, [torch.empty_like(x[..., ::stride, ::stride])] * 4),
            (True, None),
        ):
            module.requires_grad_(not frozen)
            mixed = module(x, gates, sums=sums)
            torch.autograd.backward(sum(map(Tensor.sum, mixed), gates.sum()))
    kinds = {(one.kernel.__name__, str(_signature(one))): one for one in recorded}
    yield from kinds.values()


def _signature(launch: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Types and constants of a launch, as Triton tells them from its arguments."""

    def kind(argument: Any) -> Any:
        if isinstance(argument, tuple):
            return tuple(map(kind, argument))
        if argument is None:
            return "constexpr"
        return NAMES[argument.dtype] if isinstance(argument, Tensor) else "i32"

    names = launch.kernel.arg_names
    given = dict(zip(names, launch.args, strict=False))
    types = {name: kind(value) for name, value in given.items()}
    types |= {name: "constexpr" for name in _specialised(launch) if given[name] == 1}
    constants = {name: given[name] for name in given if types[name] == "constexpr"}
    types |= dict.fromkeys(launch.constants, "constexpr")
    return types, constants | launch.constants


def _specialised(launch: Any) -> list[str]:
    """Arguments that are numbers, of which Triton treats 1 and multiples of 16 apart."""
    parameters = zip(launch.kernel.params, launch.args, strict=False)
    return [p.name for p, a in parameters if isinstance(a, int) and not p.do_not_specialize]


def _compiled(launch: Any, capability: int) -> Any:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types, constants = _signature(launch)
    aligned = [["tt.divisibility", 16]]
    attributes: dict[tuple[int, ...], Any] = {}
    numbers = _specialised(launch)
    for place, argument in enumerate(launch.args):
        if isinstance(argument, tuple):
            attributes |= {(place, inner): aligned for inner in range(len(argument))}
        elif isinstance(argument, Tensor) or (
            launch.kernel.arg_names[place] in numbers and argument % 16 == 0
        ):
            attributes[place,] = aligned
    source = ASTSource(launch.kernel, types, constants, attributes)
    options = {"num_warps": launch.num_warps}
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def _ptxas() -> str:
    from triton.backends import nvidia

    (folder,) = nvidia.__path__
    bundled = Path(folder) / "bin" / "ptxas"
    found = str(bundled) if bundled.exists() else shutil.which("ptxas")
    if found is None:
        pytest.skip("NVIDIA's assembler, ptxas, is missing")
    return found


def _match(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    assert found is not None, text
    return found.groups()
