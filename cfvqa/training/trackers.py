"""Trackers of runs beside `metrics.csv`: figures and settings go there; images, texts and identifiers do not."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.logger import Logger

from cfvqa.errors import InputError
from cfvqa.files import write_text

Row = Sequence[Any]


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of one training, or of an evaluation.

    Attributes:
        name: of the run.
        part: of it: pretrain, finetune, evaluation, ...
        group: of runs; the jobs of a sweep share one.
        folder: of the run, where the tracker may write.
        settings: that shape it, nested.
    """

    name: str
    part: str
    group: str
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)


class Tracker(Protocol):
    """Where figures go."""

    def start(self, run: TrackedRun) -> Logger:
        """Return the logger of a training or an evaluation; of a resumed one it goes on."""

    def log_table(self, logger: Logger, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Keep a table of figures, and of pictures where there are some."""

    def end(self, logger: Logger) -> None:
        """Close what was started."""

    def sending(self, folder: Path) -> str | None:
        """Return the command that sends what lies in the folder of a run, None where there is nothing to send."""


class TensorBoard:
    """Event files for TensorBoard under `tensorboard` of the run; they stay on this machine.

    Raises:
        InputError: if the package is missing.
    """

    def __init__(self) -> None:
        _need("tensorboard")

    def start(self, run: TrackedRun) -> Logger:
        """Return a logger; a resumed training adds a file, which TensorBoard reads as one curve."""
        return TensorBoardLogger(run.folder, name="tensorboard", version=run.part)

    def log_table(self, logger: Logger, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Leave tables out: TensorBoard has none, and `metrics.json` holds them."""

    def end(self, logger: Logger) -> None:
        """Write what is left."""
        logger.finalize("success")

    def sending(self, folder: Path) -> str | None:
        """Return nothing to send."""


class WeightsAndBiases:
    """Weights & Biases: a run a phase, in the group of its sweep.

    Code, command line and console stay on this machine whatever the settings: they can hold identifiers.

    Args:
        project: where the runs appear.
        entity: user or team; None is the user's own.
        tags: of every run.
        offline: keep everything on this machine until it is sent by hand.
        artifacts: whether the best checkpoint goes along.

    Raises:
        InputError: if the package is missing, or checkpoints shall go along and nothing is sent.
    """

    def __init__(
        self,
        *,
        project: str = "cfvqa",
        entity: str | None = None,
        tags: Sequence[str] = (),
        offline: bool = True,
        artifacts: bool = False,
    ) -> None:
        _need("wandb")
        if artifacts and offline:
            raise InputError("logger.tracker.artifacts=true sends checkpoints: give logger.tracker.offline=false too")
        self.project, self.entity, self.tags = project, entity, tags
        self.offline, self.artifacts = offline, artifacts

    def start(self, run: TrackedRun) -> Logger:
        """Return a logger; that of a resumed training continues the run that it began.

        Raises:
            InputError: if W&B cannot be reached, or knows no such user.
        """
        import wandb  # an extra

        try:  # not left to Lightning, which would give an argument that W&B has given up
            started = wandb.init(
                name=f"{run.name}-{run.part}",
                id=_run_id(run),
                resume="allow",
                dir=run.folder,
                project=self.project,
                entity=self.entity,
                group=run.group,
                job_type=run.part,
                tags=list(self.tags),
                config=dict(run.settings),
                mode="offline" if self.offline else "online",
                settings=wandb.Settings(
                    console="off", silent=True, disable_code=True, disable_git=True, x_disable_meta=True
                ),
            )
        except wandb.Error as error:
            raise InputError(
                f"logger.tracker: Weights & Biases says: {error}; wandb login, or logger.tracker.offline=true"
            ) from error
        started.define_metric("*", step_metric="trainer/global_step", step_sync=True)  # the step that Lightning logs
        return WandbLogger(experiment=started, save_dir=str(run.folder), log_model=self.artifacts)

    def log_table(self, logger: Logger, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Log a table; every array (H, W) in it is logged as a picture beside it, and named by its number there."""
        import wandb

        pictures: list[Any] = []

        def text_of(cell: Any) -> Any:
            if not isinstance(cell, np.ndarray):
                return cell
            pictures.append(wandb.Image(cell, caption=f"picture {len(pictures)}"))
            return f"picture {len(pictures) - 1}"

        table = wandb.Table(columns=list(columns), data=[[text_of(cell) for cell in row] for row in rows])
        logger.experiment.log({name: table} | ({f"{name} pictures": pictures} if pictures else {}))

    def end(self, logger: Logger) -> None:
        """Close the run: the next phase is one of its own."""
        logger.experiment.finish()

    def sending(self, folder: Path) -> str | None:
        """Return the command that sends what offline runs have kept."""
        kept = "wandb/offline-run-*"
        return f"wandb sync {folder}/{kept}" if self.offline and any(folder.glob(kept)) else None


def _run_id(run: TrackedRun) -> str:
    """Return the id of a run, which a resumed one finds again; drawn, so that no two machines share one."""
    file = run.folder / "wandb" / f"{run.part}.id"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, secrets.token_hex(6))
    return file.read_text()


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise InputError(f"logger={package} needs a package that is not installed: pip install 'cfvqa[{package}]'")
