"""The command line before Hydra reads it: names of files are taken as they stand, foreign code is refused."""

import re
from collections.abc import Iterator, Sequence

from cfvqa.errors import InputError

_QUOTED = re.compile(r"""(['"])(?:(?!\1)[^\\]|\\.)*\1""", re.DOTALL)
_FOREIGN_CONFIG = re.compile(r"--config-[pn]|-c[pn]")  # argparse takes what is left of an option's name too
_TARGET = re.compile(r"""_target_['"]?\s*[:=]\s*['"]?([\w.]*)""")
_OF_SEARCHES = ("optuna.samplers.", "optuna.pruners.")


def readable(arguments: Sequence[str], literal: tuple[str, ...]) -> list[str]:
    """Return the arguments as Hydra shall read them.

    Args:
        arguments: of the command line.
        literal: keys whose values are names of files or free text, taken as they stand.

    Raises:
        InputError: if they replace the config by a file, or let Hydra itself make objects of a class.
    """
    for argument in arguments:
        if _FOREIGN_CONFIG.match(argument):
            raise InputError(
                f"{argument.partition('=')[0]} would run whatever a config from elsewhere names: give KEY=VALUE, or "
                "configs of your own that are added to these, --config-dir FOLDER"
            )
        for target in _targets_of_hydra(argument):
            raise InputError(f"{argument}: the block hydra of a command line may name no class, and '{target}' is one")
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


def _targets_of_hydra(argument: str) -> Iterator[str]:
    """Yield the classes that an override of Hydra's own block names, but those of searches.

    Hydra makes these objects before a task is asked; blocks of ours are checked when they are built.
    """
    if argument.lstrip("+~").startswith("hydra"):
        yield from (name for name in _TARGET.findall(argument) if not name.startswith(_OF_SEARCHES))
