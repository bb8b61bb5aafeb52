"""Difference encoders of MCCFormers: what differs between the nodes of two images."""

import torch
from torch import Tensor, nn


class DifferenceEncoder(nn.Module):
    """MCCFormers-S over a state and a difference: joint self-attention over both sets of nodes.

    Nodes carry their identity in their label, so no position is learned; an embedding says which set a node
    belongs to (Qiu et al., ICCV 2021, section 3.2).

    Args:
        width: D.
        layers, heads, dropout: of the transformer.
    """

    def __init__(self, *, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.which = nn.Parameter(torch.randn(2, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, width * 2, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        layer.self_attn.dropout = 0.0  # drawing a mask over pairs of nodes costs more than their attention
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, state: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a state (U, N, D) together with a difference (U, N, D); both come back in their shape."""
        joined = torch.cat([state + self.which[0], difference + self.which[1]], dim=1)
        first, second = self.encoder(joined).chunk(2, dim=1)
        return first, second


class PairEncoder(nn.Module):
    """Encode (main, difference) and (reference, difference) with one encoder, joined node by node.

    The difference is main - reference. A unit without a reference has a learned "no reference" state in its
    place, never a copy of the main image.

    Args:
        width, layers, heads, dropout: of the difference encoder.
    """

    def __init__(self, *, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.no_reference = nn.Parameter(torch.randn(width) * 0.02)
        self.encoder = DifferenceEncoder(width=width, layers=layers, heads=heads, dropout=dropout)
        self.join = nn.Sequential(nn.Linear(width * 4, width * 2), nn.GELU(), nn.Linear(width * 2, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, main: Tensor, reference: Tensor, has_reference: Tensor) -> Tensor:
        """Return pair states (U, N, D).

        Args:
            main: nodes (U, N, D).
            reference: nodes (U', N, D) of the units that have a reference, in their order.
            has_reference: (U,) bool, true for U' of them.
        """
        difference = torch.zeros_like(main)
        difference[has_reference] = main[has_reference] - reference
        states, changes = self.encoder(torch.cat([main, reference]), torch.cat([difference, difference[has_reference]]))
        main_state, reference_state = states.split([len(main), len(reference)])
        main_change, reference_change = changes.split([len(main), len(reference)])
        other = [self._spread(part, has_reference, main) for part in (reference_state, reference_change)]
        return self.norm(self.join(torch.cat([main_state, main_change, *other], dim=-1)) + main)

    def _spread(self, part: Tensor, has_reference: Tensor, like: Tensor) -> Tensor:
        """Return (U, N, D): `part` where there is a reference, the learned state elsewhere."""
        whole = self.no_reference.to(part.dtype).expand(like.shape).clone()
        whole[has_reference] = part
        return whole
