import pytest
import torch
from cases import FULL, model_of
from torch import nn
from torch.nn import functional as F

from cfvqa.models.dropout import Dropout, drawn_cheaply


def dropped(share, shape, seed=0):
    torch.manual_seed(seed)
    return Dropout(share)(torch.ones(shape))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_is_lost_and_the_mean_stays(share):
    state = dropped(share, (400, 2500))
    lost = round(share * 65536) / 65536
    spread = (share * (1 - share) / state.numel()) ** 0.5  # of the share that a million elements lose
    assert (state == 0).float().mean().item() == pytest.approx(lost, abs=5 * spread)
    assert torch.equal(state[state != 0].unique(), torch.tensor([1 / (1 - lost)]))


def test_elements_are_lost_independently():
    """Four of them come from one draw, the next four from the next."""
    lost = (dropped(0.1, (250_000, 4)) == 0).float()
    lost = torch.cat([lost, lost.roll(1, 0)], dim=1)
    together = (lost.T @ lost) / len(lost)
    expected = torch.full((8, 8), 0.01).fill_diagonal_(0.1)
    torch.testing.assert_close(together, expected, atol=0.003, rtol=0)


@pytest.mark.parametrize("shape", [(3, 5, 7), (1,), (0, 4), ()])
def test_any_shape_is_drawn_again_from_the_same_seed(shape):
    assert torch.equal(dropped(0.5, shape), dropped(0.5, shape))
    assert dropped(0.5, shape).shape == torch.Size(shape)


def test_the_gradient_is_lost_where_the_state_is():
    torch.manual_seed(0)
    state = torch.ones(1000, requires_grad=True)
    left = Dropout(0.3)(state)
    left.sum().backward()
    assert torch.equal(state.grad, left.detach())


def test_halves_keep_their_type():
    torch.manual_seed(0)
    assert Dropout(0.1)(torch.ones(100, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_nothing_is_drawn_where_nothing_is_lost():
    torch.manual_seed(0)
    before, state = torch.get_rng_state(), torch.randn(7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Dropout(0.0)(state), state)
    assert torch.equal(Dropout(0.5).eval()(state), state)
    assert torch.equal(torch.get_rng_state(), before)
    assert not Dropout(1.0)(state).any()


def test_a_compiled_part_has_torchs_own():
    state, compiled = torch.ones(100, 30), torch.compile(Dropout(0.3), backend="eager", fullgraph=True)
    torch.manual_seed(0)
    found = compiled(state)
    torch.manual_seed(0)
    assert torch.equal(found, F.dropout(state, 0.3))


def test_the_method_has_no_other(tokenizer):
    kinds = {type(part) for part in model_of(tokenizer, FULL).modules() if isinstance(part, nn.Dropout)}
    assert kinds == {Dropout}


def test_it_takes_the_place_of_torchs_alone():
    class Twice(nn.Dropout):
        """Of somebody who means what it does."""

    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.3)), Twice(0.2))
    drawn_cheaply(module)
    assert type(module[1][0]) is Dropout
    assert module[1][0].p == 0.3
    assert type(module[2]) is Twice
    judged = nn.Sequential(nn.Dropout(0.3)).eval()
    drawn_cheaply(judged)
    assert not judged[0].training
