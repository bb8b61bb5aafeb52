"""A command that is asked to stop ends with status 75 wherever it is, and the same command goes on; trackers too."""

import csv
import os
import shutil
import signal

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cfvqa.stages import evaluation
from cfvqa.training import extraction, fit
from cfvqa.training.vqa_module import VqaModule

pytestmark = pytest.mark.slow

STOPPED = "stopped: the same command goes on where it was"


def stopped_at(monkeypatch, call, arguments, place, number=1, sign=signal.SIGTERM):
    """Call a command that is asked to stop when the function at a place is called for the `number`th time."""
    owner, name = place
    made, calls = getattr(owner, name), []

    def asked(*args, **kwargs):
        calls.append(name)
        if len(calls) == number:
            os.kill(os.getpid(), sign)
        return made(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, asked)
        status, output = call(*arguments)
    assert status == 75, output
    assert output.endswith(f"{STOPPED}\n")
    assert "Traceback" not in output


def test_an_extraction_keeps_its_shards(folder, call_tiny, tmp_path, monkeypatch):
    work = shutil.copytree(folder / "work", tmp_path / "work", ignore=shutil.ignore_patterns("features", "blind"))
    small = ("extraction.rows_per_shard=64", "extraction.batch_size=32")
    command = ("extract", f"work={work}", *small)
    stopped_at(monkeypatch, call_tiny, command, (extraction, "write_shard"), number=2)
    [shard] = work.glob("features/*/part-*.h5")
    assert not list(work.glob("features/*/_SUCCESS"))
    before = shard.stat().st_mtime_ns
    status, output = call_tiny(*command)
    assert status == 0, output
    assert shard.stat().st_mtime_ns == before
    assert list(work.glob("features/*/_SUCCESS"))


def test_an_evaluation_is_made_again(folder, call_tiny, monkeypatch):
    shutil.copytree(folder / "runs/phantom_tiny/vqa", folder / "runs/judged/vqa")
    command = ("evaluate", "name=judged")
    stopped_at(monkeypatch, call_tiny, command, (evaluation, "score_run"), sign=signal.SIGUSR1)
    assert not [path for path in (folder / "runs/judged/evaluation").rglob("*") if path.is_file()]
    status, output = call_tiny(*command)
    assert status == 0, output
    assert output.count("done in") == 1


@pytest.mark.parametrize(("first", "logger"), [("csv", "tensorboard"), ("wandb", "wandb")])
def test_a_training_stopped_between_phases_and_within_one_is_tracked_as_one(
    folder, call_tiny, monkeypatch, first, logger
):
    few = ("phases.finetune.epochs=2", "+trainer.limit_train_batches=4")
    command = ("train", f"name={logger}", *few)
    stopped_at(monkeypatch, call_tiny, (*command, f"logger={first}"), (fit, "load_weights"))
    run = folder / "runs" / logger
    assert not (run / "vqa/finetune").exists()
    command += (f"logger={logger}",)
    stopped_at(monkeypatch, call_tiny, command, (VqaModule, "training_step"), number=6)
    status, output = call_tiny(*command, "phases.finetune.epochs=3", "pairs.workers=1")
    assert status == 0, output
    with (run / "vqa/finetune/metrics.csv").open() as file:
        curve = [
            (int(row["step"]), float(row["val/generation"])) for row in csv.DictReader(file) if row["val/generation"]
        ]
    assert [step for step, _ in curve] == [3, 7, 11]
    if logger == "tensorboard":
        events = EventAccumulator(str(run / "tensorboard/finetune")).Reload()
        told = [(event.step, event.value) for event in events.Scalars("val/generation")]
        assert told == [(step, pytest.approx(value)) for step, value in curve]
    else:
        ids = [path.name.split("-")[3] for path in sorted(run.glob("wandb/offline-run-*"))]
        pretrain, finetune = ((run / f"wandb/{phase}.id").read_text() for phase in ("pretrain", "finetune"))
        assert sorted(ids) == sorted([pretrain, pretrain, finetune, finetune])
        assert "send       wandb sync runs/wandb/wandb/offline-run-*" in output
