"""What a user sees of the stages: a line each, and a bar for long work on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def counting(console: Console, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far a work is, how fast it goes and how long it still takes.

    Yields the function that is told how many items are done.
    """
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)
