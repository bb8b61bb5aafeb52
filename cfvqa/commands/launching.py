"""A launcher of a sweep whose jobs may be killed: the others, and the table, stay."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from cfvqa.commands.messages import PROGRAM_ERROR
from cfvqa.settings.training_checks import TRAINERS
from cfvqa.stages.sweeps import STOPPED, Job, job_name, own_overrides, read_jobs, record

NAMESPACE = "hydra_plugins.cfvqa"
"""Where Hydra looks for plugins of ours: see `searching.register`."""

_GPUS = "CUDA_VISIBLE_DEVICES"


class KeptLauncher(Launcher):
    """Launch jobs by another launcher, and record those that were stopped.

    Where it fails it has lost all jobs, those not begun too: they are launched once more.

    Args:
        launcher: block of the other one.
    """

    __module__ = NAMESPACE

    def __init__(self, launcher: dict[str, Any]) -> None:
        self.launcher = launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives to every launcher, and give it to the other one."""
        self.config = config
        with read_write(config), open_dict(config):
            config.hydra.launcher = self.launcher
        self.inner: Launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Launch jobs; return what became of each."""
        try:
            found = self._launch(job_overrides, initial_job_idx)
        except RuntimeError as error:  # joblib's of a worker that died
            if "srun" in str(error):  # no job has begun
                raise
            found = [self._launch_lost(job_overrides, initial_job_idx, error)] * len(job_overrides)
        recorded = self._recorded()
        return [
            self._stopped(overrides, one, recorded) if isinstance(one, RuntimeError) else one
            for overrides, one in zip(job_overrides, found, strict=True)
        ]

    def _launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn | RuntimeError]:
        with _all_awaited():
            return list(self.inner.launch(job_overrides, initial_job_idx=initial_job_idx))

    def _launch_lost(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int, error: RuntimeError
    ) -> RuntimeError:
        """Launch the jobs that left no record, those last that were at work; return what was wrong the last time."""
        recorded = self._recorded()
        lost = [overrides for overrides in job_overrides if self._job(overrides).name not in recorded]
        try:
            if lost:
                self._launch(lost[::-1], initial_job_idx)
        except RuntimeError as again:
            return again
        return error

    def _stopped(self, overrides: Sequence[str], error: RuntimeError, recorded: dict[str, Job]) -> JobReturn:
        """Return what became of a job without a result, and record that it was stopped if it left no record."""
        job = self._job(overrides, f"left no result, the same command goes on: {type(error).__name__}: {error}")
        if job.name not in recorded:
            record(job, self._folder)
        return JobReturn(status=JobStatus.COMPLETED, _return_value=recorded.get(job.name, job))

    def _job(self, job_overrides: Sequence[str], message: str = "") -> Job:
        overrides = own_overrides(job_overrides)
        return Job(overrides, job_name(str(self.config.name), overrides), STOPPED, 0.0, message, PROGRAM_ERROR)

    def _recorded(self) -> dict[str, Job]:
        """Return the jobs that left a record, by their names."""
        return {job.name: job for job in read_jobs(self._folder)}

    @property
    def _folder(self) -> Path:
        return Path(self.config.hydra.sweep.dir)


@contextmanager
def _all_awaited() -> Iterator[None]:
    """Have submitit's launcher wait for every job: one without a result gives its error, and raises none.

    It would end at the first such job, and leave the others to run unseen.
    """
    try:
        from submitit.core.core import Job as Submitted  # an extra
    except ImportError:
        yield
        return
    results = Submitted.results

    def results_or_error(job: Submitted) -> list[Any]:
        try:
            return results(job)
        except RuntimeError as error:
            return [error]

    Submitted.results = results_or_error
    try:
        yield
    finally:
        Submitted.results = results


def take_gpu(config: DictConfig) -> None:
    """Take one of the GPUs for a job of joblib, before CUDA starts: all jobs at once would be on the first.

    A process that joblib gives the next job to stays where it is.
    """
    hydra = HydraConfig.get()
    if "joblib" not in hydra.launcher._target_:
        return
    there = torch.cuda.device_count()
    alone = all(OmegaConf.select(config, f"{place}.devices", default=1) == 1 for place in TRAINERS)
    if there > 1 and alone:
        names = os.environ.get(_GPUS, ",".join(map(str, range(there)))).split(",")
        os.environ[_GPUS] = names[hydra.job.num % there]


def kept(config: DictConfig) -> None:
    """Have the launcher of a sweep launched by `KeptLauncher`."""
    launcher = OmegaConf.to_container(config.hydra.launcher, resolve=False)
    with read_write(config), open_dict(config):
        config.hydra.launcher = {
            "_target_": f"{NAMESPACE}.{KeptLauncher.__name__}",
            "_recursive_": False,
            "launcher": launcher,
        }
