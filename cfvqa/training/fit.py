"""One way to train, resume and log, for every task."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.training.callbacks import EpochLine, EpochMeans, StepSeeds
from cfvqa.training.checkpoints import AtomicCheckpoints, find_resumable, load_weights
from cfvqa.training.keeping import BestCheckpoint, LastCheckpoint
from cfvqa.training.meeting import meeting
from cfvqa.training.memory import keep_freed_memory
from cfvqa.training.ranks import environment, rank


@dataclass(frozen=True)
class FitSettings:
    """How a phase is trained.

    Attributes:
        title: shown while it runs.
        epochs: passes over the training data.
        seed: of what a step draws: dropout, moved boxes and exposure of images, wrong pairs of BLIP.
        monitor: validation figure that chooses the best checkpoint; starts with "val/".
        mode: "min" or "max" of it.
        checkpoint_steps: optimizer steps between two checkpoints: what a killed training loses at most.
        repeatable: whether two runs are to give the same numbers; what cannot on a GPU says so.
        start: checkpoint of such a module whose weights a new training begins with; None begins with its own.
        trainer: further arguments of `lightning.Trainer` (accelerator, devices, precision, ...).
    """

    title: str
    epochs: int
    seed: int
    monitor: str
    mode: str
    checkpoint_steps: int
    trainer: dict[str, Any]
    repeatable: bool = True
    start: Path | None = None

    def __post_init__(self) -> None:
        if not self.monitor.startswith("val/"):
            raise ValueError(f"checkpoints are chosen on validation figures only, not on '{self.monitor}'")


def fit(
    module: L.LightningModule,
    data: L.LightningDataModule,
    settings: FitSettings,
    folder: Path,
    *,
    loggers: list[Any],
    console: Console,
    callbacks: Sequence[L.Callback] = (),
) -> Path:
    """Train `module`, going on from `folder/checkpoints/last.ckpt` where there is one.

    Args:
        module: what is trained.
        data: with training and validation sets.
        settings: how.
        folder: gets `checkpoints` and `metrics.csv`.
        loggers: Lightning's.
        console: shows a line an epoch, and a bar on a terminal.
        callbacks: further ones, behind those of every training: what they raise leaves a checkpoint.

    Returns:
        The best checkpoint. The module holds its weights when the function returns.
    """
    checkpoints = folder / "checkpoints"
    torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
    torch.utils.deterministic.fill_uninitialized_memory = False  # every tensor is written before it is read
    keep_freed_memory()
    rank_zero_only.rank = rank()  # Lightning believes RANK alone, which may be a scheduler's
    with quiet_lightning():
        trainer = L.Trainer(
            max_epochs=settings.epochs,
            logger=loggers,
            callbacks=[*_callbacks(settings, checkpoints, console), *callbacks],
            plugins=[AtomicCheckpoints(), *environment()],
            enable_progress_bar=console.is_terminal,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=folder,
            log_every_n_steps=10,
            deterministic="warn" if settings.repeatable else False,
            use_distributed_sampler=False,  # the loaders know their rank, and share batches without repeating samples
            **settings.trainer,
        )
        found = find_resumable(module, checkpoints, console)
        if found is None:
            (checkpoints / "best.ckpt").unlink(missing_ok=True)  # of a training that was killed before its first last
            if settings.start is not None:
                load_weights(module, settings.start)
        with meeting(), _interrupt_kept(trainer):
            trainer.fit(module, datamodule=data, ckpt_path=found, weights_only=True)
    best = checkpoints / "best.ckpt"
    if not best.is_file():
        raise InputError(f"{best} is missing, though the training has ended: to begin anew, delete {checkpoints}")
    load_weights(module, best)
    return best


@contextmanager
def _interrupt_kept(trainer: L.Trainer) -> Iterator[None]:
    """Let Ctrl-C be told from a failure: Lightning ends the process with status 1 for it."""
    try:
        yield
    except SystemExit as end:
        if trainer.interrupted and end.code == 1:  # a training that was preempted has a status of its own
            raise KeyboardInterrupt from None
        raise


def _callbacks(settings: FitSettings, checkpoints: Path, console: Console) -> list[L.Callback]:
    best = BestCheckpoint(
        dirpath=checkpoints,
        filename="best",
        monitor=settings.monitor,
        mode=settings.mode,
        enable_version_counter=False,
        save_on_train_epoch_end=False,  # behind the validation, and so before the last checkpoint of the epoch
    )
    last = LastCheckpoint(checkpoints / "last.ckpt", steps=settings.checkpoint_steps)
    callbacks: list[L.Callback] = [StepSeeds(settings.seed), EpochMeans(), EpochLine(settings.title, console)]
    callbacks += [best, last]
    if console.is_terminal:
        callbacks.append(RichProgressBar(leave=False))
    return callbacks


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's hints on devices, workers and folders; warnings of others stay."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Of the 38 findings a source may know fewer; the mean leaves out what does not occur.
        warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
