"""Who this process is among those of a training, as the variables of its environment say."""

import sys
import threading

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment

from cfvqa.environment import check_ranks
from cfvqa.errors import InputError
from cfvqa.training.ranks import (
    _watch,
    environment,
    further_ranks,
    local_rank,
    rank,
    started_outside,
    started_processes,
)

OF_SLURM = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS")
ALL = ("RANK", "LOCAL_RANK", "WORLD_SIZE", *OF_SLURM, "CFVQA_PROCESSES")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 0, 1, False)),
        ({"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8"}, (5, 1, 8, True)),  # torchrun
        ({"SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_STEP_NUM_TASKS": "8"}, (5, 1, 8, True)),  # srun
        ({"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_STEP_NUM_TASKS": "1"}, (0, 0, 1, False)),  # of one task
        ({"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "8"}, (0, 0, 1, False)),  # the batch script itself
        ({"RANK": "3", "WORLD_SIZE": "1"}, (0, 0, 1, False)),  # a scheduler's, that has started no process of ours
        (
            {
                "SLURM_PROCID": "0",
                "SLURM_STEP_NUM_TASKS": "1",
                "LOCAL_RANK": "1",
                "WORLD_SIZE": "2",
                "CFVQA_PROCESSES": "1",
            },
            (1, 1, 2, True),  # the second of those that a job of one task has started
        ),
    ],
)
def test_the_environment_says_who_a_process_is(monkeypatch, variables, expected):
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (rank(), local_rank(), started_processes(), started_outside()) == expected
    kinds = [] if started_outside() and "CFVQA_PROCESSES" not in variables else [LightningEnvironment]
    assert [type(found) for found in environment()] == kinds


@pytest.mark.parametrize(
    ("read", "name", "variables"),
    [
        (rank, "RANK", {"RANK": "y", "LOCAL_RANK": "0"}),
        (check_ranks, "SLURM_PROCID", {"RANK": "1", "SLURM_PROCID": "x"}),
        (rank, "LOCAL_RANK", {"LOCAL_RANK": ""}),
        (local_rank, "LOCAL_RANK", {"LOCAL_RANK": "-1"}),
        (rank, "SLURM_STEP_NUM_TASKS", {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": ""}),
        (started_processes, "WORLD_SIZE", {"WORLD_SIZE": "1.5"}),
    ],
)
def test_a_variable_that_holds_no_number_is_named(monkeypatch, read, name, variables):
    for other in ALL:
        monkeypatch.delenv(other, raising=False)
    for other, value in variables.items():
        monkeypatch.setenv(other, value)
    with pytest.raises(InputError, match=f"{name} is '{variables[name]}' in the environment"):
        read()


def test_a_first_process_numbers_the_others_whatever_a_scheduler_says(monkeypatch, tmp_path):
    for other in ALL:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("RANK", "0")
    names, file = ("RANK", "LOCAL_RANK", "WORLD_SIZE"), tmp_path / "said"
    say = f"import os; open({str(file)!r}, 'w').write(' '.join(os.environ[name] for name in {names}))"
    with further_ranks({"accelerator": "cpu", "devices": 2}, [sys.executable, "-S", "-c", say]):
        assert (rank(), local_rank(), started_processes()) == (0, 0, 2)
    assert file.read_text() == "1 1 2"
    assert not started_outside()


def test_wrong_input_of_another_process_is_wrong_input_of_the_training(monkeypatch):
    for other in ALL:
        monkeypatch.delenv(other, raising=False)
    ends = [sys.executable, "-S", "-c", "raise SystemExit(2)"]

    def train():
        with further_ranks({"accelerator": "cpu", "devices": 2}, ends):
            raise RuntimeError("connection closed by peer")  # as gloo says it

    with pytest.raises(InputError, match="another process of the training has ended: its message says why"):
        train()


class Child:
    """A process that ends when it is killed, if it has not before."""

    def __init__(self, returncode):
        self.returncode = returncode

    def poll(self):
        return self.returncode

    def kill(self):
        self.returncode = -9 if self.returncode is None else self.returncode


def test_a_process_that_the_watcher_has_killed_is_not_told_as_one_that_has_died(monkeypatch, capsys):
    over = threading.Event()
    waited = iter([False, True, True])  # a second; until the training has failed by itself; the end
    monkeypatch.setattr(over, "wait", lambda seconds: next(waited))
    _watch([Child(7), Child(None), Child(None)], over)
    assert capsys.readouterr().err == "error: a process of the training has ended with status 7\n"
