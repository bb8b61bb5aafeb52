"""What the commands share: the config folder, and errors that a user can read."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

import cfvqa
from cfvqa.errors import InputError
from cfvqa.stages.progress import StageConsole

INPUT_ERROR = 2
"""Exit status of a command whose input is wrong."""

_QUOTED = re.compile(r"""(['"])(?:(?!\1)[^\\]|\\.)*\1""", re.DOTALL)

Task = Callable[[DictConfig, StageConsole], None]


def config_folder() -> str:
    """Return the folder of the configs: inside the installed package, or beside it in a checkout."""
    package = Path(cfvqa.__file__).parent
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parent / "conf")


def _message(error: Exception) -> str:
    """Return what an error says; one of a loading process comes with the traceback of that process before it."""
    return str(error).rsplit(f"{InputError.__module__}.{InputError.__qualname__}: ", 1)[-1].strip()


def quoted(argument: str, literal: tuple[str, ...]) -> str:
    """Return an override `key=value` with its value quoted, where the key is one of `literal`.

    Hydra reads commas, parentheses, braces, blanks and `=` as grammar, and would see none of them in a quoted
    value. `null` and values that are quoted already stay, and so does every other argument.
    """
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in literal or value == "null" or _QUOTED.fullmatch(value):
        return argument
    # A backslash counts only before what is escaped: the quote, the end, and the ${ of an interpolation.
    escaped = re.sub(r'(\\*)("|\$\{|\Z)', lambda match: match[1] * 2 + ("\\" + match[2] if match[2] else ""), value)
    return f'{key}="{escaped}"'


def run(task: Task, literal: tuple[str, ...] = ()) -> None:
    """Run a task as a Hydra application.

    Wrong input ends with one message and exit status 2, also where Hydra itself finds it.

    Args:
        task: what the command does.
        literal: keys whose values on the command line are names of files or free text, taken as they stand.
    """
    sys.argv[1:] = [quoted(argument, literal) for argument in sys.argv[1:]]
    started = False

    def application(config: DictConfig) -> None:
        nonlocal started
        started = True
        try:
            task(config, StageConsole())
        except (InputError, OmegaConfBaseException) as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            sys.stderr.write(f"error: {_message(error)}\n")
            sys.exit(INPUT_ERROR)

    try:
        hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")(application)()
    except SystemExit as stop:
        if stop.code == 1 and not started:
            sys.exit(INPUT_ERROR)
        raise
