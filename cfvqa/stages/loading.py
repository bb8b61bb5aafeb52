"""A trained run, loaded from its folder to be asked about radiographs that are in no table."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn
from yaml import YAMLError

from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import DECODE_FACTS
from cfvqa.stages.building import plain
from cfvqa.stages.identity import Stage
from cfvqa.stages.trained import TrainedReader, load_reader
from cfvqa.stages.vision import load_network


@dataclass(frozen=True)
class LoadedRun:
    """What answers questions about new radiographs; all networks are in evaluation mode, on the CPU.

    Attributes:
        folder: of the run.
        detector: finds the regions.
        classifier: names the findings in them.
        reader: answers, from what the two extract.
        image_size: side of the square frame that detector and classifier see, in pixels.
        decoding: how answers are written, as in the evaluation of the run.
    """

    folder: Path
    detector: nn.Module
    classifier: nn.Module
    reader: TrainedReader
    image_size: int
    decoding: dict[str, Any]


def load_run(folder: Path) -> LoadedRun:
    """Load a run (runs/NAME) and the vision models that it was trained with.

    Raises:
        InputError: if the folder holds no finished run, or a vision model is gone or was made anew differently.
    """
    decoding = _decoding(folder)
    reader = load_reader(folder / "vqa")
    vision = reader.description.get("vision")
    if vision is None:
        raise InputError(
            f"{folder} does not record its vision models: delete {folder / 'vqa' / '_SUCCESS'} and give the command "
            "that trained it again; what is trained stays"
        )
    return LoadedRun(
        folder=folder,
        detector=_vision_model(folder, "detector", vision["detector"]),
        classifier=_vision_model(folder, "classifier", vision["classifier"]),
        reader=reader,
        image_size=vision["detector"]["image_size"],
        decoding=decoding,
    )


def _decoding(folder: Path) -> dict[str, Any]:
    file = folder / "config.yaml"
    if not file.is_file():
        raise InputError(f"{folder} is no folder of a run (config.yaml is missing): give one, runs/NAME")
    judged = folder / "evaluation" / "metrics.json"
    try:
        if judged.is_file():  # the run may have been judged again with another decoding
            decode = json.loads(judged.read_text())["decode"]
            return {name: value for name, value in decode.items() if name not in DECODE_FACTS}
        return plain(OmegaConf.load(file))["evaluation"]["decoding"]
    except (OmegaConfBaseException, YAMLError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} or {judged} is damaged ({error!r}): run the command of this run again") from error


def _vision_model(run: Path, name: str, record: dict[str, Any]) -> nn.Module:
    """Load the detector or classifier that `record` of the run's reader.json describes."""
    stage = Stage(name, Path(record["folder"]), record["id"])
    if not stage.whole:
        raise InputError(
            f"{run} reads images with the {name} in {stage.folder}, which is gone or has been made anew differently: "
            f"make it again with cfvqa-run --config-path {run.resolve()} --config-name config, "
            "where the run was trained"
        )
    return load_network(record["network"], f"{name}.network", stage.folder)
