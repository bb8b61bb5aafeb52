"""Building a reader from its config: tokenizer, text transformer, model, and what trains it in a phase."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from cfvqa.data.batches import Tokens
from cfvqa.data.pair_sets import PairSettings
from cfvqa.errors import InputError
from cfvqa.language.keywords import CONTENT_NAMES, EMPTY_WORDS
from cfvqa.language.tokenizer import AnswerTokenizer, PretrainedTokenizer, Tokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.models.pretrained_text import start_from_encoder
from cfvqa.models.text import TextSettings, TextTransformer
from cfvqa.models.writing import SpecialIds
from cfvqa.objectives.base import Contrast, Objective
from cfvqa.settings.building import OBJECTIVES, OPTIMIZERS, READERS, SCHEDULES, build, build_network, resolve
from cfvqa.training.vqa_module import VqaModule

_LONGEST_NAME = 32  # tokens of the name of a finding or a region
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]")


@dataclass(frozen=True)
class Widths:
    """Widths of the stored features: what the detector and the classifier write."""

    region: int
    finding: int


def train_tokenizer(block: dict[str, Any], texts: Sequence[str]) -> Tokenizer:
    """Return the tokenizer of a text config; a scratch one knows the training texts and the graph's labels."""
    if block["pretrained"] is not None:
        return PretrainedTokenizer(block["pretrained"])
    return AnswerTokenizer.train([*texts, *node_texts()])


def _start_from(folder: Path, transformer: TextTransformer) -> None:
    """Start the text transformer from the weights of a folder.

    Raises:
        InputError: if they are not there, are damaged, or are those of another kind or size of encoder.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        raise InputError(
            f"text.pretrained: {file} is missing: give a folder with the weights and the tokenizer of a BERT model, "
            "or choose text=scratch"
        )
    try:
        weights = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"text.pretrained: {file} cannot be read ({error}): restore the file") from error
    misfit = start_from_encoder(transformer, weights)
    if misfit is not None:
        found = "is not there" if misfit.held is None else f"has shape {_shape(misfit.held)}"
        raise InputError(
            f"text.pretrained: {misfit.name} {found} in {file}, and shape {_shape(misfit.needed)} is needed: "
            "give a model of the BERT family with its tokenizer, and its sizes as text.transformer.width and max_length"
        )


def _shape(sizes: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in sizes)


def build_model(
    model: dict[str, Any], text: dict[str, Any], *, tokenizer: Tokenizer, widths: Widths, seed: int
) -> nn.Module:
    """Return a new model with weights drawn from `seed`.

    Its class is given what its signature names of: `text` (a text transformer), `vocabulary` (number of tokens),
    `special` (their ids), `tokenizer`, `labels` (tokens of the 62 node labels), `region_width`, `finding_width`.
    """
    torch.manual_seed(seed)
    special = special_ids(tokenizer)
    offered = {
        "text": lambda: _text_transformer(text, len(tokenizer), special),
        "vocabulary": lambda: len(tokenizer),
        "special": lambda: special,
        "tokenizer": lambda: tokenizer,
        "labels": lambda: _labels(tokenizer, special),
        "region_width": lambda: widths.region,
        "finding_width": lambda: widths.finding,
    }
    asked = inspect.signature(resolve(model["network"]["_target_"], "model.network", READERS)).parameters
    given = {name: make() for name, make in offered.items() if name in asked}
    return build_network(model["network"], "model.network", READERS, **given)


def special_ids(tokenizer: Tokenizer) -> SpecialIds:
    """Return the ids that models need to know of a tokenizer."""
    specials = tuple(tokenizer.id_of(token) for token in _SPECIALS)
    return SpecialIds(
        pad=tokenizer.id_of("[PAD]"),
        sep=tokenizer.id_of("[SEP]"),
        mask=tokenizer.id_of("[MASK]"),
        dec=tokenizer.id_of("[DEC]"),
        cls=tokenizer.id_of("[CLS]"),
        enc=tokenizer.id_of("[ENC]"),
        specials=specials,
        content=tuple(sorted(_ids(tokenizer, CONTENT_NAMES) - _ids(tokenizer, EMPTY_WORDS) - {*specials})),
    )


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> set[int]:
    ids, mask = tokenizer.encode(texts, max_length=_LONGEST_NAME)
    return set(ids[mask].tolist())


def _text_transformer(text: dict[str, Any], vocabulary: int, special: SpecialIds) -> TextTransformer:
    transformer = TextTransformer(settings=TextSettings(**text["transformer"]), vocabulary=vocabulary, special=special)
    if text["pretrained"] is not None:
        _start_from(Path(text["pretrained"]), transformer)
    return transformer


def _labels(tokenizer: Tokenizer, special: SpecialIds) -> Tokens:
    """Return the words of the node labels, without what frames a text."""
    ids, mask = tokenizer.encode(node_texts(), max_length=16)
    words = mask[:, 1:] & (ids[:, 1:] != special.sep)
    return Tokens(torch.from_numpy(ids[:, 1:].copy()), torch.from_numpy(words))  # a view could not be exported


def pair_settings(pairs: dict[str, Any], seed: int) -> PairSettings:
    """Return how a training sees its questions, from the config block `pairs`."""
    return PairSettings(**{name: value for name, value in pairs.items() if name != "workers"}, seed=seed)


def used(settings: dict[str, Any]) -> dict[str, float]:
    """Return the weights of the objectives that a phase of these settings trains with, by name."""
    return {name: weight for name, weight in settings["objectives"].items() if weight > 0}


def compares(objective: dict[str, Any]) -> bool:
    """Return whether an objective, given its config block, scores images against texts (`objectives.base.Contrast`)."""
    return hasattr(resolve(objective["_target_"], "objective", OBJECTIVES), "scores")


def contrasts_of(blocks: dict[str, Any], phase: str) -> dict[str, Contrast]:
    """Return the contrasts that a phase trains with; of the config `blocks` it reads phases and objective."""
    chosen = {name: blocks["objective"][name] for name in used(blocks["phases"][phase])}
    return {name: build(block, f"objective.{name}", OBJECTIVES) for name, block in chosen.items() if compares(block)}


def phase_module(blocks: dict[str, Any], model: nn.Module, phase: str) -> VqaModule:
    """Return what trains a model in one of the phases; of the config `blocks` it reads phases and objective."""
    settings = blocks["phases"][phase]
    weights = used(settings)
    return VqaModule(
        model,
        objectives={name: build(blocks["objective"][name], f"objective.{name}", OBJECTIVES) for name in weights},
        weights=weights,
        optimizer=build(settings["optimizer"], f"phases.{phase}.optimizer", OPTIMIZERS),
        schedule=build(settings["schedule"], f"phases.{phase}.schedule", SCHEDULES),
    )


def check_needs(objectives: dict[str, Objective], model: nn.Module, key: str) -> None:
    """Refuse to train a model with objectives that ask for what it does not have.

    Args:
        objectives: by name.
        model: to be trained.
        key: of the phase in the config.

    Raises:
        InputError: naming the objective and what the model lacks.
    """
    for name, objective in objectives.items():
        for need in objective.needs:
            try:
                attrgetter(need)(model)
            except AttributeError as error:
                raise InputError(
                    f"{key}.objectives.{name} needs {need} of a model, which {type(model).__name__} does not have: "
                    "set it to 0"
                ) from error
