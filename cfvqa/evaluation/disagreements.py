"""Pairs of radiographs of which systems say different things."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.evaluation.report import Picture, templates
from cfvqa.evaluation.verdicts import JudgedChange, Judgement, Verdict, judge
from cfvqa.language.questions import DIFFERENCE


@dataclass(frozen=True, slots=True)
class Given:
    """What one run answers."""

    run: str
    answer: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference question on which runs disagree.

    Attributes:
        question_id, truth: as in the table of predictions.
        main_image, reference_image: ids.
        answers: of the runs, in their order.
    """

    question_id: str
    truth: str
    main_image: str
    reference_image: str
    answers: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A disagreement with its pictures, reference image first."""

    found: Disagreement
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows: names of the runs, what was counted, notes, and pairs."""

    runs: tuple[str, ...]
    read: str
    notes: tuple[str, ...]
    pairs: tuple[ShownPair, ...]


def disagreements(tables: Mapping[str, pl.DataFrame]) -> list[Disagreement]:
    """Return the difference questions to which runs say different changes, or of which only some read as changes.

    Args:
        tables: run -> its table of predictions, of the same questions.
    """
    given: dict[str, list[Given]] = {}
    rows: dict[str, dict[str, str]] = {}
    for run, table in tables.items():
        for row in table.filter(pl.col("question_type") == DIFFERENCE).iter_rows(named=True):
            answer = row["prediction"]
            rows[row["question_id"]] = row
            judged = Given(run, answer, judge(DIFFERENCE, row["answer"], answer))
            given.setdefault(row["question_id"], []).append(judged)
    return [
        Disagreement(name, row["answer"], row["main_image"], row["reference_image"], tuple(given[name]))
        for name, row in rows.items()
        if len({_said(one.judgement) for one in given[name]}) > 1
    ]


def _said(judgement: Judgement) -> tuple[Verdict, bool, frozenset[JudgedChange]]:
    """Return what is compared: what an answer finds and invents, and whether it reads as changes at all.

    Where the true answer does not read so, its verdict alone tells it from another.
    """
    return judgement.verdict, judgement.readable, frozenset(judgement.changes)


def draw(found: list[Disagreement], *, count: int, seed: int) -> list[Disagreement]:
    """Return `count` disagreements at most, drawn by lot."""
    order = np.random.default_rng(seed).permutation(len(found))[:count]
    return [found[place] for place in order]


def render(page: Page) -> str:
    """Return the page as HTML; every text is escaped, whatever it holds."""
    return templates().get_template("disagreements.html.j2").render(page=page)
