"""The command line before Hydra reads it: names of files are taken as they stand, foreign code is refused."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from cfvqa.errors import InputError
from cfvqa.settings.building import PRUNERS, SAMPLERS, resolve
from cfvqa.stages.sweeps import is_shared

_QUOTED = re.compile(r"""(['"])(?:(?!\1)[^\\]|\\.)*\1""", re.DOTALL)
# argparse takes what is left of an option's name too; --experimental-rerun unpickles a file, and code runs.
_FOREIGN_CONFIG = re.compile(r"--config-[pn]|-c[pn]|--e")
_HOME = re.compile(r"""^(['"]?)~(?=/|\1$)""")
_LEAVING = re.compile(r"\.\.|(?<![\w.-])/|\$\{")
_OF_HYDRA = ("launcher", "sweeper", "sweep", "run", "mode", "verbose")
_SWEPT = "hydra.sweeper.params"
_OF_SEARCHES = {"hydra.sweeper.sampler": SAMPLERS, "hydra.sweeper.pruner": PRUNERS}


def readable(arguments: Sequence[str], literal: tuple[str, ...], groups: Path) -> list[str]:
    """Return the arguments as Hydra shall read them: `~` is the home folder, as at the start of a word of a shell.

    Args:
        arguments: of the command line.
        literal: keys whose values are names of files or free text, taken as they stand.
        groups: folder of the config groups.

    Raises:
        InputError: if they replace the config by a file, choose one that lies in no group, let Hydra itself make
            objects of a class, or sweep over what all jobs of a sweep share.
    """
    arguments = [_at_home(argument) for argument in arguments]
    for argument in arguments:
        if _FOREIGN_CONFIG.match(argument):
            raise InputError(
                f"{argument.partition('=')[0]} would run whatever a config from elsewhere names: give KEY=VALUE, or "
                "configs of your own that are added to these, --config-dir FOLDER"
            )
        _check_hydra(argument)
        if (override := parsed(argument)) is not None:
            _check_single(argument, override)
            _check_choice(argument, override, groups)
            _check_targets(argument, override)
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


def _at_home(argument: str) -> str:
    key, equals, value = argument.partition("=")
    return key + equals + _HOME.sub(lambda match: f"{match[1]}{Path.home()}", value)


def asks_for_jobs(argument: str) -> bool:
    """Whether an argument is the option `--multirun`, as far as argparse needs it."""
    return argument == "-m" or (len(argument) > 2 and "--multirun".startswith(argument))


def check_open(arguments: Sequence[str]) -> None:
    """Refuse a sweep whose values stand in a config, of a command that looks at the first job.

    Raises:
        InputError: naming the argument that asks for it.
    """
    for argument in arguments:
        key, _, value = argument.lstrip("+").partition("=")
        if (key == "sweep" and value != "null") or (key, value) == ("hydra.mode", "MULTIRUN"):
            raise InputError(
                f"{argument}: this command looks at the first job of a sweep that it is told: give --multirun KEY=A,B"
            )


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
    if "${" in value:
        raise InputError(f"{argument}: in the block hydra nothing is filled in: write the value itself")


def parsed(argument: str) -> Override | None:
    """Return an argument as Hydra reads it; None of an option, and of what Hydra itself says that it cannot read."""
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def _check_single(argument: str, override: Override) -> None:
    """Refuse a sweep over what does not tell its jobs apart: they would all be one run."""
    if is_shared(override.key_or_group) and override.is_sweep_override():
        raise InputError(f"{argument}: all jobs of a sweep share {override.key_or_group}: give a command for each")


def _check_choice(argument: str, override: Override, groups: Path) -> None:
    """Refuse a config that lies in no group, whose block hydra would be obeyed, and one that is put into that block."""
    key, package = override.key_or_group, override.package
    if package is not None and package.split(".")[0] == "hydra":
        raise InputError(f"{argument}: no config may be put into the block hydra")
    chosen = "/" in key or package is not None or (groups / key).is_dir()
    if chosen and _LEAVING.search(argument.partition("=")[2].replace("\\", "")):
        raise InputError(
            f"{argument}: give the name of a config of the group {key}, or configs of your own that are "
            "added to these, --config-dir FOLDER"
        )


def _check_targets(argument: str, override: Override) -> None:
    """Refuse a class in the block hydra that is no sampler and no pruner of a search, and overrides within one."""
    if override.key_or_group.split(".")[0] != "hydra":
        return
    if override.is_sweep_override():
        raise InputError(f"{argument}: the block hydra is not swept: give one value")
    for key, value in _entries(override.key_or_group, override.value()):
        if key == _SWEPT or key.startswith(f"{_SWEPT}."):
            raise InputError(f"{argument}: of a command line, what is swept stands there itself: give KEY=A,B")
        place, _, name = key.rpartition(".")
        if name != "_target_":
            continue
        if place not in _OF_SEARCHES:
            raise InputError(f"{argument}: the block hydra of a command line may name no class, and '{value}' is one")
        resolve(value, place, _OF_SEARCHES[place])


def _entries(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value and everything in it, each behind its dotted key."""
    yield key, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in inner:
        yield from _entries(f"{key}.{name}", entry)
