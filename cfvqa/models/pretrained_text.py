"""Starting the text transformer from the weights of a pretrained encoder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cfvqa.models.text import TextTransformer

_WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Misfit:
    """A parameter that an encoder does not hold as the reader needs it.

    Attributes:
        name: in the reader.
        needed: its shape there.
        held: its shape in the encoder; None where it is not there.
    """

    name: str
    needed: tuple[int, ...]
    held: tuple[int, ...] | None


def start_from_encoder(text: TextTransformer, weights: Mapping[str, Tensor]) -> Misfit | None:
    """Start the reader of a text transformer from a BERT encoder.

    Cross-attention stays new, as do layers that the encoder does not have and words that the tokenizer added.

    Args:
        text: whose reader it is.
        weights: the encoder's parameters by their name.

    Returns:
        The first parameter that the encoder does not hold as it is needed; nothing is taken then.
    """
    held = {_name_here(name): value for name, value in weights.items()}
    own = text.reader.state_dict()
    taken: dict[str, Tensor] = {}
    for name in _names_to_take(own, held):
        value = _with_added_words(text, held.get(name)) if name == _WORDS else held.get(name)
        if value is None or value.shape != own[name].shape:
            found = None if name not in held else tuple(held[name].shape)
            return Misfit(name, needed=tuple(own[name].shape), held=found)
        taken[name] = value
    text.reader.load_state_dict(own | taken)
    return None


def _with_added_words(text: TextTransformer, table: Tensor | None) -> Tensor | None:
    """Return an encoder's word embeddings with new rows for the special tokens that it does not know.

    Rows beyond the vocabulary only round up the size of the table.
    """
    own = text.word_embeddings.weight
    if table is None or table.shape[1:] != own.shape[1:]:
        return table
    added = range(len(table), len(own))
    if not set(added) <= set(text.special.specials):
        return table
    return torch.cat([table[: len(own)], own.detach()[len(table) :].to(table)])


def _name_here(name: str) -> str:
    """Return the name that a parameter of BERT has in the reader; the first releases wrote gamma and beta."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _names_to_take(own: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> list[str]:
    """Return the parameters of the reader that an encoder must hold, in their order; its first layer is among them."""
    layers = {_layer_of(name) for name in held} | {-1, 0}
    return [name for name in own if "crossattention" not in name and _layer_of(name) <= max(layers)]


def _layer_of(name: str) -> int:
    """Return the number of the layer that a parameter belongs to, or -1."""
    found = re.match(r"encoder\.layer\.(\d+)\.", name)
    return -1 if found is None else int(found[1])
