from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from cfvqa.training.schedules import one_cycle, staircase
from cfvqa.training.vqa_module import VqaModule


def rates(schedule, optimizer, steps):
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def sgd():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)


def test_the_cycle_rises_to_the_rate_and_falls_to_zero_like_torchs():
    own, other = sgd(), sgd()
    found = rates(one_cycle(own, steps=101, warmup=0.1), own, 101)
    known = OneCycleLR(other, max_lr=0.5, total_steps=101, pct_start=0.1, cycle_momentum=False)
    assert max(found) == pytest.approx(0.5, rel=1e-3)
    assert found[0] == pytest.approx(0.5 / 25)
    assert found[-1] == pytest.approx(0, abs=1e-9)
    assert found == pytest.approx(rates(known, other, 101), abs=1e-5)


def test_a_longer_cycle_can_be_taken_up_in_the_middle():
    short, long = sgd(), sgd()
    schedule = one_cycle(short, steps=20)
    rates(schedule, short, 10)
    longer = one_cycle(long, steps=40)
    longer.load_state_dict(schedule.state_dict())
    expected = sgd()
    assert rates(longer, long, 30)[1:] == rates(one_cycle(expected, steps=40), expected, 40)[11:]


def test_defect_22_the_staircase_falls_like_torchs_and_no_epoch_too_soon():
    own, other = sgd(), sgd()
    found = rates(staircase(own, steps=35, every=15 / 35), own, 35)
    assert found == pytest.approx(rates(StepLR(other, step_size=15), other, 35))
    assert found[14:16] == pytest.approx([0.5, 0.05])


def test_defect_47_the_rate_rises_by_step_and_nowhere_jumps_however_short_an_epoch_is():
    module = VqaModule(
        torch.nn.Linear(1, 1),
        objectives={},
        weights={},
        optimizer=partial(torch.optim.SGD, lr=0.5),
        schedule=partial(one_cycle, warmup=0.3),
    )
    module._trainer = SimpleNamespace(estimated_stepping_batches=60)  # 20 epochs of 3 steps
    made = module.configure_optimizers()
    assert made["lr_scheduler"]["interval"] == "step"
    trace = rates(made["lr_scheduler"]["scheduler"], made["optimizer"], 60)
    assert trace[:18] == sorted(trace[:18])
    assert trace[3] < 0.1  # the first epoch is over, the warm-up is not
    assert max(abs(one - other) for one, other in pairwise(trace)) < 0.05
