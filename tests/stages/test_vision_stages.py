"""What the vision stages refuse before they train."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from cfvqa.commands.application import config_folder
from cfvqa.errors import InputError
from cfvqa.stages.vision import check_varied, fitting_of


@pytest.mark.parametrize("finding", [[[1, 0, -1]], [[1, 0, -1], [1, 0, 1], [-1, 0, 1]]])
def test_validation_images_that_choose_no_classifier_are_refused_with_the_split_and_the_limit(finding):
    with pytest.raises(InputError, match=r"split 'val' has no finding.*limit"):
        check_varied(np.array(finding, dtype=np.int8))


def test_one_finding_that_varies_is_enough():
    check_varied(np.array([[1, 0, -1], [0, 0, 1]], dtype=np.int8))


@pytest.mark.parametrize(
    ("gpus", "accelerator", "repeatable"), [(0, "auto", True), (1, "auto", False), (1, "cpu", True)]
)
def test_a_gpu_trains_without_a_compiled_roi_align(monkeypatch, gpus, accelerator, repeatable):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: True)
    with initialize_config_dir(config_folder(), version_base="1.3"):
        config = compose("config", overrides=[f"detector.training.trainer.accelerator={accelerator}"])
    assert fitting_of(config, "detector").repeatable is repeatable
