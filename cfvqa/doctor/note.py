"""What the doctor says: a line about one thing, which is there, missing, or worth a look."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cfvqa.errors import InputError

OK, WARNING, MISSING = "ok", "warning", "missing"


@dataclass(frozen=True)
class Note:
    """One line.

    Attributes:
        state: `OK`; `WARNING`, which stands in nobody's way; or `MISSING`, which does.
        about: what it is about.
        text: what was found, and of what is not `OK`, what to do.
    """

    state: str
    about: str
    text: str


def noted(about: str, check: Callable[[], str]) -> Note:
    """Return what a check says; what it refuses is missing."""
    try:
        return Note(OK, about, check())
    except InputError as error:
        return Note(MISSING, about, str(error))


def once(notes: Iterable[Note]) -> list[Note]:
    """Return the notes without those that say of another thing what one before says already.

    One folder that is missing is what many files wait for.
    """
    kept: dict[tuple[str, str], Note] = {}
    for note in notes:
        kept.setdefault((note.state, note.text if note.state == MISSING else note.about + note.text), note)
    return list(kept.values())
