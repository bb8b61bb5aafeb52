"""Which stage a command ends with."""

from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from cfvqa.progress import StageConsole
from cfvqa.settings.schema import ANSWERS
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage
from cfvqa.stages.importing import imports
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
    names = list(TASKS)
    show_sending(config, console, names[: names.index(config.task) + 1])
    return stage


def show_sending(config: DictConfig, console: StageConsole, names: Sequence[str] = (*TASKS, "blind")) -> None:
    """Print how to send what a tracker has kept on this machine of finished stages, and of what the run holds else."""
    if config.logger.tracker is None:
        return
    never = [] if ANSWERS in config.evaluation.tasks else ["blind"]
    if imports(config) and config.task == "vqa":
        never += ["anatomy", "findings"]
    made = [name for name in names if name not in never]  # to ask for another one would train it
    run = Path(config.runs) / str(config.name)
    folders = [run if name == "vqa" else STAGES[name](config, console).folder for name in made]
    for line in sending_lines(config, folders):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
