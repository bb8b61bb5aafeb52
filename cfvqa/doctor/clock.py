"""Measuring one piece of work on the device that will do it, in the precision that it will be done in."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch

from cfvqa.bench.rounds import timed
from cfvqa.errors import InputError
from cfvqa.training.ranks import process_count, uses_gpu

_PATIENCE = 5.0  # seconds; work that takes longer is not done again
_ROUNDS = 3
_HALVES = {"bf16": torch.bfloat16, "bf16-mixed": torch.bfloat16, "16": torch.float16, "16-mixed": torch.float16}


def seconds_each(work: Callable[[], object]) -> float:
    """Return the seconds that a work takes: the median of some rounds behind a first, or a first that is long."""
    measure = timed(work)
    first = measure()
    return first if first > _PATIENCE else median(measure() for _ in range(_ROUNDS))


def device_of(trainer: Mapping[str, Any]) -> torch.device:
    """Return the device of a `Trainer`; the processor where a GPU that it asks for is not here."""
    return torch.device("cuda" if torch.cuda.is_available() and uses_gpu(trainer) else "cpu")


def processes_of(trainer: Mapping[str, Any]) -> int:
    """Return how many processes share the work of a `Trainer`; 1 where its devices are not here."""
    try:
        return process_count(trainer)
    except InputError:
        return 1


@contextmanager
def measuring(device: torch.device, precision: str, key: str, count: int) -> Iterator[None]:
    """Do work in a precision, as Lightning does.

    Args:
        device: of the work.
        precision: as the config has it; other than 16 bits are left as they are.
        key: that says how much is done at once.
        count: how much.

    Raises:
        InputError: if so much does not fit into the memory of a GPU.
    """
    half = _HALVES.get(precision)
    try:
        with torch.autocast(device.type, dtype=half or torch.bfloat16, enabled=half is not None):
            yield
    except torch.OutOfMemoryError as error:
        name = torch.cuda.get_device_name()
        raise InputError(f"{key}={count} does not fit into the memory of {name}: give fewer") from error
