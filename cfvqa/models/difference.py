"""Difference encoders of MCCFormers: what differs between the nodes of two images."""

from typing import Literal

import torch
from torch import Tensor, nn

from cfvqa.models.dropout import drawn_cheaply


class DifferenceEncoder(nn.Module):
    """MCCFormers-S over a state and a difference: joint self-attention over both sets of nodes.

    Nodes carry their identity in their label, so no position is learned; an embedding says which set a node
    belongs to (Qiu et al., ICCV 2021, section 3.2).

    Args:
        width: D.
        layers, heads, dropout: of the transformer.
        inner: width inside a layer; None is 2 D.
    """

    def __init__(self, *, width: int, layers: int, heads: int, dropout: float, inner: int | None = None) -> None:
        super().__init__()
        self.which = nn.Parameter(torch.randn(2, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, inner or width * 2, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        layer.self_attn.dropout = 0.0  # drawing a mask over pairs of nodes costs more than their attention
        drawn_cheaply(layer)
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, state: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a state (U, N, D) together with a difference (U, N, D); both come back in their shape."""
        joined = torch.cat([state + self.which[0], difference + self.which[1]], dim=1)
        first, second = self.encoder(joined).chunk(2, dim=1)
        return first, second


class JoinFeatures(nn.Module):
    """Join what both encoders say node by node: as many nodes as an image has.

    Args:
        width: D.
    """

    groups = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.join = nn.Sequential(nn.Linear(width * 4, width * 2), nn.GELU(), nn.Linear(width * 2, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, parts: list[Tensor], main: Tensor) -> Tensor:
        """Join four parts (U, N, D) to (U, N, D); `main` are the nodes of the main image."""
        return self.norm(self.join(torch.cat(parts, dim=-1)) + main)


class JoinTokens(nn.Module):
    """Put what both encoders say one behind the other, as published: four times as many nodes as an image has.

    Args:
        width: D.
    """

    groups = 4

    def __init__(self, width: int) -> None:
        super().__init__()
        self.which = nn.Parameter(torch.randn(4, 1, width) * 0.02)
        self.norm = nn.LayerNorm(width)

    def forward(self, parts: list[Tensor], main: Tensor) -> Tensor:
        """Join four parts (U, N, D) to (U, 4 N, D)."""
        return self.norm(torch.cat([part + which for part, which in zip(parts, self.which, strict=True)], dim=1))


_JOINS = {"features": JoinFeatures, "tokens": JoinTokens}


class PairEncoder(nn.Module):
    """Encode (main, difference) and (reference, difference), and join both.

    The difference is main - reference. A unit without a reference has a learned "no reference" state in its
    place, never a copy of the main image.

    Args:
        width, layers, heads, dropout, inner: of the difference encoder.
        encoders: "shared" is one encoder for main and reference image, as published; "separate" is one for each.
        join: "features" joins what they say node by node; "tokens" puts it one behind the other, as published.
    """

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
        inner: int | None = None,
        encoders: Literal["shared", "separate"] = "shared",
        join: Literal["features", "tokens"] = "features",
    ) -> None:
        super().__init__()
        self.no_reference = nn.Parameter(torch.randn(width) * 0.02)
        self.encoders = nn.ModuleList(
            DifferenceEncoder(width=width, layers=layers, heads=heads, dropout=dropout, inner=inner)
            for _ in range(2 if encoders == "separate" else 1)
        )
        self.join = _JOINS[join](width)

    @property
    def groups(self) -> int:
        """How many pair states stand for a node."""
        return self.join.groups

    def forward(self, main: Tensor, reference: Tensor, there: Tensor) -> Tensor:
        """Return pair states (U, groups * N, D).

        Args:
            main: nodes (U, N, D).
            reference: nodes (U', N, D) of the units that have a reference.
            there: (U',) which these are. Numbers, as torch.compile knows no size of what a mask picks.
        """
        change = main.index_select(0, there) - reference
        main_change = torch.zeros_like(main).index_copy(0, there, change)
        of_main, of_reference = self._encode(main, main_change, reference, change)
        other = [self._spread(part, there, main) for part in of_reference]
        return self.join([*of_main, *other], main)

    def _encode(self, main: Tensor, main_change: Tensor, reference: Tensor, change: Tensor) -> list[list[Tensor]]:
        """Return state and change of the main image, and of the reference image."""
        if len(self.encoders) == 2:
            return [list(self.encoders[0](main, main_change)), list(self.encoders[1](reference, change))]
        both = self.encoders[0](torch.cat([main, reference]), torch.cat([main_change, change]))
        states = [part.split([len(main), len(reference)]) for part in both]
        return [list(image) for image in zip(*states, strict=True)]

    def _spread(self, part: Tensor, there: Tensor, like: Tensor) -> Tensor:
        """Return (U, N, D): `part` where there is a reference, the learned state elsewhere."""
        return self.no_reference.to(part.dtype).expand(like.shape).index_copy(0, there, part)
