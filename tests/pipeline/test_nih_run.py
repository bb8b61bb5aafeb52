"""Every stage on files in the layout of ChestX-ray14, regions from a detector that saw the phantom only."""

import json

import polars as pl
import pytest
from layouts import write_nih

SMALL = (
    "image_size=64",
    "detector_source.phantom.subjects=100",
    "detector_source.phantom.size=64",
    "detector.training.epochs=1",
    "classifier.training.epochs=1",
    "phases.finetune.epochs=1",
    "evaluation.draws=20",
    "evaluation.decoding.max_new_tokens=24",
    "evaluation.blind.phases.finetune.epochs=1",
)


@pytest.mark.slow
def test_public_radiographs_go_through_every_stage(call, tmp_path):
    root = write_nih(tmp_path / "nih", subjects=40)
    status, output = call("run", "experiment=nih_sample", f"source.root={root}", *SMALL)
    assert status == 0, output
    evaluation = call.folder / "runs" / "nih_sample" / "evaluation"
    figures = json.loads((evaluation / "metrics.json").read_text())
    assert figures["data"]["name"] == "nih"
    assert set(figures["baseline"]) == {"question_only", "majority", "constant", "prior"}
    answers = pl.read_parquet(evaluation / "predictions.parquet")
    assert set(answers["question_type"]) == {"abnormality", "presence", "view", "difference"}
    assert (call.folder / "runs" / "nih_sample" / "report.html").is_file()
    # Two data sets were read: the radiographs, and the phantom that the detector learned from.
    assert len(list(call.folder.glob("work/tables/*/_SUCCESS"))) == 2
