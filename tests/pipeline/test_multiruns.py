"""Sweeps on the tiny phantom: shared stages, failing jobs, repetition, and the launchers."""

import csv

import pytest
from processes import run

pytestmark = pytest.mark.long


def jobs(folder, name):
    with (folder / f"runs/sweeps/{name}/jobs.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sweep_ends_with_a_table_takes_failing_jobs_and_repeats_nothing(folder, call_tiny):
    sweep = ("train", "name=sweep", "phases=finetune_only", "seed=1,-1,2", "--multirun")
    status, output = run(folder, *sweep)
    assert status == 2, output
    assert "3 jobs, 1 failed" in output
    assert output.count("error: ") == 1
    assert "Traceback" not in output
    first = jobs(folder, "sweep")
    names = [f"sweep-phases-finetune_only-seed-{seed}" for seed in ("-1", "1", "2")]
    assert [job["run"] for job in first] == names
    assert [job["state"] for job in first] == ["failed", "done", "done"]
    assert "seed is '-1'" in first[0]["error"]
    assert all(float(job["val/generation"]) > 0 for job in first[1:])
    # Tables, detector, classifier and features are those of the folder; only the readers are new.
    assert output.count("done in") == 2
    assert (folder / "runs/sweeps/sweep/jobs.md").read_text().count("\n") == 5

    status, output = call_tiny(*sweep)
    assert status == 2, output
    assert "done in" not in output
    assert [job["val/generation"] for job in jobs(folder, "sweep")] == [job["val/generation"] for job in first]


def test_jobs_of_slurm_are_the_same(folder):
    launcher = ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10")
    status, output = run(folder, "train", "name=far", *launcher, "phases=finetune_only", "seed=1,-1", "--multirun")
    assert status == 2, output
    assert "2 jobs, 1 failed" in output
    failed, done = jobs(folder, "far")
    assert (done["state"], failed["state"]) == ("done", "failed")
    assert float(done["val/generation"]) > 0
    assert "seed is '-1'" in failed["error"]


SMALL = (
    "source.phantom.size=64",
    "image_size=64",
    "phases=finetune_only",
    "phases.finetune.epochs=1",
    "+trainer.limit_train_batches=8",
)


def test_jobs_at_once_share_what_both_need_and_two_processes_train_it(tmp_path):
    both = ("detector", "classifier")
    overrides = [f"{name}.training.trainer.{key}" for name in both for key in ("devices=2", "accelerator=cpu")]
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    status, output = run(tmp_path, "train", "name=at_once", *launcher, *SMALL, *overrides, "seed=1,2", "--multirun")
    assert status == 0, output
    assert "2 jobs, 0 failed" in output
    made = [path.parts[-3] for path in tmp_path.glob("work/*/*/_SUCCESS")]
    assert sorted(made) == ["anatomy", "features", "findings", "phantom", "tables"]
    # Whatever a job prints of what the other makes, each was made once: five shared stages, and two readers.
    assert output.count("done in") == 7
    one, other = (path.read_text() for path in sorted(tmp_path.glob("runs/at_once*/vqa/reader.json")))
    assert one == other  # the same detector and classifier


def trials(folder, name):
    import optuna

    storage = f"sqlite:///{folder}/runs/sweeps/{name}/study.db"
    return optuna.load_study(study_name="cfvqa", storage=storage).get_trials()


LR = "phases.finetune.optimizer.lr"


def search(name, trials, *overrides):
    lr = f"{LR}=choice(1e-3,1e-7)"
    shared = (f"name={name}", "hydra/sweeper=optuna", f"hydra.sweeper.trials={trials}", "phases=finetune_only")
    return "train", *shared, lr, *overrides, "--multirun"


def test_a_search_goes_on_and_repeats_no_trial(folder, call_tiny):
    status, output = run(folder, *search("search", 2))
    assert status == 0, output
    first = trials(folder, "search")
    assert [trial.state.name for trial in first] == ["COMPLETE"] * 2
    status, output = call_tiny(*search("search", 3))
    assert status == 0, output
    again = trials(folder, "search")
    assert len(again) == 3
    assert [trial.value for trial in again[:2]] == [trial.value for trial in first]
    listed = {job["run"]: float(job["val/generation"]) for job in jobs(folder, "search")}
    for trial in again:
        name = f"search-phases-finetune_only-phases.finetune.optimizer.lr-{trial.params[LR]}"
        assert listed[name] == pytest.approx(trial.value, abs=1e-4)
    status, output = call_tiny(*search("search", 3))
    assert status == 0, output
    assert len(trials(folder, "search")) == 3


def test_trials_that_fall_behind_are_given_up_and_stay_so(folder, call_tiny):
    # This pruner gives up whatever has a loss above 0.
    pruner = (
        "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner",
        "+hydra.sweeper.pruner.upper=0",
        "~hydra.sweeper.pruner.n_startup_trials",
        "phases.finetune.epochs=2",
    )
    status, output = call_tiny(*search("given_up", 1, *pruner))
    assert status == 0, output
    assert "finetune epoch 1/2" in output
    assert "finetune epoch 2/2" not in output
    assert [job["state"] for job in jobs(folder, "given_up")] == ["pruned"]
    status, output = call_tiny(*search("given_up", 1, *pruner))
    assert status == 0, output
    assert "finetune epoch" not in output
    assert [trial.state.name for trial in trials(folder, "given_up")] == ["PRUNED"]


def test_a_search_of_nothing_is_refused(call):
    status, output = call("train", "name=nothing", "hydra/sweeper=optuna", "seed=1", "--multirun")
    assert status == 2, output
    assert output.count("error: ") == 1
    assert "nothing to search" in output
