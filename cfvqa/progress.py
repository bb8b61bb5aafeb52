"""What a user sees of the stages: a line each; of long work a bar on a terminal, and a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

SECONDS_A_LINE = 60
"""How often a log is told at most how far a work is."""


class StageConsole(Console):
    """A console that says only once of each stage that it is ready, however many stages ask for it."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet)
        self._announced: set[str] = set()

    def ready(self, name: str, folder: str) -> None:
        """Say that a stage is ready, unless a line has named its folder before."""
        if folder not in self._announced:
            self.announce(name, folder, "ready")

    def announce(self, name: str, folder: str, state: str) -> None:
        """Print the line of a stage."""
        self._announced.add(folder)
        self.print(f"[bold]{name}[/]  {folder}  {state}", soft_wrap=True)


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.1f}/s")


class _Lines:
    """Print how far a work is, by whoever tells it how many items are done, when the last line is old enough.

    A number below the one before begins another round over the items, with a rate of its own.
    """

    def __init__(self, console: Console, title: str, total: int | None, clock: Callable[[], float]) -> None:
        self._console, self._title, self._total, self._clock = console, title, total, clock
        self._start = self._said = clock()
        self._done = 0

    def __call__(self, done: int) -> None:
        now = self._clock()
        if done < self._done:
            self._start = self._said = now
        self._done = done
        if now - self._said >= SECONDS_A_LINE:
            self._said = now
            self._console.print(self._line(done / (now - self._start)), markup=False, highlight=False, soft_wrap=True)

    def _line(self, rate: float) -> str:
        line = f"  {self._title}  {self._done:,}{'' if self._total is None else f'/{self._total:,}'}  {rate:,.1f}/s"
        if self._total is None or rate == 0:
            return line
        return f"{line}  {timedelta(seconds=round((self._total - self._done) / rate))} left"


@contextmanager
def counting(
    console: Console, title: str, total: int | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Show how far a work is, how fast it goes and how long it still takes: a bar, or off a terminal a line a minute.

    Yields the function that is told how many items are done.

    Args:
        console: where it is shown.
        title: what is done.
        total: number of items; None where it is not known.
        clock: seconds.
    """
    if not console.is_terminal:
        yield _Lines(console, title, total, clock)
        return
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)
