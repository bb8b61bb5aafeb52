"""Answers of a stranger's file, judged as far as a file goes."""

import json
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf

from cfvqa.language.grammar import Change, ChangeKind, write_changes
from cfvqa.progress import StageConsole
from cfvqa.sources.tables import SCHEMAS, Tables, conform
from cfvqa.stages import evaluation
from cfvqa.stages.evaluation import evaluate_file
from cfvqa.stages.identity import Stage
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS

ADDED, NOTHING = write_changes([Change("edema", ChangeKind.ADDED)]), "nothing has changed."
DECODED = {"num_beams": 1}


def read_tables():
    """Two test subjects and two of training, of whom each is asked what has changed and whether there is edema."""
    asked, found = [], []
    for subject, split in (("a", "test"), ("b", "test"), ("c", "train"), ("d", "train")):
        new, old = f"{subject}-new", f"{subject}-old"
        asked += [
            (f"{subject}1", subject, new, old, "difference", "what has changed?", ADDED, "edema", split),
            (f"{subject}2", subject, new, None, "presence", "is there edema?", "yes", "edema", split),
        ]
        found += [(new, region, "pulmonary edema/hazy opacity", "yes", None) for region in (None, "left lung")]
    questions = conform(pl.DataFrame(asked, schema=list(SCHEMAS["questions"]), orient="row"), "questions")
    findings = conform(pl.DataFrame(found, schema=list(SCHEMAS["findings"]), orient="row"), "findings")
    nothing = {name: pl.DataFrame(schema=SCHEMAS[name]) for name in ("images", "regions")}
    facts = {"source": "phantom", "version": "1", "licence": "none", "root": Path()}
    return Tables(**nothing, questions=questions, findings=findings, **facts)


def look(region):
    shares = [0.0] * len(REGIONS)
    shares[REGION_INDEX[region]] = 1.0
    return shares


def test_scores_and_attention_of_a_file_are_judged_and_the_flip_is_not(tmp_path, monkeypatch):
    nowhere = [0.0] * len(REGIONS)
    file = tmp_path / "answers.parquet"
    pl.DataFrame(
        [
            ("a1", ADDED, 0.9, look("left lung"), nowhere),
            ("a2", "yes", 0.8, None, None),
            ("b1", NOTHING, 0.2, look("right lung"), nowhere),
            ("b2", "no", 0.6, None, None),
        ],
        schema=["question_id", "prediction", "score", "attention_main", "attention_reference"],
        orient="row",
    ).write_parquet(file)
    monkeypatch.setattr(evaluation, "tables", lambda *_: Stage("tables", tmp_path / "tables", "t"))
    monkeypatch.setattr(evaluation, "load_tables", lambda _: read_tables())
    judged = {"tasks": ["answers"], "phase": None, "split": "test", "seed": 1, "draws": 5, "decoding": DECODED}
    config = {"runs": str(tmp_path / "runs"), "name": "somebody", "predictions": str(file), "evaluation": judged}
    figures = json.loads(evaluate_file(OmegaConf.create(config), StageConsole(quiet=True)).read_text())
    assert figures["changes"]["f1"] == pytest.approx(2 / 3)
    assert (figures["calibration"]["n"], figures["calibration"]["error"]) == (2, pytest.approx(0.15))
    assert (figures["calibration_others"]["n"], figures["calibration_others"]["error"]) == (2, pytest.approx(0.4))
    assert (figures["grounding"]["n"], figures["grounding"]["pointing_1"]) == (2, 0.5)
    assert figures["decode"]["file"] == "answers.parquet"
    assert figures["control"] == {}
    assert figures["labels"] == {"pairs": 1}  # of a reader without any error, for which the tables are enough
    assert not figures.keys() & {"flip", "rules", "word_grounding"}  # a file is asked nothing more
