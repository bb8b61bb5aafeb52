"""Kinds of config values: what a key may hold, and the one sentence for a value that it may not."""

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from cfvqa.errors import InputError


class Kind(Protocol):
    """What a config key may hold."""

    def check(self, value: Any, key: str) -> None:
        """Refuse another value with an `InputError` that names the key."""


def shown(value: Any) -> str:
    """Return a value as a user writes it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class _Value(ABC):
    """A kind of single values."""

    wanted: str

    @abstractmethod
    def fits(self, value: Any) -> bool:
        """Whether a key may hold the value."""

    def check(self, value: Any, key: str) -> None:
        """Refuse another value."""
        if not self.fits(value):
            raise InputError(f"{key} is '{shown(value)}': {self.wanted}")


@dataclass(frozen=True)
class Whole(_Value):
    """A whole number from `least` to `most`; None sets no bound."""

    least: int | None = None
    most: int | None = None

    @property
    def wanted(self) -> str:
        """What to give."""
        return f"give a whole number{_bounds(self.least, self.most)}"

    def fits(self, value: Any) -> bool:
        """Whether the value is such a number; true and false are none."""
        return isinstance(value, int) and not isinstance(value, bool) and _between(self.least, value, self.most)


@dataclass(frozen=True)
class Real(_Value):
    """A number from `least` to `most`; None sets no bound."""

    least: float | None = None
    most: float | None = None

    @property
    def wanted(self) -> str:
        """What to give."""
        return f"give a number{_bounds(self.least, self.most)}"

    def fits(self, value: Any) -> bool:
        """Whether the value is such a number; infinities and what is no number are none."""
        return _is_number(value) and _between(self.least, value, self.most)


@dataclass(frozen=True)
class Positive(_Value):
    """A number above 0."""

    wanted = "give a number above 0"

    def fits(self, value: Any) -> bool:
        """Whether the value is such a number."""
        return _is_number(value) and value > 0


@dataclass(frozen=True)
class Truth(_Value):
    """True or false."""

    wanted = "give true or false"

    def fits(self, value: Any) -> bool:
        """Whether the value is one of the two."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Choice(_Value):
    """One of some words, or numbers written like them."""

    words: tuple[str, ...]

    @property
    def wanted(self) -> str:
        """What to give."""
        return f"choose one of {', '.join(self.words)}"

    def fits(self, value: Any) -> bool:
        """Whether the value is one of the words."""
        return shown(value) in self.words


@dataclass(frozen=True)
class Some(_Value):
    """A list of at least one of some words, none of them twice."""

    words: tuple[str, ...]

    @property
    def wanted(self) -> str:
        """What to give."""
        return f"give a list of one or more of {', '.join(self.words)}"

    def fits(self, value: Any) -> bool:
        """Whether the value is such a list."""
        known = isinstance(value, list) and all(one in self.words for one in value)
        return known and 0 < len(value) == len(set(value))


@dataclass(frozen=True)
class Text(_Value):
    """A text; `wanted` says which."""

    wanted: str = "give a text"

    def fits(self, value: Any) -> bool:
        """Whether the value is a text that is not empty."""
        return isinstance(value, str) and bool(value)


@dataclass(frozen=True)
class Texts(_Value):
    """A text, or a list of them."""

    wanted: str

    def fits(self, value: Any) -> bool:
        """Whether the value is a text, or a list of at least one."""
        values = value if isinstance(value, list) else [value]
        return bool(values) and all(Text().fits(one) for one in values)


@dataclass(frozen=True)
class Listed(_Value):
    """A list of texts, which may be empty; a text alone would be taken for its letters."""

    wanted = "give a list of texts, [a,b]"

    def fits(self, value: Any) -> bool:
        """Whether the value is such a list."""
        return isinstance(value, list) and all(Text().fits(one) for one in value)


@dataclass(frozen=True)
class Name(_Value):
    """The name of a folder that is made: it cannot lead elsewhere. A number is a name too."""

    wanted = "begin with a letter or digit, go on with letters, digits, '_', '.' and '-', 100 of them at most"

    def fits(self, value: Any) -> bool:
        """Whether the value is such a name."""
        return isinstance(value, str | int) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", str(value)) is not None


@dataclass(frozen=True)
class Devices(_Value):
    """How many devices; a trainer's choice of some would not be that of what is asked without one."""

    wanted = "give a number from 1, or auto (which of several GPUs: by the variable CUDA_VISIBLE_DEVICES)"

    def fits(self, value: Any) -> bool:
        """Whether the value counts devices; -1 and auto are all of them."""
        return value in ("auto", -1) or Whole(1).fits(value)


@dataclass(frozen=True)
class OrNull(_Value):
    """A value of a kind, or null."""

    kind: _Value

    @property
    def wanted(self) -> str:
        """What to give."""
        return f"{self.kind.wanted}, or null"

    def fits(self, value: Any) -> bool:
        """Whether the value is null or of the kind."""
        return value is None or self.kind.fits(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _between(least: float | None, value: float, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _bounds(least: float | None, most: float | None) -> str:
    if least is None:
        return "" if most is None else f" up to {most}"
    return f" from {least} on" if most is None else f" from {least} to {most}"
