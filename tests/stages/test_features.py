"""The id of features: what changes their numbers makes others."""

import pytest
from omegaconf import OmegaConf

from cfvqa.stages import features as stage
from cfvqa.stages.identity import Stage, identify
from cfvqa.stages.progress import StageConsole


@pytest.mark.parametrize(
    ("precision", "other"), [(None, ()), ("32", ()), ("32-true", ()), ("bf16-mixed", ("bf16-mixed",))]
)
def test_features_of_another_precision_are_others(monkeypatch, tmp_path, precision, other):
    for name in ("tables", "anatomy", "findings"):
        monkeypatch.setattr(stage, name, lambda config, console, name=name: Stage(name, tmp_path, name))
    monkeypatch.setattr(stage, "ensure", lambda made, *rest, **others: made)
    trainer = {"accelerator": "cpu", "devices": 1} | ({} if precision is None else {"precision": precision})
    extraction = {"published": None, "rows_per_shard": 8, "truth": "none", "trainer": trainer}
    config = OmegaConf.create({"work": str(tmp_path), "extraction": extraction})
    made = stage.features(config, StageConsole(quiet=True))
    assert made.id == identify("tables", "anatomy", "findings", 8, "none", *other)
