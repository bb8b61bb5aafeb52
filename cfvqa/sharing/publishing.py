"""A trained run as a folder of its own, to keep or give away: weights, settings, tokenizer, model card."""

import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from cfvqa.errors import InputError
from cfvqa.evaluation.report_figures import figure_at
from cfvqa.files import DAMAGE, damage_named, full_disk_named
from cfvqa.settings.building import VISION, build_network
from cfvqa.settings.calls import Call
from cfvqa.settings.schema import DECODING, SIDE, ranks
from cfvqa.sharing.answering import Model
from cfvqa.stages.closed_answers import ClosedAnswers
from cfvqa.stages.trained import (
    TOKENIZER,
    TrainedReader,
    check_description,
    for_answering,
    load_tokenizer,
    new_model,
)
from cfvqa.stages.vision import for_inference

FORMAT = 1
"""Raised when older exports can no longer be read."""

_REMEDY = "export the run again"
_SETTINGS, _CARD, _FIGURES = "config.json", "README.md", "metrics.json"
_SHOWN = {
    "changes.f1": "change F1",
    "changes.direction_accuracy": "direction accuracy",
    "changes.level_accuracy": "level accuracy",
    "other_types.exact_match": "other types of question, exact match",
    "flip.consistency": "flip consistency",
}


def write_export(model: Model, metrics: Mapping[str, Any], to: Path) -> Path:
    """Write a model with the figures that it was judged by into a new folder, whole or not at all.

    Nothing of the training data goes along but the words of its vocabulary, and the list of its answers where a model
    chooses from one; no path, no identifier.

    Raises:
        InputError: if the folder is there already, or cannot be written.
    """
    if to.exists():
        raise InputError(f"to: {to} is there already: give a folder that is not, to=FOLDER")
    try:
        made = tempfile.TemporaryDirectory(dir=to.absolute().parent, prefix=f".{to.name}-")
    except OSError as error:
        raise InputError(f"to: {to} cannot be made ({error.strerror}): give another folder, to=FOLDER") from error
    with made as place, full_disk_named(to):
        folder = Path(place) / to.name
        folder.mkdir()
        for name, network in _networks(model).items():
            save_model(network, str(folder / f"{name}.safetensors"))
        model.reader.tokenizer.save(folder / TOKENIZER)
        (folder / _SETTINGS).write_text(json.dumps(settings_of(model), indent=2) + "\n")
        (folder / _FIGURES).write_text(json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        if model.closed is not None:
            model.closed.save(folder)
        (folder / _CARD).write_text(model_card(model, metrics, to.name))
        folder.rename(to)
    return to


def is_export(folder: Path) -> bool:
    """Whether a folder was written by `write_export`."""
    return (folder / _SETTINGS).is_file()


def read_export(folder: Path) -> Model:
    """Load what `write_export` wrote; no code of the folder runs.

    Raises:
        InputError: if a file is missing or damaged, of another format, or names a class that is not allowed.
    """
    file = folder / _SETTINGS
    settings = _read_settings(file)
    with damage_named(file, _REMEDY):
        description, decoding, image_size = settings["reader"], settings["decoding"], settings["image_size"]
        SIDE.check(image_size, f"{file}: image_size")
        DECODING.check(decoding, f"{file}: decoding")
        check_description(description, f"{file}: reader")
        networks = {name: _network_of(description, name, file) for name in ("detector", "classifier")}
        tokenizer = load_tokenizer(folder / TOKENIZER, description)
        reader = for_answering(new_model(description, tokenizer, f"{file}: reader"))
    for name, network in {"reader": reader, **networks}.items():
        _fill(network, folder / f"{name}.safetensors")
    return Model(
        folder=folder,
        detector=for_inference(networks["detector"]),
        classifier=for_inference(networks["classifier"]),
        reader=TrainedReader(reader, tokenizer, description),
        image_size=image_size,
        decoding=decoding,
        closed=ClosedAnswers.load(folder) if ranks(decoding) else None,
    )


def model_card(model: Model, metrics: Mapping[str, Any], name: str) -> str:
    """Return the page that goes along with the weights: data, figures with intervals, limits, licence."""
    environment = Environment(
        loader=PackageLoader("cfvqa.sharing", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    networks = _networks(model).values()
    return environment.get_template("model_card.md.j2").render(
        name=name,
        version=version("cfvqa"),
        data=metrics["data"],
        figures=[(title, figure_at(metrics, key)) for key, title in _SHOWN.items()],
        blind={name: figure_at(other, "changes.f1") for name, other in metrics["baseline"].items()},
        questions=metrics["n"],
        parameters=sum(weight.numel() for network in networks for weight in network.parameters()),
        image_size=model.image_size,
        closed=model.closed is not None,
    )


def _networks(model: Model) -> dict[str, nn.Module]:
    return {"reader": model.reader.model, "detector": model.detector, "classifier": model.classifier}


def settings_of(model: Model) -> dict[str, Any]:
    """Return what the model is built from, without paths of this machine."""
    description = dict(model.reader.description)
    description["text"] = description["text"] | {"pretrained": description["text"]["pretrained"] and TOKENIZER}
    description["vision"] = {name: {"network": _trained(one["network"])} for name, one in description["vision"].items()}
    return {
        "cfvqa": version("cfvqa"),
        "format": FORMAT,
        "reader": description,
        "image_size": model.image_size,
        "decoding": model.decoding,
    }


def _trained(network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the block of a network without the file of weights that its training began with."""
    return {name: None if name == "weights" else value for name, value in network.items()}


def _network_of(description: Mapping[str, Any], name: str, file: Path) -> nn.Module:
    block, place = description["vision"][name]["network"], f"{file}: {name}.network"
    Call(VISION).check(block, place)
    return build_network(block, place, VISION)


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text())
        written = settings["format"]
    except DAMAGE as error:
        raise InputError(f"{file} is no export of cfvqa, or damaged ({error!r}): {_REMEDY}") from error
    if written != FORMAT:
        raise InputError(
            f"{file} has format {written}, this version of cfvqa reads {FORMAT}: use the version that wrote it"
        )
    return settings


def _fill(network: nn.Module, file: Path) -> None:
    """Load the weights of a network; safetensors holds arrays and nothing else."""
    if not file.is_file():
        raise InputError(f"{file} is missing: {_REMEDY}")
    try:
        load_model(network, str(file))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{file} is damaged, or of another model ({reason}): {_REMEDY}") from error
