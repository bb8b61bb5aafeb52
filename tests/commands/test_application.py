import csv
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from cfvqa.commands.application import run
from cfvqa.errors import InputError
from cfvqa.stages.identity import Stage, ensure


@pytest.fixture
def swept(tmp_path, monkeypatch):
    """Sweep a task over seeds, in an empty folder; returns the exit status."""
    monkeypatch.chdir(tmp_path)

    def sweep(task, seeds, *more):
        monkeypatch.setattr(sys, "argv", ["cfvqa-x", "--multirun", f"seed={seeds}", *more])
        GlobalHydra.instance().clear()
        try:
            run(task, needs=())
        except SystemExit as stop:
            return stop.code
        return 0

    return sweep


def test_jobs_behind_a_wrong_one_still_run(swept, capsys):
    seen = []
    assert swept(lambda config, _: seen.append(config.seed), "1,x,3") == 2
    assert seen == [1, 3]
    assert capsys.readouterr().err.count("error: seed is 'x'") == 1


def test_a_failed_job_shows_no_figures_of_an_earlier_run_of_its_name(swept, tmp_path):
    for seed in (1, 2):
        figures = tmp_path / f"runs/trial-seed-{seed}/evaluation/metrics.json"
        figures.parent.mkdir(parents=True)
        figures.write_text(json.dumps({"changes": {"f1": 0.5}}))

    def task(config, _):
        if config.seed == 2:
            raise InputError("no such thing")

    assert swept(task, "1,2") == 2
    with (tmp_path / "runs/sweeps/trial/jobs.csv").open() as file:
        rows = [(job["state"], job["change F1"]) for job in csv.DictReader(file)]
    assert rows == [("done", "0.5000"), ("failed", "")]


def test_an_error_of_the_program_is_told_with_its_traceback(swept, capsys):
    def task(config, _):
        if config.seed == 2:
            raise ZeroDivisionError
        raise InputError("no such thing")

    assert swept(task, "1,2,3") == 1
    printed = capsys.readouterr().err
    assert printed.count("error: no such thing") == 2
    assert printed.count("Traceback") == 1


@pytest.mark.long
def test_a_sweep_whose_worker_is_killed_ends_with_its_table_and_the_next_makes_what_is_missing(swept, tmp_path, capsys):
    jobs, harmless = tmp_path / "runs/sweeps/trial/jobs", tmp_path / "harmless"

    def task(config, console):
        if config.seed == 2 and not harmless.exists():
            for _ in range(1200):  # a minute; joblib loses all jobs that are at work, so the other is to be done
                if list(jobs.glob("*.json")):
                    break
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        ensure(Stage("reader", Path(config.runs) / config.name / "vqa", "id"), lambda folder: {}, console)

    def states():
        with (tmp_path / "runs/sweeps/trial/jobs.csv").open() as file:
            return [(job["run"], job["state"]) for job in csv.DictReader(file)]

    assert swept(task, "1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2") == 1
    assert "2 jobs, 1 failed" in capsys.readouterr().out
    assert states() == [("trial-seed-1", "done"), ("trial-seed-2", "stopped")]
    made = (tmp_path / "runs/trial-seed-1/vqa/_SUCCESS").stat().st_mtime_ns

    harmless.touch()
    assert swept(task, "1,2") == 0  # in this process: others take seconds to start
    assert "2 jobs, 0 failed" in capsys.readouterr().out
    assert states() == [("trial-seed-1", "done"), ("trial-seed-2", "done")]
    assert (tmp_path / "runs/trial-seed-2/vqa/_SUCCESS").is_file()
    assert (tmp_path / "runs/trial-seed-1/vqa/_SUCCESS").stat().st_mtime_ns == made


def test_a_sweep_of_a_name_that_another_one_has_is_refused(swept, tmp_path, capsys):
    folder, seen = tmp_path / "runs/sweeps/trial", []
    folder.mkdir(parents=True)
    with FileLock(folder / "sweep.lock"):
        assert swept(lambda config, _: seen.append(config.seed), "1,2") == 2
    printed = capsys.readouterr().err
    assert printed.count("error: another sweep is at work in runs/sweeps/trial: wait for it") == 1
    assert not seen
    assert swept(lambda config, _: seen.append(config.seed), "1,2") == 0
    with FileLock(folder / "sweep.lock", timeout=0):
        assert seen == [1, 2]


def test_a_sweep_without_fault_ends_with_status_zero(swept):
    assert swept(lambda config, _: None, "1,2") == 0


@pytest.mark.parametrize("more", [["sed=1,2"], ["sed=choice(1,2)", "hydra/sweeper=optuna"], ["sed=1"]])
def test_a_sweep_over_an_unknown_key_is_refused_with_one_message_and_leaves_no_file(swept, tmp_path, capsys, more):
    seen = []
    assert swept(lambda config, _: seen.append(config.seed), "1,2", *more) == 2
    assert not seen
    printed = capsys.readouterr().err
    assert printed.count("error: ") == printed.count("key 'sed' is unknown; did you mean 'seed'?") == 1
    assert not list(tmp_path.iterdir())


def test_a_search_that_several_processes_would_ask_for_is_refused(swept, monkeypatch, capsys):
    for name, value in {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    seen = []
    assert swept(lambda config, _: seen.append(config.seed), "choice(1,2)", "hydra/sweeper=optuna") == 2
    assert not seen
    assert "a search is of one process" in capsys.readouterr().err


def test_a_sweep_over_nothing_is_refused(swept, tmp_path, capsys):
    assert swept(lambda config, _: None, "range(1,1)") == 2
    assert capsys.readouterr().err.count("error: seed=range(1,1): there is nothing to sweep over") == 1
    assert not list(tmp_path.iterdir())


def test_a_damaged_record_of_a_job_ends_a_sweep_before_its_first_job(swept, tmp_path, capsys):
    record, seen = tmp_path / "runs/sweeps/trial/jobs/a.json", []
    record.parent.mkdir(parents=True)
    record.write_text("{")
    assert swept(lambda config, _: seen.append(config.seed), "1,2") == 2
    assert not seen
    printed = capsys.readouterr().err
    assert printed.count("error: runs/sweeps/trial/jobs/a.json is damaged") == 1
    assert "Traceback" not in printed


def test_a_sweep_whose_table_cannot_be_written_does_not_end_as_if_all_were_well(swept, tmp_path, capsys, recwarn):
    def task(config, _):
        (tmp_path / "runs/sweeps/trial/jobs").mkdir(exist_ok=True)
        (tmp_path / "runs/sweeps/trial/jobs/a.json").write_text("[]")

    assert swept(task, "1") == 2
    assert capsys.readouterr().err.count("error: runs/sweeps/trial/jobs/a.json is damaged") == 1
    assert not [warning for warning in recwarn if "Callback" in str(warning.message)]


def test_an_error_of_the_program_in_a_callback_of_a_sweep_ends_it(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("cfvqa.commands.sweeping.write_tables", broken)
    sweep = {"callbacks": {"sweep": {"_target_": "cfvqa.commands.sweeping.SweepEnd"}}, "sweep": {"dir": str(tmp_path)}}
    config = OmegaConf.create({"hydra": sweep})
    with pytest.raises(SystemExit) as end:
        Callbacks(config).on_multirun_end(config)  # of Hydra, which makes warnings of errors
    assert end.value.code == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
