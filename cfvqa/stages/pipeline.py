"""Which stage a command ends with."""

from collections.abc import Callable

from omegaconf import DictConfig

from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.tracking import sending_lines
from cfvqa.stages.vision import anatomy, findings
from cfvqa.stages.vqa import blind, vqa

Make = Callable[[DictConfig, StageConsole], Stage]

TASKS: dict[str, Make] = {"anatomy": anatomy, "findings": findings, "vqa": vqa}
"""What `cfvqa-train` trains."""

STAGES: dict[str, Make] = TASKS | {"features": features, "blind": blind}
"""What several processes can make together."""


def train(config: DictConfig, console: StageConsole) -> Stage:
    """Train what `task` names, and what it needs before."""
    stage = TASKS[config.task](config, console)
    tracked = stage.folder.parent if config.task == "vqa" else stage.folder  # a run holds more than its training
    for line in sending_lines(config, tracked):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return stage
