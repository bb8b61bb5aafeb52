"""The rows that every system reads of an image: one of each region, one of the findings there."""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures
from cfvqa.models.standardise import BOX, StandardisedImage, centred, log_odds
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

ROWS = 2 * len(REGIONS)
_LEVELS = 2  # at least moderate, at least severe


def found_rows(features: ImageFeatures) -> Tensor:
    """Return which rows (U, 2R) are of a region that was found."""
    return features.found.repeat(1, 2)


class Rows(StandardisedImage):
    """Project the features of an image to its rows: R of regions, then R of the findings in them.

    All systems are told the same, with these rows or with the knowledge graph: where a region lies goes along with its
    features, and with the finding features go the predicted labels there, and how severe they are in the image.

    Args:
        region_width, finding_width: of the stored features.
        width: D of a row.
    """

    def __init__(self, *, region_width: int, finding_width: int, width: int) -> None:
        super().__init__(region_width=region_width, finding_width=finding_width)
        self.from_region = nn.Linear(region_width + BOX, width)
        self.from_finding = nn.Linear(finding_width + len(FINDINGS) * (1 + _LEVELS), width)

    def forward(self, features: ImageFeatures) -> Tensor:
        """Return rows (U, 2R, D): zero of a region that was not found."""
        severity = centred(features.severity).flatten(1).unsqueeze(1).expand(-1, len(REGIONS), -1)
        region = torch.cat([self.region(features.region), self.place(features)], dim=-1)
        finding = torch.cat([self.finding(features.finding), log_odds(features.probability), severity], dim=-1)
        rows = torch.cat([self.from_region(region), self.from_finding(finding)], dim=1)
        return rows * found_rows(features).unsqueeze(-1)


class ReferenceRows(nn.Module):
    """Rows of reference images: a learned row, never a copy of the main image, where there is none.

    Args:
        width: D of a row.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.absent = nn.Parameter(torch.randn(width) * 0.02)

    def forward(self, rows: Tensor, has_reference: Tensor) -> Tensor:
        """Return rows (U, N, D).

        Args:
            rows: (U, N, D); those of a unit without a reference are never read.
            has_reference: (U,) bool.
        """
        return torch.where(has_reference.view(-1, 1, 1), rows, self.absent.to(rows.dtype))
