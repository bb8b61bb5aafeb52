"""Where a finding is not: the places and areas that a closed question about it can deny."""

from collections.abc import Set

from cfvqa.language.reports.records import PLACES, Entity, Mention

MIRRORED = {"left": "right", "right": "left"}
_ELSEWHERE = (
    ("mid to lower", ("upper",)),
    ("middle to lower", ("upper",)),
    ("upper", ("lower",)),
    ("lower", ("upper",)),
    ("middle", ("upper", "lower")),
    ("mid", ("upper", "lower")),
)
_HEIGHTS = {"upper": "upper", "api": "upper", "mid": "middle", "lower": "lower", "bas": "lower", "tissue": "outside"}
"""Part of a word ("apical", "middle", "bibasilar") -> where it places a finding."""


def wrong_places(entity: Entity) -> list[str]:
    """Return the places that no instance of a finding is in, if the first is said to be at a place."""
    keywords = PLACES.get(entity.first.post_location or "", ())
    return [
        place
        for place in PLACES
        if keywords and not any(word in place for word in keywords) and _is_elsewhere(place, entity)
    ]


def wrong_areas(entity: Entity) -> list[str]:
    """Return areas that no instance of a finding is in: the other side of the first, else other heights."""
    words = " ".join(entity.first.location or ())
    sides = [words.replace(side, other) for side, other in MIRRORED.items() if side in words]
    height, instead = next((pair for pair in _ELSEWHERE if pair[0] in words), ("", ()))
    heights = [words.replace(height, other) for other in instead]
    found = [] if len(sides) == len(MIRRORED) else _elsewhere(sides, entity) or _elsewhere(heights, entity)
    return [f"the {area} area" for area in found]


def _elsewhere(areas: list[str], entity: Entity) -> list[str]:
    return [area for area in areas if _is_elsewhere(area, entity)]


def _is_elsewhere(area: str, entity: Entity) -> bool:
    """Return whether every instance is said to be on the other side, or at another height."""
    instances = [f"{' '.join(one.location or ())} {one.post_location or ''}" for one in _instances(entity)]
    return all(apart(sides_of(area), sides_of(said)) or apart(heights_of(area), heights_of(said)) for said in instances)


def _instances(entity: Entity) -> list[Mention]:
    return [entity.first] if entity.second is None else [entity.first, entity.second]


def apart(some: Set[str], others: Set[str]) -> bool:
    """Return whether both are known, and have nothing in common."""
    return bool(some and others) and some.isdisjoint(others)


def sides_of(said: str) -> set[str]:
    """Return the sides that a place is said to be on: "left", "right", both or none."""
    both = "bilateral" in said or "bibasilar" in said
    return set(MIRRORED) if both else {side for side in MIRRORED if side in said}


def heights_of(said: str) -> set[str]:
    """Return the heights that a place is said to be at."""
    return {height for part, height in _HEIGHTS.items() if part in said}
