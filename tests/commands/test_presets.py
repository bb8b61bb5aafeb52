"""Presets of sweeps: the jobs that they are, each with a config that passes its checks."""

import sys
from itertools import product

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from cfvqa.commands.application import run
from cfvqa.settings.checking import check

RATES = (0.0005, 0.001, 0.002, 0.004)
LEFT_OUT = ("{generation:1.0}", "{coarse:0}", "{fine:0}", "{matching:0}", "{coarse:0,fine:0,matching:0}")
PRESETS = {
    "learning_rate": [f"phases.finetune.optimizer.lr={rate}" for rate in RATES],
    "ablation": [
        f"phases={phases} phases.finetune.objectives={objectives}"
        for phases, objectives in product(("pretrain_finetune", "finetune_only"), LEFT_OUT)
    ],
    "precision_devices": [
        f"precision={precision} trainer={trainer} seed={seed}"
        for precision, trainer, seed in product(("32", "bf16"), ("cpu", "ddp_cpu"), (1, 2))
    ],
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_its_jobs(preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cfvqa-x", f"sweep={preset}", "experiment=phantom_tiny", "schedule=published"])
    GlobalHydra.instance().clear()
    jobs, weights = [], []

    def task(config, _):
        check(config)
        given = HydraConfig.get().overrides.task
        jobs.append(" ".join(text for text in given if not text.startswith(("sweep", "experiment", "schedule"))))
        weights.append(dict(config.phases.finetune.objectives))

    run(task, needs=())
    assert jobs == PRESETS[preset]
    if preset == "ablation":  # what is left out has no weight, and the rest keeps its own
        full = {"generation": 1.0, "coarse": 1.0, "fine": 1.0, "matching": 1.0}
        without = [{}, {"coarse": 0}, {"fine": 0}, {"matching": 0}, {"coarse": 0, "fine": 0, "matching": 0}]
        assert weights == [full | zeros for zeros in without] * 2
