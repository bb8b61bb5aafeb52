"""Stages that several processes make together."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cfvqa.stages.identity import Others
from cfvqa.training.ranks import further_ranks, process_count


def others_of(config: DictConfig, stage: str, trainer: Mapping[str, Any]) -> Others | None:
    """Return what starts the further processes of a stage, or None where one device makes it alone.

    Args:
        config: of the command; the others get it as a file.
        stage: name in `pipeline.STAGES`.
        trainer: arguments of `lightning.Trainer`.
    """
    if process_count(trainer) == 1:
        return None

    @contextmanager
    def start() -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="cfvqa-") as folder:
            file = Path(folder) / "config.yaml"
            OmegaConf.save(config, file, resolve=True)
            with further_ranks(trainer, [sys.executable, "-m", "cfvqa.commands.rank", str(file), stage]):
                yield

    return start
