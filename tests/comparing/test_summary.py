"""Judged runs in one table: a row each, and a row a system with the interval of its mean over seeds."""

import csv
import json
from io import StringIO

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from cfvqa.comparing.summary import summarise
from cfvqa.errors import InputError


def write_run(folder, variant, seed, f1, *, share=None, tables="t", name=None, heads=2, scorer="1.2", more=()):
    run = folder / (name or f"{variant}-{seed}-{share}")
    (run / "vqa").mkdir(parents=True)
    (run / "evaluation").mkdir()
    last = {"epochs": 1} | ({} if share is None else {"label_fraction": share})
    OmegaConf.save(
        OmegaConf.create({"variant": variant, "seed": seed, "phases": {"pretrain": {}, "finetune": last}}),
        run / "config.yaml",
    )
    done = {"id": "x", "facts": {"parameters": "1,200"}, "seconds": 12.5}
    (run / "vqa" / "_SUCCESS").write_text(json.dumps(done))
    held = {"id": "x", "settings": {"seed": seed, "model": {"heads": heads}}}
    (run / "vqa" / "settings.json").write_text(json.dumps(held))
    decode = {"num_beams": 1, "seconds": 3.0 * seed}
    data = {"tables": tables, "split": "test", "name": "phantom", "version": "1", "licence": "none", "features": "f"}
    scorers = {"cider": {"version": f"cocoeval {scorer}"}}
    metrics = {"changes": {"f1": f1}, "data": data, "decode": decode, "scorers": scorers} | dict(more)
    (run / "evaluation" / "metrics.json").write_text(json.dumps(metrics))
    return run


def summarised(folder):
    output = StringIO()
    summarise(OmegaConf.create({"runs": str(folder)}), Console(file=output, width=80))
    rows = {}
    for name in ("summary", "systems"):
        with (folder / f"{name}.csv").open() as file:
            rows[name] = list(csv.DictReader(file))
    return rows, output.getvalue()


def test_a_row_a_run_and_a_row_a_system(tmp_path):
    for seed, f1 in ((1, 0.80), (2, 0.82), (3, 0.84)):
        write_run(tmp_path, "full", seed, f1)
    write_run(tmp_path, "full", 1, 0.5, share=0.1)
    write_run(tmp_path, "ekaid", 1, 0.9)
    rows, output = summarised(tmp_path)
    assert [(row["variant"], row["label_fraction"], row["seed"]) for row in rows["summary"]] == [
        ("ekaid", "1", "1"),
        *(("full", "1", seed) for seed in "123"),
        ("full", "0.1", "1"),
    ]
    first = rows["summary"][1]
    assert (first["changes_f1"], first["parameters"], first["seconds"]) == ("0.800", "1200", "12.500")
    assert first["flip_consistency"] == ""  # a figure that is not there is no zero
    systems = [(row["variant"], row["label_fraction"], row["seeds"], row["changes_f1"]) for row in rows["systems"]]
    # Half of the interval: 4.3027 (Student's t of 2 degrees of freedom) times 0.02 over the root of 3.
    assert systems == [("ekaid", "1", "1", "0.900"), ("full", "1", "3", "0.820 ± 0.050"), ("full", "0.1", "1", "0.500")]
    assert "0.820 ± 0.050" in output  # whole, on a terminal of 80 columns
    assert str(tmp_path / "summary.csv") in output


def test_runs_that_were_asked_other_questions_are_no_summary(tmp_path):
    write_run(tmp_path, "full", 1, 0.8)
    write_run(tmp_path, "full", 2, 0.8, tables="other")
    both = r"full-1-None was judged on phantom 1, split test \(tables t\), and .*full-2-None on .* \(tables other\)"
    with pytest.raises(InputError, match=both):
        summarised(tmp_path)


def test_runs_that_other_versions_scored_are_no_summary(tmp_path):
    write_run(tmp_path, "full", 1, 0.8)
    write_run(tmp_path, "ekaid", 1, 0.8, scorer="1.3")
    with pytest.raises(
        InputError, match=r"ekaid-1-None was scored by cocoeval 1\.3, and .*full-1-None by cocoeval 1\.2"
    ):
        summarised(tmp_path)


@pytest.mark.parametrize("damaged", ["config.yaml", "vqa/_SUCCESS", "evaluation/metrics.json"])
def test_a_damaged_run_is_named(tmp_path, damaged):
    run = write_run(tmp_path, "full", 1, 0.8)
    (run / damaged).write_text("{")
    with pytest.raises(InputError, match=str(run)):
        summarised(tmp_path)
    assert not (tmp_path / "summary.csv").exists()


def test_a_folder_without_a_judged_run_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no judged run"):
        summarised(tmp_path)


def test_runs_that_are_no_seeds_of_one_system_are_named(tmp_path):
    write_run(tmp_path, "full", 1, 0.8, name="a")
    write_run(tmp_path, "full", 1, 0.8, name="b")
    with pytest.raises(InputError, match=r"a and .*b are the same seed of one system"):
        summarised(tmp_path)
    write_run(tmp_path / "other", "full", 1, 0.8, name="a")
    write_run(tmp_path / "other", "full", 2, 0.8, name="b", heads=4)
    with pytest.raises(InputError, match=r"both variant full, but differ in model\.heads"):
        summarised(tmp_path / "other")


def test_answers_of_files_and_runs_kept_aside_are_left_out_and_named(tmp_path):
    write_run(tmp_path, "full", 1, 0.8, name="full")
    write_run(tmp_path, "full", 1, 0.7, name="full.f36b2746fa71")
    stranger = tmp_path / "somebody" / "evaluation"
    stranger.mkdir(parents=True)
    (stranger / "metrics.json").write_text("{}")
    rows, output = summarised(tmp_path)
    assert [row["changes_f1"] for row in rows["summary"]] == ["0.800"]
    assert "left out: full.f36b2746fa71, somebody" in output


def test_a_run_that_is_not_judged_yet_is_left_out_and_named(tmp_path):
    write_run(tmp_path, "full", 1, 0.8)
    (write_run(tmp_path, "ekaid", 1, 0.8) / "evaluation" / "metrics.json").unlink()
    rows, output = summarised(tmp_path)
    assert [row["variant"] for row in rows["summary"]] == ["full"]
    assert "left out: ekaid-1-None: not judged yet" in output


def test_a_mean_over_fewer_seeds_says_over_how_many(tmp_path):
    for seed, share in ((1, 0.25), (2, 0.35), (3, None)):
        write_run(tmp_path, "full", seed, 0.8, more={"flip": {"consistency": share}, "by_type": {}})
    [row] = summarised(tmp_path)[0]["systems"]
    # Student's t of one degree of freedom, 12.7062, times 0.0707 over the root of 2.
    assert (row["seeds"], row["flip_consistency"], row["cider"]) == ("3", "0.300 ± 0.635 (2 of 3)", "-")


def test_what_no_reader_at_all_scores_is_a_row_once(tmp_path):
    ruled = {"rules": {"changes": {"f1": 0.85}, "by_type": {"difference": {"cider": 7.5}}}}
    for variant, f1 in (("full", 0.8), ("ekaid", 0.7), ("siamese", 0.9)):
        write_run(tmp_path, variant, 1, f1, more=ruled)
    rows, _ = summarised(tmp_path)
    assert [row["variant"] for row in rows["systems"]] == ["siamese", "rules", "full", "ekaid"]
    row = rows["systems"][1]
    assert (row["label_fraction"], row["seeds"], row["changes_f1"], row["cider"]) == ("-", "-", "0.850", "7.500")
    assert (row["flip_consistency"], row["parameters"]) == ("-", "-")
    assert len(rows["summary"]) == 3
    write_run(tmp_path, "full", 2, 0.8, more=ruled)
    other = json.loads((tmp_path / "full-2-None/evaluation/metrics.json").read_text())
    other["data"]["features"] = "g"
    (tmp_path / "full-2-None/evaluation/metrics.json").write_text(json.dumps(other))
    names = {row["variant"] for row in summarised(tmp_path)[0]["systems"]}
    assert names == {"siamese", "full", "ekaid", "rules of features f", "rules of features g"}
