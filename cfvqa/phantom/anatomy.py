"""A subject's thorax as a few numbers, and where its parts are.

Lengths are in half image sides: x runs from -1 (the subject's right) to 1, y from -1 (head) to 1. The
subject's right lung stands at the left of the picture, as in every radiograph.
"""

from dataclasses import dataclass

import numpy as np

from cfvqa.vocabulary.regions import REGIONS

RIGHT, LEFT = -1, 1


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Sizes and places of the solids.

    Attributes:
        lung_x, lung_width: centre (absolute) and half width of a lung.
        apex: upper end of the lungs.
        dome_right, dome_left: top of the diaphragm under each lung.
        dome_bend: how far the dome falls towards the chest wall.
        heart_x, heart_y, heart_width, heart_height: centre and half sizes.
        spine_curve: sideways amplitude of the spine.
        arch: radius of the aortic arch.
        aorta_wind: sideways amplitude of the descending aorta.
        air: how much air the lungs hold; 1 is usual.
        rib_slope, rib_gap: of the ribs.
        fat: soft tissue around the thorax.
    """

    lung_x: float
    lung_width: float
    apex: float
    dome_right: float
    dome_left: float
    dome_bend: float
    heart_x: float
    heart_y: float
    heart_width: float
    heart_height: float
    spine_curve: float
    arch: float
    aorta_wind: float
    air: float
    rib_slope: float
    rib_gap: float
    fat: float

    def dome(self, side: int) -> float:
        """Return the top of the diaphragm on one side."""
        return self.dome_right if side == RIGHT else self.dome_left

    def lung_half_width(self, side: int, y: np.ndarray) -> np.ndarray:
        """Return the half width of a lung at heights `y`: narrow at the apex, full below."""
        depth = np.clip((y - self.apex) / (self.dome(side) - self.apex), 0.0, None)
        return self.lung_width * np.minimum(1.0, (depth / 0.6) ** 0.42)

    def lung_middle(self, side: int, y: np.ndarray) -> np.ndarray:
        """Return the middle of a lung at heights `y`: the apices lean towards the neck."""
        depth = np.clip((y - self.apex) / (self.dome(side) - self.apex), 0.0, 1.0)
        return side * (self.lung_x - 0.12 * (1 - depth) ** 1.5)

    def dome_line(self, side: int, x: np.ndarray) -> np.ndarray:
        """Return the height of the diaphragm at `x`: a dome that falls towards the chest wall."""
        place = (x - side * (self.lung_x - 0.06)) / self.lung_width
        return self.dome(side) + self.dome_bend * place**2

    def angle(self, side: int) -> tuple[float, float]:
        """Return the place of the costophrenic angle."""
        x = side * (self.lung_x + 0.9 * self.lung_width)
        return x, float(self.dome_line(side, np.float32(x)))

    def hilum(self, side: int) -> tuple[float, float]:
        """Return the place of a hilum."""
        return side * 0.2, self.apex + 0.5 * (self.dome(side) - self.apex)


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a subject."""
    normal = rng.normal
    dome = 0.47 + 0.03 * normal()
    return Anatomy(
        lung_x=0.43 + 0.012 * normal(),
        lung_width=0.355 + 0.012 * normal(),
        apex=-0.76 + 0.02 * normal(),
        dome_right=dome - 0.05 + 0.01 * normal(),
        dome_left=dome + 0.01 * normal(),
        dome_bend=0.15 + 0.015 * normal(),
        heart_x=0.11 + 0.012 * normal(),
        heart_y=0.22 + 0.012 * normal(),
        heart_width=0.295 + 0.010 * normal(),
        heart_height=0.29 + 0.012 * normal(),
        spine_curve=0.008 * normal(),
        arch=0.095 + 0.005 * normal(),
        aorta_wind=0.012 + 0.004 * abs(normal()),
        air=1.0 + 0.03 * normal(),
        rib_slope=0.16 + 0.02 * normal(),
        rib_gap=0.135 + 0.004 * normal(),
        fat=0.8 + 0.08 * normal(),
    )


def region_boxes(anatomy: Anatomy) -> np.ndarray:
    """Return the boxes (24, 4) of the regions, x1, y1, x2, y2 in half image sides."""
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for side, name in ((RIGHT, "right"), (LEFT, "left")):
        boxes |= _lung_boxes(anatomy, side, name)
    boxes |= _middle_boxes(anatomy)
    return np.array([boxes[region] for region in REGIONS], dtype=np.float32)


def _lung_boxes(anatomy: Anatomy, side: int, name: str) -> dict[str, tuple[float, float, float, float]]:
    inner, outer = side * (anatomy.lung_x - anatomy.lung_width), side * (anatomy.lung_x + anatomy.lung_width)
    x1, x2 = min(inner, outer), max(inner, outer)
    angle_x, angle_y = anatomy.angle(side)
    top, bottom = anatomy.apex, angle_y
    third = (anatomy.dome(side) + 0.04 - top) / 3
    hilum_x, hilum_y = anatomy.hilum(side)
    apex_x = (inner, outer - side * 0.1)
    return {
        f"{name} lung": (x1, top, x2, bottom),
        f"{name} upper lung zone": (x1, top, x2, top + third),
        f"{name} mid lung zone": (x1, top + third, x2, top + 2 * third),
        f"{name} lower lung zone": (x1, top + 2 * third, x2, bottom),
        f"{name} hilar structures": (hilum_x - 0.17, hilum_y - 0.19, hilum_x + 0.17, hilum_y + 0.19),
        f"{name} apical zone": (min(apex_x) + 0.06, top, max(apex_x) - 0.06, top + 0.22),
        f"{name} costophrenic angle": (angle_x - 0.14, angle_y - 0.16, angle_x + 0.14, angle_y + 0.1),
        f"{name} hemidiaphragm": (x1, anatomy.dome(side) - 0.06, x2, bottom + 0.08),
    }


def _middle_boxes(anatomy: Anatomy) -> dict[str, tuple[float, float, float, float]]:
    left, right = anatomy.heart_x - anatomy.heart_width, anatomy.heart_x + anatomy.heart_width
    top, bottom = anatomy.heart_y - anatomy.heart_height, anatomy.heart_y + anatomy.heart_height
    bow = 0.12 + abs(anatomy.spine_curve)
    arch = max(0.24, 0.12 + anatomy.arch)
    return {
        "spine": (-bow, -0.95, bow, 0.95),
        "aortic arch": (-0.04, -0.34 - anatomy.arch, arch, -0.34 + anatomy.arch + 0.03),
        "mediastinum": (left, -0.75, right, bottom),
        "upper mediastinum": (-0.2, -0.75, max(0.2, arch), -0.12),
        "cardiac silhouette": (left, top, right, bottom),
        "left cardiac silhouette": (0.02, top, right, bottom),
        "right cardiac silhouette": (left, top, 0.02, bottom),
        "cavoatrial junction": (left - 0.03, top - 0.12, left + 0.22, top + 0.16),
    }
