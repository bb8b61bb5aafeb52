"""A sweep of which a job was killed: its launcher fails, the table does not."""

import pytest
from omegaconf import OmegaConf

from cfvqa.commands.launching import KeptLauncher
from cfvqa.commands.sweeping import SweepEnd
from cfvqa.stages.sweeps import DONE, STOPPED, Job, forget_failures, read_jobs, record

JOBS = [["experiment=demo", "seed=1"], ["experiment=demo", "seed=2"]]


class Launching:
    """Do one job, and fail as joblib does when a worker of it dies."""

    def __init__(self, folder, message="a worker died"):
        self.folder, self.message = folder, message

    def launch(self, job_overrides, initial_job_idx):
        record(Job(["seed=1"], "demo-seed-1", DONE, 1.0, figures={"val/generation": 0.5}), self.folder)
        raise RuntimeError(self.message)


def launcher_of(folder, **failing):
    kept = KeptLauncher({})
    kept.config = OmegaConf.create({"name": "demo", "hydra": {"sweep": {"dir": str(folder)}}})
    kept.inner = Launching(folder, **failing)
    return kept


def test_a_killed_job_is_recorded_and_the_table_written(tmp_path, capsys):
    kept = launcher_of(tmp_path)
    returned = [found.return_value for found in kept.launch(JOBS, initial_job_idx=0)]
    assert [(job.name, job.state) for job in returned] == [("demo-seed-1", DONE), ("demo-seed-2", STOPPED)]
    assert "RuntimeError: a worker died" in returned[1].error
    assert returned == read_jobs(tmp_path)
    with pytest.raises(SystemExit) as end:
        SweepEnd().on_multirun_end(kept.config)
    assert end.value.code == 1
    assert "2 jobs, 1 failed" in capsys.readouterr().out
    assert "demo-seed-2,seed=2,stopped" in (tmp_path / "jobs.csv").read_text()
    forget_failures(tmp_path)
    assert [job.state for job in read_jobs(tmp_path)] == [DONE]


def test_a_launcher_that_cannot_start_is_no_stopped_job(tmp_path):
    with pytest.raises(RuntimeError, match="srun"):
        launcher_of(tmp_path, message="Could not detect srun").launch(JOBS, initial_job_idx=0)
    assert [job.name for job in read_jobs(tmp_path)] == ["demo-seed-1"]
