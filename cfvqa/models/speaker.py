"""The speaker of EKAID: two LSTM cells, one to look, one to write."""

from typing import Any

import torch
from torch import Tensor, nn

from cfvqa.data.batches import Tokens
from cfvqa.models.writing import SpecialIds, write

_KINDS = 16  # of words, which a side branch guesses; no loss teaches it, as published


class Speaker(nn.Module):
    """Write a text word by word from three vectors: main, reference, their difference.

    Args:
        vocabulary: number of tokens V.
        special: ids of special tokens.
        width: D of the vectors.
        state_width: of both cells.
        word_width: of a word.
        dropout: of words.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        special: SpecialIds,
        width: int,
        state_width: int,
        word_width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.special = special
        self.word_embeddings = nn.Embedding(vocabulary, word_width)
        self.word = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
        self.join = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU())
        self.look = nn.LSTMCell(width + state_width, state_width)
        self.choose = nn.Linear(state_width, 3)
        self.side = nn.Sequential(
            nn.Linear(state_width, state_width),
            nn.ReLU(),
            nn.Linear(state_width, _KINDS),
            nn.Softmax(-1),
            nn.Linear(_KINDS, state_width),
        )
        inner = 2 * state_width + width
        self.gate = nn.Sequential(nn.Linear(inner, inner), nn.ReLU(), nn.Linear(inner, width), nn.Sigmoid())
        self.speak = nn.LSTMCell(word_width + width, state_width)
        self.output = nn.Linear(state_width, vocabulary)

    def next_token_logits(self, text: Tokens, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Return logits (Q, T, V) of the token after each position; a position sees none after itself.

        Args:
            text: tokens (Q, T).
            memory: (Q, 3, D).
            memory_mask: not read: all three vectors are there.
        """
        words, joined = self.word(self.word_embeddings(text.ids)), self.join(memory.flatten(1))
        written: list[Tensor] = []
        kept: list[Tensor] = []
        for word in words.unbind(1):
            kept = self._hear(word, joined, kept, memory)
            written.append(kept[2])
        return self.output(torch.stack(written, dim=1))

    def step(self, ids: Tensor, kept: list[Tensor], memory: Tensor, memory_mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Read the next token (Q,): see `writing.StepWriter`."""
        kept = self._hear(self.word(self.word_embeddings(ids)), self.join(memory.flatten(1)), kept, memory)
        return self.output(kept[2]), kept

    def _hear(self, word: Tensor, joined: Tensor, kept: list[Tensor], memory: Tensor) -> list[Tensor]:
        """Return state and cell of `look`, then of `speak` (Q, S each), behind the next word (Q, W)."""
        zero = memory.new_zeros(len(memory), self.look.hidden_size)
        *look, state, cell = kept or [zero] * 4
        look = self.look(torch.cat([joined, state], dim=-1), tuple(look))
        mixed = (self.choose(look[0]).softmax(-1).unsqueeze(1) @ memory).squeeze(1)
        gate = self.gate(torch.cat([look[0], self.side(state), mixed], dim=-1))
        return [*look, *self.speak(torch.cat([word, gate * mixed], dim=-1), (state, cell))]

    @torch.no_grad()
    def generate(self, memory: Tensor, memory_mask: Tensor, **decoding: Any) -> tuple[Tensor, Tensor]:
        """Write answers: see `writing.write`."""
        return write(self, memory, memory_mask, **decoding)
