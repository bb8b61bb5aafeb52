"""Processes that torchrun or srun has started meet before they train: the first one calls the others to its work.

A first process of ours starts the others for one work, and needs no call. (A process group would do for calls, but
every metric of a stage that the first process makes alone would use it.)
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import cache

from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
from torch import distributed

from cfvqa.errors import InputError, Pruned
from cfvqa.training.ranks import by_slurm, one_of_several, rank, started_processes

_PATIENCE = timedelta(minutes=1)  # that other processes have to leave a job which has failed here
_JOB = ContextVar("job", default="")  # a work of one job is not that of the next, though it makes the same folder


def open_calls(job: str) -> None:
    """Meet the other processes where torchrun or srun has started them, so that they can be called, and miss the first.

    Args:
        job: name of what the command does; every job of a sweep has its own.

    Raises:
        InputError: as `meeting`.
    """
    _JOB.set(job)
    if one_of_several():
        _store()


def call_others(work: str) -> None:
    """Call the processes that torchrun or srun has started beside this first one to a work that all do together.

    Raises:
        InputError: as `meeting`.
    """
    if one_of_several():
        _store().set(_key(work), "")


def is_called(work: str) -> bool:
    """Whether this process is called to a work: one that a first process of ours has started is, from its start.

    Raises:
        InputError: if the job has failed in another process.
        SystemExit: if the first process has ended.
    """
    if not one_of_several():
        return True
    if _is_told("failed", work):
        raise InputError(f"another process has failed before {work} was done: its message says why")
    return _is_told(work, work)


def tell_made(work: str) -> None:
    """Tell the processes that torchrun or srun has started beside this first one that a work is done."""
    if one_of_several():
        _store().set(_key(_made(work)), "")


def is_told_made(work: str) -> bool:
    """Whether the first process has told that a work is done.

    Raises:
        SystemExit: if it has ended.
    """
    return one_of_several() and _is_told(_made(work), work)


@contextmanager
def failures_told() -> Iterator[None]:
    """Tell the other processes of an error of this one, behind `open_calls`: one that waits for its work need not."""
    try:
        yield
    except Exception as error:
        if one_of_several() and not isinstance(error, Pruned):
            with suppress(distributed.DistError):  # the first process, which serves all, has ended
                _store().set(_key("failed"), "")
        raise


def end_job(job: str, *, failed: bool) -> None:
    """Leave a job of a sweep; where it has failed, wait until the other processes have left it too.

    Raises:
        SystemExit: if they do not: one that waits for this process in a training would meet it in the next job.
    """
    if not one_of_several():
        return
    _JOB.set(job)
    if not failed:
        with suppress(distributed.DistError):  # behind the last job the first process, which serves all, has ended
            _store().set(_key(f"left by {rank()}"), "")
        return
    try:
        _store().set(_key("failed"), "")
        _store().set(_key(f"left by {rank()}"), "")
        _store().wait([_key(f"left by {number}") for number in range(started_processes())], _PATIENCE)
    except distributed.DistError as error:
        raise SystemExit(
            f"the job {job} has failed in process {rank()}, and the others do not know it: the sweep ends here, "
            "and the same command goes on"
        ) from error


@contextmanager
def meeting() -> Iterator[None]:
    """Make of processes that cannot reach each other a message with the place where they were to meet.

    Raises:
        InputError: if the port is taken, or nobody answers there.
    """
    try:
        yield
    except (distributed.DistNetworkError, distributed.DistStoreError) as error:
        place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"the processes of the training cannot meet at {place} ({reason}): give another MASTER_PORT, or "
            "torchrun --master-port"
        ) from error


def _is_told(word: str, work: str) -> bool:
    try:
        return _store().check([_key(word)])
    except distributed.DistError as error:
        raise SystemExit(f"the first process ended before it was done with {work}") from error


def _made(work: str) -> str:
    return f"{work} is made"


def _key(word: str) -> str:
    return f"{_JOB.get()}: {word}"


@cache  # it lives as long as the process: that of the first one serves the others
def _store() -> distributed.Store:
    """Return what the processes share before they train; the first one, or torchrun, serves it where they meet."""
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    place = SLURMEnvironment() if by_slurm() and not by_torchrun else LightningEnvironment()
    os.environ.setdefault("MASTER_ADDR", place.main_address)
    os.environ.setdefault("MASTER_PORT", str(place.main_port))
    with meeting():
        found, *_ = next(distributed.rendezvous("env://", rank(), started_processes()))
    return distributed.PrefixStore("cfvqa", found)
