"""Does the loader of pairs keep up with the training step?"""

import time
from collections.abc import Callable

from cfvqa.bench.figures import Figure
from cfvqa.bench.inputs import Inputs
from cfvqa.bench.lab import Lab
from cfvqa.bench.rounds import Rounds, interleave

_WORKERS = (0, 2)
_STEP = "step"


def loading(lab: Lab) -> list[Figure]:
    """Compare the questions a second that the loader gives with those that a step takes."""
    batch = lab.inputs.pair_batch().to(lab.device)
    step = lab.step(lab.loss(lab.last_phase), lab.last_phase)
    seconds = step.timed(batch)
    ways = {_name(workers): rows_a_second(lab.inputs, workers) for workers in _WORKERS}
    rounds = interleave({_STEP: lambda: len(batch.unit) / seconds(), **ways}, lab.repeats)
    return [_figure(_name(workers), rounds) for workers in _WORKERS]


def rows_a_second(inputs: Inputs, workers: int) -> Callable[[], float]:
    """Return a measure of the questions a second of a pass over all, in random order, features from disk.

    The clock starts with the first batch: processes are started once an epoch.
    """

    def measure() -> float:
        batches = iter(inputs.data(workers=workers, preload_gib=0).train_dataloader())
        next(batches)
        start = time.perf_counter()
        rows = sum(len(batch.row) for batch in batches)
        return rows / (time.perf_counter() - start)

    return measure


def _name(workers: int) -> str:
    return f"{workers} workers"


def _figure(name: str, rounds: Rounds) -> Figure:
    ratio = rounds.ratio(name, _STEP)
    return Figure(
        measured=f"loading, {name}: random order, features on disk",
        ours=f"{rounds.median(name):.0f} questions/s",
        other=f"{rounds.median(_STEP):.1f} questions/s in a training step",
        ratio=ratio,
        meaning="times as many",
        limit="a read for every kind of feature of every image; the files lie in memory after the first pass",
    )
