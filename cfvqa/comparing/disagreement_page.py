"""The page of the pairs on which runs disagree."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig

from cfvqa.evaluation.disagreements import Disagreement, Page, ShownPair, disagreements, draw, render
from cfvqa.evaluation.page_pictures import PAIR, Radiographs
from cfvqa.files import write_text
from cfvqa.sources.tables import read_tables
from cfvqa.stages.report_facts import notes_of


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
    found, radiographs = disagreements(answers), Radiographs(read_tables(tables))
    shown = draw(found, count=config.report.pairs, seed=config.report.seed)
    page = Page(
        runs=tuple(answers),
        read=_read(found, shown, config.report.seed),
        notes=notes_of(data),
        pairs=tuple(_shown(one, radiographs, config.report.side) for one in shown),
    )
    path = folder / "disagreements.html"
    write_text(path, render(page))
    return path


def _read(found: Sequence[Disagreement], shown: Sequence[Disagreement], seed: int) -> str:
    return (
        f"To {len(found):,} difference questions they answer different changes, or some of them no readable ones. "
        f"{len(shown)} are shown, drawn by lot (seed {seed})."
    )


def _shown(one: Disagreement, radiographs: Radiographs, side: int) -> ShownPair:
    images = {"reference": one.reference_image, "main": one.main_image}
    return ShownPair(one, tuple(radiographs.picture(images[name], caption, side=side) for name, caption in PAIR))
