"""A run from elsewhere: what its records say is checked before anything is made of it."""

import json
from copy import deepcopy

import pytest
from omegaconf import OmegaConf

from cfvqa.errors import InputError
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.sharing import loading, publishing
from cfvqa.sharing.loading import load, load_run
from cfvqa.sharing.publishing import read_export
from cfvqa.stages.trained import TrainedReader, load_reader, new_model

CONFIG = (
    "evaluation: {decoding: {num_beams: 1, do_sample: false, repetition_penalty: 1.0, max_new_tokens: 8}, draws: 3}"
)
TRUNK = {"_target_": "cfvqa.vision.trunk.Trunk", "channels": [4, 4, 4, 4], "width": 4}
DETECTOR = {"_target_": "cfvqa.vision.region_queries.RegionQueries", "trunk": TRUNK, "channels": 4, "width": 4}
READER = {
    "model": {"network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine"}},
    "text": {"pretrained": None, "transformer": {"width": 16, "layers": 1, "heads": 2, "max_length": 32}},
    "pairs": {"question_length": 16, "answer_length": 16, "swap": 0.5, "workers": 0},
    "widths": {"region": 8, "finding": 8},
    "vision": {"detector": {"network": DETECTOR}, "classifier": {"network": DETECTOR}},
    "last_phase": "finetune",
}
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


@pytest.mark.parametrize("name", ["nowhere", "runs/nothing/here", "no such run"])
def test_a_run_that_is_not_there_is_named_and_not_looked_for_on_the_hub(name):
    with pytest.raises(InputError, match=f"no folder {name}"):
        load(name)


def test_folders_that_hold_no_run_are_named(tmp_path):
    with pytest.raises(InputError, match=r"config\.yaml"):
        load_run(tmp_path)
    decoding = {"num_beams": 1, "do_sample": False, "repetition_penalty": 1.0, "max_new_tokens": 9}
    OmegaConf.save({"evaluation": {"decoding": decoding | {"custom_generate": "x"}}}, tmp_path / "config.yaml")
    with pytest.raises(InputError, match=r"decoding\.custom_generate' is unknown"):
        load_run(tmp_path)
    OmegaConf.save({"evaluation": {"decoding": decoding}}, tmp_path / "config.yaml")
    with pytest.raises(InputError, match=r"reader\.json"):
        load_run(tmp_path)
    (tmp_path / "vqa").mkdir()
    (tmp_path / "vqa" / "reader.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize("config", ["5", "text", "[1]", "evaluation: 5", "a: [", pytest.param("[" * 5000, id="deep")])
def test_a_config_that_is_damaged_is_named(tmp_path, config):
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(InputError, match=r"config\.yaml or .*is damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [touch FILE]", "!!python/name:os.system"])
def test_no_code_of_a_stored_config_runs(tmp_path, tag):
    file = tmp_path / "touched"
    (tmp_path / "config.yaml").write_text(f"{CONFIG}\na: {tag.replace('FILE', str(file))}")
    with pytest.raises(InputError, match=r"config\.yaml or .*is damaged"):
        load_run(tmp_path)
    assert not file.exists()


def test_nothing_of_this_machine_is_filled_into_a_stored_config(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "8")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("max_new_tokens: 8", "max_new_tokens: '${oc.env:SECRET}'"))
    with pytest.raises(InputError, match=r"decoding\.max_new_tokens is '\$\{oc\.env:SECRET\}': give a whole number"):
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


def reader_with(key, value):
    """Return the description of a reader with something else behind a dotted key."""
    description = deepcopy(READER)
    *blocks, name = key.split(".")
    place = description
    for block in blocks:
        place = place[block]
    place[name] = value
    return description


FOREIGN = {"_target_": "os.system", "_partial_": True}
WRONG = [
    ("model.network._target_", "torch.hub.load", r"model\.network\._target_ names 'torch\.hub\.load'; allowed are"),
    ("model.network.inner", [[FOREIGN]], r"model\.network\.inner\[0\]\[0\]\._target_ names 'os\.system'"),
    ("model.network._args_", [FOREIGN], r"model\.network\._args_\[0\]\._target_ names 'os\.system'"),
    ("model.network.heads", "${oc.env:HOME}", r"model\.network\.heads is"),
    ("model.network.memory", 5, r"model\.network\.memory is '5': choose one of"),
    ("model.network.encoders", "x", r"model\.network\.encoders is 'x': choose one of"),
    ("model", 5, "model is '5': it is a block"),
    ("text.transformer.layers", "x", r"text\.transformer\.layers is 'x': give a whole number"),
    ("text.transformer.width", 0, r"text\.transformer\.width is '0'"),
    ("text.transformer.max_length", [], r"text\.transformer\.max_length is"),
    ("pairs", [], "pairs is .*: it is a block"),
    ("pairs.question_length", "16", r"pairs\.question_length is '16'"),
    ("pairs.question_length", 64, r"pairs\.question_length is 64: it must not be above text\.transformer\.max_length"),
    ("widths.region", None, r"widths\.region is 'null'"),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG)
def test_the_reader_of_a_stranger_is_checked_as_a_config_is(tmp_path, key, value, words):
    (tmp_path / "reader.json").write_text(json.dumps(reader_with(key, value)))
    with pytest.raises(InputError, match=rf"reader\.json: {words}"):
        load_reader(tmp_path)


def settings_with(reader=READER, **others):
    decoding = {"num_beams": 1, "do_sample": False, "repetition_penalty": 1.0, "max_new_tokens": 8}
    settings = {"format": publishing.FORMAT, "decoding": decoding, "image_size": 64, "reader": reader}
    return json.dumps(settings | others)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (settings_with(image_size="64"), "image_size is '64'"),
        (settings_with(image_size=10**9), "image_size is '1000000000'"),
        (settings_with(reader_with("model.network.memory", 5)), r"reader: model\.network\.memory is '5'"),
        (
            settings_with(reader_with("vision.detector.network", DETECTOR | {"width": "x"})),
            r"detector\.network\.width is 'x'",
        ),
        (
            settings_with(reader_with("vision.detector.network", DETECTOR | {"trunk": TRUNK | {"channels": "x"}})),
            r"detector\.network cannot be made",
        ),
    ],
)
def test_the_settings_of_an_export_are_checked_as_a_config_is(tmp_path, settings, words):
    (tmp_path / "config.json").write_text(settings)
    with pytest.raises(InputError, match=rf"config\.json: {words}"):
        read_export(tmp_path)


def test_an_export_whose_settings_are_nested_too_deeply_is_damaged(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"config\.json is no export of cfvqa, or damaged"):
        read_export(tmp_path)


def test_a_reader_that_cannot_be_made_is_named_with_its_file():
    tokenizer = AnswerTokenizer.train(["is there edema ?", *node_texts()])
    with pytest.raises(InputError, match=r"reader\.json: model\.network cannot be made"):
        new_model(reader_with("model.network.heads", 3), tokenizer, "reader.json")
