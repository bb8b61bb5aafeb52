"""A whole run on features that were imported: no vision model is made, and its reader says that it has none."""

import json

import polars as pl
import pytest
from published_layout import PublishedTree

pytestmark = pytest.mark.slow

SMALL = ("variant=mccformers_d", "phases.finetune.epochs=1", "name=imported")


def test_a_reader_of_imported_features_is_trained_judged_and_reported_and_not_asked(folder, call_tiny, tmp_path):
    ids = pl.concat(
        [pl.read_parquet(file, columns=["image_id"]) for file in folder.glob("work/tables/*/images.parquet")]
    )
    PublishedTree(tmp_path / "published", ids["image_id"].unique().sort().to_list()).write()
    before = sorted(folder.glob("work/anatomy/*")) + sorted(folder.glob("work/findings/*"))
    status, output = call_tiny("run", *SMALL, f"extraction.published={tmp_path / 'published'}")
    assert status == 0, output
    assert sorted(folder.glob("work/anatomy/*")) + sorted(folder.glob("work/findings/*")) == before
    run = folder / "runs" / "imported"
    description = json.loads((run / "vqa" / "reader.json").read_text())
    assert description["vision"] is None
    assert "anatomy detector" not in (page := (run / "report.html").read_text())
    assert "extraction.published" in page
    files = (f"main={next(folder.glob('work/phantom/*/**/*.jpg'))}", f"to={tmp_path / 'to'}")
    for command in ("predict", "export"):
        status, output = call_tiny(command, f"run={run}", *files)
        assert status == 2
        assert "was trained on imported features (extraction.published)" in output
