"""A data set that changes on disk is read again; one that is only moved is not."""

import json

from calling import prepare_mimic

OFFICIAL = "source.split=official"


def descriptions(call):
    return [json.loads(path.read_text()) for path in call.folder.glob("work/tables/*/dataset.json")]


def test_corrected_questions_are_read_again(call, mimic):
    table = mimic.write().question_root / "mimic_pair_questions.csv"
    assert call(*prepare_mimic(mimic), OFFICIAL)[0] == 0
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-3]))
    status, output = call(*prepare_mimic(mimic), OFFICIAL)
    assert status == 0, output
    assert "ready" not in output
    assert sorted(description["counts"]["questions"] for description in descriptions(call)) == [33, 36]


def test_the_same_files_are_not_read_again_where_they_were_moved(call, mimic):
    mimic.write()
    assert call(*prepare_mimic(mimic), OFFICIAL)[0] == 0
    mimic.root.rename(mimic.root.with_name("moved"))
    mimic.root = mimic.root.with_name("moved")
    status, output = call(*prepare_mimic(mimic), OFFICIAL)
    assert status == 0, output
    assert "ready" in output
    # The tables name the old folder; the images are taken from the new one.
    status, output = call(
        "train", "task=anatomy", *prepare_mimic(mimic)[1:], OFFICIAL, "detector.training.epochs=1", "image_size=64"
    )
    assert status == 0, output


def test_what_was_skipped_is_printed_with_its_reasons(call, mimic):
    mimic.graphs.popitem()
    status, output = call(*prepare_mimic(mimic.write()), OFFICIAL)
    assert status == 0, output
    assert "skipped 1 (image without a scene graph 1)" in " ".join(output.split())
