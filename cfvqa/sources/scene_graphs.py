"""Loading a scene graph file of Chest ImaGenome: what comes out has the types that the reader relies on."""

import json
from pathlib import Path
from typing import Any

from cfvqa.errors import InputError

_SUFFIX = "_SceneGraph.json"


def load_graph(path: Path) -> dict[str, Any]:
    """Return a scene graph.

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
    _check_image(graph.get("image_id"), path)
    for attribute in graph["attributes"]:
        _check_sentences(attribute, path)
    return graph


def _check_image(image_id: Any, path: Path) -> None:
    """Refuse the graph of another image than the file is named after; one that names no image may stay."""
    named = path.name.removesuffix(_SUFFIX)
    if image_id is not None and image_id != named:
        raise InputError(f"{path}: image_id is {image_id!r}, but the file is named after '{named}': restore the file")


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
