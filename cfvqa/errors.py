"""The exceptions that are no errors of the program."""

from collections.abc import Iterable

INPUT_ERROR = 2
"""Exit status of a command whose input is wrong."""


class InputError(Exception):
    """Say what is wrong with the input, where (file, row or key), and what to do about it.

    Commands print the message without a traceback and end with exit status 2.
    """


def quoted(value: object) -> str:
    """Return a value of a table as messages show it."""
    return "blank" if value is None or value == "" else f"'{value}'"


def check_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a value of a key that is none of its choices."""
    if value not in (known := tuple(choices)):
        raise InputError(f"{key} is '{value}': choose one of {', '.join(known)}")


class Pruned(Exception):  # noqa: N818 - nothing has gone wrong
    """End a training that its search has given up, because others were ahead of it at the same epoch."""
