import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.language.grammar import Change, ChangeKind, flip_answer, flip_changes, parse_changes, write_changes
from cfvqa.language.keywords import answer_keywords
from cfvqa.language.negatives import wrong_answer
from cfvqa.language.questions import QUESTION_TYPES, parse_finding_list, question_finding
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

# Levels of several words are ambiguous between "from" and "to" in the published grammar.
ONE_WORD_LEVELS = [level for level in LEVEL_WORDS if " " not in level]


@st.composite
def change_sets(draw):
    findings = draw(st.lists(st.sampled_from(ANSWER_FINDINGS), unique=True, max_size=6))
    changes = set()
    for finding in findings:
        kind = draw(st.sampled_from(list(ChangeKind)))
        levels = (None, None)
        if kind is ChangeKind.LEVEL:
            levels = draw(st.lists(st.sampled_from(ONE_WORD_LEVELS), unique=True, min_size=2, max_size=2))
        changes.add(Change(finding, kind, *levels))
    return frozenset(changes)


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


@pytest.mark.parametrize(
    ("question_type", "answer"),
    [
        ("presence", "yes"),
        ("view", "PA view"),
        ("location", "left lower lung area"),
        ("location", "bilateral area"),
        ("level", "mild"),
        ("type", "patchy"),
        ("abnormality", "edema, pneumothorax"),
        ("abnormality", "no"),
    ],
)
def test_wrong_answers_of_every_type_differ(question_type, answer):
    rng = np.random.default_rng(0)
    drawn = {wrong_answer(question_type, answer, rng) for _ in range(100)}
    assert answer.lower() not in {wrong.lower() for wrong in drawn}


def test_levels_of_the_phantom_have_one_reading():
    for before, after in (("small", "moderate to large"), ("moderate", "moderate to large")):
        for change in (
            Change("hernia", ChangeKind.LEVEL, *pair) for pair in ((before, after), (after, before))
        ):
            assert parse_changes(write_changes([change])) == {change}


def test_wrong_findings_are_not_always_the_same_one():
    rng = np.random.default_rng(0)
    assert len({wrong_answer("abnormality", "edema", rng) for _ in range(200)}) > 15


def test_keywords_keep_finding_level_and_direction():
    text = (
        "the level of edema has changed from mild to severe. "
        "the main image has an additional finding of hernia than the reference image."
    )
    assert answer_keywords("difference", text) == "edema changed from mild to severe. additional hernia."
    assert answer_keywords("presence", "yes") == "yes"


def test_questions_name_their_finding():
    assert QUESTION_TYPES[-1] == "difference"
    assert question_finding("where is the pleural effusion?") == "pleural effusion"
    assert question_finding("which view is this image taken?") is None
    assert parse_finding_list("edema, hernia") == {"edema", "hernia"}
    assert parse_finding_list("edema, yes") is None
