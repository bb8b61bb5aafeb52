"""Writing an answer with any model that says which token comes next."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from cfvqa.data.batches import Tokens


@dataclass(frozen=True)
class SpecialIds:
    """Token ids that the model needs to know.

    Attributes:
        specials: all that are no words.
        content: words that say what an answer is about (findings, places, levels, types, directions).
    """

    pad: int
    sep: int
    mask: int
    dec: int
    cls: int
    enc: int
    specials: tuple[int, ...]
    content: tuple[int, ...]


class Writer(Protocol):
    """Writes answers from a memory."""

    special: SpecialIds
    word_embeddings: nn.Embedding

    def next_token_logits(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return logits (Q, T, V) of the token after each position; a position sees none after itself."""

    def generate(self, memory: Tensor, memory_mask: Tensor, **decoding: Any) -> tuple[Tensor, Tensor]:
        """Return ids (Q, T) that begin behind [DEC], and scores (Q,): the mean probability of the written tokens."""


class StepWriter(Writer, Protocol):
    """A writer that goes on from what it kept of the words before, without reading them again."""

    def step(self, ids: Tensor, kept: list[Tensor], memory: Tensor, memory_mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Read the next token (Q,) of each text: return logits (Q, V) of the one behind it, and what to keep (Q, ...).

        Args:
            ids: (Q,).
            kept: of the step before; empty before the first.
            memory: (Q, N, D), what it writes from.
            memory_mask: (Q, N) bool.
        """


def write(writer: StepWriter, memory: Tensor, memory_mask: Tensor, **decoding: Any) -> tuple[Tensor, Tensor]:
    """Write answers by transformers' generation: greedy, beam search or sampling.

    Args:
        writer: says which token comes next.
        memory: (Q, N, D), what it writes from.
        memory_mask: (Q, N) bool.
        decoding: what transformers takes: num_beams, do_sample, top_p, max_new_tokens, ...

    Returns:
        Ids (Q, T) that begin behind [DEC], and scores (Q,): the mean probability of the written tokens.
    """
    # What is kept is our own: transformers shall make no cache of keys and values.
    given = decoding | {"memory": memory, "memory_mask": memory_mask, "use_cache": False}
    ids = generated(_Continuation(writer), writer.special, memory, **given)
    return ids, mean_probability(writer, ids, memory, memory_mask)


def generated(machine: GenerationMixin, special: SpecialIds, memory: Tensor, /, **given: Any) -> Tensor:
    """Return the ids (Q, T) behind [DEC] that transformers' generation writes.

    Args:
        machine: steps through the text.
        special: ids that begin, end and fill one.
        memory: (Q, ...), one text for each.
        given: what the machine sees of the memory, and how it shall write.
    """
    output = machine.generate(
        input_ids=torch.full((len(memory), 1), special.dec, device=memory.device),
        bos_token_id=special.dec,
        eos_token_id=special.sep,
        pad_token_id=special.pad,
        **given,
    )
    ids = output[:, 1:]
    end = ids == special.sep
    # A beam search of transformers fills up with the end where the padding has number 0.
    return ids.masked_fill(end.cumsum(1) > end.long(), special.pad)


def mean_probability(writer: Writer, ids: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
    """Return the mean probability (Q,) of written tokens; padding behind the end weighs nothing.

    Args:
        writer: that has written them.
        ids: (Q, T), behind [DEC].
        memory: (Q, N, D), that they were written from.
        memory_mask: (Q, N) bool.
    """
    start = torch.full((len(ids), 1), writer.special.dec, device=ids.device)
    whole = torch.cat([start, ids], dim=1)
    written = ids != writer.special.pad
    mask = torch.cat([torch.ones_like(start, dtype=torch.bool), written], dim=1)
    logits = writer.next_token_logits(Tokens(whole, mask), memory, memory_mask)[:, :-1]
    probability = logits.float().softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return (probability * written).sum(1) / written.sum(1).clamp(min=1)


@dataclass
class _Kept:
    """What a writer kept of the words before, in the place of a cache of transformers."""

    parts: list[Tensor]
    is_croppable = False

    def reorder_cache(self, rows: Tensor) -> None:
        """Take the texts (rows) that a beam search goes on with."""
        self.parts = [part.index_select(0, rows) for part in self.parts]


class _Continuation(PreTrainedModel, GenerationMixin):
    """What transformers' generation wants to see of a writer."""

    main_input_name = "input_ids"

    def __init__(self, writer: StepWriter) -> None:
        super().__init__(PretrainedConfig())
        assert isinstance(writer, nn.Module)
        self.writer = writer

    def forward(
        self, input_ids: Tensor, memory: Tensor, memory_mask: Tensor, past_key_values: _Kept | None, **_: Any
    ) -> CausalLMOutputWithPast:
        kept = [] if past_key_values is None else past_key_values.parts
        logits, kept = self.writer.step(input_ids[:, -1], kept, memory, memory_mask)
        return CausalLMOutputWithPast(logits=logits.unsqueeze(1), past_key_values=_Kept(kept))

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        memory: Tensor,
        memory_mask: Tensor,
        past_key_values: _Kept | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        seen = {"memory": memory, "memory_mask": memory_mask}
        return {"input_ids": input_ids, "past_key_values": past_key_values, **seen}
