"""The command line before Hydra reads it: names of files are taken as they stand, foreign code is refused."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from cfvqa.errors import InputError
from cfvqa.stages.sweeps import is_shared

_QUOTED = re.compile(r"""(['"])(?:(?!\1)[^\\]|\\.)*\1""", re.DOTALL)
_FOREIGN_CONFIG = re.compile(r"--config-[pn]|-c[pn]")  # argparse takes what is left of an option's name too
_TARGET = re.compile(r"""_target_['"]?\s*[:=]\s*['"]?([\w.]*)""")
_OF_HYDRA = ("launcher", "sweeper", "sweep", "run", "mode", "verbose")
_OF_SEARCHES = ("optuna.samplers.", "optuna.pruners.")


def readable(arguments: Sequence[str], literal: tuple[str, ...]) -> list[str]:
    """Return the arguments as Hydra shall read them.

    Args:
        arguments: of the command line.
        literal: keys whose values are names of files or free text, taken as they stand.

    Raises:
        InputError: if they replace the config by a file, let Hydra itself make objects of a class, or sweep over
            what all jobs of a sweep share.
    """
    for argument in arguments:
        if _FOREIGN_CONFIG.match(argument):
            raise InputError(
                f"{argument.partition('=')[0]} would run whatever a config from elsewhere names: give KEY=VALUE, or "
                "configs of your own that are added to these, --config-dir FOLDER"
            )
        _check_hydra(argument)
        _check_single(argument)
    return [quoted(argument, literal) for argument in arguments]


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


def _check_hydra(argument: str) -> None:
    """Refuse what would have Hydra make objects of its own block: it does before a task is asked.

    Blocks of ours are checked when they are built.
    """
    key, _, value = argument.lstrip("+~").partition("=")
    part, *below = re.split(r"[./@]", key)
    if part != "hydra":
        return
    if not below or below[0] not in _OF_HYDRA:
        raise InputError(f"{argument}: of the block hydra, a command line may set {', '.join(_OF_HYDRA)} alone")
    for target in _TARGET.findall(argument):
        if not target.startswith(_OF_SEARCHES):
            raise InputError(f"{argument}: the block hydra of a command line may name no class, and '{target}' is one")
    if "${" in value:
        raise InputError(f"{argument}: in the block hydra nothing is filled in: write the value itself")


def _check_single(argument: str) -> None:
    """Refuse a sweep over what does not tell its jobs apart: they would all be one run."""
    key, equals, _ = argument.lstrip("+").partition("=")
    if not equals or not is_shared(key):
        return
    try:
        swept = OverridesParser.create().parse_override(argument).is_sweep_override()
    except HydraException:
        return  # Hydra itself says what cannot be read
    if swept:
        raise InputError(f"{argument}: all jobs of a sweep share {key}: give a command for each")
