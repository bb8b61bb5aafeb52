"""The key information of a study: what its report says of each finding, in the form of the published records."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from cfvqa.vocabulary.reports import POST_LOCATIONS, SPELLINGS

SIDES: tuple[str, ...] = ("left", "right", "bilateral", "bibasilar")
"""Words that tell one instance of a finding from another."""


@dataclass(frozen=True, slots=True)
class Mention:
    """What is said of one instance of a finding; None where nothing is.

    Attributes:
        location: words before the finding that say where ("left", "lower", "lung").
        type: of `TYPE_WORDS`.
        level: of `LEVEL_WORDS`.
        post_location: phrase behind the finding that says where ("the left lung base").
    """

    location: tuple[str, ...] | None = None
    type: tuple[str, ...] | None = None
    level: tuple[str, ...] | None = None
    post_location: str | None = None

    @property
    def known(self) -> int:
        """How many of the four are known."""
        return sum(getattr(self, name) is not None for name in _FIELDS)

    @property
    def side(self) -> str | None:
        """The first of `SIDES` that its location holds, inside longer words too."""
        words = " ".join(self.location or ())
        return next((side for side in SIDES if side in words), None)


_NOTHING = Mention()
_FIELDS = tuple(field.name for field in fields(Mention))


@dataclass(frozen=True, slots=True)
class Entity:
    """A finding that is there, in one instance or in two of different sides."""

    first: Mention
    second: Mention | None = None

    @property
    def known(self) -> int:
        """How much is known of both instances."""
        return self.first.known + (self.second.known if self.second else 0)

    def record(self, name: str) -> dict[str, Any]:
        """Return the nine keys of the published records."""
        return {"entity_name": name} | _keys(self.first, "") | _keys(self.second or _NOTHING, "2")


def _keys(mention: Mention, suffix: str) -> dict[str, Any]:
    values = ((name, getattr(mention, name)) for name in _FIELDS)
    return {f"{name}{suffix}": list(value) if isinstance(value, tuple) else value for name, value in values}


@dataclass(frozen=True, slots=True)
class KeyInformation:
    """What a report says.

    Attributes:
        entities: name -> finding that is there, in the order of the record.
        absent: names of the findings that are said not to be there.
    """

    entities: Mapping[str, Entity]
    absent: tuple[str, ...]

    def record(self, study_id: str, subject_id: str) -> dict[str, Any]:
        """Return the published record of a study."""
        return {
            "study_id": study_id,
            "subject_id": subject_id,
            "entity": {name: entity.record(name) for name, entity in self.entities.items()},
            "no_entity": list(self.absent),
        }


@lru_cache(maxsize=1024)
def spelled(place: str) -> str:
    """Return a place as the records write it ("mid lobe" -> "middle lung")."""
    for old, new in SPELLINGS:
        place = place.replace(old, new)
    return place


def _all_places() -> dict[str, tuple[str, ...]]:
    places = dict(POST_LOCATIONS)
    for phrase, keywords in POST_LOCATIONS.items():
        for old, new in SPELLINGS:
            places.setdefault(phrase.replace(old, new), keywords)
    return places


PLACES: dict[str, tuple[str, ...]] = _all_places()
"""`POST_LOCATIONS`, and behind them what one rule of spelling makes of each, as the published program extends them."""
