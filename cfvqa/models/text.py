"""The text transformer: one set of BLIP blocks to read questions and keywords, one to write answers."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.blip.configuration_blip import BlipTextConfig
from transformers.models.blip.modeling_blip_text import BlipTextLMHeadModel, BlipTextModel

from cfvqa.data.batches import Tokens
from cfvqa.models.dropout import drawn_cheaply
from cfvqa.models.writing import SpecialIds, generated, mean_probability


@dataclass(frozen=True)
class TextSettings:
    """Size of the text transformer.

    Attributes:
        width: of a token, D.
        layers: of the reader, which looks up in the images what the question names.
        writer_layers: of the writer.
        heads: of the attention.
        dropout: of states.
        attention_dropout: of attention weights; on a CPU drawing it cost a fifth of a step with torch's own masks.
        max_length: positions.
    """

    width: int = 128
    layers: int = 1
    writer_layers: int = 1
    heads: int = 4
    dropout: float = 0.1
    attention_dropout: float = 0.0
    max_length: int = 128


class TextTransformer(nn.Module):
    """Read and write texts, with cross-attention to a memory.

    Reader and writer share their word embeddings, and the writer's output matrix is the same.

    Args:
        settings: size.
        vocabulary: number of tokens V.
        special: ids of special tokens.
    """

    def __init__(self, *, settings: TextSettings, vocabulary: int, special: SpecialIds) -> None:
        super().__init__()
        self.settings = settings
        self.special = special
        reader, writer = (
            _blip_config(settings, layers, vocabulary, special) for layers in (settings.layers, settings.writer_layers)
        )
        self.reader = BlipTextModel(reader, add_pooling_layer=False)
        self.writer = BlipTextLMHeadModel(writer)
        self.writer.bert.embeddings = self.reader.embeddings
        self.writer.cls.predictions.decoder.weight = self.word_embeddings.weight
        drawn_cheaply(self)
        for stack in (self.reader, self.writer.bert):
            for layer in stack.encoder.layer:
                layer.crossattention.self.register_forward_pre_hook(_pass_memory_mask, with_kwargs=True)
                _start_as_look_up(layer.crossattention.self)

    def share_layers(self) -> None:
        """Let reader and writer share cross-attention and feed-forward part in the layers that both have."""
        for own, other in zip(self.reader.encoder.layer, self.writer.bert.encoder.layer, strict=False):
            other.crossattention, other.intermediate, other.output = own.crossattention, own.intermediate, own.output

    @property
    def word_embeddings(self) -> nn.Embedding:
        """The table (V, D) that reader, writer and output share."""
        return self.reader.embeddings.word_embeddings

    def read(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Read a text in the light of a memory.

        Args:
            text: tokens (Q, T).
            memory: (Q, N, D).
            memory_mask: (Q, N) bool.

        Returns:
            States (Q, T, D) and the last layer's attention from the first token to the memory (Q, N).
        """
        output = self.reader(
            input_ids=text.ids,
            attention_mask=text.mask.long(),
            encoder_hidden_states=memory,
            encoder_attention_mask=memory_mask.long(),
            is_decoder=False,
            output_attentions=True,
        )
        attention = output.cross_attentions[-1][:, :, 0].mean(1)
        return output.last_hidden_state, attention

    def encode(self, text: Tokens) -> Tensor:
        """Read a text (Q, T) by itself: states (Q, T, D) of words that see each other, and no memory."""
        return read_alone(self.reader, text)

    def next_token_logits(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return logits (Q, T, V) of the token after each position; a position sees none after itself."""
        return self.writer.cls(self._states(text, memory, memory_mask, causal=True))

    def masked_logits(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return logits (Q, T, V) of the token at each position; every position sees the whole text."""
        return self.writer.cls(self._states(text, memory, memory_mask, causal=False))

    def answer_state(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return the first state (Q, D) of a whole answer read in the light of the memory.

        The last layer computes that state alone: the others would be thrown away.
        """
        bert = self.writer.bert
        states = bert.embeddings(input_ids=text.ids)
        own, across = (_additive(mask, states.dtype) for mask in (text.mask, memory_mask))
        *lower, last = bert.encoder.layer
        for layer in lower:
            states = layer(states, memory, attention_mask=own, encoder_attention_mask=across)
        first = states[:, :1]
        seen, _ = last.attention.self(first, encoder_hidden_states=states, encoder_attention_mask=own)
        state = last.attention.output(seen, first)
        state, _ = last.crossattention(state, encoder_hidden_states=memory, attention_mask=across)
        return last.feed_forward_chunk(state).squeeze(1)

    def _states(self, text: Tokens, memory: Tensor, memory_mask: Tensor, *, causal: bool) -> Tensor:
        output = self.writer.bert(
            input_ids=text.ids,
            attention_mask=text.mask.long(),
            encoder_hidden_states=memory,
            encoder_attention_mask=memory_mask.long(),
            is_decoder=causal,
        )
        return output.last_hidden_state

    @torch.no_grad()
    def generate(self, memory: Tensor, memory_mask: Tensor, **decoding: Any) -> tuple[Tensor, Tensor]:
        """Write answers, in a batch and with a key-value cache.

        Args:
            memory: (Q, N, D).
            memory_mask: (Q, N) bool.
            decoding: what `transformers` takes: num_beams, do_sample, top_p, max_new_tokens, ...

        Returns:
            Ids (Q, T) that begin behind [DEC], and scores (Q,): the mean probability of the written tokens.
        """
        seen = {"encoder_hidden_states": memory, "encoder_attention_mask": memory_mask.long()}
        ids = generated(self.writer, self.special, memory, **seen, **decoding)
        return ids, mean_probability(self, ids, memory, memory_mask)


def read_alone(reader: BlipTextModel, text: Tokens) -> Tensor:
    """Return the states (Q, T, D) of texts (Q, T) that a reader sees without a memory."""
    return reader(input_ids=text.ids, attention_mask=text.mask.long(), is_decoder=False).last_hidden_state


def beginning_with(text: Tokens, token: int) -> Tokens:
    """Return the texts with another first token: it tells the transformer what they are read for."""
    return Tokens(torch.cat([torch.full_like(text.ids[:, :1], token), text.ids[:, 1:]], dim=1), text.mask)


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what attention adds to its scores (Q, 1, 1, N): 0 where the mask (Q, N) is true."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, float("-inf"))[:, None, None]


def _start_as_look_up(attention: nn.Module) -> None:
    """Let queries and keys start from one projection, so that a word attends to the node that is named like it.

    From independent projections a small data set takes most of a training to find that out.
    """
    with torch.no_grad():
        nn.init.orthogonal_(attention.query.weight)
        attention.key.weight.copy_(attention.query.weight)


def _pass_memory_mask(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
    """Give the cross-attention its mask.

    transformers 5.23 hands it over as `attention_mask` and then reads `encoder_attention_mask`, which is None:
    padding of the memory would be attended.
    """
    if named.get("encoder_hidden_states") is not None and named.get("encoder_attention_mask") is None:
        named = named | {"encoder_attention_mask": named.get("attention_mask")}
    return inputs, named


def _blip_config(settings: TextSettings, layers: int, vocabulary: int, special: SpecialIds) -> BlipTextConfig:
    return BlipTextConfig(
        vocab_size=vocabulary,
        hidden_size=settings.width,
        encoder_hidden_size=settings.width,
        intermediate_size=settings.width * 4,
        num_hidden_layers=layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=settings.max_length,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.attention_dropout,
        is_decoder=True,  # builds the cross-attention, which reader and writer both use
        pad_token_id=special.pad,
        bos_token_id=special.dec,
        eos_token_id=special.sep,
        sep_token_id=special.sep,
        # transformers' eager attention returns the weights that the report draws
        attn_implementation="eager",
    )
