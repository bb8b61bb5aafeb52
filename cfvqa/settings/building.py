"""From config blocks to objects: each place names its packages, and nothing of others is made."""

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer

from cfvqa.errors import InputError
from cfvqa.vision.outputs import Starting


@dataclass(frozen=True)
class Allowed:
    """What the targets of a block may be, however deep in it they are.

    Attributes:
        packages: that they come from.
        base: class that they inherit from; None takes functions too.
    """

    packages: tuple[str, ...]
    base: type | None = object

    def takes(self, found: Any) -> bool:
        """Return whether a target may be what its name leads to."""
        # A module of ours imports others: torch.optim.adamw.torch.load is no optimizer.
        home = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
        known = callable(found) if self.base is None else isinstance(found, type) and issubclass(found, self.base)
        return known and home.startswith(self.packages)

    def __str__(self) -> str:
        what = "functions" if self.base is None else "classes"
        kind = "" if self.base in (None, object) else f"{self.base.__name__} "
        return f"{kind}{what} in {', '.join(self.packages)}"


SOURCES = Allowed(("cfvqa.sources.",))
VISION = Allowed(("cfvqa.vision.",), nn.Module)
READERS = Allowed(("cfvqa.models.", "cfvqa.vision."), nn.Module)
OBJECTIVES = Allowed(("cfvqa.objectives.",))
OPTIMIZERS = Allowed(("torch.optim.",), Optimizer)
SCHEDULES = Allowed(("cfvqa.training.schedules.",), None)
TRACKERS = Allowed(("cfvqa.training.trackers.",))
SAMPLERS = Allowed(("optuna.samplers.",))
PRUNERS = Allowed(("optuna.pruners.",))


def plain(block: Any) -> Any:
    """Return a config block as dictionaries, lists and values, with everything resolved."""
    return OmegaConf.to_container(block, resolve=True) if isinstance(block, DictConfig | ListConfig) else block


def resolve(target: Any, place: str, allowed: Allowed) -> Callable[..., Any]:
    """Return the class or function that a `_target_` names.

    Raises:
        InputError: naming the key, if it is private, is not there, or is not what the place takes.
    """
    # pkgutil reads module:class too, Hydra does not: both must find the same.
    if not str(target).startswith(allowed.packages) or "._" in str(target) or ":" in str(target):
        raise InputError(f"{place}._target_ names '{target}'; allowed are {allowed}")
    try:
        found = pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{place}._target_ names '{target}', which is not there: {error}") from error
    if not allowed.takes(found):
        raise InputError(f"{place}._target_ names '{target}', which is none of the {allowed}")
    return found


def check_targets(block: Any, place: str, allowed: Allowed) -> None:
    """Refuse a block that names what `resolve` refuses, however deep.

    Raises:
        InputError: naming the key.
    """
    for key, value in _parts(block, place):
        if isinstance(value, dict) and value.get("_target_") is not None:
            resolve(value["_target_"], key, allowed)


def _parts(block: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield a block and everything in it, each behind its dotted key."""
    yield place, block
    if isinstance(block, dict):
        for key, value in block.items():
            yield from _parts(value, f"{place}.{key}" if place else key)
    elif isinstance(block, list):
        for number, value in enumerate(block):
            yield from _parts(value, f"{place}[{number}]")


def build(block: Any, place: str, allowed: Allowed, **arguments: Any) -> Any:
    """Instantiate a config block, its targets checked first.

    Raises:
        InputError: if a target is not allowed, a value is still to be filled in, or its constructor raises one.
    """
    content = plain(block)
    check_targets(content, place, allowed)
    _check_filled(content, place)
    try:
        return instantiate(content, **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from error
        raise


def build_network(block: Any, place: str, allowed: Allowed, **arguments: Any) -> nn.Module:
    """Instantiate the block of a network, which may be a stranger's: no file is read.

    Raises:
        InputError: as `build`, and if the network cannot be made, or is none.
    """
    with trying(place):
        network = build(block, place, allowed, **arguments)
    if not isinstance(network, nn.Module):
        raise InputError(f"{place} makes a {type(network).__name__} and no network: leave _partial_ out")
    return network


def new_network(block: Any, place: str, allowed: Allowed) -> nn.Module:
    """Instantiate the block of a network that is to be trained, with the weights that it shall start from.

    Raises:
        InputError: as `build_network`, and if there are no such weights.
    """
    network = build_network(block, place, allowed)
    if isinstance(network, Starting):
        with trying(place):
            network.start()
    return network


def _check_filled(block: Any, place: str) -> None:
    """Refuse an interpolation: Hydra would fill it in behind the check of the targets, and can call what it likes."""
    for key, value in _parts(block, place):
        if isinstance(value, str) and "${" in value:
            raise InputError(f"{key} holds '{value}', and nothing is filled in there: write the value itself")


_OF_CONSTRUCTORS = (
    InstantiationException,
    TypeError,
    ValueError,
    KeyError,
    RuntimeError,
    ArithmeticError,
    AssertionError,  # torch checks its arguments so
    MisconfigurationException,
)


@contextmanager
def trying(place: str) -> Iterator[None]:
    """Make of what a constructor says of its arguments a message about the block that gives them."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error) if place in str(error) else f"{place}: {error}") from error
    except _OF_CONSTRUCTORS as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        raise InputError(f"{place} cannot be made with these settings: {_one_line(cause)}") from error


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
