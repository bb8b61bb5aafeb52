"""Loggers of a training."""

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger

from cfvqa.stages.building import build, plain


def curve_logger(folder: Path) -> CSVLogger:
    """Return the logger that every training has: `folder/metrics.csv`, which the report draws."""
    return CSVLogger(save_dir=folder, name="", version="")


def run_loggers(block: Any, folder: Path, run: str, phase: str) -> list[Any]:
    """Return the curve logger and the tracker of the config, if any."""
    loggers: list[Any] = [curve_logger(folder)]
    content = plain(block)
    if content.get("tracker") is not None:
        tracker = content["tracker"]
        loggers.append(build({**tracker, "save_dir": str(folder), "name": f"{run}-{phase}"}, "logger.tracker"))
    return loggers
