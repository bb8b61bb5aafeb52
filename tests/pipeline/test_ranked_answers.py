"""A trained run, judged and asked with answers that are ranked instead of written."""

import json
import shutil

import polars as pl
import pytest
from processes import run

import cfvqa
from cfvqa.sources.tables import read_tables

RUN = "runs/phantom_tiny"


@pytest.mark.long
def test_a_run_that_ranks_is_judged_asked_and_exported(folder, tmp_path):
    (tmp_path / "work").symlink_to(folder / "work")
    shutil.copytree(folder / RUN, tmp_path / RUN)
    status, output = run(tmp_path, "evaluate", "evaluation.decoding.way=rank", "evaluation.decoding.candidates=3")
    assert status == 0, output
    place = tmp_path / RUN / "evaluation"
    lists = json.loads((place / "answers.json").read_text())
    assert all(len(answers) <= 3 for answers in lists.values())
    answers = pl.read_parquet(place / "predictions.parquet")
    for kind, answer in answers.select("question_type", "prediction").iter_rows():
        assert answer in [text.lower() for text in lists[kind]]
    assert answers["score"].is_between(0, 1).all()
    assert json.loads((place / "metrics.json").read_text())["decode"]["strategy"] == "ranking of a closed list"

    tables = read_tables(next(tmp_path.glob("work/tables/*/")))
    paths = dict(tables.images.select("image_id", "path").iter_rows())
    row = answers.filter(pl.col("question_type") == "difference").row(0, named=True)
    images = {name: str(tables.root / paths[row[f"{name}_image"]]) for name in ("main", "reference")}
    asked = cfvqa.load(tmp_path / RUN).ask(**images, question=row["question"])
    assert asked.answer == row["prediction"]
    assert asked.score == pytest.approx(row["score"], abs=1e-3)  # features are stored in half precision

    status, output = run(tmp_path, "export", f"run={RUN}", "to=given")
    assert status == 0, output
    assert cfvqa.load(tmp_path / "given").ask(**images, question=row["question"]) == asked
    assert "chooses its answers" in (tmp_path / "given" / "README.md").read_text()

    status, output = run(tmp_path, "evaluate")
    assert status == 0, output
    assert not (place / "answers.json").exists()
