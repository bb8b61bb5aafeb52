"""What the commands share: the config folder, and errors that a user can read."""

import sys
from collections.abc import Callable
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

import cfvqa
from cfvqa.errors import InputError

INPUT_ERROR = 2
"""Exit status of a command whose input is wrong."""

Task = Callable[[DictConfig, Console], None]


def config_folder() -> str:
    """Return the folder of the configs: inside the installed package, or beside it in a checkout."""
    package = Path(cfvqa.__file__).parent
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parent / "conf")


def run(task: Task) -> None:
    """Run a task as a Hydra application.

    Wrong input ends with one message and exit status 2, also where Hydra itself finds it.
    """
    started = False

    def application(config: DictConfig) -> None:
        nonlocal started
        started = True
        torch.set_float32_matmul_precision("high")
        try:
            task(config, Console())
        except (InputError, OmegaConfBaseException) as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            sys.stderr.write(f"error: {error}\n")
            sys.exit(INPUT_ERROR)

    try:
        hydra.main(version_base="1.3", config_path=config_folder(), config_name="config")(application)()
    except SystemExit as stop:
        if stop.code == 1 and not started:
            sys.exit(INPUT_ERROR)
        raise
