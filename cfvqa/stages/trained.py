"""A trained reader, loaded from the folder of its training."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cfvqa.errors import InputError
from cfvqa.language.tokenizer import AnswerTokenizer, PretrainedTokenizer, Tokenizer
from cfvqa.stages.reader import Widths, build_model
from cfvqa.training.checkpoints import load_weights


@dataclass(frozen=True)
class TrainedReader:
    """A reader with what it needs to be asked.

    Attributes:
        model: in evaluation mode.
        tokenizer: of its questions and answers.
        description: its `reader.json`: model and text configs, widths, data settings, and the vision models
            whose features it was trained on.
    """

    model: nn.Module
    tokenizer: Tokenizer
    description: dict[str, Any]


def load_reader(folder: Path) -> TrainedReader:
    """Load the reader that a training left in `folder`.

    Raises:
        InputError: if the folder holds no finished reader, or one that does not fit its description.
    """
    file = folder / "reader.json"
    if not file.is_file():
        raise InputError(f"{folder} holds no trained reader (reader.json is missing): run cfvqa-train first")
    try:
        description = json.loads(file.read_text())
        tokenizer = _tokenizer(folder, description["text"]["pretrained"])
        widths, last = Widths(**description["widths"]), str(description["last_phase"])
        holder = nn.Module()
        holder.model = build_model(
            description["model"], description["text"], tokenizer=tokenizer, widths=widths, seed=0
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged ({error!r}): delete the folder and run cfvqa-train again") from error
    load_weights(holder, folder / last / "checkpoints" / "best.ckpt")
    return TrainedReader(holder.model.eval().requires_grad_(requires_grad=False), tokenizer, description)


def _tokenizer(folder: Path, pretrained: str | None) -> Tokenizer:
    if pretrained is not None:
        return PretrainedTokenizer(pretrained)
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise InputError(f"{file} is missing: delete the folder and run cfvqa-train again")
    try:
        return AnswerTokenizer.from_json(file.read_text())
    except Exception as error:  # the tokenizers library raises this very class
        raise InputError(f"{file} is damaged ({error}): delete the folder and run cfvqa-train again") from error


def device() -> torch.device:
    """Return the device on which readers are asked."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
