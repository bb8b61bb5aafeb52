"""A training that is asked to stop, or whose last checkpoint is damaged, ends as one that was never stopped."""

import os
import signal
from dataclasses import replace

import lightning as L
import pytest
import torch
from killing import Processes, Way, train, train_in_group
from resuming import assert_same, wait_for_checkpoints, whole

from cfvqa.training.keeping import PREEMPTED, preemptible

PLAIN = Way()
TWO = Way(world=2, workers=2, units=8, precision="bf16-mixed")


@pytest.mark.parametrize(
    ("name", "way", "number"),
    [
        ("plain", PLAIN, signal.SIGTERM),
        pytest.param("two processes, workers, bf16", TWO, signal.SIGUSR1, marks=pytest.mark.long),
    ],
)
def test_a_preempted_training_saves_ends_with_75_and_goes_on(base, name, way, number):
    expected = whole(base, name, way)
    folder = base / f"preempted {name} {number}"
    processes = Processes(folder, replace(way, workers=2), work=train_in_group)
    wait_for_checkpoints(processes, folder, 1)
    # The scheduler of a cluster tells every process, those that load too; one that trains is enough.
    os.killpg(processes.all[-1].pid, number)
    processes.wait()
    assert processes.statuses() == [75] * way.world
    processes = Processes(folder, way)
    processes.wait()
    assert_same(folder, expected)


class AskedInValidation(L.Callback):
    """Have a training asked to stop while it validates for the second time."""

    def __init__(self):
        self.seen = []

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.seen.append(batch_idx)
        if trainer.current_epoch == 1 and batch_idx == 1:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_validation_is_left_at_its_next_batch_and_repeated(base):
    way, asked = PLAIN, AskedInValidation()
    expected = whole(base, "plain", way)
    folder = base / "preempted in validation"
    with pytest.raises(SystemExit) as end, preemptible():
        train(folder, way, 0, 0, callbacks=[asked])
    assert end.value.code == PREEMPTED
    assert asked.seen == [*range(max(asked.seen) + 1), 0, 1]
    assert max(asked.seen) > 1
    train(folder, way, 0, 0)
    assert_same(folder, expected)


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(base, damage):
    way = PLAIN
    expected = whole(base, "plain", way)
    folder = base / f"damaged {damage}"
    processes = Processes(folder, way)
    wait_for_checkpoints(processes, folder, 2)
    processes.kill()
    last = folder / "checkpoints" / "last.ckpt"
    if damage == "truncated":
        last.write_bytes(last.read_bytes()[:1000])
    else:
        torch.save({"state_dict": {"other": torch.ones(1)}}, last)
    processes = Processes(folder, way)
    processes.wait()
    assert processes.statuses() == [0]
    assert_same(folder, expected)
