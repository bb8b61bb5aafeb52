"""Language: the next token of an answer, and its masked keywords."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.contrast import content_mask
from cfvqa.objectives.gathering import mean_over_ranks

_IGNORED = -100
_MASKED, _MASKED_OR_ANY = 0.8, 0.9  # of hidden words, if "mixed"


def next_token_loss(logits: Tensor, text: Tokens, *, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy of each token, over all ranks, given those before it; padding weighs nothing.

    Args:
        logits: (Q, T, V), of the token after each position.
        text: tokens (Q, T).
        smoothing: share of the target spread over the vocabulary.
    """
    target = text.ids.masked_fill(~text.mask, _IGNORED)[:, 1:]
    total = F.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(),
        target.flatten(),
        ignore_index=_IGNORED,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return mean_over_ranks(total, (target != _IGNORED).sum())


def mask_probability(candidate: Tensor, keyword: Tensor, *, several: float, none: float) -> Tensor:
    """Return the probability (Q, T) with which each token is masked.

    A text with one keyword loses it; with several, each with probability `several`; a text without a keyword
    loses any word with probability `none`.

    Args:
        candidate: (Q, T) bool, words.
        keyword: (Q, T) bool, words that are keywords.
        several: probability of each of several keywords.
        none: probability of each word where there is no keyword.
    """
    count = keyword.sum(1, keepdim=True)
    probability = torch.where(count > 1, several * keyword, keyword.float())
    return torch.where(count == 0, none * candidate, probability)


@dataclass(frozen=True)
class Generation:
    """Write the answer token by token.

    Attributes:
        smoothing: of the targets.
        answers: "all", or "written" for a model that puts its answers about changes together in another way: they are
            left out.
    """

    smoothing: float = 0.0
    answers: Literal["all", "written"] = "all"

    needs = ()

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss."""
        answer, memory, memory_mask = batch.answer, reading.memory, reading.memory_mask
        if self.answers == "written":
            rows = (~batch.says_changes).nonzero().squeeze(1)
            if not len(rows):  # all ranks must come to the mean
                return mean_over_ranks(memory.sum() * 0, torch.zeros((), device=memory.device))
            answer = Tokens(answer.ids[rows], answer.mask[rows])
            memory, memory_mask = memory.index_select(0, rows), memory_mask[rows]
        logits = model.text.next_token_logits(answer, memory, memory_mask)
        return next_token_loss(logits, answer, smoothing=self.smoothing)


@dataclass(frozen=True)
class MaskedLanguage:
    """Fill in masked keywords of the answer: the words of it that name findings, places, levels, types, directions.

    Attributes:
        several: probability of each keyword where there are several.
        none: probability of any word where there is no keyword.
        instead: what stands in the place of a word that is to be filled in. "mask": [MASK]. "mixed", as published:
            eight times of ten [MASK], once any token, once the word itself.
    """

    several: float = 0.6
    none: float = 0.3
    instead: Literal["mask", "mixed"] = "mask"

    needs = ("text.masked_logits",)

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the mean cross-entropy over the masked tokens; 0 where nothing was drawn."""
        special = model.text.special
        words = content_mask(batch.answer, special.specials)
        keywords = torch.isin(batch.answer.ids, torch.tensor(special.content, dtype=torch.int64, device=words.device))
        probability = mask_probability(words, words & keywords, several=self.several, none=self.none)
        chosen = batch.draw < probability
        masked = Tokens(self._hide(model, batch.answer.ids, chosen, batch.draw / probability), batch.answer.mask)
        logits = model.text.masked_logits(masked, reading.memory, reading.memory_mask)
        loss = F.cross_entropy(logits.float().transpose(1, 2), batch.answer.ids, reduction="none")
        return mean_over_ranks((loss * chosen).sum(), chosen.sum())

    def _hide(self, model: Reader, ids: Tensor, chosen: Tensor, draw: Tensor) -> Tensor:
        """Return ids (Q, T) in which the chosen ones (Q, T) are hidden; `draw` (Q, T) is uniform in [0, 1) there."""
        if self.instead == "mask":
            return ids.masked_fill(chosen, model.text.special.mask)
        tokens = model.text.word_embeddings.num_embeddings
        any_token = ((draw - _MASKED) / (_MASKED_OR_ANY - _MASKED) * tokens).clamp(0, tokens - 1).long()
        hidden = torch.where(
            draw < _MASKED, model.text.special.mask, torch.where(draw < _MASKED_OR_ANY, any_token, ids)
        )
        return torch.where(chosen, hidden, ids)
