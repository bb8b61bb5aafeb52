"""Trainings that are stopped and go on, beside one that was never stopped."""

import random
from dataclasses import replace

import torch
from killing import Processes


def whole(base, name, way):
    """Train without a stop, once; return the folder."""
    folder = base / f"whole {name}"
    if not folder.exists():
        processes = Processes(folder, way)
        processes.wait()
        assert processes.statuses() == [0] * way.world
    return folder


def wait_for_checkpoints(processes, folder, count):
    """Wait until so many more checkpoints were written; the training must not end before."""
    path = folder / "checkpoints" / "last.ckpt"
    for _ in range(count):
        before = _file_of(path)
        while _file_of(path) in (None, before):
            assert not processes.wait(0.01), "ended too early"


def _file_of(path):
    """Return what tells one file of a name from the next; None in the moment in which there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def assert_same(folder, expected):
    one, two = (torch.load(place / "final.pt", weights_only=True) for place in (folder, expected))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    curves = (folder / "metrics.csv").read_text()
    assert "val/" in curves
    assert curves == (expected / "metrics.csv").read_text()


def best_of(folder):
    """Return score and path of the best checkpoint, as the last one knows them."""
    states = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    [best] = [state for name, state in states.items() if name.startswith("BestCheckpoint")]
    return best["best_model_score"], best["best_model_path"]


def kill_and_finish(base, name, way, kills):
    """Kill a training so many times, and compare what it ends in; the last try has another number of workers."""
    expected = whole(base, name, way)
    folder, draw = base / f"killed {name}", random.Random(1)
    for kill in range(kills):
        processes = Processes(folder, way)
        wait_for_checkpoints(processes, folder, draw.choice((0, 1, 1, 2)))
        assert not processes.wait(draw.uniform(0, 0.2)), "ended before it was killed as often as it should"
        processes.kill()
        folder = folder.rename(base / f"killed {name} {kill}")  # a run may be moved before it goes on
    processes = Processes(folder, replace(way, workers=2 - way.workers))
    processes.wait()
    assert processes.statuses() == [0] * way.world
    assert_same(folder, expected)
    assert best_of(folder) == (best_of(expected)[0], str(folder / "checkpoints" / "best.ckpt"))
    return folder, expected
