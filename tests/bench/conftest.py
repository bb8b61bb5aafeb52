import pytest
import torch
from hydra import compose, initialize_config_dir

from cfvqa.bench.inputs import open_inputs, write_features
from cfvqa.bench.lab import Lab
from cfvqa.commands.application import config_folder

TINY = (
    "experiment=phantom_tiny",
    "bench.units=2",
    "bench.repeats=1",
    "text.transformer.width=32",
    "image_size=64",
    "phases.finetune.units_per_batch=2",
)


@pytest.fixture(scope="session")
def config():
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=list(TINY))


@pytest.fixture(scope="session")
def lab(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    write_features(config, folder)
    return Lab(config, open_inputs(config, folder), torch.device("cpu"))
