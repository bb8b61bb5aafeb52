"""The page of the pairs on which runs disagree."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import DictConfig

from cfvqa.evaluation.disagreements import Disagreement, Page, ShownPair, disagreements, draw, render
from cfvqa.evaluation.pictures import data_uri, draw_regions
from cfvqa.evaluation.report import Picture
from cfvqa.files import write_text
from cfvqa.sources.image_files import read_image
from cfvqa.sources.paths import safe_path
from cfvqa.sources.tables import Tables, read_tables
from cfvqa.stages.report_facts import notes_of
from cfvqa.vocabulary.regions import REGIONS

_IMAGES = {"reference": "reference image, the earlier study", "main": "main image, the later study"}


def write_disagreements(
    config: DictConfig, answers: Mapping[str, pl.DataFrame], data: Mapping[str, Any], folder: Path
) -> Path | None:
    """Write `disagreements.html` into a folder; None where the tables of the runs are gone, so that no image is found.

    Args:
        config: its `work` holds the tables, `report` says how many pairs are shown.
        answers: run -> its table of predictions.
        data: what the runs were judged on, as `metrics.json` has it.
        folder: to write.
    """
    tables = Path(config.work) / "tables" / data["tables"]
    if not tables.is_dir():
        return None
    found, read = disagreements(answers), read_tables(tables)
    shown = draw(found, count=config.report.pairs, seed=config.report.seed)
    page = Page(
        runs=tuple(answers),
        read=_read(found, shown, config.report.seed),
        notes=notes_of(data),
        pairs=tuple(_pair(one, read, config.report.side) for one in shown),
    )
    path = folder / "disagreements.html"
    write_text(path, render(page))
    return path


def _read(found: Sequence[Disagreement], shown: Sequence[Disagreement], seed: int) -> str:
    return (
        f"On {len(found):,} difference questions one of them finds a change that another does not, or invents one. "
        f"{len(shown)} are shown, drawn by lot (seed {seed})."
    )


def _pair(one: Disagreement, read: Tables, side: int) -> ShownPair:
    paths = dict(read.images.select("image_id", "path").iter_rows())
    pictures = []
    for name, caption in _IMAGES.items():
        image = read_image(safe_path(read.root, paths[getattr(one, f"{name}_image")]))
        plain = draw_regions(image, np.zeros((len(REGIONS), 4)), weight=None, side=side).picture
        pictures.append(Picture(caption, f"Chest radiograph, {caption}", data_uri(plain)))
    return ShownPair(one.question_id, one.truth, one.answers, tuple(pictures))
