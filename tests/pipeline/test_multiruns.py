"""Sweeps on the tiny phantom: shared stages, failing jobs, repetition, and the launchers."""

import csv

import pytest
from processes import run

pytestmark = pytest.mark.long


def jobs(folder, name):
    with (folder / f"runs/sweeps/{name}/jobs.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sweep_ends_with_a_table_and_repeats_nothing(folder):
    status, output = run(folder, "train", "name=sweep", "seed=1,2", "--multirun")
    assert status == 0, output
    assert "2 jobs, 0 failed" in output
    first = jobs(folder, "sweep")
    assert [job["run"] for job in first] == ["sweep-seed-1", "sweep-seed-2"]
    assert all(job["state"] == "done" and float(job["val/generation"]) > 0 for job in first)
    # Tables, detector, classifier and features are those of the folder; only the readers are new.
    assert output.count("done in") == 2
    assert (folder / "runs/sweeps/sweep/jobs.md").read_text().count("\n") == 4

    status, output = run(folder, "train", "name=sweep", "seed=1,2", "--multirun")
    assert status == 0, output
    assert "done in" not in output
    assert [job["val/generation"] for job in jobs(folder, "sweep")] == [job["val/generation"] for job in first]


def test_a_failing_job_takes_no_other_down(folder):
    status, output = run(folder, "train", "name=some_fail", "seed=-1,1", "--multirun")
    assert status == 2, output
    assert output.count("error: ") == 1
    assert "Traceback" not in output
    failed, done = sorted(jobs(folder, "some_fail"), key=lambda job: job["state"], reverse=True)
    assert (failed["state"], done["state"]) == ("failed", "done")
    assert "seed is '-1'" in failed["error"]
