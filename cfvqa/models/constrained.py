"""Keeping transformers' generation to the grammar of answers to difference questions."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

from cfvqa.language.constraint import AnswerConstraint, Way


class FollowGrammar(LogitsProcessor):
    """Leave of the next tokens those that follow the grammar.

    Args:
        constraint: the grammar.
        kept: of Q questions, which are answered by it; the others are free. Each has the same number of beams.
    """

    def __init__(self, constraint: AnswerConstraint, kept: Sequence[bool]) -> None:
        self.constraint = constraint
        self.kept = kept
        self._ways: dict[tuple[int, ...], list[Way]] = {(): constraint.begin()}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return the scores (Q * beams, V), minus infinity where a token may not follow ids (Q * beams, T)."""
        beams = len(input_ids) // len(self.kept)
        free = torch.ones_like(scores, dtype=torch.bool)
        for row, written in enumerate(input_ids[:, 1:].tolist()):
            ways = self._behind(tuple(written)) if self.kept[row // beams] else []
            if ways:  # there are none behind the end of an answer
                free[row] = False
                free[row, sorted({way.ids[0] for way in ways})] = True
        return scores.masked_fill(~free, float("-inf"))

    def _behind(self, written: tuple[int, ...]) -> list[Way]:
        if written not in self._ways:
            self._ways[written] = self.constraint.forward(self._behind(written[:-1]), written[-1])
        return self._ways[written]
