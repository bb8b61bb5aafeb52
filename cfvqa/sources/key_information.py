"""The key information of Medical-Diff-VQA: what the report of each study says, finding by finding."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from cfvqa.errors import InputError
from cfvqa.language.grammar import official_name
from cfvqa.sources.medical_diff_vqa import KEY
from cfvqa.sources.paths import existing_file
from cfvqa.sources.tables import SCHEMAS, strongest
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.levels import LEVEL_WORDS

RECORDS = "all_diseases.json"
_UNSAID = "study without key information (its labels alone count)"


def read_key_information(root: Path, images: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return whole-image findings of `images`, and what was skipped, by reason.

    Of two names with one node, and of a finding both present and absent, one that is present counts, first with a
    level. A study without a record has no finding here, and is counted: its labels alone say what is there.

    Args:
        root: folder of the release.
        images: subject_id, study_id, image_id.

    Raises:
        InputError: naming file and record of what is wrong, or the file if no record is of these studies.
    """
    path = existing_file(root, RECORDS, KEY)
    image_of = dict(zip(images["study_id"], images["image_id"], strict=True))
    subject_of = dict(zip(images["study_id"], images["subject_id"], strict=True))
    records = {study: record for study, record in _by_study(_load(path), path).items() if study in image_of}
    for study, record in records.items():
        subject = record.get("subject_id")
        if subject is not None and str(subject) != subject_of[study]:
            raise InputError(
                f"{path}: subject_id of study '{study}' is {subject!r}, but its image is of '{subject_of[study]}': "
                "correct the record or restore the file"
            )
    if not records:
        raise InputError(f"{path} has no record of any of the {len(images)} studies of the data set: restore the file")
    skipped = Counter({_UNSAID: len(image_of) - len(records)})
    rows = [row for study, record in records.items() for row in _record_rows(record, image_of[study], skipped)]
    table = pl.DataFrame(rows, schema=SCHEMAS["findings"], orient="row")
    return strongest(table), dict(+skipped)


def _load(path: Path) -> list[Any]:
    try:
        records = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no readable JSON ({error}): restore the file") from error
    if not isinstance(records, list):
        raise InputError(f"{path}: expected a list of key-information records: restore the file")
    return records


def _by_study(records: list[Any], path: Path) -> dict[str, dict[str, Any]]:
    """Return the records by study; one that occurs twice counts once."""
    of_study: dict[str, dict[str, Any]] = {}
    for number, record in enumerate(records):
        if (fault := _fault(record)) is not None:
            raise InputError(f"{path}, record {number}: {fault}: correct the record or restore the file")
        study = str(record["study_id"])
        if of_study.setdefault(study, record) != record:
            first = records.index(of_study[study])
            raise InputError(
                f"{path}, records {first} and {number}: both are of study '{study}', but say different things: keep one"
            )
    return of_study


def _fault(record: Any) -> str | None:
    """Return what keeps a record from being read: it has study_id, entity (findings by name) and no_entity."""
    if not isinstance(record, dict):
        return "expected study_id, entity and no_entity"
    if not str(record.get("study_id")).isdecimal():
        return f"study_id is {record.get('study_id')!r}; expected digits"
    entity = record.get("entity") or {}
    if not isinstance(entity, dict) or not all(isinstance(details, dict) for details in entity.values()):
        return "entity does not give details for each finding"
    for name, details in entity.items():
        if not _texts(details.get("level")):
            return f"the level of '{name}' is {details['level']!r}; expected a list of texts"
    return (
        None if _texts(record.get("no_entity")) else f"no_entity is {record['no_entity']!r}; expected a list of texts"
    )


def _texts(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(text, str) for text in value))


def _record_rows(record: dict[str, Any], image_id: str, skipped: Counter[str]) -> list[tuple[Any, ...]]:
    """Return the findings of one study."""
    said = [(name, "yes", _level(details, skipped)) for name, details in (record.get("entity") or {}).items()]
    said += [(name, "no", None) for name in record.get("no_entity") or []]
    rows = []
    for name, presence, level in said:
        node = NODE_OF_ANSWER.get(official_name(name))
        if node is None:
            skipped["reported finding without a node"] += 1
        else:
            rows.append((image_id, None, node, presence, level))
    return rows


def _level(details: dict[str, Any], skipped: Counter[str]) -> str | None:
    """Return the level of the first side of a finding, if it is one level of the vocabulary."""
    words = " ".join(details.get("level") or [])
    if words and words not in LEVEL_WORDS:
        skipped["level of several words"] += 1
        return None
    return words or None
