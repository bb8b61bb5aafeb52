"""Global and local contrast of images and sentences (Huang et al., GLoRIA, ICCV 2021).

The images are read without the question: whatever is said of a unit fits it. So the texts of image i are all answers
to questions about its unit, and every text that equals one of them; the published losses know one text an image, and
push equal texts apart.

A sentence is a whole answer. The published text is one sentence of a report, drawn anew each time; an answer is as
short, and a change out of several would be true of many more pairs of a batch, whose answers must then be taken apart
too, where they are read (`data.pair_sets`), to be told from wrong ones.
"""

from dataclasses import dataclass

from torch import Tensor

from cfvqa.data.batches import PairBatch, Texts, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.base import WordAttention
from cfvqa.objectives.contrast import (
    LookUp,
    content_mask,
    cosines,
    mean_word,
    multi_positive_loss,
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
        answer = gather_tokens(batch.answer)
        has_words = content_mask(answer, model.text.special.specials).any(1)
        positive = texts_of_units(answer, gather_units(batch.unit))
        return multi_positive_loss(self.scale * cosines(image, text), positive, has_words)

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return the cosines (Q, T)."""
        return cosines(model.whole(reading), self._text(model, texts.answer))

    @staticmethod
    def _text(model: Reader, text: Tokens) -> Tensor:
        return mean_word(*_sentences(model, text))


@dataclass(frozen=True)
class GloriaLocal(LookUp):
    """Contrast the places of the images against the single words of a sentence.

    A word of this tokenizer is one token; the published pieces of a word, which are added up, do not arise.
    """

    needs = ("text.encode",)

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss."""
        text, units = gather_tokens(batch.answer), gather_units(batch.unit)
        chosen = spread(units, self.limit)
        parts = (*_sentences(model, batch.answer), reading.visual, reading.visual_mask)
        word, mask, *visual = (gather(part).index_select(0, chosen) for part in parts)
        positive = texts_of_units(text, units)[chosen][:, chosen]
        return multi_positive_loss(self.scale * self.compare(word, mask, *visual), positive, mask.any(1))

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return the local scores (Q, T)."""
        return self.compare(*_sentences(model, texts.answer), reading.visual, reading.visual_mask)

    def word_attention(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> WordAttention:
        """Return where the words look."""
        return self.look(texts.answer, *_sentences(model, texts.answer), reading.visual, reading.visual_mask)
