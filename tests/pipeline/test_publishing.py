"""An exported run on the tiny phantom: the same answers elsewhere, nothing of this machine in it, no foreign code."""

import json
import shutil
import socket
from fnmatch import fnmatch

import polars as pl
import pytest
import torch
from calling import refused
from huggingface_hub import ModelInfo
from processes import run
from safetensors.torch import load_file

import cfvqa
from cfvqa.errors import InputError
from cfvqa.sharing.publishing import model_card
from cfvqa.sources.tables import read_tables

pytestmark = pytest.mark.slow

RUN = "runs/phantom_tiny"
FILES = {
    "README.md",
    "config.json",
    "metrics.json",
    "reader.safetensors",
    "detector.safetensors",
    "classifier.safetensors",
    "tokenizer/tokenizer.json",
}


@pytest.fixture(scope="module")
def tables(folder):
    return read_tables(next(folder.glob("work/tables/*/")))


@pytest.fixture(scope="module")
def pair(folder, tables):
    row = pl.read_parquet(folder / RUN / "evaluation/predictions.parquet").row(0, named=True)
    paths = dict(tables.images.select("image_id", "path").iter_rows())
    return [str(tables.root / paths[row[image]]) for image in ("main_image", "main_image")]


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    to = tmp_path_factory.mktemp("exported") / "a model"
    status, output = run(folder, "export", f"run={RUN}", f"to={to}")
    assert status == 0, output
    assert "cfvqa.load" in output
    return to


def copy_of(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


def test_it_answers_as_the_run_does_without_the_run(folder, exported, pair, call):
    of_run = cfvqa.load(folder / RUN).ask(main=pair[0], reference=pair[1])
    assert cfvqa.load(exported).ask(main=pair[0], reference=pair[1]) == of_run
    status, output = call("predict", f"run={exported}", f"main={pair[0]}", f"reference={pair[1]}", "output=json")
    assert status == 0, output
    assert json.loads(output)["answer"] == of_run.answer
    assert not list(call.folder.iterdir())


def test_it_holds_what_it_should_and_nothing_of_the_data_or_this_machine(folder, exported, tables):
    assert {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()} == FILES
    identifiers = {*tables.images["image_id"], *tables.images["study_id"], *tables.images["subject_id"]}
    secrets = [*map(str, identifiers), str(folder), str(folder / "work")]
    for path in exported.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [secret for secret in secrets if secret.encode() in content], path


def test_its_card_says_data_licence_figures_with_intervals_and_limits(exported):
    card, metrics = (exported / "README.md").read_text(), json.loads((exported / "metrics.json").read_text())
    assert "no medical device" in card
    assert "phantom, version 1. Licence: drawn by this program; no patient was imaged" in card
    low, high = metrics["interval"]["other_types"]["exact_match"]
    shown = f"{metrics['other_types']['exact_match']:.3f} | {low:.3f} to {high:.3f}"
    assert f"| other types of question, exact match | {shown} |" in card
    assert f"Of {metrics['n']} questions about subjects of the test split" in card
    assert "its figures are unknown" in card.partition("## Limits")[2]
    assert "can forbid to give them on" not in card
    metrics["data"] |= {"name": "mimic", "version": "1.0.1", "licence": "PhysioNet Credentialed 1.5.0"}
    of_patients = model_card(cfvqa.load(exported), metrics, "a model")
    assert "mimic, version 1.0.1. Licence: PhysioNet Credentialed 1.5.0" in of_patients
    assert "Its licence or data-use agreement can forbid to give them on" in of_patients


class Hub:
    """A hub in a folder, in the place of `huggingface_hub`."""

    def __init__(self, root):
        self.root = root
        self.private = {}

    def create_repo(self, name, *, private, exist_ok):
        self.private[name] = private

    def repo_info(self, name):
        return ModelInfo(id=name, private=self.private[name])

    def upload_folder(self, *, repo_id, folder_path):
        shutil.copytree(folder_path, self.root / repo_id)

    def snapshot_download(self, name, *, allow_patterns):
        copy = self.root / "downloaded"
        for path in (self.root / name).rglob("*"):
            inside = path.relative_to(self.root / name)
            if path.is_file() and any(fnmatch(str(inside), pattern) for pattern in allow_patterns):
                (copy / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy / inside)
        return str(copy)


def test_an_export_is_exported_again_and_sent_and_loaded_from_the_hub(exported, pair, call, tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub.snapshot_download)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    status, output = call("export", f"run={exported}", "to=again", "push=somebody/reader")
    assert status == 0, output
    assert "warning: weights trained on MIMIC data may be restricted by its data-use agreement" in output
    assert "pushed     https://huggingface.co/somebody/reader" in output
    assert hub.private == {"somebody/reader": True}
    asked = {"main": pair[0], "question": "is there edema?"}
    assert cfvqa.load("somebody/reader").ask(**asked) == cfvqa.load(exported).ask(**asked)
    assert not list((tmp_path / "hub" / "downloaded").glob("*.md"))
    for name in FILES - {"README.md"}:
        one, other = exported / name, call.folder / "again" / name
        if name.endswith(".safetensors"):  # the order within their headers is not fixed
            weights, again = load_file(one), load_file(other)
            assert weights.keys() == again.keys()
            assert all(torch.equal(weights[key], again[key]) for key in weights), name
        else:
            assert one.read_bytes() == other.read_bytes(), name


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["to=new"], "run is not set"),
        (["run=RUN"], "to is not set"),
        (["run=RUN", "to=."], "is there already"),
        (["run=runs/nothing/here", "to=new"], "no folder runs/nothing/here"),
        (["run=.", "to=new"], "config.yaml is missing"),
        (["run=RUN", "to=nowhere/new"], "cannot be made"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(folder, call, overrides, words):
    refused(call, [words], "export", *(override.replace("RUN", str(folder / RUN)) for override in overrides))


def test_a_full_disk_is_named_and_nothing_is_left(folder, call, small_disk):
    status, output = call("export", f"run={folder / RUN}", f"to={small_disk}/new")
    assert status == 2, output
    assert f"the disk is full while writing {small_disk}/new" in output
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cfvqa.vision.region_queries.RegionQueries", "os.system", r"os\.system"),
        ("cfvqa.models.coarse_to_fine.CoarseToFine", "subprocess.Popen", r"subprocess\.Popen"),
        ('"format": 1', '"format": 7', "format 7"),
        ('"format": 1', '"form": 1', "no export"),
        ('"widths"', '"width"', "damaged"),
        ('"num_beams"', '"custom_generate"', "decoding.custom_generate' is unknown"),
        ('"question_and_images"', '"${oc.create:{_target_: os.system, command: true}}"', "choose one of"),
    ],
)
def test_settings_of_a_stranger_are_refused_before_anything_is_made(exported, tmp_path, old, new, words):
    copy = copy_of(exported, tmp_path)
    settings = (copy / "config.json").read_text()
    assert old in settings
    (copy / "config.json").write_text(settings.replace(old, new))
    with pytest.raises(InputError, match=words):
        cfvqa.load(copy)


def test_an_export_of_another_version_is_one_message_of_the_command(exported, pair, tmp_path, call):
    file = copy_of(exported, tmp_path) / "config.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 7'))
    words = [f"{file} has format 7, this version of cfvqa reads 1: use the version that wrote it"]
    refused(call, words, "predict", f"run={file.parent}", f"main={pair[0]}", f"reference={pair[1]}")


def test_weights_that_are_cut_foreign_or_missing_are_named(exported, tmp_path):
    copy = copy_of(exported, tmp_path)
    weights = copy / "reader.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"reader\.safetensors is damaged"):
        cfvqa.load(copy)
    shutil.copy(copy / "detector.safetensors", weights)
    with pytest.raises(InputError, match="of another model"):
        cfvqa.load(copy)
    weights.unlink()
    with pytest.raises(InputError, match=r"reader\.safetensors is missing"):
        cfvqa.load(copy)


def refuse(*_):
    raise AssertionError("a connection was asked for")


def test_loading_needs_no_network(exported, pair, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert cfvqa.load(exported).ask(main=pair[0], question="is there edema?").reference is None
