"""A compiled reader is the same reader."""

import copy

import pytest
import torch
from torch import nn

from cfvqa.training.compiling import compile_parts, has_compiler


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.GELU())

    def forward(self, states):
        return self.layers(states) * 2


class Holder(nn.Module):
    """Has parts and no forward of its own, as a text transformer that reads and writes."""

    def __init__(self):
        super().__init__()
        self.inner = Inner()


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.holder = Holder()
        self.pair = Inner()
        self.single = nn.Linear(4, 4)


def compiled_parts(model):
    return [name for name, part in model.named_modules() if part._compiled_call_impl is not None]


def test_the_largest_parts_that_are_called_as_a_whole_are_compiled_and_keep_their_names():
    model = Reader()
    names = list(model.state_dict())
    compile_parts(model)
    assert compiled_parts(model) == ["holder.inner", "pair"]
    assert list(model.state_dict()) == names


@pytest.mark.slow
def test_a_compiled_part_computes_what_it_did():
    torch.manual_seed(0)
    model = Reader()
    other = copy.deepcopy(model)
    compile_parts(other)
    states = torch.randn(3, 4)
    expected, got = model.pair(states), other.pair(states)
    assert torch.allclose(got, expected, atol=1e-6)
    expected.sum().backward()
    got.sum().backward()
    for one, two in zip(model.pair.parameters(), other.pair.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, atol=1e-6)


def test_the_compiler_that_is_named_is_the_one_that_counts(monkeypatch):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    assert not has_compiler()
    monkeypatch.setenv("CXX", "sh")  # there on every machine
    assert has_compiler()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    assert not has_compiler()
