"""Which stage a command ends with."""

from collections.abc import Callable

from omegaconf import DictConfig

from cfvqa.errors import InputError
from cfvqa.stages.identity import Stage
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.vision import anatomy, findings
from cfvqa.stages.vqa import vqa

_TASKS: dict[str, Callable[[DictConfig, StageConsole], Stage]] = {
    "anatomy": anatomy,
    "findings": findings,
    "vqa": vqa,
}


def train(config: DictConfig, console: StageConsole) -> Stage:
    """Train what `task` names, and what it needs before."""
    if config.task not in _TASKS:
        raise InputError(f"task is '{config.task}': choose one of {', '.join(_TASKS)}")
    return _TASKS[config.task](config, console)
