"""From config blocks to objects: only classes of packages that a config has a reason to name."""

from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from cfvqa.errors import InputError

ALLOWED = (
    "cfvqa.sources.",
    "cfvqa.vision.",
    "cfvqa.models.",
    "cfvqa.objectives.",
    "cfvqa.training.schedules.",
    "torch.optim.",
    "lightning.pytorch.loggers.",
)


def plain(block: Any) -> Any:
    """Return a config block as dictionaries, lists and values, with everything resolved."""
    return OmegaConf.to_container(block, resolve=True) if isinstance(block, DictConfig | ListConfig) else block


def check_targets(block: Any, place: str = "config") -> None:
    """Refuse a block that names a class outside `ALLOWED`, however deep.

    Raises:
        InputError: naming the key.
    """
    if isinstance(block, dict):
        target = block.get("_target_")
        if target is not None and not str(target).startswith(ALLOWED):
            raise InputError(f"{place}._target_ names '{target}'; allowed are classes in {', '.join(ALLOWED)}")
        for key, value in block.items():
            check_targets(value, f"{place}.{key}")
    elif isinstance(block, list):
        for number, value in enumerate(block):
            check_targets(value, f"{place}[{number}]")


def build(block: Any, place: str, **arguments: Any) -> Any:
    """Instantiate a config block, its targets checked first."""
    content = plain(block)
    check_targets(content, place)
    return instantiate(content, **arguments)
