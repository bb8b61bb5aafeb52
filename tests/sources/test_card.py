"""The data card says what the tables hold, and what a split does not keep apart."""

import shutil
from dataclasses import replace

import polars as pl
import pytest
from layouts import write_nih

from cfvqa.sources.card import data_card
from cfvqa.sources.leakage import Divided, Leakage, contents, leakage
from cfvqa.sources.nih import NihSource


@pytest.fixture
def root(tmp_path):
    return write_nih(tmp_path / "nih")


def distinct(root):
    """Make every radiograph another: the helper draws them all alike."""
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        path.write_bytes(path.read_bytes() + bytes([number]))
    return NihSource(root).read()


NOTHING = Divided(0, 0, 0)


def line(card, name):
    return next(row for row in card.splitlines() if row.startswith(f"| {name} |"))


def test_a_split_of_subjects_leaks_nothing(root):
    assert leakage(distinct(root)) == Leakage(NOTHING, NOTHING, doubled=0)


def test_radiographs_of_equal_content_on_two_sides_are_found_under_any_name(root):
    tables = distinct(root)
    sides = tables.images.group_by("split", maintain_order=True).first()
    first, second = (root / path for path in sides["path"].head(2))
    shutil.copy(first, second)
    assert leakage(tables) == Leakage(Divided(0, 0, 2), Divided(0, 0, 2), doubled=1)


def test_radiographs_without_questions_that_are_equal_to_one_of_another_side_are_counted_apart(root):
    tables = distinct(root)
    sides = tables.images.group_by("split", maintain_order=True).first()
    shutil.copy(*(root / path for path in sides["path"].head(2)))
    silent = sides["subject_id"][0]
    tables = replace(tables, questions=tables.questions.filter(pl.col("subject_id") != silent))
    assert leakage(tables) == Leakage(NOTHING, Divided(0, 0, 2), doubled=1)


def test_subjects_and_studies_of_a_split_by_rows_are_counted(root):
    tables = distinct(root)
    subject = tables.questions["subject_id"][0]
    own = pl.col("subject_id") == subject
    later = own & (pl.int_range(pl.len()) > 2)
    other = pl.when(tables.questions["split"] == "test").then(pl.lit("val")).otherwise(pl.lit("test"))
    divided = tables.questions.with_columns(split=pl.when(later).then(other).otherwise(pl.col("split")))
    found = leakage(replace(tables, questions=divided)).asked
    assert found.subjects == 1
    assert 1 <= found.studies <= 3
    assert found.images == found.studies


def test_a_training_image_that_test_questions_are_about_is_counted(root):
    tables = distinct(root)
    [image, *_] = tables.questions.filter(pl.col("split") == "test")["reference_image"].drop_nulls()
    moved = pl.when(pl.col("image_id") == image).then(pl.lit("train")).otherwise("split")
    found = leakage(replace(tables, images=tables.images.with_columns(split=moved)))
    assert found == Leakage(NOTHING, Divided(1, 1, 1), doubled=0)


def test_files_of_equal_size_are_told_apart_by_their_content(tmp_path):
    for name, text in {"a": "one", "b": "two", "c": "one", "d": "three"}.items():
        (tmp_path / name).write_text(text)
    found = contents([tmp_path / name for name in "abcd"])
    assert found[0] == found[2]
    assert len(set(found)) == 3


def test_large_files_that_differ_at_one_end_alone_are_told_apart(tmp_path):
    for name, end in {"a": b"x", "b": b"y", "c": b"x"}.items():
        (tmp_path / name).write_bytes(bytes(200_000) + end)
    found = contents([tmp_path / name for name in "abc"])
    assert found[0] == found[2] != found[1]


def test_the_card_counts_what_the_tables_hold_and_names_nobody(root):
    tables = distinct(root)
    card = data_card(tables, Leakage(Divided(3, 5, 2), Divided(4, 6, 7), doubled=1))
    assert "Data card: nih 2017" in card
    assert "on two sides of the split are about 3 subjects, 5 studies, 2 radiographs" in card
    assert "also where nothing is asked: with these, 4 subjects, 6 studies, 7 radiographs" in card
    assert line(card, "subjects").endswith("| 30 |")
    assert line(card, "pairs").endswith("| 60 |")
    assert line(card, "abnormality").endswith(f"| {(tables.questions['question_type'] == 'abnormality').sum()} |")
    unchanged = (tables.questions["answer"] == "nothing has changed.").sum()
    assert line(card, "says that nothing has changed").endswith(f"| {unchanged} |")
    assert not any(name in card for name in tables.images["image_id"])
    assert "labels were found in reports by text rules" in card
    assert "'airspace opacity' pneumonia too" in card
