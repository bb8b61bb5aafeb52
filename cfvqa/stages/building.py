"""From config blocks to objects: only classes of packages that a config has a reason to name."""

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, ListConfig, OmegaConf

from cfvqa.errors import InputError

ALLOWED = (
    "cfvqa.sources.",
    "cfvqa.vision.",
    "cfvqa.models.",
    "cfvqa.objectives.",
    "cfvqa.training.schedules.",
    "torch.optim.",
    "optuna.samplers.",
    "optuna.pruners.",
    "cfvqa.training.trackers.",
)


def plain(block: Any) -> Any:
    """Return a config block as dictionaries, lists and values, with everything resolved."""
    return OmegaConf.to_container(block, resolve=True) if isinstance(block, DictConfig | ListConfig) else block


def resolve(target: Any, place: str) -> Callable[..., Any]:
    """Return the class or function that a `_target_` names.

    Raises:
        InputError: naming the key, if it lies outside `ALLOWED`, is not there, or comes from elsewhere.
    """
    if not str(target).startswith(ALLOWED):
        raise InputError(f"{place}._target_ names '{target}'; allowed are classes in {', '.join(ALLOWED)}")
    try:
        found = pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{place}._target_ names '{target}', which is not there: {error}") from error
    # A module of ours imports others: torch.optim.adamw.torch.load is no optimizer.
    home = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
    if not callable(found) or not home.startswith(ALLOWED):
        raise InputError(f"{place}._target_ names '{target}', which is no class in {', '.join(ALLOWED)}")
    return found


def check_targets(block: Any, place: str = "config") -> None:
    """Refuse a block that names a class that `resolve` refuses, however deep.

    Raises:
        InputError: naming the key.
    """
    for key, value in _parts(block, place):
        if isinstance(value, dict) and value.get("_target_") is not None:
            resolve(value["_target_"], key)


def _parts(block: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield a block and everything in it, each behind its dotted key."""
    yield place, block
    if isinstance(block, dict):
        for key, value in block.items():
            yield from _parts(value, f"{place}.{key}" if place else key)
    elif isinstance(block, list):
        for number, value in enumerate(block):
            yield from _parts(value, f"{place}[{number}]")


def build(block: Any, place: str, **arguments: Any) -> Any:
    """Instantiate a config block, its targets checked first.

    Raises:
        InputError: if a target is not allowed, a value is still to be filled in, or its constructor raises one.
    """
    content = plain(block)
    check_targets(content, place)
    _check_filled(content, place)
    try:
        return instantiate(content, **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from error
        raise


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
