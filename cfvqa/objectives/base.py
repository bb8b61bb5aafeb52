"""What an objective is: a callable from a model and what it read to a scalar loss."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from cfvqa.data.batches import PairBatch, Texts, Tokens
from cfvqa.models.outputs import Reader, Reading


class Objective(Protocol):
    """One training objective; a phase weighs several by name.

    Attributes:
        needs: what it asks of a model beyond reading and writing ("contrast", "text.masked_logits"); a model that
            lacks one cannot be trained with it.
    """

    needs: tuple[str, ...]

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the loss, a scalar."""


class Contrast(Objective, Protocol):
    """An objective that compares what was read with texts; the same scores are trained and judged."""

    def scores(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> Tensor:
        """Return how well each of T texts fits what each of Q questions was read in (Q, T), from -1 to 1.

        No score depends on the other questions, nor on the other texts.
        """


@dataclass
class WordAttention:
    """Where the words of Q texts look, each in what was read for its own question.

    Attributes:
        word: tokens (Q, L); what the mask leaves out is no word.
        weight: (Q, L, N), the shares of the visual tokens in the attention of a word.
    """

    word: Tokens
    weight: Tensor


class LocalContrast(Contrast, Protocol):
    """A contrast whose words look for what they name among the visual tokens."""

    def word_attention(self, model: Reader, batch: PairBatch, reading: Reading, texts: Texts) -> WordAttention | None:
        """Return where the words of text i look in what question i was read in; None where it is not the images."""
