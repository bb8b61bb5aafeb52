"""Global and local contrast of images and sentences (Huang et al., GLoRIA, ICCV 2021).

The images are read without the question: whatever is said of a unit fits it. So the texts of image i are all answers
to questions about its unit, and every text that equals one of them; the published losses know one text an image, and
push equal texts apart.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch, Texts, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.base import WordAttention
from cfvqa.objectives.contrast import (
    attend,
    content_mask,
    fine_scores,
    multi_positive_loss,
    own_attention,
    spread,
    texts_of_units,
)
from cfvqa.objectives.gathering import gather, gather_tokens, gather_units


def _sentences(model: Reader, text: Tokens) -> tuple[Tensor, Tensor]:
    """Return the states (Q, T, D) of texts, and which of them are words (Q, T): neither special nor padding."""
    return model.text.encode(text).float(), content_mask(text, model.text.special.specials)


@dataclass(frozen=True)
class GloriaGlobal:
    """Contrast the images as one vector against the mean word of a sentence.

    Attributes:
        scale: inverse temperature of the cosine.
    """

    scale: float = 10.0

    needs = ("text.encode", "whole")

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss."""
        text, image = gather(self._text(model, batch.answer)), gather(model.whole(reading))
        positive = texts_of_units(gather_tokens(batch.answer), gather_units(batch.unit))
        return multi_positive_loss(self.scale * self._cosines(image, text), positive)

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return the cosines (Q, T)."""
        return self._cosines(model.whole(reading), self._text(model, texts.answer))

    @staticmethod
    def _text(model: Reader, text: Tokens) -> Tensor:
        states, mask = _sentences(model, text)
        return (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)

    @staticmethod
    def _cosines(image: Tensor, text: Tensor) -> Tensor:
        return F.normalize(image.float(), dim=-1) @ F.normalize(text, dim=-1).T


@dataclass(frozen=True)
class GloriaLocal:
    """Contrast the places of the images against the single words of a sentence.

    A word of this tokenizer is one token; the published pieces of a word, which are added up, do not arise.

    Attributes:
        scale: inverse temperature of the score.
        sharpness: of a word's attention over the places.
        emphasis: on the word that fits best.
        limit: questions of a batch, over all ranks, that take part, spread over its images: the cost grows with its
            square.
        softmaxes: of a word's attention; published: 2 (see `contrast.fine_scores`).
    """

    scale: float = 10.0
    sharpness: float = 4.0
    emphasis: float = 5.0
    limit: int = 16
    softmaxes: Literal[1, 2] = 1

    needs = ("text.encode",)

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss."""
        text, unit = gather_tokens(batch.answer), gather_units(batch.unit)
        chosen = spread(unit, self.limit)
        parts = (*_sentences(model, batch.answer), reading.visual, reading.visual_mask)
        score = self._scores(*(gather(part).index_select(0, chosen) for part in parts))
        return multi_positive_loss(self.scale * score, texts_of_units(text, unit)[chosen][:, chosen])

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return the local scores (Q, T); a text without words fits nothing."""
        sentences = _sentences(model, texts.answer)
        return self._scores(*sentences, reading.visual, reading.visual_mask).clamp(min=-1)

    def word_attention(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> WordAttention:
        """Return where the words look."""
        state, mask = _sentences(model, texts.answer)
        word, place = (F.normalize(part.float(), dim=-1) for part in (state, reading.visual))
        _, weight = attend(word, mask, place, reading.visual_mask, sharpness=self.sharpness, softmaxes=self.softmaxes)
        return WordAttention(Tokens(texts.answer.ids, mask), own_attention(weight, mask))

    def _scores(self, state: Tensor, mask: Tensor, place: Tensor, there: Tensor) -> Tensor:
        return fine_scores(
            F.normalize(state, dim=-1),
            mask,
            F.normalize(place.float(), dim=-1),
            there,
            sharpness=self.sharpness,
            emphasis=self.emphasis,
            softmaxes=self.softmaxes,
        )
