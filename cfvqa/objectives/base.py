"""What an objective is: a callable from a model and what it read to a scalar loss."""

from typing import Protocol

from torch import Tensor

from cfvqa.data.batches import PairBatch
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
