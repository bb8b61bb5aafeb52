"""What cfvqa-predict does: check what was asked for, ask the run, show the answer."""

import os
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.sharing.answers import Prediction
from cfvqa.sharing.loading import load
from cfvqa.sharing.showing import as_json, show, write_picture

OUTPUTS = ("text", "json")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        run: folder of the run, or what else `loading.load` takes.
        main, reference: files of the images.
        question: about them.
        output: one of `OUTPUTS`.
        picture: file to draw into.
    """

    run: str
    main: Path
    reference: Path | None
    question: str
    output: str
    picture: Path | None


def prediction(config: DictConfig, console: Console) -> Prediction:
    """Answer the question of the config; the answer goes to `console`, notes go to standard error."""
    request = request_of(config)
    answered = load(request.run).ask(main=request.main, reference=request.reference, question=request.question)
    if request.picture is not None:
        write_picture(answered, request.picture)
    notes = Console(stderr=True)
    for note in answered.notes:
        notes.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    if request.output == "json":
        console.out(as_json(answered), highlight=False)
    else:
        show(answered, console)
    return answered


def request_of(config: DictConfig) -> Request:
    """Return what the config asks for, checked before anything is loaded.

    Raises:
        InputError: naming the key that is missing or wrong.
    """
    if config.output not in OUTPUTS:
        raise InputError(f"output is '{config.output}': choose one of {', '.join(OUTPUTS)}")
    return Request(
        run=_run(config.run),
        main=_image("main", config.main),
        reference=None if config.reference is None else _image("reference", config.reference),
        question=str(config.question or ""),
        output=config.output,
        picture=None if config.output_image is None else _picture(config.output_image),
    )


def _run(value: str | None) -> str:
    if not value:
        raise InputError("run is not set: give the folder of a trained run, run=runs/NAME")
    return value


def _image(key: str, value: str | None) -> Path:
    if not value:
        raise InputError(f"{key} is not set: give a radiograph (PNG, JPEG or DICOM), {key}=FILE")
    path = Path(value)
    if not path.is_file():
        raise InputError(f"{key}: no file {path}; give a radiograph (PNG, JPEG or DICOM), {key}=FILE")
    return path


def _picture(value: str) -> Path:
    path = Path(value)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise InputError(f"output_image is '{path}': its name must end with {', '.join(PICTURE_SUFFIXES)}")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"output_image: {path} cannot be written; give a file in a folder that is there")
    return path
