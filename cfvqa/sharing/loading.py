"""A trained run, or an exported one, loaded from its folder to be asked about radiographs that are in no table."""

import json
from pathlib import Path
from typing import Any

from omegaconf.errors import OmegaConfBaseException
from torch import nn
from yaml import YAMLError

from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import decoding_in
from cfvqa.files import DAMAGE, damage_named
from cfvqa.settings.schema import DECODING, ranks
from cfvqa.sharing.answering import Model
from cfvqa.sharing.hub import fetch
from cfvqa.sharing.publishing import is_export, read_export
from cfvqa.stages.closed_answers import ClosedAnswers
from cfvqa.stages.identity import SUCCESS, Stage
from cfvqa.stages.run_folders import stored_config
from cfvqa.stages.trained import load_reader
from cfvqa.stages.vision import DESCRIPTIONS, load_network


def load(source: Path | str) -> Model:
    """Load a run (runs/NAME), a folder that cfvqa-export wrote, or such a folder from the Hugging Face hub.

    Args:
        source: a folder, or USER/MODEL of the hub where there is no such folder; only then is the network used.

    Raises:
        InputError: if there is no such folder or model, or it is damaged, not finished, or names foreign classes.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        folder = fetch(str(source))
    return read_export(folder) if is_export(folder) else load_run(folder)


def load_run(folder: Path) -> Model:
    """Load a run (runs/NAME) and the vision models that it was trained with.

    Raises:
        InputError: if the folder holds no finished run, it learned from what no radiograph brings along, or a vision
            model is gone or was made anew differently.
    """
    decoding = _decoding(folder)
    reader = load_reader(folder / "vqa")
    if "published" in reader.description:
        raise InputError(
            f"{folder} was trained on imported features (extraction.published), which nothing here makes of a "
            "radiograph: give a run that was trained with vision models"
        )
    vision = reader.description.get("vision")
    if vision is None:
        raise InputError(
            f"{folder} does not record its vision models: delete {folder / 'vqa' / SUCCESS} and give the command "
            "that trained it again; what is trained stays"
        )
    if (truth := reader.description.get("truth", "none")) != "none":
        raise InputError(
            f"{folder} was trained on true {truth} (extraction.truth), which new radiographs do "
            "not have: give another run"
        )
    file = folder / "vqa" / "reader.json"
    with damage_named(file, "give the command that trained the run again"):
        DESCRIPTIONS.check(vision, f"{file}: vision")
    return Model(
        folder=folder,
        detector=_vision_model(folder, "detector", vision["detector"]),
        classifier=_vision_model(folder, "classifier", vision["classifier"]),
        reader=reader,
        image_size=vision["detector"]["image_size"],
        decoding=decoding,
        closed=ClosedAnswers.load(folder / "evaluation") if ranks(decoding) else None,
    )


def _decoding(folder: Path) -> dict[str, Any]:
    file = folder / "config.yaml"
    if not file.is_file():
        raise InputError(f"{folder} is no folder of a run (config.yaml is missing): give one, runs/NAME")
    judged = folder / "evaluation" / "metrics.json"
    try:
        if judged.is_file():  # the run may have been judged again with another decoding
            decode = json.loads(judged.read_text())["decode"]
            decoding = decoding_in(decode)
        else:
            decoding = stored_config(file)["evaluation"]["decoding"]
    except (*DAMAGE, OmegaConfBaseException, YAMLError, OSError) as error:
        raise InputError(f"{file} or {judged} is damaged ({error!r}): run the command of this run again") from error
    DECODING.check(decoding, f"{judged if judged.is_file() else file}: decoding")
    return decoding


def _vision_model(run: Path, name: str, record: dict[str, Any]) -> nn.Module:
    """Load the detector or classifier that `record` of the run's reader.json describes, which is checked before."""
    stage = Stage(name, Path(record["folder"]), record["id"])
    if not stage.whole:
        raise InputError(
            f"{run} reads images with the {name} in {stage.folder}, which is gone or has been made anew differently: "
            f"give the command that trained the run again, with the settings of {run.resolve() / 'config.yaml'}"
        )
    return load_network(record["network"], f"{name}.network", stage.folder)
