"""The plate on which a study is drawn: attenuation in the subject's frame, and how it becomes a picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, uniform_filter, zoom

from cfvqa.phantom.anatomy import LEFT, RIGHT, Anatomy


@dataclass(frozen=True, slots=True)
class Pose:
    """How a study was taken: nuisance, and no finding.

    Attributes:
        angle: rotation in radians.
        scale: pixels per half side, as a share of half the image.
        shift_x, shift_y: in half image sides.
        gamma: of the exposure.
        noise: standard deviation of the noise.
        scatter: share of scattered radiation.
    """

    angle: float
    scale: float
    shift_x: float
    shift_y: float
    gamma: float
    noise: float
    scatter: float


def sample_pose(rng: np.random.Generator, view: str) -> Pose:
    """Draw a pose. AP pictures are taken at the bedside, without a grid: more scatter and more noise."""
    bedside = view == "AP"
    return Pose(
        angle=float(rng.normal(0, 0.03)),
        scale=float(rng.uniform(0.86, 0.96)),
        shift_x=float(rng.normal(0, 0.025)),
        shift_y=float(rng.normal(0, 0.025)),
        gamma=float(np.exp(rng.uniform(-0.25, 0.25))),
        noise=float(rng.uniform(0.008, 0.013)) * (1.8 if bedside else 1.0),
        scatter=float(rng.uniform(0.08, 0.2)) + (0.2 if bedside else 0.0),
    )


class Canvas:
    """Attenuation of a thorax, (S, S) float32 maps over the subject's coordinates.

    Attributes:
        x, y: coordinates of every pixel in the subject's frame.
        half_width: of the body at every pixel.
        trunk: 1 inside the body.
        attenuation: soft tissue and bone.
        air: of the right and the left lung, 0 to about 1.
        marking: vessels in the lungs; what has no lung markings takes it away.
    """

    def __init__(self, anatomy: Anatomy, pose: Pose, size: int, rng: np.random.Generator) -> None:
        self.anatomy = anatomy
        self.pose = pose
        self.size = size
        self.rng = rng
        centre = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
        column, row = np.meshgrid(centre - pose.shift_x, centre - pose.shift_y)
        cos, sin = np.float32(np.cos(pose.angle) / pose.scale), np.float32(np.sin(pose.angle) / pose.scale)
        self.x = cos * column + sin * row
        self.y = cos * row - sin * column
        self.half_width = _body_half_width(self.y)
        self.trunk = soft_step((self.half_width - np.abs(self.x)) / 0.025)
        self.attenuation = np.zeros((size, size), dtype=np.float32)
        self.marking = np.zeros((size, size), dtype=np.float32)
        self.air = {side: self._lung(side) for side in (RIGHT, LEFT)}
        self.inside = {side: np.minimum(1.0, self.air[side] * 4) for side in (RIGHT, LEFT)}

    def _lung(self, side: int) -> np.ndarray:
        anatomy = self.anatomy
        half = np.maximum(anatomy.lung_half_width(side, self.y), 1e-3)
        across = np.abs((self.x - anatomy.lung_middle(side, self.y)) / half)
        body = np.sqrt(np.clip(1 - across**3, 0, None))
        body *= soft_step((self.y - anatomy.apex) / 0.02)
        return body * soft_step((anatomy.dome_line(side, self.x) - self.y) / 0.012)

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 2) of the subject's frame to pixels of the image."""
        cos, sin = np.cos(self.pose.angle), np.sin(self.pose.angle)
        x, y = points[..., 0] * self.pose.scale, points[..., 1] * self.pose.scale
        column = cos * x - sin * y + self.pose.shift_x
        row = sin * x + cos * y + self.pose.shift_y
        return (np.stack([column, row], axis=-1) + 1) * (self.size / 2)

    def lines(self, curves: list[tuple[np.ndarray, float]]) -> np.ndarray:
        """Draw polylines: (points (N, 2), width in half sides) each. Returns a map in 0..1."""
        plate = Image.new("L", (self.size, self.size))
        draw = ImageDraw.Draw(plate)
        pixels = self.to_pixels(np.concatenate([points for points, _ in curves])).round(1).tolist()
        start = 0
        for points, width in curves:
            end = start + len(points)
            thickness = max(1, round(width * self.pose.scale * self.size / 2))
            draw.line([tuple(p) for p in pixels[start:end]], fill=255, width=thickness, joint="curve")
            start = end
        return uniform_filter(np.asarray(plate, dtype=np.float32) / 255, 3)

    def ball(self, x: float, y: float, radius: float, *, stretch: float = 1.0) -> np.ndarray:
        """Return the path length through a ball, 1 at its centre; `stretch` makes it taller."""
        square = ((self.x - x) / radius) ** 2 + ((self.y - y) / (radius * stretch)) ** 2
        return np.sqrt(np.clip(1 - square, 0, None))

    def cloud(self, x: float, y: float, radius: float, *, stretch: float = 1.0) -> np.ndarray:
        """Return a soft patch, 1 at its centre."""
        square = ((self.x - x) / radius) ** 2 + ((self.y - y) / (radius * stretch)) ** 2
        return np.exp(-square)

    def picture(self) -> np.ndarray:
        """Return the radiograph (S, S) uint8: attenuation, scatter, blur, noise, window, exposure."""
        air = self.air[RIGHT] + self.air[LEFT]
        mu = self.attenuation - 1.15 * self.anatomy.air * air + 0.5 * self.marking
        light = np.exp(-np.clip(mu + 1.5 * self.trunk, 0.05, None))  # Beer and Lambert
        small = zoom(gaussian_filter(light[::8, ::8], 3), 8, order=1)[: self.size, : self.size]
        light = (1 - self.pose.scatter) * light + self.pose.scatter * small
        light = uniform_filter(light, 2)
        dark = -np.log(np.maximum(light, 1e-4))
        dark += self.rng.standard_normal(dark.shape, dtype=np.float32) * self.pose.noise * 2
        body = dark[::4, ::4][self.trunk[::4, ::4] > 0.5]
        low, high = np.percentile(body, (1, 98))
        value = 1 - np.exp(-0.9 * np.clip((dark - low) / max(high - low, 1e-3) + 0.06, 0, 1.3))
        value = (value / value.max()) ** self.pose.gamma
        return np.rint(value * 250 + 3).astype(np.uint8)


def _body_half_width(y: np.ndarray) -> np.ndarray:
    """Return the half width of the body: neck, shoulders that leave the picture, chest."""
    shoulders = 0.27 + 1.05 * soft_step((y + 0.87 - 0.05 * np.cos(3 * y)) / 0.16)
    chest = 0.3 * soft_step((y + 0.45) / 0.3)
    return shoulders - chest


def soft_step(value: np.ndarray) -> np.ndarray:
    """Return 0 below -1, 1 above 1, smooth between."""
    t = value * 0.5
    t += 0.5
    t = np.clip(t, 0, 1)
    return (3 - 2 * t) * t * t
