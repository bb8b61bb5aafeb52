"""A trained reader, loaded from the folder of its training."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cfvqa.errors import InputError
from cfvqa.files import damage_named
from cfvqa.language.constraint import AnswerConstraint
from cfvqa.language.tokenizer import AnswerTokenizer, PretrainedTokenizer, Tokenizer
from cfvqa.models.momentum import without_momentum
from cfvqa.settings.building import trying
from cfvqa.settings.checking import check_relations
from cfvqa.settings.reader import Widths, build_model
from cfvqa.settings.schema import READER
from cfvqa.training.checkpoints import load_weights

TOKENIZER = "tokenizer"
"""Name of the folder of a tokenizer, in that of its reader."""


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

    @cached_property
    def constraint(self) -> AnswerConstraint:
        """The grammar of answers to difference questions, in its tokens."""
        return AnswerConstraint(self.tokenizer)


def load_reader(folder: Path, phase: str | None = None) -> TrainedReader:
    """Load the reader that a training left in `folder`.

    Args:
        folder: of the training.
        phase: whose best weights it gets; None takes the last.

    Raises:
        InputError: if the folder holds no finished reader, or one that does not fit its description.
    """
    file = folder / "reader.json"
    if not file.is_file():
        raise InputError(f"{folder} holds no trained reader (reader.json is missing): run cfvqa-train first")
    with damage_named(file, "delete the folder and run cfvqa-train again"):
        description = json.loads(file.read_text())
        last, holder = str(description["last_phase"]), nn.Module()
        check_description(description, str(file))
        tokenizer = load_tokenizer(folder / TOKENIZER, description)
        holder.model = new_model(description, tokenizer, str(file))
    load_weights(holder, folder / (phase or last) / "checkpoints" / "best.ckpt")
    return TrainedReader(for_answering(holder.model), tokenizer, description)


def for_answering(model: nn.Module) -> nn.Module:
    """Return a reader as it is asked: frozen, in evaluation mode, without what only training needs."""
    return without_momentum(model).eval().requires_grad_(requires_grad=False)


def check_description(description: Any, place: str) -> None:
    """Check a description (see `TrainedReader`), which may be a stranger's, before anything is made of it.

    Raises:
        InputError: naming the place and the key.
        KeyError, TypeError: if a part is not there at all.
    """
    for name, kind in READER.items():
        kind.check(description[name], f"{place}: {name}")
    with trying(place):
        check_relations(description)


def new_model(description: dict[str, Any], tokenizer: Tokenizer, place: str) -> nn.Module:
    """Return the model of a description that is checked, which waits for its weights.

    Raises:
        InputError: naming the place, if it cannot be made.
    """
    text = description["text"] | {"pretrained": None}  # its weights are among those to come
    widths = Widths(**description["widths"])
    with trying(place):
        return build_model(description["model"], text, tokenizer=tokenizer, widths=widths, seed=0)


def load_tokenizer(folder: Path, description: dict[str, Any]) -> Tokenizer:
    """Return the tokenizer that lies in `folder`, beside a reader of this description.

    Raises:
        InputError: if it is missing or damaged.
    """
    trained_here = description["text"]["pretrained"] is None
    return AnswerTokenizer.load(folder) if trained_here else PretrainedTokenizer(str(folder))


def device() -> torch.device:
    """Return the device on which readers are asked."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
