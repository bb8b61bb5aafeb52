"""Validation figures of two processes are those of one: no sample is counted twice, and the draws are the same."""

import killing
import pytest
import torch
from killing import Processes, Way


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    killing.write_data(folder)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("task", killing.PARTS)
def test_two_processes_judge_as_one_does(base, task):
    figures = []
    for world in (1, 2):
        folder = base / f"{task} {world}"
        folder.mkdir()
        way = Way(task, world=world, units=6)  # of 23 questions, the last batch is smaller
        processes = Processes(folder, way, work=killing.validate)
        processes.wait()
        assert processes.statuses() == [0] * world
        figures.append(torch.load(folder / "figures.pt", weights_only=True))
    alone, shared = figures
    assert all(name.startswith("val/") for name in alone)
    assert shared == pytest.approx(alone, rel=1e-5)
