"""A trained run, judged and asked with answers that are ranked instead of written."""

import json
import shutil

import polars as pl
import pytest

import cfvqa
from cfvqa.sources.tables import read_tables

RUN = "runs/phantom_tiny"
TINY = "experiment=phantom_tiny"


@pytest.mark.long
def test_a_run_that_ranks_is_judged_asked_and_exported(folder, call):
    here = call.folder
    (here / "work").symlink_to(folder / "work")
    shutil.copytree(folder / RUN, here / RUN)
    status, output = call("evaluate", TINY, "evaluation.decoding.way=rank", "evaluation.decoding.candidates=3")
    assert status == 0, output
    place = here / RUN / "evaluation"
    lists = json.loads((place / "answers.json").read_text())
    assert all(len(answers) <= 3 for answers in lists.values())
    answers = pl.read_parquet(place / "predictions.parquet")
    for kind, answer in answers.select("question_type", "prediction").iter_rows():
        assert answer in [text.lower() for text in lists[kind]]
    assert answers["score"].is_between(0, 1).all()
    assert json.loads((place / "metrics.json").read_text())["decode"]["strategy"] == "ranking of a closed list"

    tables = read_tables(next(here.glob("work/tables/*/")))
    paths = dict(tables.images.select("image_id", "path").iter_rows())
    row = answers.filter(pl.col("question_type") == "difference").row(0, named=True)
    images = {name: str(tables.root / paths[row[f"{name}_image"]]) for name in ("main", "reference")}
    asked = cfvqa.load(here / RUN).ask(**images, question=row["question"])
    assert asked.answer == row["prediction"]
    assert asked.score == pytest.approx(row["score"], abs=1e-3)  # features are stored in half precision

    status, output = call("export", TINY, f"run={RUN}", "to=given")
    assert status == 0, output
    assert cfvqa.load(here / "given").ask(**images, question=row["question"]) == asked
    assert "chooses its answers" in (here / "given" / "README.md").read_text()

    status, output = call("evaluate", TINY)
    assert status == 0, output
    assert not (place / "answers.json").exists()
