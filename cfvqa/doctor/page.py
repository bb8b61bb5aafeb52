"""How the doctor's notes look: a table a section, printed as soon as it is found, and a verdict."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cfvqa.doctor.note import MISSING, OK, WARNING, Note

_COLOURS = {OK: "green", WARNING: "yellow", MISSING: "red"}
_WIDEST = 120
_UNBROKEN = 10_000  # characters of a line that is not for a terminal: file names and commands are copied out of a log


class Page:
    """A page that is printed section by section.

    Args:
        console: to print on.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.notes: list[Note] = []

    def show(self, title: str, notes: Sequence[Note]) -> None:
        """Print a section; what another one has called missing before is not said again."""
        told = {note.text for note in self.notes if note.state == MISSING}
        notes = [note for note in notes if note.text not in told]
        self.notes += notes
        seen = self.console.is_terminal
        width = min(self.console.width, _WIDEST) if seen else None
        table = Table(title=title, title_justify="left", show_header=False, width=width)
        table.add_column(min_width=len(MISSING), no_wrap=True)
        table.add_column(max_width=20, overflow="fold")
        table.add_column(ratio=1, overflow="fold")
        for note in notes:
            table.add_row(f"[{_COLOURS[note.state]}]{note.state}[/]", escape(note.about), escape(note.text))
        self.console.print(table, width=None if seen else _UNBROKEN)

    def count(self, state: str) -> int:
        """Return how many notes of a state were shown."""
        return sum(note.state == state for note in self.notes)
