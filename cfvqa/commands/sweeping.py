"""A command as a job of a sweep, and the end of the sweep; the launcher decides in which process either runs."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from cfvqa.commands.messages import INPUT_ERROR, PROGRAM_ERROR
from cfvqa.stages.sweeps import DONE, FAILED, Job, figures_of, job_name, read_jobs, record, write_tables


def run_job(config: DictConfig, task: Callable[[DictConfig], tuple[int, str]]) -> None:
    """Run a task as one job of a sweep, under a name of its own, and record what becomes of it.

    Args:
        config: of the job; its name gets the overrides of the job.
        task: the command; returns the exit status that it would end with alone, and its message, which is printed.
    """
    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    config.name = job_name(str(config.name), overrides)
    start = time.monotonic()
    status, message = task(config)
    job = Job(
        overrides=overrides,
        name=str(config.name),
        state=FAILED if status else DONE,
        seconds=round(time.monotonic() - start, 1),
        error=message,
        status=status,
        figures=figures_of(Path(str(config.runs)) / str(config.name)),
    )
    record(job, Path(hydra.sweep.dir))


class SweepEnd(Callback):
    """End a sweep with the table of its jobs; the exit status tells whether one failed."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Forget the records of an earlier try: every job is visited again, finished ones are ready at once."""
        shutil.rmtree(Path(config.hydra.sweep.dir) / "jobs", ignore_errors=True)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Write and print the table."""
        folder = Path(config.hydra.sweep.dir)
        jobs = read_jobs(folder)
        table, page = write_tables(jobs, folder)
        console = Console()
        console.print(_shown(jobs))
        console.print(f"the jobs of this sweep: {table}, {page}", highlight=False, soft_wrap=True)
        statuses = [job.status for job in jobs if job.status]
        if statuses:  # wrong input alone ends as it does in a single command
            sys.exit(PROGRAM_ERROR if PROGRAM_ERROR in statuses else INPUT_ERROR)


def _shown(jobs: list[Job]) -> Table:
    names = sorted({name for job in jobs for name in job.figures})
    table = Table(title=f"{len(jobs)} jobs, {sum(job.state == FAILED for job in jobs)} failed", title_justify="left")
    for column in ("run", "state", "seconds", *names):
        table.add_column(column, overflow="fold", justify="left" if column == "run" else "right")
    for job in jobs:
        cells = [f"{job.figures[name]:.3f}" if name in job.figures else "-" for name in names]
        table.add_row(job.name, job.state, f"{job.seconds:.0f}", *cells)
    return table
