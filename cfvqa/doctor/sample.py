"""Whether the rows of a data set lead to files that can be read: a sample, however many there are."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from cfvqa.data.frames import letterbox
from cfvqa.doctor.data_set import SUBJECTS, DataSet
from cfvqa.doctor.note import MISSING, OK, WARNING, Note
from cfvqa.doctor.words import duration, size
from cfvqa.errors import InputError
from cfvqa.processes import cores
from cfvqa.sources.image_files import missing_files, read_image
from cfvqa.sources.paths import safe_path
from cfvqa.sources.source import Listing
from cfvqa.sources.splits import of_first_subjects
from cfvqa.sources.tables import Tables

IMAGES, DECODED = 200, 16
"""Images of a sample whose files are looked for, and of these, whose files are read."""

_NAMED = 3  # of what is not as it should be
_REVERSED = "reversed pair"  # how reasons begin, see `sources.order`
_HALF = 0.25  # of the pairs: more are reversed in release 1.0.0, which breaks about half of them

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sample:
    """What was read of a data set.

    Attributes:
        tables: of the first subjects.
        times: how often their images go into those of the experiment.
        decoding: seconds that an image file takes.
        training: share of the images of the experiment that trains.
    """

    tables: Tables
    times: float
    decoding: float
    training: float


def look(data: DataSet, side: int) -> tuple[list[Note], Sample | None]:
    """Look for a sample of the images, decode some, and read some subjects whole.

    Args:
        data: the data set.
        side: of the frames that networks see, in pixels.

    Returns:
        What was found, and the sample, None where there is none to go on with.
    """
    try:
        listing = data.reader.listed()
        there = images_there(listing, data)
    except InputError as error:
        return [Note(MISSING, "rows", str(error))], None
    decoding, decoded = decode(there.files, side, MISSING if data.reader.on_corrupt == "error" else WARNING)
    notes = [there.note, *decoded]
    images = there.share * len(listing.images)
    if decoding is not None and data.drawing is None:
        notes.append(_of_damage(data, decoding * images / cores()))
    tables, read = read_subjects(data, listing, there.share)
    if tables is None or decoding is None:
        return [*notes, *read], None
    return [*notes, *read], Sample(tables, data.times * images / len(tables.images), decoding, listing.training)


def _of_damage(data: DataSet, seconds: float) -> Note:
    """Say what becomes of damaged images that are not in the sample, `seconds` being what decoding all takes."""
    whole = f"decodes every image in cfvqa-prepare, in about {duration(seconds)}, and leaves out what cannot be decoded"
    if data.reader.on_corrupt == "drop":
        return Note(OK, "damage", f"{data.place}.on_corrupt=drop {whole}")
    late = "a damaged one among the others ends the training or extraction that meets it"
    return Note(OK, "damage", f"{late}; {data.place}.on_corrupt=drop {whole}")


@dataclass(frozen=True)
class There:
    """What is there of a sample of the images.

    Attributes:
        files: that are there.
        share: of the images, that stays where the others are left out.
        note: what to say of it.
    """

    files: list[Path]
    share: float
    note: Note


def images_there(listing: Listing, data: DataSet) -> There:
    """Look for the files of a sample of the images.

    Raises:
        InputError: if a path leads out of the data set.
    """
    names = spread(listing.images["path"].to_list(), IMAGES)
    paths = {name: safe_path(listing.root, name) for name in names}
    lost = [name for name, path in paths.items() if not path.is_file()]
    files = [path for name, path in paths.items() if name not in lost]
    of_all = f"of {len(names)} images (of {len(listing.images):,}, spread over all)"
    share = len(files) / len(names)
    if lost and not (files and _drops_missing(data)):
        text = f"{len(lost)} {of_all} are not there: {_some(lost)}. Restore them, or leave them out{_out_by(data)}"
        return There(files, 1.0, Note(MISSING, "sample", text))
    mean = sum(path.stat().st_size for path in files) / len(files)
    text = f"{len(files)} {of_all} are there; about {size(mean * share * len(listing.images))} together"
    if lost:
        text += f". Studies of the others are left out: {_some(lost)}"
        return There(files, share, Note(WARNING, "sample", text))
    return There(files, share, Note(OK, "sample", text))


def _drops_missing(data: DataSet) -> bool:
    return getattr(data.reader, "on_missing", None) == "drop"


def _out_by(data: DataSet) -> str:
    """Return how images that are not there are left out."""
    return f", {data.place}.on_missing=drop" if hasattr(data.reader, "on_missing") else " of the tables"


def decode(files: Sequence[Path], side: int, broken_is: str) -> tuple[float | None, list[Note]]:
    """Decode some images into frames of `side` pixels; return the seconds that each takes, and what to say.

    Args:
        files: of the images.
        side: of the frames.
        broken_is: state of the note that names those that cannot be read.
    """
    seconds, broken = [], []
    for path in spread(files, DECODED):
        start = time.perf_counter()
        try:
            letterbox(read_image(path), side)
        except InputError as error:
            broken.append(str(error))
        else:
            seconds.append(time.perf_counter() - start)
    notes = []
    if broken:
        notes.append(Note(broken_is, "decoding", f"{len(broken)} of {len(broken) + len(seconds)}: {_some(broken)}"))
    if not seconds:
        return None, notes
    mean = sum(seconds) / len(seconds)
    return mean, [*notes, Note(OK, "decoding", f"{len(seconds)} of them decode, {1 / mean:,.0f} images/s on a core")]


def read_subjects(data: DataSet, listing: Listing, share: float) -> tuple[Tables | None, list[Note]]:
    """Read the first of the subjects as `cfvqa-prepare` does, with everything that is known of them.

    Those of a larger data set are split by subjects: another split may leave the first ones on one side. Where a
    `share` of the files alone is there, and the others are left out, they are as many more.
    """
    limit = math.ceil(SUBJECTS / share)
    first = of_first_subjects(listing.images, limit)
    sampled = {"limit": limit, "split": "subject"} if len(first) < len(listing.images) else {}
    if sampled and _drops_missing(data):
        left = first.filter(~missing_files(first, listing.root))["subject_id"].n_unique()
        if left < SUBJECTS // 2:
            text = f"of the first {limit} subjects {left} have an image that is there: too few to count with"
            return None, [Note(WARNING, "reading", text)]
    start = time.perf_counter()
    try:
        tables = replace(data.reader, **sampled).read()
    except InputError as error:
        return None, [Note(MISSING, "reading", str(error))]
    counts = ", ".join(
        f"{len(getattr(tables, name)):,} {name}" for name in ("images", "regions", "findings", "questions")
    )
    first = tables.images["subject_id"].n_unique()
    seconds = duration(time.perf_counter() - start)
    return tables, [Note(OK, "reading", f"first {first} subjects, {seconds}: {counts}"), *_left_out(tables)]


def _left_out(tables: Tables) -> list[Note]:
    """Say what the reading has left out, and which release of Medical-Diff-VQA its pairs look like."""
    if not tables.skipped:
        return []
    notes = [Note(OK, "left out", "; ".join(f"{reason} {count}" for reason, count in tables.skipped.items()))]
    turned = sum(count for reason, count in tables.skipped.items() if reason.startswith(_REVERSED))
    pairs = len(tables.questions.filter(tables.questions["question_type"] == "difference"))
    if turned > _HALF * pairs:
        text = f"{turned} pairs are reversed, as in release 1.0.0 of Medical-Diff-VQA: 1.0.1 has them in order"
        notes.append(Note(WARNING, "order", text))
    return notes


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most so many items, spread over all."""
    return list(items[:: max(1, -(-len(items) // count))])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
