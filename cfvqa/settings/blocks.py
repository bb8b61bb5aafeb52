"""Blocks of config keys: which keys they have, and of what kind the values are."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cfvqa.errors import InputError
from cfvqa.settings.kinds import Kind, Name, shown


def inside(key: str, name: str) -> str:
    """Return the dotted key of `name` in the block `key`; the config itself is the block ""."""
    return f"{key}.{name}" if key else name


def unknown(key: str, known: Iterable[str]) -> InputError:
    """Return the message for a key that nothing reads; `known` are the names beside it."""
    block, _, name = key.rpartition(".")
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return InputError(f"key '{key}' is unknown; did you mean '{inside(block, close[0])}'?")
    return InputError(f"key '{key}' is unknown; {block or 'the config'} takes {', '.join(names) or 'no keys'}")


@dataclass(frozen=True)
class Maybe:
    """A block, or null."""

    block: Kind

    def check(self, value: Any, key: str) -> None:
        """Refuse a block that is not of the kind."""
        if value is not None:
            self.block.check(value, key)


@dataclass(frozen=True)
class Block:
    """A block of keys.

    Attributes:
        keys: that it must have, with their kinds.
        optional: that it may have.
    """

    keys: Mapping[str, Kind]
    optional: Mapping[str, Kind] = field(default_factory=dict)

    def check(self, value: Any, key: str) -> None:
        """Refuse a block with another key, without one of its keys, or with a value that is not of its kind."""
        kinds = {**self.keys, **self.optional}
        content = mapping(value, key)
        for name in content:
            if name not in kinds:
                raise unknown(inside(key, name), kinds)
        for name in self.keys:
            if name not in content:
                raise InputError(f"{inside(key, name)} is missing: give it a value")
        for name, kind in kinds.items():
            if name in content:
                kind.check(content[name], inside(key, name))


@dataclass(frozen=True)
class Each:
    """A block whose keys the user names; all values are of one kind, and there is one at least."""

    kind: Kind

    def check(self, value: Any, key: str) -> None:
        """Refuse an empty block, a name that is none, or a value that is not of the kind."""
        content = mapping(value, key)
        if not content:
            raise InputError(f"{key} is empty: give it one entry at least")
        for name, entry in content.items():
            Name().check(name, f"a key of {key}")
            self.kind.check(entry, inside(key, name))


def mapping(value: Any, key: str) -> dict[str, Any]:
    """Return a value that must be a block.

    Raises:
        InputError: if it is none.
    """
    if not isinstance(value, dict):
        raise InputError(f"{key} is '{shown(value)}': it is a block of keys, give {key}.KEY=VALUE")
    return value
