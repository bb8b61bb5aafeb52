"""Work on several processes, whose results come in the order of what was asked for."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cfvqa.errors import InputError

_AHEAD = 4  # items handed out a process, done or not: what is kept in memory at once

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Return how many processors this process may use; where the system does not say (macOS), how many there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def ordered(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield the result for each item, in the order of the items, whatever the number of processes.

    Items are taken and results kept a few at a time. One process is this one.

    Args:
        function: called with an item; it and what goes in and out are pickled.
        items: taken one after the other.
        processes: how many work.

    Raises:
        InputError: if one of them was killed.
    """
    if processes == 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(processes, initializer=_begin) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) == _AHEAD * processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise InputError(
                "a process that worked for this command was killed, as a machine does that is out of memory: free "
                "some, and give the command again"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin() -> None:
    """Leave Ctrl-C to the first process, and end when it asks to: what it does itself then is not for its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for asks in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(asks, signal.SIG_DFL)
