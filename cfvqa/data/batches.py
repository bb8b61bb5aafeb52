"""What travels between data, models and training: batches as data classes with named fields.

Shapes: B images, U units (a main image with or without a reference), Q questions, R regions, F findings,
D width, T tokens, S side of the frame in pixels.
"""

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from cfvqa.language.change_labels import UNKNOWN


@dataclass
class ImageBatch:
    """Radiographs with what is known of their regions and findings.

    Attributes:
        image: (B, 1, S, S) uint8.
        box: (B, R, 4) float32, x1, y1, x2, y2 in frame pixels; zero where unknown.
        box_known: (B, R) bool.
        region_finding: (B, R, F) int8: 1 present, 0 absent, -1 unknown.
        image_finding: (B, F) int8, the same for the whole image.
        severity: (B, F) int8: 1 to 3; 0 unknown.
        index: (B,) int64, row of the image set.
        drawn_box: (K, 4) float32, frame pixels: where readers saw findings of whole images, in all images together.
        drawn_at: (K, 2) int64, image of the batch and finding of each.
    """

    image: Tensor
    box: Tensor
    box_known: Tensor
    region_finding: Tensor
    image_finding: Tensor
    severity: Tensor
    index: Tensor
    drawn_box: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    drawn_at: Tensor = field(default_factory=lambda: torch.zeros(0, 2, dtype=torch.int64))

    def to(self, device: torch.device) -> "ImageBatch":
        """Return the batch on `device`."""
        return ImageBatch(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


@dataclass
class ImageFeatures:
    """What extraction keeps of an image.

    Attributes:
        region: (..., R, D) region features of the anatomy detector.
        finding: (..., R, D') features of the finding classifier.
        probability: (..., R, F) probability of a finding in a region.
        severity: (..., F, 2) probability that a finding, if it is there, is at least moderate, at least severe.
        box: (..., R, 4) float32, pixels of the original image.
        score: (..., R) confidence that the region is there.
    """

    region: Tensor
    finding: Tensor
    probability: Tensor
    severity: Tensor
    box: Tensor
    score: Tensor

    @property
    def found(self) -> Tensor:
        """Which regions (..., R) are there: those with a score above 0, the published threshold.

        Our detectors give every region the box that fits it best, if ever so badly; without one are regions of imported
        features, and of an image in which nothing was proposed.
        """
        return self.score > 0

    @property
    def seen(self) -> Tensor:
        """Probability (..., R, F) of a finding in a region: 0 where there is no region to see it in."""
        return self.probability * self.found.unsqueeze(-1)

    def to(self, device: torch.device) -> "ImageFeatures":
        """Return the features on `device`."""
        return ImageFeatures(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))

    def __getitem__(self, rows: Tensor) -> "ImageFeatures":
        """Select images by row."""
        return ImageFeatures(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass
class Tokens:
    """Token ids (Q, T) int64 and their mask (Q, T) bool, False at padding."""

    ids: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> "Tokens":
        """Return the tokens on `device`."""
        return Tokens(self.ids.to(device, non_blocking=True), self.mask.to(device, non_blocking=True))


@dataclass
class Texts:
    """Texts to be compared with images.

    Attributes:
        answer: tokens (T, L) of T answers.
        keywords: tokens (T, K) of their keywords.
    """

    answer: Tokens
    keywords: Tokens

    def to(self, device: torch.device) -> "Texts":
        """Return the texts on `device`."""
        return Texts(self.answer.to(device), self.keywords.to(device))


@dataclass
class PairBatch:
    """Questions about units: a unit is a main image with its reference image, or with none.

    Questions about one unit share its features, so that the images are read once however much is asked.

    Attributes:
        main, reference: features (U, ...); the reference of a unit that has none is never read.
        has_reference: (U,) bool.
        unit: (Q,) int64, the unit of a question.
        question, answer, wrong_answer, keywords: tokens (Q, T).
        changes: (Q, A, 3), what the answer says of the findings that answers name: see `language.change_labels`.
        row: (Q,) int64, row of the questions table.
        draw: (Q, T) float32 in [0, 1), drawn for each token of an answer: what masks follow from.
    """

    main: ImageFeatures
    reference: ImageFeatures
    has_reference: Tensor
    unit: Tensor
    question: Tokens
    answer: Tokens
    wrong_answer: Tokens
    keywords: Tokens
    changes: Tensor
    row: Tensor
    draw: Tensor

    @property
    def says_changes(self) -> Tensor:
        """Which answers (Q,) say what has changed, if only that nothing has."""
        return (self.changes[..., 0] != UNKNOWN).any(-1)

    def to(self, device: torch.device) -> "PairBatch":
        """Return the batch on `device`."""
        return PairBatch(*(getattr(self, f.name).to(device) for f in fields(self)))


def swap_images(batch: PairBatch) -> PairBatch:
    """Return the batch with main and reference exchanged where there is a reference (the flip test).

    Questions stay as they are; the answers then belong to the unswapped pair.
    """
    pick = batch.has_reference

    def exchange(first: ImageFeatures, second: ImageFeatures) -> ImageFeatures:
        mixed = []
        for part in fields(ImageFeatures):
            a, b = getattr(first, part.name), getattr(second, part.name)
            mixed.append(torch.where(pick.view(-1, *[1] * (a.dim() - 1)), b, a))
        return ImageFeatures(*mixed)

    swapped = {part.name: getattr(batch, part.name) for part in fields(PairBatch)}
    swapped["main"] = exchange(batch.main, batch.reference)
    swapped["reference"] = exchange(batch.reference, batch.main)
    return PairBatch(**swapped)
