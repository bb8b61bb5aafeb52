"""A run from elsewhere: what its records say is checked before anything is made of it."""

import json

import pytest

from cfvqa.errors import InputError
from cfvqa.stages import loading, publishing
from cfvqa.stages.loading import load_run
from cfvqa.stages.publishing import read_export
from cfvqa.stages.trained import TrainedReader

CONFIG = (
    "evaluation: {decoding: {num_beams: 1, do_sample: false, repetition_penalty: 1.0, max_new_tokens: 8}, draws: 3}"
)
TRUNK = {"_target_": "cfvqa.vision.trunk.Trunk", "channels": [4, 4, 4, 4], "width": 4}
DETECTOR = {"_target_": "cfvqa.vision.region_queries.RegionQueries", "trunk": TRUNK, "channels": 4, "width": 4}
RECORD = {"network": DETECTOR, "image_size": 64, "folder": "work/anatomy/x", "id": "x"}


def run_with(folder, monkeypatch, vision):
    """Return the folder of a run whose reader records `vision`."""
    (folder / "config.yaml").write_text(CONFIG)
    reader = TrainedReader(model=None, tokenizer=None, description={"vision": vision})
    monkeypatch.setattr(loading, "load_reader", lambda place: reader)
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folder": 5}, "folder is '5'"),
        ({"id": None}, "id is 'null'"),
        ({"image_size": "64"}, "image_size is '64'"),
        ({"network": [DETECTOR]}, r"network is .*: it is a block"),
        ({"network": DETECTOR | {"_target_": "os.system"}}, r"os\.system"),
        ({"network": DETECTOR | {"trunk": TRUNK | {"_target_": "os.system"}}}, r"os\.system"),
        ({"more": 1}, "more' is unknown"),
    ],
)
def test_a_foreign_record_of_a_vision_model_is_named_with_its_file(tmp_path, monkeypatch, change, words):
    run = run_with(tmp_path, monkeypatch, {"detector": RECORD | change, "classifier": RECORD})
    with pytest.raises(InputError, match=rf"reader\.json: vision\.detector.*{words}"):
        load_run(run)


@pytest.mark.parametrize("vision", [[], "x", {"detector": RECORD}, {"detector": {}, "classifier": RECORD}])
def test_a_damaged_record_of_the_vision_models_is_named_with_its_file(tmp_path, monkeypatch, vision):
    with pytest.raises(InputError, match=r"reader\.json: vision"):
        load_run(run_with(tmp_path, monkeypatch, vision))


def test_a_reader_of_imported_features_cannot_be_asked_about_radiographs(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(CONFIG)
    reader = TrainedReader(model=None, tokenizer=None, description={"vision": None, "published": "0f"})
    monkeypatch.setattr(loading, "load_reader", lambda place: reader)
    with pytest.raises(InputError, match=r"was trained on imported features \(extraction\.published\)"):
        load_run(tmp_path)


@pytest.mark.parametrize("config", ["5", "text", "[1]", "evaluation: 5", "a: ["])
def test_a_config_that_is_damaged_is_named(tmp_path, config):
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(InputError, match=r"config\.yaml or .*is damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize("decode", ["[]", "5", "[1]"])
def test_figures_without_their_decoding_are_named(tmp_path, decode):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "metrics.json").write_text(f'{{"decode": {decode}}}')
    with pytest.raises(InputError, match=r"metrics\.json is damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize("settings", [{}, {"reader": 5}, {"reader": {"text": []}}])
def test_an_export_whose_settings_are_damaged_is_named(tmp_path, settings):
    (tmp_path / "config.json").write_text(json.dumps({"format": publishing.FORMAT, **settings}))
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        read_export(tmp_path)
