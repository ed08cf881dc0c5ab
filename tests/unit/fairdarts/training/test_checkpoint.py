import pickle
import random

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.errors import CheckpointError
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.network.retrain import RetrainState
from fairdarts.search.state import SearchState
from fairdarts.training.checkpoint import restore_state, state_to_bytes

CPU = torch.device("cpu")


class Trained:
    """A convolution, a norm and two optimisers after some steps: as small as a state gets."""

    def __init__(self, channels: int = 4, num_steps: int = 0, channels_last: bool = True) -> None:
        torch.manual_seed(0)
        memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.module = nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))
        self.module.to(memory_format=memory_format)
        conv, norm = self.module.children()
        self.sgd = torch.optim.SGD(conv.parameters(), lr=0.1, momentum=0.9)
        self.adam = torch.optim.Adam(norm.parameters(), lr=0.1)
        self.step(num_steps)

    def step(self, num_steps: int) -> None:
        for _ in range(num_steps):
            self.module(torch.randn(2, 3, 8, 8)).square().sum().backward()
            for optimizer in (self.sgd, self.adam):
                optimizer.step()
                optimizer.zero_grad()

    def to_bytes(self, epoch: int = 2) -> bytes:
        return state_to_bytes(epoch, {"net": self.module}, {"sgd": self.sgd, "adam": self.adam})

    def restore(self, content: bytes) -> int:
        return restore_state(content, {"net": self.module}, {"sgd": self.sgd, "adam": self.adam})


def refusal(content: bytes, channels: int = 4) -> str:
    with pytest.raises(CheckpointError) as caught:
        Trained(channels).restore(content)
    return str(caught.value)


def test_state_returns_whole_and_goes_on_as_before() -> None:
    trained = Trained(num_steps=2)
    content = trained.to_bytes(epoch=7)
    restored = Trained(num_steps=1)
    assert restored.to_bytes(epoch=7) != content
    assert restored.restore(content) == 7
    assert restored.to_bytes(epoch=7) == content
    for one in (trained, restored):
        torch.manual_seed(5)
        one.step(2)
    assert restored.to_bytes() == trained.to_bytes()


def test_everything_that_an_epoch_leaves_behind_is_in_the_bytes() -> None:
    names = set(load(Trained(num_steps=1).to_bytes()))
    assert names == {
        "epoch",
        *(f"net/0.{name}" for name in ("weight", "bias")),
        *(f"net/1.{name}" for name in ("weight", "bias", "running_mean", "running_var")),
        "net/1.num_batches_tracked",
        *(f"sgd/{index}/momentum_buffer" for index in (0, 1)),
        *(f"adam/{index}/{name}" for index in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")),
    }


def test_restoring_keeps_the_learning_rate_of_the_schedule() -> None:
    content = Trained(num_steps=1).to_bytes()
    restored = Trained()
    restored.sgd.param_groups[0]["lr"] = 0.025
    restored.restore(content)
    assert restored.sgd.param_groups[0]["lr"] == 0.025


def test_moments_return_in_the_memory_layout_of_their_parameter() -> None:
    trained = Trained(num_steps=1)
    restored = Trained()
    restored.restore(trained.to_bytes())
    (weight, _), (trained_weight, _) = (
        restored.module[0].parameters(),
        trained.module[0].parameters(),
    )
    moment = restored.sgd.state[weight]["momentum_buffer"]
    assert weight.stride() == (27, 1, 9, 3)  # channels last
    assert moment.stride() == weight.stride()
    assert torch.equal(moment, trained.sgd.state[trained_weight]["momentum_buffer"])


def test_bytes_do_not_depend_on_the_memory_layout() -> None:
    restored = Trained(channels_last=False)
    content = Trained(num_steps=1).to_bytes()
    restored.restore(content)
    assert restored.to_bytes() == content


def test_state_before_the_first_step_returns_too() -> None:
    content = Trained().to_bytes(epoch=0)
    restored = Trained()
    assert restored.restore(content) == 0
    assert restored.to_bytes(epoch=0) == content


def test_damaged_bytes_are_refused_in_one_line() -> None:
    whole = Trained(num_steps=1).to_bytes()
    damaged = [whole[:end] for end in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1)]
    damaged += [random.Random(length).randbytes(length) for length in (8, 64, 5000)]
    damaged.append(pickle.dumps({"epoch": 2}))
    for content in damaged:
        message = refusal(content)
        assert message.startswith("not a checkpoint of this configuration: ")
        assert len(message.splitlines()) == 1


def test_pickled_code_is_refused_without_running() -> None:
    class Exploit:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("the checkpoint was unpickled",)

    refusal(pickle.dumps(Exploit()))


@pytest.mark.parametrize("lost", ["epoch", "net/0.weight", "net/1.running_var"])
def test_missing_tensor_is_refused(lost: str) -> None:
    tensors = load(Trained(num_steps=1).to_bytes())
    del tensors[lost]
    assert len(refusal(save(tensors)).splitlines()) == 1


@pytest.mark.parametrize("extra", ["net/2.weight", "sgd/2/momentum_buffer", "sgd/x", "sgd/0/1/2"])
def test_tensor_that_belongs_nowhere_is_refused(extra: str) -> None:
    tensors = load(Trained(num_steps=1).to_bytes()) | {extra: torch.zeros(3)}
    assert len(refusal(save(tensors)).splitlines()) == 1


def test_moment_of_another_shape_is_refused_though_it_would_broadcast() -> None:
    tensors = load(Trained(num_steps=1).to_bytes())
    tensors["sgd/0/momentum_buffer"] = torch.zeros(4, 3, 1, 1)
    message = refusal(save(tensors))
    assert message.endswith("momentum_buffer 0 has shape (4, 3, 1, 1), not (4, 3, 3, 3)")


def test_checkpoint_of_another_width_is_refused() -> None:
    assert len(refusal(Trained(num_steps=1).to_bytes(), channels=5).splitlines()) == 1


def test_search_and_retrain_states_refuse_those_of_other_configurations() -> None:
    searched = SearchState(SearchConfig(init_channels=2, num_cells=3), 4, CPU)
    edges = (Edge("skip_connect", 0, 2),)
    retrained = RetrainState(
        Genotype(edges, edges), RetrainConfig(init_channels=2, num_cells=3), 4, CPU
    )
    wider = SearchState(SearchConfig(init_channels=3, num_cells=3), 4, CPU)
    deeper = SearchState(SearchConfig(init_channels=2, num_cells=4), 4, CPU)
    for state, content in (
        (searched, retrained.to_bytes()),
        (searched, wider.to_bytes()),
        (searched, deeper.to_bytes()),
        (retrained, searched.to_bytes()),
    ):
        with pytest.raises(CheckpointError):
            state.restore(content)
