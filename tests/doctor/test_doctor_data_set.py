"""Everything that a source looks for is named, there or not, and its images are looked for by a sample."""

import shutil
from dataclasses import replace

import polars as pl
import pytest
from layouts import MimicTree, write_image, write_nih

from cfvqa.doctor.amounts import amounts_of, label_notes
from cfvqa.doctor.data_set import DataSet, file_notes
from cfvqa.doctor.note import MISSING, OK, WARNING
from cfvqa.doctor.sample import decode, images_there, look, spread
from cfvqa.errors import InputError
from cfvqa.sources.csv_tables import CsvSource
from cfvqa.sources.mimic import MimicSource
from cfvqa.sources.nih import NihSource

SIDE = 64


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data").write()


def mimic(tree, **settings):
    return DataSet("source", MimicSource(tree.root, **settings))


def missing(notes):
    return [note.text for note in notes if note.state == MISSING]


def test_of_a_whole_data_set_every_file_is_named_with_its_size(tree):
    notes = file_notes(mimic(tree))
    assert {note.state for note in notes} == {OK}
    names = ["version", *(f"mimic-cxr-jpg/mimic-cxr-2.0.0-{name}.csv" for name in ("metadata", "split", "chexpert"))]
    assert [note.about for note in notes][:4] == names
    size = (tree.question_root / "mimic_all.csv").stat().st_size
    assert next(note.text for note in notes if note.about.endswith("mimic_all.csv")).startswith(f"{size / 1000:.2g} kB")


def test_all_that_is_missing_is_named_at_once_a_folder_only_once(tree):
    shutil.rmtree(tree.image_root)
    (tree.question_root / "all_diseases.json").unlink()
    shutil.rmtree(tree.graph_root)
    texts = missing(file_notes(mimic(tree)))
    assert len(texts) == 3
    assert texts[0].startswith("source.images: no folder")
    assert "all_diseases.json is missing" in texts[1]
    assert "unzip scene_graph.zip" in texts[2]


def test_a_data_set_that_is_not_there_is_one_thing_missing(tmp_path):
    data = DataSet("source", MimicSource(tmp_path / "nowhere"))
    assert len(missing(file_notes(data))) == 1
    notes, sample = look(data, SIDE)
    assert missing(notes) == missing(file_notes(data))
    assert sample is None


def test_lists_of_a_split_are_needed_where_it_is_chosen(tmp_path):
    source = NihSource(write_nih(tmp_path / "nih", subjects=3))
    optional = file_notes(DataSet("source", source))
    assert not missing(optional)
    assert sum(note.text == "not there; it may be left out" for note in optional) == 3
    texts = missing(file_notes(DataSet("source", replace(source, split="official"))))
    assert [text.split(" is missing")[0].split("/")[-1] for text in texts] == ["test_list.txt", "train_val_list.txt"]


def test_a_release_is_told_by_the_folder_that_it_was_downloaded_into(tree):
    tree.image_root.rename(tree.root / "there")
    (tree.root / "mimic-cxr-jpg").mkdir()
    (tree.root / "there").rename(tree.root / "mimic-cxr-jpg" / "2.1.0")
    notes = file_notes(mimic(tree, images="mimic-cxr-jpg/2.1.0"))
    assert not missing(notes)
    assert sum(note.text.endswith("release 2.1.0 by its folder") for note in notes) == 4
    assert file_notes(mimic(tree)) == [replace(note, about=note.about.replace("/2.1.0", "")) for note in notes]


def test_release_2_1_0_is_told_by_the_table_that_no_other_has(tree):
    assert not [note for note in file_notes(mimic(tree)) if "release" in note.text]
    (tree.image_root / "mimic-cxr-2.1.0-test-set-labeled.csv").write_text("study_id\n")
    told = [note.about for note in file_notes(mimic(tree)) if "release 2.1.0 by mimic-cxr-2.1.0-test" in note.text]
    assert len(told) == 4
    assert {about.split("/")[0] for about in told} == {"mimic-cxr-jpg"}


def test_questions_of_another_version_than_the_config_says_stand_in_the_way(tree):
    shutil.move(tree.question_root, tree.root / "1.0.0")
    shutil.move(tree.root / "1.0.0", tree.question_root / "1.0.0")
    [text] = missing(look(mimic(tree), SIDE)[0])
    assert text.endswith("give source.version=1.0.0, or the folder of 1.0.1")
    with pytest.raises(InputError, match=r"source\.version is 1\.0\.1"):
        mimic(tree).reader.read()
    assert not missing(look(mimic(tree, version="1.0.0", split="official"), SIDE)[0])


def test_questions_about_other_radiographs_stand_in_the_way_as_they_do_of_a_preparation(tmp_path):
    tree = MimicTree(tmp_path / "data")
    for row in tree.studies:
        row["dicom_id"] = f"another-{row['dicom_id']}"
    tree.write()
    notes, sample = look(mimic(tree), SIDE)
    [text] = missing(notes)
    with pytest.raises(InputError) as refused:
        mimic(tree).reader.read()
    assert text == str(refused.value)
    assert "give releases that belong together" in text
    assert sample is None


def test_images_that_are_not_there_are_counted_and_named(tree):
    for study in (59_000_011, 59_000_021):
        tree.image_path(study).unlink()
    there = images_there(mimic(tree).reader.listed(), mimic(tree))
    assert there.note.state == MISSING
    assert there.note.text.startswith("2 of 24 images")
    assert there.note.text.endswith("source.on_missing=drop")
    assert tree.image_path(59_000_011).name in there.note.text
    assert len(there.files) == 22


def test_images_that_are_not_there_stand_in_nobodys_way_where_their_studies_are_left_out(tree, monkeypatch):
    for study in [*range(59_000_011, 59_000_071, 10), *range(59_000_012, 59_000_072, 10)]:  # of the first 6 subjects
        tree.image_path(study).unlink()
    notes, sample = look(mimic(tree, split="official", on_missing="drop"), SIDE)
    assert not missing(notes)
    assert [note.about for note in notes if note.state == WARNING] == ["sample"]
    assert amounts_of(sample).images == len(sample.tables.images) == 12
    monkeypatch.setattr("cfvqa.doctor.sample.SUBJECTS", 2)
    notes, sample = look(mimic(tree, on_missing="drop"), SIDE)
    assert "of the first 4 subjects 0 have an image" in notes[-1].text
    assert not missing(notes)
    assert sample is None


def test_what_a_damaged_image_costs_later_is_said_with_what_looking_for_it_costs(tree):
    notes, _ = look(mimic(tree, split="official"), SIDE)
    [damage] = [note for note in notes if note.about == "damage"]
    assert "ends the training or extraction that meets it; source.on_corrupt=drop decodes every image" in damage.text


def test_an_image_that_is_damaged_is_named(tree):
    path = tree.image_path(59_000_012)
    path.write_bytes(path.read_bytes()[:200])
    seconds, notes = decode([path, tree.image_path(59_000_011)], SIDE, MISSING)
    assert seconds > 0
    [text] = missing(notes)
    assert str(path) in text


def test_a_damaged_image_stands_in_nobodys_way_where_it_is_left_out(tree):
    cut = tree.image_path(59_000_011)
    cut.write_bytes(cut.read_bytes()[:200])
    settings = {"split": "official", "on_reversed": "error"}
    assert missing(look(mimic(tree, **settings), SIDE)[0])
    notes, sample = look(mimic(tree, **settings, on_corrupt="drop"), SIDE)
    assert not missing(notes)
    assert [note.about for note in notes if note.state == WARNING] == ["decoding"]
    assert len(sample.tables.images) == 23


def test_a_sample_of_all_subjects_counts_as_the_whole_does(tree):
    notes, sample = look(mimic(tree, split="official"), SIDE)
    assert not missing(notes)
    assert sample.times == 1.0
    amounts = amounts_of(sample)
    train = sample.tables.questions.filter(sample.tables.questions["split"] == "train")
    assert amounts.images == 24
    assert amounts.pairs == (train["question_type"] == "difference").sum()
    assert amounts.singles == amounts.pairs
    assert amounts.boxed == amounts.described == (sample.tables.images["split"] == "train").sum()


def test_a_sample_of_some_subjects_stands_for_all_by_the_share_that_the_split_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("cfvqa.doctor.sample.SUBJECTS", 40)
    tree = MimicTree(tmp_path / "data", subjects=60)
    for number, row in enumerate(tree.split):  # two images a subject
        row["split"] = "train" if number < 90 else ("validate", "test")[number // 2 % 2]
    for split, boxed in (("subject", 98), ("official", 90)):  # 49 of the 60 subjects are hashed to training
        _, sample = look(mimic(tree if tree.root.exists() else tree.write(), split=split), SIDE)
        assert sample.times == 1.5
        assert amounts_of(sample).images == 120
        assert amounts_of(sample).boxed == boxed


def test_pairs_in_the_order_of_the_first_release_are_told(tmp_path):
    tree = MimicTree(tmp_path / "data")
    for row in tree.questions:
        row["study_id"], row["ref_id"] = row["ref_id"], row["study_id"]
    tree.write()
    notes, _ = look(mimic(tree, split="official"), SIDE)
    [warning] = [note for note in notes if note.state == WARNING]
    assert "as in release 1.0.0" in warning.text
    refused, sample = look(mimic(tree, on_reversed="error"), SIDE)
    assert "choose source.on_reversed=swap" in missing(refused)[0]
    assert sample is None


def test_labels_that_nothing_can_be_learned_from(tmp_path):
    _, sample = look(DataSet("source", NihSource(write_nih(tmp_path / "nih", subjects=40))), SIDE)
    [boxes] = label_notes(sample.tables, sample.tables, all_read=True)
    assert "source@detector_source=phantom" in boxes.text
    assert not label_notes(None, sample.tables, all_read=True)


@pytest.mark.parametrize(("all_read", "state"), [(True, MISSING), (False, WARNING)])
def test_validation_images_that_do_not_differ(tmp_path, all_read, state):
    tables = NihSource(write_nih(tmp_path / "nih", subjects=40)).read()
    alike = replace(tables, findings=tables.findings.with_columns(presence=pl.lit("no")))
    [note] = label_notes(None, alike, all_read=all_read)
    assert note.state == state
    assert "by which the classifier is chosen" in note.text


def test_files_of_ones_own_are_looked_at_like_published_ones(tmp_path):
    for name in ("earlier.png", "later.png"):
        write_image(tmp_path / name, 64, 64)
    row = "a,later.png,earlier.png,what has changed compared to the reference image?,nothing has changed."
    (tmp_path / "questions.csv").write_text(f"subject_id,main,reference,question,answer\n{row}\n")
    data = DataSet("source", CsvSource(tmp_path))
    notes = file_notes(data)
    assert not missing(notes)
    assert [note.about for note in notes][:2] == ["version", "questions.csv"]
    assert len(images_there(data.reader.listed(), data).files) == 2


def test_a_sample_is_spread_over_all():
    assert spread(range(1000), 200) == list(range(0, 1000, 5))
    assert spread(range(201), 200)[-1] == 200
    assert spread("abc", 200) == ["a", "b", "c"]
