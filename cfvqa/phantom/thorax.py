"""The normal thorax: soft tissue, heart, vessels, bones."""

import numpy as np

from cfvqa.phantom.anatomy import LEFT, RIGHT, Anatomy
from cfvqa.phantom.canvas import Canvas, soft_step


def paint_thorax(canvas: Canvas, view: str) -> None:
    """Paint everything that every subject has.

    Args:
        canvas: the plate.
        view: PA turns the shoulder blades out of the lungs and lowers the collar bones; AP does not.
    """
    _paint_body(canvas)
    _paint_stomach(canvas)
    _paint_heart(canvas)
    _paint_aorta(canvas)
    _paint_spine(canvas)
    _paint_bones(canvas)
    _paint_shoulders(canvas, view)
    _paint_vessels(canvas)


def _paint_body(canvas: Canvas) -> None:
    anatomy, x, y = canvas.anatomy, canvas.x, canvas.y
    trunk = canvas.trunk
    depth = np.sqrt(np.clip(1 - (x / canvas.half_width) ** 2, 0, None))
    canvas.attenuation += trunk * anatomy.fat * (0.25 + 0.6 * depth)
    canvas.attenuation += 0.07 * np.exp(-(((np.abs(x) - 0.45) / 0.26) ** 2) - ((y - 0.28) / 0.26) ** 2)  # breasts
    for side in (RIGHT, LEFT):
        below = soft_step((y - anatomy.dome_line(side, x)) / 0.02) * (side * x > 0)
        canvas.attenuation += 0.32 * below * trunk
    neck = soft_step((0.17 - np.abs(x)) / 0.05) * soft_step((-0.72 - y) / 0.05)
    canvas.attenuation += 0.15 * neck
    airway = soft_step((0.035 - np.abs(x - 0.01)) / 0.015) * soft_step((-0.2 - y) / 0.04)
    canvas.attenuation -= 0.32 * airway


def _paint_stomach(canvas: Canvas) -> None:
    """Paint the air of the stomach, under the left dome in most studies."""
    x, y = 0.36 + canvas.rng.normal(0, 0.03), canvas.anatomy.dome_left + 0.17
    canvas.attenuation -= canvas.rng.uniform(0, 0.4) * canvas.ball(x, y, 0.15, stretch=0.5)


def _paint_heart(canvas: Canvas) -> None:
    anatomy, x, y = canvas.anatomy, canvas.x, canvas.y
    u = (x - anatomy.heart_x) / anatomy.heart_width
    v = (y - anatomy.heart_y) / anatomy.heart_height
    lean = u + 0.25 * v  # the apex points down and to the left
    canvas.attenuation += 0.8 * np.sqrt(np.clip(1 - np.abs(lean) ** 2.4 - np.abs(v) ** 2.4, 0, None))
    upper = soft_step((0.115 - np.abs(x)) / 0.02) * soft_step((anatomy.heart_y - y) / 0.1)
    canvas.attenuation += 0.36 * upper * soft_step((y + 0.85) / 0.1)


def _paint_aorta(canvas: Canvas) -> None:
    anatomy, y = canvas.anatomy, canvas.y
    canvas.attenuation += 0.6 * canvas.ball(0.08, -0.34, anatomy.arch)
    middle = 0.1 + anatomy.aorta_wind * np.sin((y + 0.34) * 5.5)
    tube = np.clip(1 - ((canvas.x - middle) / 0.06) ** 2, 0, None)
    canvas.attenuation += 0.3 * np.sqrt(tube) * soft_step((y + 0.34) / 0.05)


def _paint_spine(canvas: Canvas) -> None:
    anatomy, x, y = canvas.anatomy, canvas.x, canvas.y
    middle = anatomy.spine_curve * np.sin((y + 0.75) * 2.4)
    column = np.sqrt(np.clip(1 - ((x - middle) / 0.095) ** 2, 0, None))
    plates = 0.86 + 0.14 * np.cos(y * 46)
    canvas.attenuation += 0.4 * column * plates


def _paint_bones(canvas: Canvas) -> None:
    anatomy = canvas.anatomy
    curves = []
    for side in (RIGHT, LEFT):
        for number in range(9):
            curves += _rib(anatomy, side, -0.72 + number * anatomy.rib_gap)
    canvas.attenuation += 0.19 * canvas.lines(curves)


def _paint_shoulders(canvas: Canvas, view: str) -> None:
    turned, raised = (0.16, 0.0) if view == "PA" else (-0.04, 0.06)
    blades = [curve for side in (RIGHT, LEFT) for curve in _scapula(side, turned)]
    canvas.attenuation += 0.13 * canvas.lines(blades)
    t = np.linspace(0, 1, 9)
    clavicles = [
        (np.stack([side * (0.06 + 0.62 * t), -0.66 - raised - 0.14 * t + 0.06 * np.sin(t * 6.3)], -1), 0.05)
        for side in (RIGHT, LEFT)
    ]
    canvas.attenuation += 0.25 * canvas.lines(clavicles)


def _scapula(side: int, turned: float) -> list[tuple[np.ndarray, float]]:
    """Return the inner and the outer border of a shoulder blade, `turned` outwards."""
    t = np.linspace(0, 1, 8)
    inner = np.stack([side * (0.6 + turned + 0.1 * t + 0.05 * np.sin(3 * t)), -0.62 + 0.62 * t], -1)
    outer = np.stack([side * (0.92 + turned - 0.22 * t**1.3), -0.55 + 0.55 * t], -1)
    return [(inner, 0.025), (outer, 0.035)]


def _rib(anatomy: Anatomy, side: int, top: float) -> list[tuple[np.ndarray, float]]:
    """Return the posterior and the anterior arc of a rib."""
    t = np.linspace(0, 1, 10)
    edge = anatomy.lung_x + anatomy.lung_width
    reach = edge * min(1.0, 0.62 + 0.5 * (top + 0.8))
    posterior = np.stack([side * (0.08 + (reach - 0.08) * np.sin(t * 1.57)), top - 0.07 * t + 0.26 * t**2.2], -1)
    s = np.linspace(0, 0.75, 8)
    down = top + 0.19 + (anatomy.rib_slope + 0.12) * s
    anterior = np.stack([side * (reach - (reach - 0.12) * s), down], -1)
    return [(posterior, 0.045), (anterior, 0.035)]


def _paint_vessels(canvas: Canvas) -> None:
    curves = []
    for side in (RIGHT, LEFT):
        for angle in np.linspace(-1.25, 1.2, 9) + canvas.rng.normal(0, 0.06, 9):
            curves += branch(canvas, side, float(angle), length=0.5, width=0.02)
        x, y = canvas.anatomy.hilum(side)
        canvas.marking += 0.35 * canvas.ball(x, y, 0.085, stretch=1.35)
    layer = canvas.lines(curves)
    canvas.marking += 0.3 * layer * (canvas.inside[RIGHT] + canvas.inside[LEFT])


def branch(canvas: Canvas, side: int, angle: float, *, length: float, width: float) -> list[tuple[np.ndarray, float]]:
    """Return a vessel that leaves the hilum at an angle, thins out and forks."""
    rng = canvas.rng
    x, y = canvas.anatomy.hilum(side)
    t = np.linspace(0.05, 1, 7)
    bend = rng.normal(0, 0.12)
    heading = angle + bend * t
    radius = length * t * rng.uniform(0.8, 1.1)
    stem = np.stack([x + side * radius * np.cos(heading), y + radius * 1.25 * np.sin(heading)], -1)
    fork = stem[3] + np.outer(t * 0.4 * length, [side * np.cos(angle + 0.6), 1.25 * np.sin(angle + 0.6)])
    return [(stem[:4], width), (stem[3:], width * 0.6), (fork, width * 0.5)]
