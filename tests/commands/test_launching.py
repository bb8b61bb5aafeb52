"""A sweep of which a job was killed: its launcher fails, the table does not."""

import os

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from submitit.core import core
from submitit.core.utils import UncompletedJobError

from cfvqa.commands import launching
from cfvqa.commands.launching import KeptLauncher, take_gpu
from cfvqa.commands.sweeping import SweepEnd
from cfvqa.stages.sweeps import DONE, STOPPED, Job, forget_failures, read_jobs, record

JOBS = [["experiment=demo", f"seed={seed}"] for seed in (1, 2, 3)]


def done(overrides):
    """Return the job of these overrides, done."""
    return Job(overrides[1:], f"demo-{overrides[1].replace('=', '-')}", DONE, 1.0, figures={"val/generation": 0.5})


class Launching:
    """Do jobs in order, and fail at one that kills its worker, as joblib does: those behind it have not begun then."""

    def __init__(self, folder, killing=None, message="a worker died"):
        self.folder, self.killing, self.message = folder, killing, message
        self.launched = []

    def launch(self, job_overrides, initial_job_idx):
        self.launched.append([overrides[1] for overrides in job_overrides])
        for overrides in job_overrides:
            if overrides[1] == self.killing:
                raise RuntimeError(self.message)
            record(done(overrides), self.folder)
        return []


def launcher_of(folder, inner):
    kept = KeptLauncher({})
    kept.config = OmegaConf.create({"name": "demo", "hydra": {"sweep": {"dir": str(folder)}}})
    kept.inner = inner
    return kept


def launched(kept):
    return [found.return_value for found in kept.launch(JOBS, initial_job_idx=0)]


def test_a_job_that_kills_its_worker_twice_is_recorded_the_others_are_done_and_the_table_is_written(tmp_path, capsys):
    kept = launcher_of(tmp_path, Launching(tmp_path, killing="seed=2"))
    returned = launched(kept)
    assert [(job.name, job.state) for job in returned] == [
        ("demo-seed-1", DONE),
        ("demo-seed-2", STOPPED),
        ("demo-seed-3", DONE),
    ]
    assert kept.inner.launched == [["seed=1", "seed=2", "seed=3"], ["seed=3", "seed=2"]]
    assert "RuntimeError: a worker died" in returned[1].error
    assert returned == read_jobs(tmp_path)
    with pytest.raises(SystemExit) as end:
        SweepEnd().on_multirun_end(kept.config)
    assert end.value.code == 1
    assert "3 jobs, 1 failed" in capsys.readouterr().out
    assert "demo-seed-2,seed=2,stopped" in (tmp_path / "jobs.csv").read_text()
    forget_failures(tmp_path)
    assert [job.state for job in read_jobs(tmp_path)] == [DONE, DONE]


class Submitted(core.Job):
    """A job of submitit that is over, with a result or without one."""

    _cancel_at_deletion = False

    def __init__(self, result):
        self._sub_jobs, self.result_of_it = [], result

    def wait(self):
        pass

    def _get_outcome_and_result(self):
        if self.result_of_it is None:
            raise UncompletedJobError("no output")
        return "success", self.result_of_it


class Submitting:
    """End as submitit's launcher does, with jobs of which one was killed."""

    def __init__(self, folder):
        self.folder = folder

    def launch(self, job_overrides, initial_job_idx):
        jobs = [Submitted(None if overrides[1] == "seed=2" else self.do(overrides)) for overrides in job_overrides]
        return [job.results()[0] for job in jobs]

    def do(self, overrides):
        record(done(overrides), self.folder)
        return JobReturn(status=JobStatus.COMPLETED, _return_value=done(overrides))


def test_every_job_of_slurm_is_waited_for_and_one_without_a_result_is_recorded(tmp_path):
    returned = launched(launcher_of(tmp_path, Submitting(tmp_path)))
    assert [job.state for job in returned] == [DONE, STOPPED, DONE]
    assert "UncompletedJobError: no output" in returned[1].error
    assert returned == read_jobs(tmp_path)
    with pytest.raises(UncompletedJobError):
        Submitted(None).results()


@pytest.fixture
def gpu_of(monkeypatch):
    """Return the GPUs that a job sees on a machine of two, or of those that a user leaves."""

    def seen(number, launcher="joblib", devices=1, given=None):
        monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if given is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        config = {"hydra": {"launcher": {"_target_": f"hydra_plugins.{launcher}"}, "job": {"num": number}}}
        monkeypatch.setattr(launching.HydraConfig, "get", lambda: OmegaConf.create(config).hydra)
        take_gpu(OmegaConf.create({"trainer": {"devices": devices}}))
        return os.environ.get("CUDA_VISIBLE_DEVICES")

    return seen


def test_jobs_of_joblib_share_the_gpus_of_a_machine(gpu_of):
    assert [gpu_of(number) for number in range(3)] == ["0", "1", "0"]
    assert [gpu_of(number, given="5,7") for number in range(2)] == ["5", "7"]
    assert gpu_of(1, launcher="basic") is None
    assert gpu_of(1, devices="auto") is None


def test_a_launcher_that_cannot_start_is_no_stopped_job(tmp_path):
    inner = Launching(tmp_path, killing="seed=2", message="Could not detect srun")
    with pytest.raises(RuntimeError, match="srun"):
        launched(launcher_of(tmp_path, inner))
    assert [job.name for job in read_jobs(tmp_path)] == ["demo-seed-1"]
