"""Coarse and fine contrast between what was read in the images and the keywords of the answer.

Both are cross-entropies both ways with several positives: answers with equal keywords are never pushed apart.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch, Texts, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.base import WordAttention
from cfvqa.objectives.gathering import gather, gather_tokens, gather_units, share_of_limit

_FURTHEST = 2.3  # logarithm of ten
_UNLIKE = -1.0  # the lowest cosine: the score of a text without words
_SHORTEST = 1e-6  # length of an attended token at least, where tokens cancel each other


def equal_texts(text: Tokens) -> Tensor:
    """Return (Q, Q) bool: which texts are equal, token by token. Symmetric, true on the diagonal."""
    ids = text.ids * text.mask
    return (ids.unsqueeze(0) == ids.unsqueeze(1)).all(-1)


def texts_of_units(text: Tokens, unit: Tensor) -> Tensor:
    """Return (Q, Q) bool: whether text j equals a text about the unit of question i.

    Rows are images, columns are texts. Symmetric only where each unit has one text: a text of two units fits both
    images, and another text of the one fits that alone. Both directions of a loss use this one matrix.

    Args:
        text: (Q, T).
        unit: (Q,) int64, the unit of a question.
    """
    same_unit = unit.unsqueeze(0) == unit.unsqueeze(1)
    return (same_unit.float() @ equal_texts(text).float()) > 0


def spread(unit: Tensor, limit: int) -> Tensor:
    """Return which questions (at most `limit`,) take part: of every unit the first, then of every unit the second, ...

    Args:
        unit: (Q,) int64, the unit of a question.
        limit: how many.
    """
    same = unit.unsqueeze(0) == unit.unsqueeze(1)
    return same.tril(-1).sum(1).argsort(stable=True)[:limit]


def taking_part(unit: Tensor, limit: int) -> tuple[Tensor, int]:
    """Return which questions of this rank take part, of at most `limit` of all ranks, and how many count.

    A rank without any judges one for nothing, which does not count: all ranks share gradients.

    Args:
        unit: (Q,) int64, the unit of a question.
        limit: how many of all ranks.
    """
    count = share_of_limit(len(unit), limit, unit.device)
    return spread(unit, max(1, count)), count


def multi_positive_loss(score: Tensor, positive: Tensor, has_words: Tensor) -> Tensor:
    """Return the contrastive loss of scores (Q, Q) with positives (Q, Q) bool, mean of both directions.

    A row's target is spread evenly over its positives (Khosla et al., NeurIPS 2020, equation 2, "out"). A question
    whose text has no words (`has_words` (Q,) bool) is left out: nothing is known of what it says.
    """
    kept = has_words.nonzero().squeeze(1)
    if not len(kept):
        return score.sum() * 0
    score, target = (part.index_select(0, kept).index_select(1, kept) for part in (score, positive.float()))
    rows = -(score.log_softmax(1) * target).sum(1) / target.sum(1)
    columns = -(score.log_softmax(0) * target).sum(0) / target.sum(0)
    return (rows.mean() + columns.mean()) / 2


def content_mask(text: Tokens, specials: tuple[int, ...]) -> Tensor:
    """Return (Q, T) bool: tokens that are words, neither special nor padding."""
    special = torch.isin(text.ids, torch.tensor(specials, device=text.ids.device))
    return text.mask & ~special


def attend(
    word: Tensor, word_mask: Tensor, visual: Tensor, visual_mask: Tensor, *, sharpness: float, softmaxes: int
) -> tuple[Tensor, Tensor]:
    """Return the cosines of words and visual tokens (i, j L, N), and the attention of the words to the tokens.

    What is given is that of `fine_scores`.
    """
    similarity = word.flatten(0, 1) @ visual.mT  # (i, j L, N)
    weight = similarity
    if softmaxes == 2:
        by_text = weight.unflatten(1, word_mask.shape).masked_fill(~word_mask[None, :, :, None], float("-inf"))
        weight = by_text.softmax(2).nan_to_num().flatten(1, 2)  # a text without words has shares of nothing
    weight = (weight * sharpness).masked_fill(~visual_mask.unsqueeze(1), float("-inf"))
    return similarity, weight.softmax(-1)


def own_attention(attention: Tensor, word_mask: Tensor) -> Tensor:
    """Return of attentions (Q, Q L, N) those of the words of text i to the tokens of image i (Q, L, N)."""
    own = torch.arange(len(attention), device=attention.device)
    return attention.unflatten(1, word_mask.shape)[own, own]


def fine_scores(
    word: Tensor,
    word_mask: Tensor,
    visual: Tensor,
    visual_mask: Tensor,
    *,
    sharpness: float,
    emphasis: float,
    softmaxes: int = 1,
) -> Tensor:
    """Return fine scores (Q, Q): image i against the words of text j.

    Each word attends to the visual tokens of the image; the score is log-mean-exp of `emphasis` times the cosine of
    word and attended token, over `emphasis`: the GLoRIA score (Huang et al., ICCV 2021, equations 4 to 6) without its
    growth with the number of words.

    A text without words has the lowest score, -1.

    Args:
        word: (Q, L, D), unit length.
        word_mask: (Q, L) bool.
        visual: (Q, N, D), unit length.
        visual_mask: (Q, N) bool.
        sharpness: inverse temperature of a word's attention.
        emphasis: inverse temperature over the words.
        softmaxes: 1: a word attends by its similarity to the tokens. 2, as published: by its share of each token among
            all words, so that the only word of a text attends to all tokens alike.
    """
    similarity, attention = attend(word, word_mask, visual, visual_mask, sharpness=sharpness, softmaxes=softmaxes)
    # The length of an attended token and its product with the word need only products of tokens: the attended tokens
    # themselves (i, j L, D) would be the largest tensor of a training.
    square = (attention @ (visual @ visual.mT) * attention).sum(-1)
    product = (attention * similarity).sum(-1)
    cosine = (product / square.clamp(min=_SHORTEST**2).sqrt()).unflatten(1, word_mask.shape)  # (i, j, L)
    cosine = (cosine * emphasis).masked_fill(~word_mask.unsqueeze(0), float("-inf"))
    count = word_mask.sum(1).clamp(min=1).log()
    score = (torch.logsumexp(cosine, dim=-1) - count) / emphasis
    return score.masked_fill(~word_mask.any(1), _UNLIKE)


def unit(vector: Tensor) -> Tensor:
    """Return vectors (..., D) of length 1, in all digits."""
    return F.normalize(vector.float(), dim=-1)


def all_digits(vector: Tensor) -> torch.autocast:
    """Return a context in which products keep theirs: little would be left of a cosine in 16 bits, scaled by 50."""
    return torch.autocast(vector.device.type, enabled=False)


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosines (N, M) of vectors (N, D) and others (M, D)."""
    with all_digits(one):
        return unit(one) @ unit(other).T


def mean_word(state: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (Q, D) of the states (Q, T, D) of the words that `mask` (Q, T) says; 0 of a text without any."""
    return (state * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


@dataclass(frozen=True)
class LookUp:
    """How words look for what they name among visual tokens: what the contrasts of single words share.

    Attributes:
        scale: inverse temperature of the score.
        sharpness: of a word's attention over the tokens.
        emphasis: on the word that fits best.
        limit: questions of a batch, over all ranks, that take part, spread over its units: the cost grows with its
            square.
        softmaxes: of a word's attention; published: 2 (see `fine_scores`).
    """

    scale: float = 10.0
    sharpness: float = 4.0
    emphasis: float = 5.0
    limit: int = 16
    softmaxes: Literal[1, 2] = 1

    def compare(self, word: Tensor, word_mask: Tensor, visual: Tensor, visual_mask: Tensor) -> Tensor:
        """Return the scores (Q, T) of visual tokens (Q, N, D) against words (T, L, D), of any length."""
        sizes = {"sharpness": self.sharpness, "emphasis": self.emphasis, "softmaxes": self.softmaxes}
        with all_digits(word):
            return fine_scores(unit(word), word_mask, unit(visual), visual_mask, **sizes)

    def look(self, text: Tokens, state: Tensor, mask: Tensor, visual: Tensor, visual_mask: Tensor) -> WordAttention:
        """Return where the words of text i, its states (Q, L, D) where `mask` says so, look in image i."""
        sizes = {"sharpness": self.sharpness, "softmaxes": self.softmaxes}
        with all_digits(state):
            _, weight = attend(unit(state), mask, unit(visual), visual_mask, **sizes)
        return WordAttention(Tokens(text.ids, mask), own_attention(weight, mask))


def _sharpened(score: Tensor, model: Reader, name: str, temperature: Literal["fixed", "learned"]) -> Tensor:
    """Return scores at the temperature that an objective has, or that the model has learned beside it.

    A learned one stays within a factor of ten of that of the objective.
    """
    if temperature == "fixed":
        return score
    return score * model.log_scale[name].clamp(-_FURTHEST, _FURTHEST).exp()


def _needs(temperature: Literal["fixed", "learned"]) -> tuple[str, ...]:
    return ("contrast",) if temperature == "fixed" else ("contrast", "log_scale")


@dataclass(frozen=True)
class Coarse:
    """Contrast the whole question-in-images against the mean keyword.

    Attributes:
        scale: inverse temperature of the cosine.
        temperature: "fixed" as published, or "learned" from there on.
    """

    scale: float = 10.0
    temperature: Literal["fixed", "learned"] = "fixed"

    @property
    def needs(self) -> tuple[str, ...]:
        """Return what it asks of a model."""
        return _needs(self.temperature)

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss."""
        keywords = gather_tokens(batch.keywords)
        image = gather(model.contrast(reading.question[:, 0]))
        score = _sharpened(self.scale * self._cosines(model, image, keywords), model, "coarse", self.temperature)
        has_words = content_mask(keywords, model.text.special.specials).any(1)
        return multi_positive_loss(score, equal_texts(keywords), has_words)

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return the cosines (Q, T)."""
        return self._cosines(model, model.contrast(reading.question[:, 0]), texts.keywords)

    @staticmethod
    def _cosines(model: Reader, image: Tensor, keywords: Tokens) -> Tensor:
        mask = content_mask(keywords, model.text.special.specials)
        return cosines(image, mean_word(model.text.word_embeddings(keywords.ids), mask))


@dataclass(frozen=True)
class Fine(LookUp):
    """Contrast the visual tokens against the single keywords.

    Attributes:
        context: what the words attend to. "images": the visual tokens, so that a word finds its region. "question": the
            states of the question read in the light of the images, as published.
        temperature: of the score; "fixed" as published, or "learned" from there on.
    """

    context: Literal["images", "question"] = "images"
    temperature: Literal["fixed", "learned"] = "fixed"

    @property
    def needs(self) -> tuple[str, ...]:
        """Return what it asks of a model."""
        return _needs(self.temperature)

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss."""
        keywords, units = gather_tokens(batch.keywords), gather_units(batch.unit)
        # The tokens of a unit are the same whatever is asked of it: they fit the keywords of all its answers.
        positive = texts_of_units(keywords, units) if self.context == "images" else equal_texts(keywords)
        chosen = spread(units, self.limit)
        tokens, present = (gather(part).index_select(0, chosen) for part in self._context(reading, batch))
        word, mask = self._words(model, Tokens(keywords.ids[chosen], keywords.mask[chosen]))
        score = self.scale * self.compare(word, mask, model.contrast(tokens), present)
        score = _sharpened(score, model, "fine", self.temperature)
        return multi_positive_loss(score, positive[chosen][:, chosen], mask.any(1))

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return the fine scores (Q, T)."""
        tokens, present = self._context(reading, batch)
        return self.compare(*self._words(model, texts.keywords), model.contrast(tokens), present)

    def word_attention(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> WordAttention | None:
        """Return where the keywords look; None where they look at the question."""
        if self.context == "question":
            return None
        words = self._words(model, texts.keywords)
        return self.look(texts.keywords, *words, model.contrast(reading.visual), reading.visual_mask)

    @staticmethod
    def _words(model: Reader, keywords: Tokens) -> tuple[Tensor, Tensor]:
        """Return the keywords (T, K, D), and which of them are words (T, K)."""
        return model.text.word_embeddings(keywords.ids), content_mask(keywords, model.text.special.specials)

    def _context(self, reading: Reading, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Return what words attend to (Q, N, D), and which of it is there (Q, N)."""
        if self.context == "images":
            return reading.visual, reading.visual_mask
        return reading.question[:, 1:], batch.question.mask[:, 1:]  # without what stands for the whole question
