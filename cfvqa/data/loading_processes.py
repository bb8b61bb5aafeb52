"""The processes that load batches beside a training: how they start, and when they end."""

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from typing import Any

from torch import distributed

_ASKS = frozenset({signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2})
"""Signals by which schedulers ask a job to stop: every process of it, by default."""

_LOOKS = 5.0  # seconds until a loading process sees that the one it loads for was killed


def in_processes(workers: int) -> dict[str, Any]:
    """Return the arguments of a `DataLoader` for so many loading processes.

    They start as Python has it, also where joblib has set a way that fails; but beside other training processes they
    are no forks: a thread of the gradients' exchange may hold a lock of Python, which a fork would wait for for ever
    (before Python 3.12).
    """
    return {
        "num_workers": workers,
        "multiprocessing_context": _start() if workers else None,
        "worker_init_fn": stay,
    }


def _start() -> BaseContext:
    first = multiprocessing.get_all_start_methods()[0]
    beside_others = distributed.is_available() and distributed.is_initialized()
    if first == "forkserver" or (first == "fork" and beside_others):
        return _server()
    return multiprocessing.get_context(first)


def _server() -> BaseContext:
    """Return the way to start loading processes from a server that trains nothing and that no scheduler's signal ends.

    It imports once what a loading process would import for every epoch: what it loads, and the command of this process,
    with which it begins too.
    """
    context = multiprocessing.get_context("forkserver")
    command = [name for name in list(sys.modules) if name.startswith("cfvqa.commands.")]
    context.set_forkserver_preload(["cfvqa.data.pair_sets", "cfvqa.data.image_sets", *command])
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKS)  # what is started here has it too
    try:
        resource_tracker.ensure_running()  # by itself it is deaf to SIGTERM alone, for which it sets the mask anew
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKS)
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return context


def stay(worker: int) -> None:
    """Have a loading process stay when a scheduler asks it to stop: the training loads on until it has saved."""
    if hasattr(signal, "sigtimedwait"):  # macOS has none, and no scheduler
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKS)
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the process that this one loads for asks for it, as it does when it ends, or was killed."""
    parent = multiprocessing.parent_process()
    while parent.is_alive():
        asked = signal.sigtimedwait(_ASKS, _LOOKS)
        if asked is not None and asked.si_pid == parent.pid:
            break
    os._exit(0)
