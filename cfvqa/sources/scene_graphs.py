"""Loading a scene graph file of Chest ImaGenome: what comes out has the types that the reader relies on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfvqa.errors import InputError

_IDS = {"image_id": "image_id", "patient_id": "subject_id", "study_id": "study_id"}
"""Key of a graph -> column of the images."""


def load_graph(path: Path, image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scene graph of an image, of which image_id, subject_id and study_id are known.

    Its `objects` and `attributes` are lists of objects; in them, `bbox_name` is a text or says nothing, and
    `attributes` and `severity_cues` hold a list of texts for each sentence, or are absent.

    Raises:
        InputError: naming file and key of the first thing that is otherwise.
    """
    try:
        graph = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no readable JSON ({error}): restore the file") from error
    for key in ("objects", "attributes"):
        items = graph.get(key) if isinstance(graph, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise InputError(f"{path}: key '{key}' is no list of objects, as a scene graph has it: restore the file")
        for item in items:
            _check_name(item, key, path)
    for key, name in _IDS.items():
        _check_id(graph.get(key), key, image[name], path)
    for attribute in graph["attributes"]:
        _check_sentences(attribute, path)
    return graph


def _check_id(found: Any, key: str, known: str, path: Path) -> None:
    """Refuse the graph of another image, patient or study than the file is of; one that names none may stay."""
    if found is not None and str(found) != known:
        raise InputError(f"{path}: {key} is {found!r}, but its image is of '{known}': restore the file")


def _check_name(item: dict[str, Any], key: str, path: Path) -> None:
    name = item.get("bbox_name")
    if not (name is None or isinstance(name, str | bool)):  # the published files say false of what has no place
        raise InputError(f"{path}: in '{key}', bbox_name is {name!r}; expected a text: restore the file")


def _check_sentences(attribute: dict[str, Any], path: Path) -> None:
    for key in ("attributes", "severity_cues"):
        if not _texts_by_sentence(attribute.get(key)):
            raise InputError(
                f"{path}: {key} of {attribute.get('bbox_name')!r} is no list of texts for each sentence: "
                "restore the file"
            )


def _texts_by_sentence(value: Any) -> bool:
    return value is None or (
        isinstance(value, list)
        and all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in value)
    )
