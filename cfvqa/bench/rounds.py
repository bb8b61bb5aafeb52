"""Measuring several ways in turn, round after round: what else the machine does disturbs all of them alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch


@dataclass(frozen=True)
class Rounds:
    """What was measured.

    Attributes:
        values: of each way, one a round.
    """

    values: Mapping[str, list[float]]

    def median(self, way: str) -> float:
        """Return the median of a way over the rounds."""
        return median(self.values[way])

    def ratio(self, way: str, other: str) -> float:
        """Return the median over the rounds of one way by another one, each measured in the same round."""
        return median(one / two for one, two in zip(self.values[way], self.values[other], strict=True))


def interleave(ways: Mapping[str, Callable[[], float]], repeats: int) -> Rounds:
    """Measure every way in each of `repeats` rounds, behind a first round that does not count."""
    for measure in ways.values():
        measure()
    values: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, measure in ways.items():
            values[name].append(measure())
    return Rounds(values)


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Callable[[], float]:
    """Return a measure of the seconds that `work` takes."""

    def measure() -> float:
        _wait()
        start = clock()
        work()
        _wait()
        return clock() - start

    return measure


def _wait() -> None:
    """Let a GPU finish what it was given: calls return before it has."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
