"""Loggers of a training."""

from pathlib import Path
from typing import Any

from cfvqa.stages.building import build, plain
from cfvqa.training.curve_logger import CurveLogger


def run_loggers(block: Any, folder: Path, run: str, phase: str) -> list[Any]:
    """Return the logger of `metrics.csv`, which the report draws, and the tracker of the config, if any."""
    loggers: list[Any] = [CurveLogger(folder)]
    content = plain(block)
    if content.get("tracker") is not None:
        tracker = content["tracker"]
        loggers.append(build({**tracker, "save_dir": str(folder), "name": f"{run}-{phase}"}, "logger.tracker"))
    return loggers
