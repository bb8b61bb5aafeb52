"""The captioner of MCCFormers: a plain transformer decoder."""

from typing import Any

import torch
from torch import Tensor, nn

from cfvqa.data.batches import Tokens
from cfvqa.models.writing import SpecialIds, write


class Captioner(nn.Module):
    """Write a text word by word in the light of a memory.

    Args:
        vocabulary: number of tokens V.
        special: ids of special tokens.
        width: D, of the memory too; inside a layer it is four times that.
        layers, heads, dropout: of the transformer; the states before the output lose twice as many, as published.
        max_length: tokens of a text at most.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        special: SpecialIds,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
        max_length: int,
    ) -> None:
        super().__init__()
        self.special = special
        self.word_embeddings = nn.Embedding(vocabulary, width, padding_idx=special.pad)
        self.position = nn.Parameter(torch.randn(max_length, width))  # as large as a word
        layer = nn.TransformerDecoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, layers)
        self.dropout = nn.Dropout(2 * dropout)
        self.output = nn.Linear(width, vocabulary)

    def embed(self, text: Tokens) -> Tensor:
        """Return the words of a text with their places (Q, T, D)."""
        return self.word_embeddings(text.ids) + self.position[: text.ids.shape[1]]

    def next_token_logits(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return logits (Q, T, V) of the token after each position; a position sees none after itself."""
        length = text.ids.shape[1]
        states = self.decoder(
            self.embed(text),
            memory,
            tgt_mask=torch.ones(length, length, dtype=torch.bool, device=memory.device).triu(1),
            tgt_key_padding_mask=~text.mask,
            memory_key_padding_mask=~memory_mask,
        )
        return self.output(self.dropout(states))

    def step(self, ids: Tensor, kept: list[Tensor], memory: Tensor, memory_mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Read the next token (Q,): see `writing.StepWriter`. Kept is what each layer was given (Q, T, D)."""
        kept = kept or [memory.new_zeros(len(memory), 0, memory.shape[2])] * len(self.decoder.layers)
        state = self.word_embeddings(ids).unsqueeze(1) + self.position[kept[0].shape[1]]
        grown = []
        for layer, before in zip(self.decoder.layers, kept, strict=True):
            grown.append(torch.cat([before, state], dim=1))
            own, _ = layer.self_attn(state, grown[-1], grown[-1], need_weights=False)
            state = layer.norm1(state + own)
            seen, _ = layer.multihead_attn(state, memory, memory, key_padding_mask=~memory_mask, need_weights=False)
            state = layer.norm2(state + seen)
            state = layer.norm3(state + layer.linear2(layer.activation(layer.linear1(state))))
        return self.output(state.squeeze(1)), grown

    def first_attention(self, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return the attention (Q, N) of the last layer to the memory before the first word is written."""
        start = torch.full((len(memory), 1), self.special.dec, device=memory.device)
        *lower, last = self.decoder.layers
        state = self.embed(Tokens(start, torch.ones_like(start, dtype=torch.bool)))
        for layer in lower:
            state = layer(state, memory, memory_key_padding_mask=~memory_mask)
        own, _ = last.self_attn(state, state, state, need_weights=False)
        _, weights = last.multihead_attn(last.norm1(state + own), memory, memory, key_padding_mask=~memory_mask)
        return weights.squeeze(1)

    @torch.no_grad()
    def generate(self, memory: Tensor, memory_mask: Tensor, **decoding: Any) -> tuple[Tensor, Tensor]:
        """Write answers: see `writing.write`."""
        return write(self, memory, memory_mask, **decoding)
