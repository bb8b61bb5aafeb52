import numpy as np
import pytest
from change_strategies import CLEAR_PAIRS, LEVEL_PAIRS, change_sets, readings
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.language.grammar import (
    Change,
    ChangeKind,
    changes_between,
    flip_answer,
    flip_changes,
    parse_changes,
    write_changes,
)
from cfvqa.language.negatives import wrong_answer


@given(change_sets())
def test_what_is_written_parses_back(changes):
    assert parse_changes(write_changes(changes)) == changes


@given(change_sets())
def test_flipping_twice_changes_nothing(changes):
    assert flip_changes(flip_changes(changes)) == changes
    assert flip_answer(flip_answer(write_changes(changes))) == write_changes(changes)


@given(change_sets(), st.integers(0, 2**32))
def test_a_wrong_difference_answer_means_something_else(changes, seed):
    wrong = wrong_answer("difference", write_changes(changes), np.random.default_rng(seed))
    assert parse_changes(wrong) is not None
    assert parse_changes(wrong) != changes


def test_published_sentences_are_read_whatever_their_spacing():
    text = (
        "The main image has additional findings of edema , and consolidation than the reference image . "
        "the main image is missing the finding of pneumothorax than the reference image. "
    )
    assert parse_changes(text) == {
        Change("edema", ChangeKind.ADDED),
        Change("consolidation", ChangeKind.ADDED),
        Change("pneumothorax", ChangeKind.REMOVED),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the main image has an additional finding of dragons than the reference image.",
        "the main image has an additional finding of edema",
        "nothing has changed. the level of edema has changed from mild to severe.",
        "the level of edema has changed from mild to purple.",
        "the main image has an additional finding of edema than the reference image. "
        "the main image is missing the finding of edema than the reference image.",
    ],
)
def test_what_does_not_fit_the_grammar_is_none(text):
    assert parse_changes(text) is None


def test_levels_of_the_phantom_have_one_reading():
    for before, after in (("small", "moderate to large"), ("moderate", "moderate to large")):
        for change in (Change("hernia", ChangeKind.LEVEL, *pair) for pair in ((before, after), (after, before))):
            assert parse_changes(write_changes([change])) == {change}


@pytest.mark.parametrize(("before", "after"), [pair for pair in LEVEL_PAIRS if pair not in CLEAR_PAIRS])
def test_a_text_with_two_readings_is_read_as_one_of_them(before, after):
    text = write_changes([Change("edema", ChangeKind.LEVEL, before, after)])
    (change,) = parse_changes(text)
    assert (change.before, change.after) in readings(before, after)
    assert write_changes([change]) == text


def test_hardly_any_level_change_has_two_readings():
    assert len(CLEAR_PAIRS) > 0.97 * len(LEVEL_PAIRS)


@given(change_sets(), st.data())
def test_case_spacing_and_the_last_period_do_not_matter(changes, data):
    text = write_changes(changes)
    for mark in ".,":
        text = text.replace(mark, data.draw(st.sampled_from([mark, f" {mark}", f"  {mark} "])))
    text = data.draw(st.sampled_from([text, text.upper(), f" {text} ", text.rstrip(" .")]))
    assert parse_changes(text) == changes


def test_the_older_name_of_pneumonia_is_read():
    text = "the main image has an additional finding of infection than the reference image. "
    assert parse_changes(text) == {Change("pneumonia", ChangeKind.ADDED)}


def test_a_finding_named_twice_in_one_way_is_one_change():
    text = "the main image has additional findings of edema, and edema than the reference image."
    assert parse_changes(text) == {Change("edema", ChangeKind.ADDED)}


@pytest.mark.parametrize(
    ("finding", "kind", "before", "after"),
    [
        ("edema", ChangeKind.LEVEL, "mild", None),
        ("edema", ChangeKind.LEVEL, None, None),
        ("edema", ChangeKind.LEVEL, "mild", "mild"),
        ("edema", ChangeKind.ADDED, "mild", None),
        ("edema", ChangeKind.REMOVED, "mild", "severe"),
        ("dragons", ChangeKind.ADDED, None, None),
    ],
)
def test_changes_that_cannot_be_written_are_refused(finding, kind, before, after):
    with pytest.raises(ValueError, match=r"change|finding"):
        Change(finding, kind, before, after)


def test_findings_stand_in_canonical_order_with_an_oxford_comma():
    changes = [Change(finding, ChangeKind.ADDED) for finding in ("hernia", "edema", "pleural effusion")]
    text = "the main image has additional findings of pleural effusion, edema, and hernia than the reference image."
    assert write_changes(changes) == text
    assert write_changes(changes[:2]).count("edema, and hernia") == 1
    assert write_changes([]) == "nothing has changed."


def test_a_flipped_answer_reverses_direction_and_levels():
    text = (
        "the level of edema has changed from mild to severe. "
        "the main image has an additional finding of hernia than the reference image."
    )
    assert flip_answer(text) == (
        "the level of edema has changed from severe to mild. "
        "the main image is missing the finding of hernia than the reference image."
    )
    assert flip_answer("better than before") is None


def test_changes_between_two_images_are_what_came_went_or_has_another_level():
    main = {"edema": "severe", "hernia": None, "cardiomegaly": "mild", "scoliosis": None}
    reference = {"edema": "mild", "pneumothorax": "small", "cardiomegaly": "mild", "scoliosis": "mild"}

    changes = changes_between(main, reference)

    assert changes == [
        Change("edema", ChangeKind.LEVEL, "mild", "severe"),
        Change("hernia", ChangeKind.ADDED),
        Change("pneumothorax", ChangeKind.REMOVED),
    ]
    assert flip_changes(changes) == frozenset(changes_between(reference, main))
