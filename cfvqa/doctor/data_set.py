"""What of a data set is there, and which release it is."""

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from cfvqa.doctor.note import MISSING, OK, Note, noted, once
from cfvqa.doctor.words import duration, size
from cfvqa.errors import InputError
from cfvqa.phantom import PhantomSettings, write_phantom
from cfvqa.settings.building import SOURCES, build, plain
from cfvqa.sources.mimic_cxr_jpg import TESTED
from cfvqa.sources.source import Source, Wanted

SUBJECTS = 100
"""Subjects of a sample: so many that every split has some."""

_RELEASE = re.compile(r"\d+\.\d+(\.\d+)?")


@dataclass(frozen=True)
class Drawing:
    """What it takes to draw a whole phantom, from a few subjects of it.

    Attributes:
        subjects: that are drawn.
        seconds: that it takes.
        bytes: that it fills.
    """

    subjects: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class DataSet:
    """A data set that can be looked into.

    Attributes:
        place: its block in the config: source, or detector_source.
        reader: of its files.
        times: how many of its subjects an experiment has for each that the reader finds: 1 but for a phantom, of which
            a few were drawn.
        drawing: of a phantom that is not drawn yet.
    """

    place: str
    reader: Source
    times: float = 1.0
    drawing: Drawing | None = None


@contextmanager
def opened(config: DictConfig, place: str) -> Iterator[DataSet]:
    """Yield the data set of a config block; of a phantom a few subjects are drawn, and removed in the end."""
    source = config[place]
    block, settings = plain(source.reader), plain(source).get("phantom")
    if settings is None or block["root"] is not None:
        yield DataSet(place, build(block, f"{place}.reader", SOURCES))
        return
    with tempfile.TemporaryDirectory(prefix="cfvqa-doctor-") as folder:
        few = min(int(settings["subjects"]), SUBJECTS)
        start = time.perf_counter()
        write_phantom(Path(folder), PhantomSettings(**{**settings, "subjects": few, "jobs": 1}))
        seconds, share = time.perf_counter() - start, int(settings["subjects"]) / few
        drawing = Drawing(settings["subjects"], seconds * share / settings["jobs"], round(_bytes_in(folder) * share))
        read = min(int(settings["subjects"]), block["limit"] or int(settings["subjects"]))
        reader = build({**block, "root": folder}, f"{place}.reader", SOURCES)
        yield DataSet(place, reader, read / min(few, read), drawing)


def file_notes(data: DataSet) -> list[Note]:
    """Say of every table and folder that the source looks for whether it is there."""
    if data.drawing is not None:
        drawn = f"{data.drawing.subjects:,} subjects will be drawn, in about {duration(data.drawing.seconds)}"
        return [Note(OK, "phantom", drawn)]
    named = Note(OK, "version", f"{data.reader.name} {data.reader.version}, as the config has it")
    try:
        wanted = data.reader.wanted()
    except InputError as error:
        return [Note(MISSING, data.place, str(error))]
    return once([named, *(noted(one.name, partial(_found, one)) for one in wanted)])


def _found(wanted: Wanted) -> str:
    found = wanted.find()
    if found is None:
        return "not there; it may be left out"
    if isinstance(found, Path):
        return size(found.stat().st_size) + _release(found)
    if not found.folder.is_dir():
        raise InputError(
            f"{found.folder} is missing: put the files of the data set there, their names end with {found.suffix}"
        )
    return f"folder{_release(found.folder)}"


def _release(path: Path) -> str:
    """Return the number of a release that a folder above is named by, as PhysioNet names them, or a file beside."""
    if numbers := [part for part in path.parts[:-1] if _RELEASE.fullmatch(part)]:
        return f", release {numbers[-1]} by its folder"
    return f", release 2.1.0 by {TESTED} beside it" if any(path.parent.glob(f"{TESTED}*")) else ""


def _bytes_in(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
