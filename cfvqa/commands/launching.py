"""A launcher of a sweep whose jobs may be killed: the others, and the table, stay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from cfvqa.commands.messages import PROGRAM_ERROR
from cfvqa.stages.sweeps import STOPPED, Job, job_name, own_overrides, read_jobs, record

NAMESPACE = "hydra_plugins.cfvqa"
"""Where Hydra looks for plugins of ours: see `searching.register`."""


class KeptLauncher(Launcher):
    """Launch jobs by another launcher, and record those that were stopped where it fails: it loses them all then.

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
            return self.inner.launch(job_overrides, initial_job_idx=initial_job_idx)
        except RuntimeError as error:  # as joblib's of a worker that died, and submitit's of a job without a result
            if "srun" in str(error):  # no job has begun
                raise
            jobs = stopped_jobs(str(self.config.name), job_overrides, error, Path(self.config.hydra.sweep.dir))
            return [JobReturn(status=JobStatus.COMPLETED, _return_value=job) for job in jobs]


def kept(config: DictConfig) -> None:
    """Have the launcher of a sweep launched by `KeptLauncher`."""
    launcher = OmegaConf.to_container(config.hydra.launcher, resolve=False)
    with read_write(config), open_dict(config):
        config.hydra.launcher = {
            "_target_": f"{NAMESPACE}.{KeptLauncher.__name__}",
            "_recursive_": False,
            "launcher": launcher,
        }


def stopped_jobs(name: str, job_overrides: Sequence[Sequence[str]], error: Exception, folder: Path) -> list[Job]:
    """Record the jobs of which nothing is recorded in the folder of a sweep; return what became of each job."""
    message = f"left no result, the same command goes on: {type(error).__name__}: {error}"
    recorded = {job.name: job for job in read_jobs(folder)}
    jobs = []
    for overrides in map(own_overrides, job_overrides):
        job = Job(overrides, job_name(name, overrides), STOPPED, 0.0, message, PROGRAM_ERROR)
        if job.name not in recorded:
            record(job, folder)
        jobs.append(recorded.get(job.name, job))
    return jobs
