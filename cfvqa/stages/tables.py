"""The tables stage: draw the phantom where the source asks for it, then read the source."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig

from cfvqa.files import write_text
from cfvqa.phantom import DRAWING, PhantomSettings, write_phantom
from cfvqa.progress import StageConsole, counting
from cfvqa.settings.building import SOURCES, build, plain
from cfvqa.sources.card import data_card
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.sources.leakage import leakage
from cfvqa.sources.source import Source, SourceFiles
from cfvqa.sources.tables import CONTENT, Tables, read_tables, write_tables
from cfvqa.stages.identity import Stage, ensure, identify

CARD = "card.md"
"""The data card, beside the tables."""


@dataclass(frozen=True)
class TablesStage(Stage):
    """The stage of the tables.

    Attributes:
        images: folder that the paths of the images are relative to; a data set that was moved keeps its tables.
    """

    images: Path


def tables(config: DictConfig, console: StageConsole) -> TablesStage:
    """Return the stage of the tables, made if need be."""
    return _tables(config, config.source, console)


def detector_tables(config: DictConfig, console: StageConsole) -> TablesStage:
    """Return the tables that the anatomy detector learns from: those of `detector_source`, where it is chosen."""
    return _tables(config, config.get("detector_source") or config.source, console)


def load_tables(stage: TablesStage) -> Tables:
    """Read the tables of a finished stage."""
    return replace(read_tables(stage.folder), root=stage.images)


def _tables(config: DictConfig, source: DictConfig, console: StageConsole) -> TablesStage:
    drawn = _phantom(config, source, console)
    block = plain(source.reader)
    if drawn is not None:
        block["root"] = str(drawn.folder)
    reader: Source = build(block, "source.reader", SOURCES)
    files = _files(reader, console)
    content = drawn.id if drawn is not None else _content(files, console)
    stage_id = identify(CONTENT, {**block, "root": content})
    stage = TablesStage("tables", *_place(config, "tables", stage_id), files.images)

    def make(folder: Path) -> dict[str, str]:
        with counting(console, "reading", len(reader.listed().images)) as count:
            read = reader.read(count)
        write_text(folder / CARD, data_card(read, leakage(read)))
        write_tables(read, folder)
        return {
            "images": str(len(read.images)),
            "subjects": str(read.images["subject_id"].n_unique()),
            "questions": str(len(read.questions)),
            "skipped": _counted(read.skipped),
        }

    ensure(stage, make, console)
    return stage


@lru_cache(maxsize=8)
def _files(reader: Source, console: StageConsole) -> SourceFiles:
    """Return the files of a data set, looked for once a command, as `_content` reads them."""
    return reader.files()


@lru_cache(maxsize=8)
def _content(files: SourceFiles, console: StageConsole) -> str:
    """Return the fingerprint of a data set, taken once a command: the console stands for it."""
    with counting(console, "looking for changed files", None) as count:
        return fingerprint(files, count)


def _counted(skipped: dict[str, int]) -> str:
    """Return how much was skipped, with every reason."""
    reasons = "; ".join(f"{reason} {count}" for reason, count in skipped.items())
    return f"{sum(skipped.values())} ({reasons})" if reasons else "0"


def _phantom(config: DictConfig, source: DictConfig, console: StageConsole) -> Stage | None:
    """Return the stage of the drawn data set, or None where the source has files of its own."""
    settings = plain(source).get("phantom")
    if settings is None or source.reader.root is not None:
        return None
    shaping = {key: value for key, value in settings.items() if key != "jobs"}
    stage = Stage("phantom", *_place(config, "phantom", identify(DRAWING, shaping)))

    def make(folder: Path) -> dict[str, str]:
        with counting(console, "drawing subjects", settings["subjects"]) as count:
            write_phantom(folder, PhantomSettings(**settings), count)
        return {"subjects": str(settings["subjects"])}

    return ensure(stage, make, console)


def _place(config: DictConfig, kind: str, stage_id: str) -> tuple[Path, str]:
    return Path(config.work) / kind / stage_id, stage_id
