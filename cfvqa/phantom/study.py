"""A study: what is true of it, and its picture with the boxes of its regions."""

from dataclasses import dataclass, replace

import numpy as np

from cfvqa.phantom.anatomy import Anatomy, region_boxes
from cfvqa.phantom.canvas import Canvas, sample_pose
from cfvqa.phantom.findings import PHANTOM_FINDINGS, Finding, Site
from cfvqa.phantom.thorax import paint_thorax

FINDING_OF_NAME: dict[str, Finding] = {finding.name: finding for finding in PHANTOM_FINDINGS}


@dataclass(frozen=True, slots=True)
class Presence:
    """A finding that is there.

    Attributes:
        name: official name.
        site: where.
        severity: 1 to 3.
        kind: type word, or None.
        seed: of its details, so that it looks the same in the next study.
    """

    name: str
    site: Site
    severity: int
    kind: str | None
    seed: int

    @property
    def level(self) -> str:
        """The level word."""
        return FINDING_OF_NAME[self.name].levels[self.severity - 1]


@dataclass(frozen=True, slots=True)
class StudyTruth:
    """What is true of a study.

    Attributes:
        view: PA or AP.
        findings: in the order of the published library.
    """

    view: str
    findings: tuple[Presence, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn study.

    Attributes:
        image: (S, S) uint8.
        boxes: (24, 4) float32, x1, y1, x2, y2 in pixels, inside the image.
    """

    image: np.ndarray
    boxes: np.ndarray


def draw_study(rng: np.random.Generator, anatomy: Anatomy, truth: StudyTruth, size: int) -> Drawing:
    """Draw a study.

    Args:
        rng: of the nuisance: pose, inspiration, exposure, noise, small vessels.
        anatomy: of the subject.
        truth: view and findings.
        size: side of the picture in pixels.
    """
    canvas = Canvas(_shape(_breathe(rng, anatomy, truth.view), truth), sample_pose(rng, truth.view), size, rng)
    paint_thorax(canvas, truth.view)
    for presence in truth.findings:
        finding = FINDING_OF_NAME[presence.name]
        if finding.paint is not None:
            canvas.rng = np.random.default_rng(presence.seed)
            finding.paint(canvas, presence.site, presence.severity, presence.kind)
    canvas.rng = rng
    return Drawing(image=canvas.picture(), boxes=_boxes(canvas))


def _breathe(rng: np.random.Generator, anatomy: Anatomy, view: str) -> Anatomy:
    """Return the anatomy at this study's inspiration; AP magnifies the heart a little and lies higher."""
    depth = float(rng.normal(0, 0.025)) - (0.04 if view == "AP" else 0.0)
    return replace(
        anatomy,
        dome_right=anatomy.dome_right + depth,
        dome_left=anatomy.dome_left + depth,
        heart_width=anatomy.heart_width * (1.06 if view == "AP" else 1.0) * (1 - 0.4 * depth),
        heart_y=anatomy.heart_y + 0.4 * depth,
    )


def _shape(anatomy: Anatomy, truth: StudyTruth) -> Anatomy:
    for presence in truth.findings:
        shape = FINDING_OF_NAME[presence.name].shape
        if shape is not None:
            anatomy = shape(anatomy, presence.severity)
    return anatomy


def _boxes(canvas: Canvas) -> np.ndarray:
    x1, y1, x2, y2 = region_boxes(canvas.anatomy).T
    corners = np.stack([np.stack([x, y], -1) for x in (x1, x2) for y in (y1, y2)], axis=1)  # (24, 4, 2)
    pixels = canvas.to_pixels(corners)
    box = np.concatenate([pixels.min(1), pixels.max(1)], axis=1)
    return np.clip(box, 0, canvas.size).astype(np.float32)
