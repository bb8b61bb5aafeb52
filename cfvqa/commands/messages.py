"""What Hydra and OmegaConf say of a wrong command line, in the words of a user."""

from pathlib import Path

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from cfvqa.errors import InputError
from cfvqa.settings.blocks import unknown

PROGRAM_ERROR = 1
"""Exit status of a command that fails by an error of the program."""

INTERRUPTED = 130
"""Exit status of a command that was stopped with Ctrl-C, as shells have it."""

WRONG_INPUT = (InputError, HydraException, OmegaConfBaseException)
"""Errors of the input; every other one is an error of the program."""


def message_of(error: Exception, groups: Path) -> str:
    """Return the one line that a user reads.

    Args:
        error: one of `WRONG_INPUT`.
        groups: folder of the config groups, whose names may be mistyped too.
    """
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        more = ", or pip install 'cfvqa[sweep]' for more" if group == "hydra/launcher" else ""
        return f"{group}={choice} is unknown: choose one of {', '.join(error.options)}{more}"
    cause = error.__cause__
    if isinstance(error, HydraException) and isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return str(unknown(str(cause.full_key), _beside(cause, groups)))
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' cannot be read: {_first_line(error)}; quote special characters, KEY='\"VALUE\"'"
    if isinstance(error, OmegaConfBaseException):
        return f"{error.full_key}: {_first_line(error)}"
    if isinstance(error, HydraException):
        return " ".join(str(error if str(error) else cause).split())
    # An error of a loading process comes, as one of its own class, with the traceback of that process before it.
    return str(error).rsplit(f"{type(error).__module__}.{type(error).__qualname__}: ", 1)[-1].strip()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _beside(error: OmegaConfBaseException, groups: Path) -> list[str]:
    """Return the names that stand beside an unknown key."""
    block = error.parent_node
    names = [str(name) for name in block] if isinstance(block, DictConfig) and not block._is_none() else []
    if "." in str(error.full_key):
        return names
    return [*names, *(folder.name for folder in groups.iterdir() if folder.is_dir())]
