import csv
import json
import re
import time

import pytest

from cfvqa.progress import StageConsole
from cfvqa.stages.identity import Stage, ensure
from cfvqa.stages.sweeps import (
    DONE,
    FAILED,
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


def named(name, overrides):
    return job_name(name, own_overrides(overrides))


def job(folder, name, overrides, error=""):
    state = FAILED if error else DONE
    record(Job(overrides, name, state, 1.0, error, figures=figures_of(folder / "runs" / name)), folder / "sweep")


def test_a_name_holds_what_the_jobs_differ_in():
    assert named("demo", ["experiment=phantom_demo", "seed=2", "precision=bf16"]) == "demo-precision-bf16-seed-2"
    assert named("demo", ["experiment=phantom_demo", "work=/data/work"]) == "demo"
    assert named("demo", ["seed=2", "trial={study:'/x/study.db',number:3}"]) == "demo-seed-2"
    assert named("demo", ["seed=2", "logger=wandb", "logger.tracker.offline=false", "resume=never"]) == "demo-seed-2"
    assert named("demo", ["seed=-1"]) != named("demo", ["seed=1"])
    assert named("demo", ["+phases.finetune.label_fraction=0.1"]) == "demo-phases.finetune.label_fraction-0.1"
    long = [f"phases.finetune.objectives.fine=0.{number}" for number in range(20)]
    assert len(named("demo", long)) == len(named("d" * 90, long)) == 100  # what a name may have
    assert named("d" * 100, ["seed=1"]) != named("d" * 100, ["seed=2"])
    assert named("demo", long) != named("demo", [*long[:-1], "seed=3"])


def test_overrides_that_differ_in_signs_alone_have_names_of_their_own():
    values = ("1e-3", "1e+3", "[a,b]", "[a-b]", "a/b", "a-b", "a-b-", "{a:b}", "-a", "a", "+a", "''", "null")
    alike = [*(f"lr={value}" for value in values), "~lr", "~lr=a"]
    names = [named("demo", [text]) for text in alike]
    assert len(set(names)) == len(alike)
    assert names[0] == "demo-lr-1e-3"
    assert all(re.fullmatch(r"demo-lr[\w.-]*", name) for name in names)


def test_the_order_of_overrides_and_what_makes_a_job_faster_do_not_name_it():
    assert named("demo", ["seed=2", "+precision=bf16"]) == named("demo", ["+precision=bf16", "seed=2"])
    assert named("demo", ["seed=2", "pairs.workers=2", "+detector.cache_gib=4"]) == "demo-seed-2"
    long = [f"phases.finetune.objectives.{number}=0.5" for number in range(20)]
    assert named("demo", long) == named("demo", long[::-1])


def test_a_sweep_whose_jobs_would_train_the_same_reader_is_warned_of():
    wasted = ["evaluation.decoding.num_beams", "report.seed"]
    assert "no reader learns anything of evaluation.decoding.num_beams, report.seed" in waste_of(wasted)
    assert waste_of([*wasted, "seed"]) is None
    assert waste_of([]) is None


def test_failures_are_forgotten_and_the_rest_is_kept(tmp_path):
    job(tmp_path, "a", ["seed=1"], "failed once")
    job(tmp_path, "b", ["seed=2"])
    forget_failures(tmp_path / "sweep")
    assert [one.name for one in read_jobs(tmp_path / "sweep")] == ["b"]


def test_a_repeated_job_replaces_its_record(tmp_path):
    job(tmp_path, "a", ["seed=1", "limit=4"], "first")
    job(tmp_path, "a", ["seed=1", "limit=4"])
    assert [one.state for one in read_jobs(tmp_path / "sweep")] == [DONE]


def test_a_job_that_finds_everything_made_keeps_its_seconds(tmp_path):
    for seconds in (60.0, 0.2):
        record(Job(["seed=1"], "a", DONE, seconds), tmp_path / "sweep")
    assert [one.seconds for one in read_jobs(tmp_path / "sweep")] == [60.0]


def test_a_job_that_was_stopped_and_repeated_has_the_seconds_of_all_tries(tmp_path):
    stage = Stage("vqa", tmp_path / "run" / "vqa", "id")
    stage.folder.mkdir(parents=True)
    assert training_seconds(tmp_path / "run") is None
    (stage.folder / "try.json").write_text(json.dumps({"before": 60.0, "start": time.time()}))  # of one that was killed
    assert training_seconds(tmp_path / "run") == pytest.approx(60, abs=30)
    ensure(stage, lambda folder: {}, StageConsole(quiet=True))
    for seconds in (500.0, 0.2):  # of calls that made the features too, and that found everything made
        record(Job(["seed=1"], "run", DONE, seconds), tmp_path / "sweep", training_seconds(tmp_path / "run"))
        assert [one.seconds for one in read_jobs(tmp_path / "sweep")] == [stage.seconds]
    assert stage.seconds == pytest.approx(60, abs=30)


def test_the_table_has_a_row_a_job_with_its_figures(tmp_path):
    run = tmp_path / "runs" / "a"
    (run / "evaluation").mkdir(parents=True)
    figures = {"changes": {"f1": 0.5}, "other_types": {"exact_match": 0.25}}
    (run / "evaluation" / "metrics.json").write_text(json.dumps(figures))
    (run / "vqa" / "finetune").mkdir(parents=True)
    (run / "vqa" / "reader.json").write_text(json.dumps({"last_phase": "finetune", "monitor": "val/written"}))
    (run / "vqa" / "finetune" / "metrics.csv").write_text("epoch,step,val/written\n0,3,0.75\n1,6,0.5\n")
    job(tmp_path, "a", ["seed=1", "precision=bf16"])
    job(tmp_path, "b", ["seed=2", "precision=bf16"], "broken | pipe\nof a worker")

    table, page = write_tables(read_jobs(tmp_path / "sweep"), tmp_path / "sweep")

    with table.open() as file:
        first, second = csv.DictReader(file)
    assert first["overrides"] == "seed=1 precision=bf16"
    assert (first["state"], first["change F1"], first["val/written"]) == (DONE, "0.5000", "0.5000")
    assert (second["state"], second["change F1"], second["error"]) == (FAILED, "", "broken | pipe of a worker")
    lines = page.read_text().splitlines()
    assert len(lines) == 4
    assert all(line.replace("\\|", "").count("|") == lines[0].count("|") for line in lines)
