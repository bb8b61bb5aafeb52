"""Runs side by side: the settings in which they differ, their figures, and what cannot be compared."""

import csv
import json
import re
from io import StringIO

import polars as pl
import pytest
from omegaconf import OmegaConf
from rich.console import Console

from cfvqa.comparing.comparison import compare
from cfvqa.errors import InputError
from cfvqa.evaluation.predictions import SCHEMA
from cfvqa.language.grammar import Change, ChangeKind, write_changes

ADDED, NOTHING = write_changes([Change("edema", ChangeKind.ADDED)]), "nothing has changed."


def answers(share):
    """Forty answers, of which a share is right."""
    names = ("question_id", "subject_id", "question_type", "answer", "prediction")
    rows = [(f"q{n}", f"s{n}", "difference", ADDED, ADDED if n < 40 * share else NOTHING) for n in range(40)]
    return pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], schema=SCHEMA)


def write_run(folder, name, *, heads, f1, scorer="cocoeval 1.2", data=()):
    run = folder / name
    (run / "vqa").mkdir(parents=True)
    settings = {"model": {"heads": heads}, "seed": 1}
    (run / "vqa" / "settings.json").write_text(json.dumps({"id": "x", "settings": settings}))
    metrics = {
        "changes": {"f1": f1},
        "interval": {"changes": {"f1": [f1 - 0.1, f1 + 0.1]}},
        "data": {"tables": "t", "split": "test", "name": "phantom", "version": "1.0", "licence": "none"} | dict(data),
        "scorers": {"bleu": {"version": scorer}, "exact_match": {"version": "cfvqa 0.1"}},
    }
    (run / "evaluation").mkdir()
    (run / "evaluation" / "metrics.json").write_text(json.dumps(metrics))
    answers(f1).write_parquet(run / "evaluation" / "predictions.parquet")
    return str(run)


def compared(runs, to=None):
    output = StringIO()
    found = compare(
        OmegaConf.create(
            {"runs": runs, "to": to, "work": "nowhere", "evaluation": {"draws": 200, "seed": 1}, "report": {"pairs": 2}}
        ),
        Console(file=output, width=120),
    )
    return found, output.getvalue()


def test_runs_are_told_apart_by_what_differs(tmp_path):
    runs = [write_run(tmp_path, "a", heads=2, f1=0.5), write_run(tmp_path, "b", heads=4, f1=0.75)]
    found, output = compared(runs, str(tmp_path / "to"))
    assert [run.settings for run in found] == [{"model.heads": 2}, {"model.heads": 4}]
    assert [run.figures["change F1"].value for run in found] == [0.5, 0.75]
    assert found[0].figures["flip"].value is None
    assert "0.750 (0.650 to 0.850)" in output
    with (tmp_path / "to" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["a"], row["b"]) for row in rows][:2] == [
        ("model.heads", "2", "4"),
        ("change F1", "0.500 (0.400 to 0.600)", "0.750 (0.650 to 0.850)"),
    ]
    with (tmp_path / "to" / "differences.csv").open() as file:
        [row, *_] = csv.DictReader(file)
    assert (row["run"], row["figure"], row["of the first"], row["of this run"]) == ("b", "change F1", "0.667", "0.857")
    assert row["difference"] == "+0.190"
    assert float(row["p"]) == pytest.approx(2 / 801, abs=1e-3)
    assert re.search(r"by 800 draws no p can be\s+below 0\.002", output)
    assert "no pointing: tables t are not in work=nowhere" in output
    left_out = "left out, as it or a has no such figure: level accuracy of b; flip consistency of b; others exact of b"
    assert left_out in " ".join(output.split())
    page = (tmp_path / "to" / "differences.tex").read_text()
    assert page.count(" \\\\\n") == 5  # the titles, and four figures
    assert r"95 \% interval" in page
    assert (tmp_path / "to" / "comparison.md").read_text().startswith("| run | a | b |\n")


def add(file, **content):
    known = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(known | content))


def test_decoding_vision_models_and_what_labels_told_are_told_apart_too(tmp_path):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5) for name in ("a", "b")]
    for name, beams, width, truth in (("a", 1, 128, "none"), ("b", 3, 64, "findings")):
        decode = {"strategy": "greedy" if beams == 1 else "beam search", "num_beams": beams, "seconds": 9.0 * beams}
        add(tmp_path / name / "evaluation/metrics.json", decode=decode)
        detector = {"id": f"d{width}", "network": {"width": width}, "image_size": 256, "folder": f"/{name}"}
        classifier = {"id": "c", "network": {"width": 8}, "image_size": 256, "folder": f"/{name}"}
        add(tmp_path / name / "vqa/reader.json", truth=truth, vision={"detector": detector, "classifier": classifier})
    found, _ = compared(runs)
    told = {
        "decoding.num_beams": 3,
        "decoding.strategy": "beam search",
        "detector.id": "d64",
        "detector.network.width": 64,
        "extraction.truth": "findings",
    }
    assert found[1].settings == told
    (tmp_path / "b/vqa/reader.json").write_text("{")
    with pytest.raises(InputError, match=r"reader\.json is damaged"):
        compared(runs)


def test_imported_features_are_told_from_those_of_vision_models(tmp_path):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5) for name in ("a", "b")]
    part = {"id": "d", "network": {"width": 8}, "image_size": 256, "folder": "/a"}
    add(tmp_path / "a/vqa/reader.json", vision={"detector": part, "classifier": part})
    add(tmp_path / "b/vqa/reader.json", vision=None, published="0f")
    found, _ = compared(runs)
    assert found[0].settings["published"] is None
    assert found[1].settings == {"published": "0f", **dict.fromkeys(found[1].settings.keys() - {"published"})}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"name": "nih"}, "nih 1.0, split test (tables t)"),
        ({"version": "2.0"}, "phantom 2.0, split test (tables t)"),
        ({"split": "val"}, "phantom 1.0, split val (tables t)"),
        ({"tables": "u"}, "phantom 1.0, split test (tables u)"),
    ],
)
def test_other_questions_are_refused_and_both_named(tmp_path, other, said):
    runs = [write_run(tmp_path, "a", heads=2, f1=0.5), write_run(tmp_path, "b", heads=2, f1=0.5, data=other)]
    both = f"a was judged on phantom 1.0, split test (tables t), and b on {said}"
    with pytest.raises(InputError, match=re.escape(both)):
        compared(runs)


def test_scores_of_other_versions_are_refused_and_both_named(tmp_path):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5, scorer=f"cocoeval {name}") for name in ("1", "2")]
    with pytest.raises(InputError, match=r"1 was scored by cfvqa 0\.1, cocoeval 1, and 2 by cfvqa 0\.1, cocoeval 2:"):
        compared(runs)


def test_answers_to_other_questions_are_refused(tmp_path):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5) for name in ("a", "b")]
    answers(0.5).head(3).write_parquet(tmp_path / "b" / "evaluation" / "predictions.parquet")
    with pytest.raises(InputError, match="a and b answer different questions"):
        compared(runs)
    (tmp_path / "b" / "evaluation" / "predictions.parquet").write_text("")
    with pytest.raises(InputError, match=r"predictions\.parquet is missing, damaged or of an earlier version"):
        compared(runs)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda rows: pl.concat([rows, rows.head(2)]), "it answers a question twice"),
        (lambda rows: rows.with_columns(prediction=pl.lit(1)), "its column prediction is not as it was written"),
        (lambda rows: rows.with_columns(answer=pl.lit(None, pl.String)), "its column answer is not as it was written"),
    ],
    ids=["doubled", "numbers", "nothing"],
)
def test_a_damaged_table_of_answers_is_named(tmp_path, damage, said):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5) for name in ("a", "b")]
    damage(answers(0.5)).write_parquet(tmp_path / "b" / "evaluation" / "predictions.parquet")
    with pytest.raises(InputError, match=rf"b/evaluation/predictions\.parquet is damaged \({said}\)"):
        compared(runs)


def test_other_true_answers_to_the_same_questions_are_refused(tmp_path):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5) for name in ("a", "b")]
    other = answers(0.5).with_columns(answer=pl.lit(NOTHING))
    other.write_parquet(tmp_path / "b" / "evaluation" / "predictions.parquet")
    with pytest.raises(InputError, match="a and b answer different questions"):
        compared(runs)


def test_tables_that_cannot_be_written_are_refused_before_they_are_drawn(tmp_path):
    runs = [write_run(tmp_path, name, heads=2, f1=0.5) for name in ("a", "b")]
    (tmp_path / "to").write_text("a file")
    with pytest.raises(InputError, match=r"to: folder .* cannot be made \(File exists\)"):
        compared(runs, str(tmp_path / "to"))


def test_names_are_looked_for_among_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs", "a", heads=2, f1=0.5)
    write_run(tmp_path, "b", heads=2, f1=0.5)
    assert [run.name for run in compared(["a", "b"])[0]] == ["a", "b"]
    with pytest.raises(InputError, match="a is there twice"):
        compared(["a", "runs/a"])


@pytest.mark.parametrize("runs", ["runs", ["a"]])
def test_one_run_is_no_comparison(runs):
    with pytest.raises(InputError, match="give two runs at least"):
        compared(runs)


def test_a_run_that_is_not_there_or_damaged_is_named(tmp_path):
    run = write_run(tmp_path, "a", heads=2, f1=0.5)
    with pytest.raises(InputError, match="nothing is no judged run"):
        compared([run, "nothing"])
    file = tmp_path / "a" / "evaluation" / "metrics.json"
    other, content = write_run(tmp_path, "b", heads=2, f1=0.5), json.loads(file.read_text())
    for damage in ({}, [1], content | {"changes": {"f1": "much"}}):
        file.write_text(json.dumps(damage))
        with pytest.raises(InputError, match=r"metrics\.json is damaged"):
            compared([run, other])
