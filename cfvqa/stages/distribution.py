"""Stages that several processes make together."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cfvqa.training.ranks import call_others, further_ranks, is_called, open_calls, process_count


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

    def called(self, folder: Path) -> bool:
        """Whether this process, a further one, is to make `folder` by now."""
        return is_called(str(folder))


def others_of(config: DictConfig, stage: str, trainer: Mapping[str, Any]) -> Others | None:
    """Return the further processes of a stage, or None where one device makes it alone.

    Raises:
        InputError: if those that torchrun or srun has started cannot meet.
    """
    if process_count(trainer) == 1:
        return None
    open_calls()
    return Others(config, stage, trainer)
