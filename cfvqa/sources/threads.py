"""Work on many files at once, in threads: a file server answers several, and decoders let others work."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_AT_ONCE = 1024  # items handed out, done or not: all of a data set would fill the memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the result for each item, in the order of the items; a slice of them is in memory at a time."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), _AT_ONCE):
            yield from pool.map(function, items[start : start + _AT_ONCE])
