"""What has changed between two images, finding by finding: exchanged images give exchanged answers by construction."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cfvqa.vocabulary.levels import LEVEL_WORDS


@dataclass
class ChangeLogits:
    """What a model thinks of every finding A of Q pairs.

    Attributes:
        kind: (Q, A, 4) nothing, added, removed, other level: the order of `language.change_labels.KINDS`.
        before, after: (Q, A, L) level word in the reference and the main image, if the level changed.
    """

    kind: Tensor
    before: Tensor
    after: Tensor

    def index_select(self, rows: Tensor) -> "ChangeLogits":
        """Return the logits of some pairs."""
        return ChangeLogits(*(part.index_select(0, rows) for part in (self.kind, self.before, self.after)))

    def decide(self) -> tuple[Tensor, Tensor]:
        """Return the likeliest labels (Q, A, 3), as `language.change_labels` has them, and their probability (Q,).

        The probability is that of all labels of a pair together. Levels that change are two different words. A change
        that is as likely the other way round, as between equal images, is none.
        """
        kind, level = self.kind.float().log_softmax(-1), self._levels()
        best_level, turned = level.flatten(2).max(-1), level.mT.flatten(2)
        no_way = kind[..., 1] == kind[..., 2]
        no_level = best_level.values == turned.gather(-1, best_level.indices.unsqueeze(-1)).squeeze(-1)
        undirected = torch.stack([torch.zeros_like(no_way), no_way, no_way, no_level], dim=-1)
        best_kind = kind.masked_fill(undirected, float("-inf")).max(-1)
        is_level = best_kind.indices == self.kind.shape[-1] - 1
        words = torch.stack([best_level.indices // level.shape[-1], best_level.indices % level.shape[-1]], dim=-1)
        labels = torch.cat([best_kind.indices.unsqueeze(-1), words.masked_fill(~is_level.unsqueeze(-1), -1)], dim=-1)
        return labels, (best_kind.values + best_level.values * is_level).sum(-1).exp()

    def _levels(self) -> Tensor:
        """Return log-probabilities (Q, A, L, L) of the levels before and after; never of twice the same."""
        pairs = self.before.float().unsqueeze(-1) + self.after.float().unsqueeze(-2)
        same = torch.eye(pairs.shape[-1], dtype=torch.bool, device=pairs.device)
        pairs = pairs.masked_fill(same, float("-inf"))
        return pairs.flatten(2).log_softmax(-1).view_as(pairs)


class PairDropout(nn.Dropout):
    """Dropout that takes the same of both images of a unit: were it not the same, equal images would differ."""

    def forward(self, state: Tensor) -> Tensor:
        """Drop from states (U, 2, ...)."""
        return state * super().forward(torch.ones_like(state[:, :1]))


class ChangeHead(nn.Module):
    """Compare the states of the findings of two images.

    One function looks at (main, reference) and at (reference, main). "Added" is what it says of the first order and
    "removed" what it says of the second, and so for the levels; what has no direction is the sum of both. With the
    images exchanged, the logits are exchanged.

    Args:
        width: D of a state.
        dropout: behind the hidden layer.
    """

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.compare = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.GELU(), PairDropout(dropout))
        self.kind = nn.Linear(2 * width, 3)  # nothing, new in the first, other level
        self.level = nn.Linear(2 * width, len(LEVEL_WORDS))  # in the first

    def forward(self, main: Tensor, reference: Tensor) -> ChangeLogits:
        """Compare states (Q, A, D)."""
        orders = torch.cat([main, reference], dim=-1), torch.cat([reference, main], dim=-1)
        there, back = self.compare(torch.stack(orders, dim=1)).unbind(1)
        (none, new, level), (none_back, gone, level_back) = self.kind(there).unbind(-1), self.kind(back).unbind(-1)
        kind = torch.stack([none + none_back, new, gone, level + level_back], dim=-1)
        return ChangeLogits(kind, before=self.level(back), after=self.level(there))
