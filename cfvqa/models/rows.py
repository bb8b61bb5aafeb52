"""The rows that every system reads of an image: one of each region, one of the findings there."""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures
from cfvqa.models.standardise import Standardise
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

ROWS = 2 * len(REGIONS)


def found_rows(features: ImageFeatures) -> Tensor:
    """Return which rows (U, 2R) are of a region that was found."""
    return features.found.repeat(1, 2)


class Rows(nn.Module):
    """Project the features of an image to its rows: R of regions, then R of the findings in them.

    The predicted labels go along with the finding features: all systems are told the same.

    Args:
        region_width, finding_width: of the stored features.
        width: D of a row.
    """

    def __init__(self, *, region_width: int, finding_width: int, width: int) -> None:
        super().__init__()
        self.region = Standardise(len(REGIONS), region_width)
        self.finding = Standardise(len(REGIONS), finding_width)
        self.from_region = nn.Linear(region_width, width)
        self.from_finding = nn.Linear(finding_width + len(FINDINGS), width)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of N training images; they become part of the weights."""
        self.region.fit(features.region, features.found)
        self.finding.fit(features.finding, features.found)

    def forward(self, features: ImageFeatures) -> Tensor:
        """Return rows (U, 2R, D): zero of a region that was not found."""
        odds = torch.logit(features.probability.float(), eps=1e-3).to(features.finding.dtype) / 2
        finding = torch.cat([self.finding(features.finding), odds], dim=-1)
        rows = torch.cat([self.from_region(self.region(features.region)), self.from_finding(finding)], dim=1)
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
