"""The findings that the phantom draws: one function that shapes or paints, one entry in the registry each."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cfvqa.phantom import painting
from cfvqa.phantom.anatomy import LEFT, RIGHT, Anatomy
from cfvqa.phantom.canvas import Canvas
from cfvqa.vocabulary.findings import NODE_OF_ANSWER, OFFICIAL_FINDINGS

EXTENT = ("small", "moderate", "moderate to large")
DEGREE = ("mild", "moderate", "severe")


@dataclass(frozen=True, slots=True)
class Site:
    """Where a finding is.

    Attributes:
        sides: RIGHT, LEFT or both.
        zone: 0 upper, 1 middle, 2 lower third of the lung; None where it does not apply.
        words: location words of the key information; empty for findings of the middle.
        phrase: where it is, as a phrase ("the right lower lung"); None where the words say it.
        regions: the regions that it shows in.
    """

    sides: tuple[int, ...]
    zone: int | None
    words: tuple[str, ...]
    phrase: str | None
    regions: tuple[str, ...]


Shape = Callable[[Anatomy, int], Anatomy]
Paint = Callable[[Canvas, Site, int, str | None], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the phantom.

    Attributes:
        name: official name.
        levels: words of severity 1, 2, 3.
        sites: where it may be.
        chronic: whether it tends to stay.
        shape: changes the anatomy before it is drawn; or None.
        paint: draws over the normal thorax; or None.
        types: words of visible kinds; empty where there is one kind.
    """

    name: str
    levels: tuple[str, str, str]
    sites: tuple[Site, ...]
    chronic: bool
    shape: Shape | None = None
    paint: Paint | None = None
    types: tuple[str, ...] = ()

    @property
    def node(self) -> str:
        """The node of the knowledge graph that shows it."""
        return NODE_OF_ANSWER[self.name]


_NAMES = {RIGHT: "right", LEFT: "left"}
_ZONES = ("upper", "middle", "lower")
_ZONE_REGIONS = ("upper lung zone", "mid lung zone", "lower lung zone")


def _one_side(side: int, *parts: str) -> Site:
    name = _NAMES[side]
    return Site((side,), None, (name,), None, tuple(f"{name} {part}" for part in ("lung", *parts)))


def _either_side(*parts: str) -> tuple[Site, ...]:
    return tuple(_one_side(side, *parts) for side in (RIGHT, LEFT))


def _base(side: int) -> Site:
    name = _NAMES[side]
    regions = (f"{name} lung", f"{name} lower lung zone")
    return Site((side,), 2, (name,), f"the {name} lung base", regions)


def _zones() -> tuple[Site, ...]:
    sites = []
    for side in (RIGHT, LEFT):
        for zone, word in enumerate(_ZONES):
            name = _NAMES[side]
            regions = (f"{name} lung", f"{name} {_ZONE_REGIONS[zone]}")
            sites.append(Site((side,), zone, (name, word, "lung"), f"the {name} {word} lung", regions))
    return tuple(sites)


def _both_sides(*parts: str) -> Site:
    regions = tuple(f"{name} {part}" for name in _NAMES.values() for part in parts)
    return Site((RIGHT, LEFT), None, ("bilateral",), None, regions)


def _middle(*regions: str) -> tuple[Site, ...]:
    return (Site((), None, (), None, regions),)


def _enlarge_heart(anatomy: Anatomy, severity: int) -> Anatomy:
    grown = (1.16, 1.29, 1.42)[severity - 1]
    return replace(
        anatomy,
        heart_width=anatomy.heart_width * grown,
        heart_height=anatomy.heart_height * (1 + (grown - 1) * 0.3),
    )


def _inflate(anatomy: Anatomy, severity: int) -> Anatomy:
    return replace(
        anatomy,
        air=anatomy.air + (0.12, 0.2, 0.28)[severity - 1],
        dome_bend=anatomy.dome_bend - (0.05, 0.08, 0.11)[severity - 1],
        dome_right=anatomy.dome_right + 0.03 * severity,
        dome_left=anatomy.dome_left + 0.03 * severity,
    )


def _wind_aorta(anatomy: Anatomy, severity: int) -> Anatomy:
    return replace(
        anatomy,
        arch=anatomy.arch + (0.04, 0.065, 0.09)[severity - 1],
        aorta_wind=anatomy.aorta_wind + (0.04, 0.06, 0.085)[severity - 1],
    )


def _bend_spine(anatomy: Anatomy, severity: int) -> Anatomy:
    return replace(anatomy, spine_curve=anatomy.spine_curve + (0.06, 0.1, 0.15)[severity - 1])


_LUNGS = ("lung", "upper lung zone", "mid lung zone", "lower lung zone")

_ALL = (
    Finding(
        "pleural effusion",
        EXTENT,
        _either_side("lower lung zone", "costophrenic angle", "hemidiaphragm"),
        chronic=False,
        paint=painting.effusion,
    ),
    Finding(
        "atelectasis",
        DEGREE,
        (_base(RIGHT), _base(LEFT)),
        chronic=False,
        paint=painting.atelectasis,
        types=("linear", "patchy"),
    ),
    Finding(
        "cardiomegaly",
        DEGREE,
        _middle("cardiac silhouette", "left cardiac silhouette", "right cardiac silhouette"),
        chronic=False,
        shape=_enlarge_heart,
    ),
    Finding("edema", DEGREE, (_both_sides(*_LUNGS),), chronic=False, paint=painting.edema),
    Finding(
        "hernia",
        EXTENT,
        _middle("cardiac silhouette", "left cardiac silhouette"),
        chronic=True,
        paint=painting.hernia,
    ),
    Finding(
        "vascular congestion",
        DEGREE,
        (_both_sides("lung", "upper lung zone", "apical zone"),),
        chronic=False,
        paint=painting.congestion,
    ),
    Finding(
        "hilar congestion",
        DEGREE,
        (*_either_side("hilar structures"), _both_sides("lung", "hilar structures")),
        chronic=False,
        paint=painting.hilar_congestion,
    ),
    Finding(
        "pneumothorax",
        EXTENT,
        _either_side("upper lung zone", "apical zone", "mid lung zone"),
        chronic=False,
        paint=painting.pneumothorax,
    ),
    Finding("scoliosis", DEGREE, _middle("spine"), chronic=True, shape=_bend_spine),
    Finding(
        "tortuosity of the thoracic aorta",
        DEGREE,
        _middle("aortic arch", "upper mediastinum", "mediastinum"),
        chronic=True,
        shape=_wind_aorta,
    ),
    Finding(
        "emphysema",
        DEGREE,
        (_both_sides("lung", "upper lung zone", "mid lung zone", "hemidiaphragm"),),
        chronic=True,
        shape=_inflate,
        paint=painting.bullae,
    ),
    Finding("granuloma", EXTENT, _zones(), chronic=True, paint=painting.granuloma),
    Finding("calcification", DEGREE, _zones(), chronic=True, paint=painting.calcification),
    Finding(
        "pleural thickening",
        DEGREE,
        _either_side("upper lung zone", "mid lung zone"),
        chronic=True,
        paint=painting.pleural_thickening,
    ),
    Finding(
        "consolidation",
        DEGREE,
        _zones(),
        chronic=False,
        paint=painting.consolidation,
        types=("focal", "multifocal"),
    ),
    Finding(
        "pneumomediastinum",
        DEGREE,
        _middle("mediastinum", "upper mediastinum", "left cardiac silhouette"),
        chronic=False,
        paint=painting.pneumomediastinum,
    ),
    Finding(
        "air collection",
        EXTENT,
        (Site((RIGHT,), None, ("right",), None, ("right hemidiaphragm",)),),
        chronic=False,
        paint=painting.air_collection,
    ),
)

PHANTOM_FINDINGS: tuple[Finding, ...] = tuple(sorted(_ALL, key=lambda f: OFFICIAL_FINDINGS.index(f.name)))
"""The registry, in the order of the published library."""
