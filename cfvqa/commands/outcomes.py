"""How a command ends: what is printed of an error, and the exit status."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cfvqa
from cfvqa.commands.messages import PROGRAM_ERROR, WRONG_INPUT, message_of
from cfvqa.errors import INPUT_ERROR
from cfvqa.stages.sweeps import DONE, FAILED


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: exit status that it would end with alone.
        message: what was printed of a failure.
        state: `DONE`, `FAILED` or `PRUNED`.
    """

    status: int = 0
    message: str = ""
    state: str = DONE


def config_folder() -> str:
    """Return the folder of the configs: inside the installed package, or beside it in a checkout."""
    package = Path(cfvqa.__file__).parent
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parent / "conf")


@contextmanager
def ending() -> Iterator[None]:
    """End the process at an error, with what `report` says: where nobody else would tell, or Hydra would warn alone."""
    try:
        yield
    except Exception as error:
        sys.exit(report(error).status)


def report(error: Exception) -> Outcome:
    """Print what is wrong; the exit status says whose fault it is."""
    if isinstance(error, WRONG_INPUT):
        message = message_of(error, Path(config_folder()))
        sys.stderr.write(f"error: {message}\n")
        return Outcome(INPUT_ERROR, message, FAILED)
    traceback.print_exception(error)
    return Outcome(PROGRAM_ERROR, f"{type(error).__name__}: {error}", FAILED)
