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


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_other_launchers_run_the_same_jobs(folder, launcher):
    pool = {"joblib": "hydra.launcher.n_jobs=2", "submitit_local": "hydra.launcher.timeout_min=10"}[launcher]
    name = f"by_{launcher}"
    overrides = (f"name={name}", f"hydra/launcher={launcher}", pool, "phases=finetune_only", "seed=1,-1", "--multirun")
    status, output = run(folder, "train", *overrides)
    assert status == 2, output
    assert "2 jobs, 1 failed" in output
    done, failed = sorted(jobs(folder, name), key=lambda job: job["state"])
    assert (done["state"], failed["state"]) == ("done", "failed")
    assert float(done["val/generation"]) > 0
    assert "seed is '-1'" in failed["error"]


def trials(folder, name):
    import optuna

    storage = f"sqlite:///{folder}/runs/sweeps/{name}/study.db"
    return optuna.load_study(study_name="cfvqa", storage=storage).get_trials()


LR = "phases.finetune.optimizer.lr"


def search(folder, name, trials, *overrides):
    lr = f"{LR}=choice(1e-3,1e-7)"
    shared = (f"name={name}", "hydra/sweeper=optuna", f"hydra.sweeper.trials={trials}", "phases=finetune_only")
    return run(folder, "train", *shared, lr, *overrides, "--multirun")


def test_a_search_goes_on_and_repeats_no_trial(folder):
    status, output = search(folder, "search", 2)
    assert status == 0, output
    first = trials(folder, "search")
    assert [trial.state.name for trial in first] == ["COMPLETE"] * 2
    status, output = search(folder, "search", 3)
    assert status == 0, output
    again = trials(folder, "search")
    assert len(again) == 3
    assert [trial.value for trial in again[:2]] == [trial.value for trial in first]
    listed = {job["run"]: float(job["val/generation"]) for job in jobs(folder, "search")}
    for trial in again:
        name = f"search-phases-finetune_only-phases.finetune.optimizer.lr-{trial.params[LR]}"
        assert listed[name] == pytest.approx(trial.value, abs=1e-4)
    status, output = search(folder, "search", 3)
    assert status == 0, output
    assert len(trials(folder, "search")) == 3


def test_trials_that_fall_behind_are_given_up_and_stay_so(folder):
    # This pruner gives up whatever has a loss above 0.
    pruner = (
        "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner",
        "+hydra.sweeper.pruner.upper=0",
        "~hydra.sweeper.pruner.n_startup_trials",
        "phases.finetune.epochs=2",
    )
    status, output = search(folder, "given_up", 1, *pruner)
    assert status == 0, output
    assert "finetune epoch 1/2" in output
    assert "finetune epoch 2/2" not in output
    assert [job["state"] for job in jobs(folder, "given_up")] == ["pruned"]
    status, output = search(folder, "given_up", 1, *pruner)
    assert status == 0, output
    assert "finetune epoch" not in output
    assert [trial.state.name for trial in trials(folder, "given_up")] == ["PRUNED"]


def test_a_search_of_nothing_is_refused(folder):
    status, output = run(folder, "train", "name=nothing", "hydra/sweeper=optuna", "seed=1", "--multirun")
    assert status == 2, output
    assert output.count("error: ") == 1
    assert "nothing to search" in output


def test_presets_are_multiruns(folder):
    status, output = run(folder, "train", "sweep=learning_rate", "name=preset", "limit=-1")
    assert status == 2, output
    assert "4 jobs, 4 failed" in output
