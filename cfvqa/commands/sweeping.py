"""A command as a job of a sweep, and the end of the sweep; the launcher decides in which process either runs."""

import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.table import Table

from cfvqa.commands.composing import compose_a_job, swept
from cfvqa.commands.launching import kept, take_gpu
from cfvqa.commands.messages import PROGRAM_ERROR
from cfvqa.commands.outcomes import Outcome, ending
from cfvqa.errors import INPUT_ERROR, InputError
from cfvqa.stages.sweeps import (
    FAILED,
    STOPPED,
    Job,
    figures_of,
    forget_failures,
    job_name,
    own_overrides,
    read_jobs,
    record,
    training_seconds,
    waste_of,
    write_tables,
)
from cfvqa.training.meeting import end_job
from cfvqa.training.ranks import rank


def run_job(config: DictConfig, task: Callable[[DictConfig], Outcome]) -> Job:
    """Run a task as one job of a sweep, under a name of its own, and record what becomes of it.

    Args:
        config: of the job; its name gets the overrides of the job, and that of the sweep becomes its group.
        task: the command.

    Returns:
        What became of it.
    """
    hydra = HydraConfig.get()
    overrides = own_overrides(hydra.overrides.task)
    config.group, config.name = str(config.group), job_name(str(config.name), overrides)
    take_gpu(config)
    start = time.monotonic()
    outcome = task(config)
    run = Path(str(config.runs)) / str(config.name)
    figures, outcome = _figures(run, outcome)
    job = Job(
        overrides=overrides,
        name=str(config.name),
        state=outcome.state,
        seconds=round(time.monotonic() - start, 1),
        error=outcome.message,
        status=outcome.status,
        figures=figures,
    )
    if rank() == 0:
        trained = None if job.state == FAILED else training_seconds(run)  # what a failed one left may be another's
        record(job, Path(hydra.sweep.dir), trained)
    end_job(job.name, failed=outcome.state == FAILED)
    return job


def _figures(run: Path, outcome: Outcome) -> tuple[dict[str, float], Outcome]:
    """Return the figures of a run, and its outcome: that of a run whose figures are damaged is a failure.

    A job that failed has none: what its folder holds is of an earlier run of this name.
    """
    if outcome.state == FAILED:
        return {}, outcome
    try:
        return figures_of(run), outcome
    except (InputError, OSError, ValueError, KeyError, TypeError) as error:
        return {}, Outcome(INPUT_ERROR, f"{run}: its figures are damaged: {error}", FAILED)


class SweepEnd(Callback):
    """End a sweep with the table of its jobs; the exit status tells whether one failed."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Forget the failures of an earlier try, what was done stays in the table; and keep jobs from those killed.

        Runs that are compared are no sweep, and have no folder for one. A sweep that cannot begin leaves no file.
        """
        with ending():  # Hydra would warn of an error here, and go on
            if isinstance(config.runs, ListConfig):
                raise InputError("runs: a comparison of runs is no sweep: leave --multirun out")
            compose_a_job(config)
            if rank() == 0:  # which keeps the records of all processes that torchrun or srun has started
                folder = Path(config.hydra.sweep.dir)
                _hold(folder)
                forget_failures(folder)
                if config.predictions is None and (warning := waste_of(swept(config))) is not None:
                    sys.stderr.write(f"warning: {warning}\n")
            kept(config)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Write and print the table."""
        if rank() == 0:
            with ending():
                _end(Path(config.hydra.sweep.dir))


def _end(folder: Path) -> None:
    jobs = read_jobs(folder)
    table, page = write_tables(jobs, folder)
    console = Console()
    console.print(_shown(jobs))
    console.print(f"the jobs of this sweep: {table}, {page}", highlight=False, soft_wrap=True)
    _lock(folder.absolute()).release()
    statuses = [job.status for job in jobs if job.status]
    if statuses:  # wrong input alone ends as it does in a single command
        sys.exit(PROGRAM_ERROR if PROGRAM_ERROR in statuses else INPUT_ERROR)


def _hold(folder: Path) -> None:
    """Keep other sweeps from working in a folder as long as this one does: they would forget its failures."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _lock(folder.absolute()).acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"another sweep is at work in {folder}: wait for it, or choose another name=...") from error
    except OSError as error:
        raise InputError(f"the sweep cannot be started: {error}") from error


@cache  # a lock is let go when nobody knows it any more, and launchers copy a callback
def _lock(folder: Path) -> FileLock:
    return FileLock(folder / "sweep.lock")


def _shown(jobs: list[Job]) -> Table:
    names = sorted({name for job in jobs for name in job.figures})
    failed = sum(job.state in (FAILED, STOPPED) for job in jobs)
    table = Table(title=f"{len(jobs)} jobs, {failed} failed", title_justify="left")
    for column in ("run", "state", "seconds", *names):
        table.add_column(column, overflow="fold", justify="left" if column == "run" else "right")
    for job in jobs:
        cells = [f"{job.figures[name]:.3f}" if name in job.figures else "-" for name in names]
        table.add_row(job.name, job.state, f"{job.seconds:.0f}", *cells)
    return table
