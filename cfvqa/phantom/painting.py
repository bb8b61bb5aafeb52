"""How each finding changes the attenuation of a thorax."""

from typing import TYPE_CHECKING

import numpy as np

from cfvqa.phantom.canvas import Canvas, soft_step
from cfvqa.phantom.thorax import branch

if TYPE_CHECKING:
    from cfvqa.phantom.findings import Site


def _grade(severity: int, *values: float) -> float:
    return values[severity - 1]


def _fill(canvas: Canvas, side: int, mask: np.ndarray, density: float) -> None:
    """Put fluid or tissue in the place of air."""
    canvas.attenuation += density * mask * canvas.inside[side]


def effusion(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Fluid at the base with a meniscus: it rises along the chest wall and hides the angle."""
    anatomy = canvas.anatomy
    for side in site.sides:
        _, angle_y = anatomy.angle(side)
        outward = np.clip((side * canvas.x - anatomy.lung_x) / anatomy.lung_width, -1, 1)
        level = angle_y - _grade(severity, 0.17, 0.33, 0.55) - 0.13 * np.clip(outward, 0, 1) ** 2
        # As deep as the lung was: the fluid stands where the air was.
        canvas.attenuation += 1.1 * soft_step((canvas.y - level) / 0.03) * canvas.air[side]


def atelectasis(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Bands above the diaphragm: one long line, or several short patches."""
    anatomy, rng = canvas.anatomy, canvas.rng
    width = _grade(severity, 0.045, 0.065, 0.09)
    for side in site.sides:
        y = anatomy.dome(side) - 0.1 + rng.normal(0, 0.012)
        x = side * (anatomy.lung_x + 0.02)
        if kind == "patchy":
            curves = [
                (np.array([[x + d - 0.05, y - h], [x + d + 0.05, y - h + 0.03]]), width)
                for d, h in ((-0.17, 0.0), (0.0, 0.07), (0.17, 0.01))
            ]
        else:
            half = _grade(severity, 0.2, 0.24, 0.28)
            curves = [(np.array([[x - half, y + 0.03 * side], [x + half, y - 0.03 * side]]), width)]
        _fill(canvas, side, canvas.lines(curves), 0.55)


def edema(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Haze around both hila, and short septal lines at the chest wall."""
    anatomy = canvas.anatomy
    for side in site.sides:
        x, y = anatomy.hilum(side)
        haze = canvas.cloud(x + side * 0.14, y + 0.12, 0.3, stretch=1.3)
        _fill(canvas, side, haze, _grade(severity, 0.4, 0.62, 0.9))
        edge = side * (anatomy.lung_x + 0.9 * anatomy.lung_width)
        lines = [
            (np.array([[edge, 0.06 + 0.045 * n], [edge - side * 0.11, 0.07 + 0.045 * n]]), 0.012)
            for n in range(2 + 2 * severity)
        ]
        _fill(canvas, side, canvas.lines(lines), 0.5)


def congestion(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Thick vessels that reach far into the upper lungs."""
    width = _grade(severity, 0.034, 0.044, 0.056)
    for side in site.sides:
        curves = []
        for angle in np.linspace(-1.25, -0.35, 3 + severity):
            curves += branch(canvas, side, float(angle), length=0.5, width=width)
        _fill(canvas, side, canvas.lines(curves), 0.42)


def hilar_congestion(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Large dense hila."""
    for side in site.sides:
        x, y = canvas.anatomy.hilum(side)
        radius = _grade(severity, 0.12, 0.15, 0.185)
        canvas.attenuation += 0.62 * canvas.ball(x + side * 0.05, y, radius, stretch=1.2)


def pneumothorax(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Air without markings along the chest wall and at the apex, inside a thin pleural line."""
    anatomy = canvas.anatomy
    depth = _grade(severity, 0.11, 0.17, 0.25)
    for side in site.sides:
        half = np.maximum(anatomy.lung_half_width(side, canvas.y), 1e-3)
        outward = side * (canvas.x - anatomy.lung_middle(side, canvas.y)) / half
        top = (canvas.y - anatomy.apex) / 1.2
        edge = np.minimum(1 - outward, np.maximum(top * 1.3, 0) + np.clip(-outward, 0, None) * 0.3)
        rim = soft_step((depth * 2.2 - edge) / 0.05) * soft_step((0.3 - canvas.y) / 0.2)
        line = np.exp(-(((edge - depth * 2.2) / 0.035) ** 2)) * soft_step((0.3 - canvas.y) / 0.2)
        canvas.marking *= 1 - rim * canvas.inside[side]
        canvas.attenuation -= 0.3 * rim * canvas.inside[side]
        canvas.attenuation += 0.38 * line * canvas.inside[side]


def bullae(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Round lucent spaces with thin walls."""
    anatomy, rng = canvas.anatomy, canvas.rng
    for side in site.sides:
        for number in range(1 + severity):
            x = side * (anatomy.lung_x + rng.uniform(-0.12, 0.2))
            y = anatomy.apex + 0.2 + 0.2 * number + rng.uniform(-0.04, 0.04)
            radius = 0.075 + 0.01 * severity
            ball = canvas.ball(x, y, radius)
            wall = np.exp(-(((np.hypot(canvas.x - x, canvas.y - y) - radius) / 0.014) ** 2))
            canvas.marking *= 1 - np.minimum(1, 2 * ball)
            canvas.attenuation += (0.2 * wall - 0.22 * ball) * canvas.inside[side]


def _zone_place(canvas: Canvas, side: int, zone: int | None) -> tuple[float, float]:
    """Return a place in a third of a lung, away from its edges."""
    anatomy, rng = canvas.anatomy, canvas.rng
    third = (anatomy.dome(side) - anatomy.apex) / 3
    y = anatomy.apex + third * ((zone or 0) + 0.5) + rng.uniform(-0.2, 0.2) * third
    reach = 0.5 * float(anatomy.lung_half_width(side, np.float32(y)))
    middle = float(anatomy.lung_middle(side, np.float32(y)))
    return middle + side * 0.04 + rng.uniform(-1, 1) * reach, float(y)


def granuloma(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """A ball."""
    for side in site.sides:
        x, y = _zone_place(canvas, side, site.zone)
        canvas.attenuation += 0.75 * canvas.ball(x, y, _grade(severity, 0.065, 0.09, 0.12))


def calcification(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """A cluster of very dense specks."""
    for side in site.sides:
        x, y = _zone_place(canvas, side, site.zone)
        for _ in range(int(_grade(severity, 6, 10, 16))):
            dx, dy = canvas.rng.normal(0, _grade(severity, 0.045, 0.055, 0.065), 2)
            canvas.attenuation += 1.3 * canvas.ball(x + dx, y + dy, 0.019)


def pleural_thickening(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """A band along the chest wall, from below the apex to the middle."""
    anatomy = canvas.anatomy
    depth = _grade(severity, 0.055, 0.08, 0.11)
    for side in site.sides:
        half = np.maximum(anatomy.lung_half_width(side, canvas.y), 1e-3)
        inward = half - side * (canvas.x - anatomy.lung_middle(side, canvas.y))
        band = soft_step((depth - inward) / 0.02) * soft_step((0.16 - canvas.y) / 0.12)
        _fill(canvas, side, band * soft_step((canvas.y - anatomy.apex - 0.1) / 0.1), 0.75)


def consolidation(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Fluffy dense patches: one compact, or several scattered."""
    density = _grade(severity, 0.6, 0.8, 1.05)
    radius = _grade(severity, 0.1, 0.125, 0.15)
    for side in site.sides:
        x, y = _zone_place(canvas, side, site.zone)
        spread, count, size = (0.12, 4, 0.6) if kind == "multifocal" else (0.035, 3, 1.0)
        offsets = canvas.rng.normal(0, spread, (count, 2)) * (0.7, 1.0)
        patch = sum(canvas.cloud(x + dx, y + dy, radius * size) for dx, dy in offsets)
        _fill(canvas, side, np.minimum(1.0, patch), density)


def hernia(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """A pouch behind the heart: a wall, air above, fluid below a level."""
    radius = _grade(severity, 0.11, 0.145, 0.185)
    x, y = 0.1, canvas.anatomy.dome_left - 0.16
    distance = np.hypot(canvas.x - x, canvas.y - y)
    inside = soft_step((radius - distance) / 0.012)
    wall = np.exp(-(((distance - radius) / 0.018) ** 2))
    below = soft_step((canvas.y - y) / 0.01)
    canvas.attenuation += 0.45 * wall + inside * (0.35 * below - 0.6 * (1 - below))


def pneumomediastinum(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """Lucent lines along the heart and up into the neck, with a thin bright edge outside."""
    anatomy = canvas.anatomy
    width = _grade(severity, 0.02, 0.028, 0.038)
    u = (canvas.x - anatomy.heart_x) / (anatomy.heart_width + 0.025)
    v = (canvas.y - anatomy.heart_y) / anatomy.heart_height
    border = (np.abs(u + 0.25 * v) ** 2.4 + np.abs(v) ** 2.4) ** (1 / 2.4) - 1
    ring = np.exp(-((border * anatomy.heart_width / width) ** 2)) * (canvas.x > 0.05) * (v < 0.8)
    edge = np.exp(-(((border * anatomy.heart_width - 1.9 * width) / 0.011) ** 2)) * (canvas.x > 0.05) * (v < 0.8)
    lines = np.zeros_like(ring)
    for side in (-1, 1):
        lines += np.exp(-(((canvas.x - side * (0.135 + 0.02 * canvas.y)) / width) ** 2))
    upper = lines * soft_step((-0.08 - canvas.y) / 0.05)
    canvas.attenuation += 0.3 * edge - 0.5 * np.maximum(ring, upper)


def air_collection(canvas: Canvas, site: "Site", severity: int, kind: str | None) -> None:
    """A lucent crescent under the dome of the diaphragm, which becomes a thin line above it."""
    depth = _grade(severity, 0.05, 0.075, 0.105)
    for side in site.sides:
        below = canvas.y - canvas.anatomy.dome_line(side, canvas.x) - 0.022
        place = (canvas.x - side * canvas.anatomy.lung_x) / (canvas.anatomy.lung_width * 0.85)
        thickness = depth * np.clip(1 - place**2, 0, None)
        crescent = soft_step(below / 0.008) * soft_step((thickness - below) / 0.01) * (np.abs(place) < 1)
        canvas.attenuation -= 1.1 * crescent
