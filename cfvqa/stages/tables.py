"""The tables stage: draw the phantom where the source asks for it, then read the source."""

from pathlib import Path

from omegaconf import DictConfig

from cfvqa.phantom import DRAWING, PhantomSettings, write_phantom
from cfvqa.sources.tables import Tables, read_tables, write_tables
from cfvqa.stages.building import build, plain
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.progress import StageConsole, counting


def tables(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the tables, made if need be."""
    return _tables(config, config.source, console)


def detector_tables(config: DictConfig, console: StageConsole) -> Stage:
    """Return the tables that the anatomy detector learns from: those of `detector_source`, where it is chosen."""
    return _tables(config, config.get("detector_source") or config.source, console)


def load_tables(stage: Stage) -> Tables:
    """Read the tables of a finished stage."""
    return read_tables(stage.folder)


def _tables(config: DictConfig, source: DictConfig, console: StageConsole) -> Stage:
    drawn = _phantom(config, source, console)
    block = plain(source.reader)
    if drawn is not None:
        block["root"] = str(drawn.folder)
    elif block["root"] is not None:
        block["root"] = str(Path(block["root"]).expanduser().resolve())
    shaping = {**block, "root": drawn.id} if drawn is not None else block
    stage = Stage("tables", *_place(config, "tables", identify(shaping)))

    def make(folder: Path) -> dict[str, str]:
        with counting(console, "reading", None) as count:
            read: Tables = build(block, "source.reader").read(count)
        write_tables(read, folder)
        left_out = sum(read.skipped.values())
        return {
            "images": str(len(read.images)),
            "subjects": str(read.images["subject_id"].n_unique()),
            "questions": str(len(read.questions)),
            "skipped": str(left_out),
        }

    return ensure(stage, make, console)


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
