"""Blocks that are as open as what they call: whatever the class or function takes, and nothing else."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from cfvqa.errors import InputError
from cfvqa.settings.blocks import inside, mapping, unknown
from cfvqa.settings.building import SOURCES, Allowed, check_targets, resolve
from cfvqa.settings.kinds import Choice, Kind, Listed, OrNull, Real, Text, Truth, Whole, shown

_OF_HYDRA = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
_OF_ANNOTATION: dict[Any, Kind] = {
    int: Whole(),
    float: Real(),
    bool: Truth(),
    str: Text(),
    str | None: OrNull(Text()),
    Sequence[str]: Listed(),
}


@dataclass(frozen=True)
class Arguments:
    """A block of arguments for one function.

    Attributes:
        function: what they are for.
        given: arguments that the program gives itself.
        values: kinds that say more than the annotations of the function do.
        allowed: what blocks among the arguments may name; None where there is no such block.
    """

    function: Callable[..., Any]
    given: tuple[str, ...] = ()
    values: Mapping[str, Kind] = field(default_factory=dict)
    allowed: Allowed | None = None

    def check(self, value: Any, key: str) -> None:
        """Refuse arguments that the function does not take, or takes from the program."""
        parameters = inspect.signature(self.function).parameters
        names = [name for name, parameter in parameters.items() if _is_named(parameter) and name not in self.given]
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for name, argument in mapping(value, key).items():
            if name in self.given:
                raise InputError(f"{inside(key, name)} is set by the program itself: leave it out")
            if name not in names and not open_ended:
                raise unknown(inside(key, name), names)
            kind = self.values.get(name) or _kind_of(argument, parameters.get(name), self.allowed)
            if kind is not None:
                kind.check(argument, inside(key, name))


@dataclass(frozen=True)
class Call:
    """A block that names a class or function in `_target_`; the other keys are arguments for it.

    Attributes:
        allowed: what may be named, here and in what is inside.
        given, values: as of `Arguments`.
    """

    allowed: Allowed
    given: tuple[str, ...] = ()
    values: Mapping[str, Kind] = field(default_factory=dict)

    def check(self, value: Any, key: str) -> None:
        """Refuse what cannot be imported, and what it does not take."""
        content = mapping(value, key)
        if "_target_" not in content:
            raise InputError(f"{key}._target_ is missing: name a class")
        check_targets(content, key, self.allowed)
        function = resolve(content["_target_"], key, self.allowed)
        arguments = {name: argument for name, argument in content.items() if name not in _OF_HYDRA}
        Arguments(function, self.given, self.values, self.allowed).check(arguments, key)


@dataclass(frozen=True)
class Source:
    """A block of a data set: its keys are the arguments of its reader, so that a new source is one file and one config.

    Attributes:
        phantom: kind of the block of the data set that is drawn.
        values: as of `Arguments`, whichever reader takes them.
    """

    phantom: Kind
    values: Mapping[str, Kind] = field(default_factory=dict)

    def check(self, value: Any, key: str) -> None:
        """Refuse keys that neither the reader nor the phantom takes."""
        content = mapping(value, key)
        if "reader" not in content:
            raise InputError(f"{key}.reader is missing: choose a source")
        reader = mapping(content["reader"], f"{key}.reader")
        function = resolve(reader.get("_target_"), f"{key}.reader", SOURCES)
        arguments = {name: entry for name, entry in content.items() if name not in ("reader", "phantom")}
        Arguments(function, values=self.values).check(arguments, key)
        Call(SOURCES, values=self.values).check(reader, f"{key}.reader")
        for name, entry in arguments.items():
            if entry != reader.get(name):
                raise InputError(
                    f"{inside(key, name)} is '{shown(entry)}', which the reader does not get: leave it out"
                )
        if content.get("phantom") is not None:
            self.phantom.check(content["phantom"], f"{key}.phantom")


def _is_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _kind_of(argument: Any, parameter: inspect.Parameter | None, allowed: Allowed | None) -> Kind | None:
    """Return what an argument must be, where a nested block, a plain annotation or a list of words says it."""
    if allowed is not None and isinstance(argument, dict) and "_target_" in argument:
        return Call(allowed)
    if parameter is None:
        return None
    if get_origin(parameter.annotation) is Literal:
        return Choice(tuple(shown(word) for word in get_args(parameter.annotation)))
    return _OF_ANNOTATION.get(parameter.annotation)
