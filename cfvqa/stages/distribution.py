"""Stages that several processes make together."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cfvqa.training.meeting import call_others
from cfvqa.training.ranks import further_ranks, process_count


@dataclass(frozen=True)
class Others:
    """The further processes of a stage.

    Attributes:
        config: of the command; the others get it as a file.
        stage: name in `pipeline.STAGES`.
        trainer: arguments of `lightning.Trainer`.
    """

    config: DictConfig
    stage: str
    trainer: Mapping[str, Any]

    @contextmanager
    def at_work(self, folder: Path) -> Iterator[None]:
        """Start them, or call those that are there, to make `folder`; what was there before is decided on by now."""
        with tempfile.TemporaryDirectory(prefix="cfvqa-") as place:
            file = Path(place) / "config.yaml"
            OmegaConf.save(self.config, file, resolve=True)
            with further_ranks(self.trainer, [sys.executable, "-m", "cfvqa.commands.rank", str(file), self.stage]):
                call_others(str(folder))
                yield


def others_of(config: DictConfig, stage: str, trainer: Mapping[str, Any]) -> Others | None:
    """Return the further processes of a stage, or None where one device makes it alone."""
    return None if process_count(trainer) == 1 else Others(config, stage, trainer)
