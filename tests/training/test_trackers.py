"""Trackers: what W&B is told, where it is kept, and that a resumed training goes on in the same run."""

from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch.loggers.logger import Logger

from cfvqa.errors import InputError
from cfvqa.training.keeping import BestCheckpoint
from cfvqa.training.trackers import TensorBoard, TrackedRun, WeightsAndBiases


def run_in(folder, part="finetune"):
    return TrackedRun("a_run", part, "a_sweep", folder, {"seed": 1, "model": {"heads": 2}})


def test_a_resumed_training_continues_its_run_and_another_phase_is_another(tmp_path, capfd):
    tracker = WeightsAndBiases(project="p", tags=["one", "two"])
    ids = []
    for part in ("finetune", "finetune", "pretrain"):
        logger = tracker.start(run_in(tmp_path, part))
        assert isinstance(logger, Logger)
        run = logger.experiment
        assert (run.group, run.job_type, run.tags) == ("a_sweep", part, ("one", "two"))
        assert run.config["model"] == {"heads": 2}
        assert run.offline
        logger.log_metrics({"val/loss": 1.0}, step=3)
        ids.append(run.id)
        tracker.end(logger)
    assert ids[0] == ids[1] != ids[2]
    # offline-run-TIME-ID, and a number behind it where a run is continued within the second
    parts = sorted(path.name.split("-")[3] for path in (tmp_path / "wandb").glob("offline-run-*"))
    assert parts == sorted(ids)
    assert tracker.sending(tmp_path) == f"wandb sync {tmp_path}/wandb/offline-run-*"
    assert tracker.sending(tmp_path / "elsewhere") is None
    assert "anonymous" not in capfd.readouterr().err  # of which W&B warns


def test_tensorboard_writes_event_files_of_a_phase(tmp_path):
    tracker = TensorBoard()
    logger = tracker.start(run_in(tmp_path))
    logger.log_metrics({"val/loss": 1.0}, step=3)
    tracker.end(logger)
    assert list((tmp_path / "tensorboard" / "finetune").glob("events.out.*"))
    assert tracker.sending(tmp_path) is None


@pytest.mark.parametrize(("tracker", "package"), [(TensorBoard, "tensorboard"), (WeightsAndBiases, "wandb")])
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, tracker, package):
    monkeypatch.setattr("cfvqa.training.trackers.find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"pip install 'cfvqa\[{package}\]'"):
        tracker()


def test_checkpoints_go_along_only_where_something_is_sent():
    with pytest.raises(InputError, match=r"logger\.tracker\.offline=false"):
        WeightsAndBiases(artifacts=True)


@pytest.mark.parametrize("artifacts", [False, True])
def test_the_best_checkpoint_goes_along_by_choice_alone(tmp_path, monkeypatch, artifacts):
    started = Mock()
    monkeypatch.setattr("wandb.init", started)
    sent = Mock()
    monkeypatch.setattr("wandb.Artifact", sent)
    logger = WeightsAndBiases(offline=False, artifacts=artifacts).start(run_in(tmp_path))
    assert started.call_args.kwargs["mode"] == "online"
    (tmp_path / "best.ckpt").write_text("weights")
    best = BestCheckpoint(dirpath=tmp_path, filename="best", monitor="val/loss")
    best.best_model_path, best.best_model_score = str(tmp_path / "best.ckpt"), torch.tensor(0.5)
    logger.after_save_checkpoint(best)
    logger.finalize("success")
    assert [call.args for call in sent().add_file.call_args_list] == [(best.best_model_path,)] * artifacts
