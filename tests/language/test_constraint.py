"""Answers that are kept to the grammar: everything that it writes can be said, and all that can be said parses."""

import numpy as np
import pytest
from change_strategies import change_sets
from hypothesis import given, settings

from cfvqa.language.constraint import AnswerConstraint
from cfvqa.language.grammar import NOTHING, parse_changes, write_changes
from cfvqa.language.tokenizer import SEP, AnswerTokenizer
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

FRAME = (
    "the level of has changed from to. the main image has an additional finding of additional findings, and than the "
    "reference image. is missing the findings of",
    NOTHING,
)
TOKENIZER = AnswerTokenizer.train([*FRAME, *ANSWER_FINDINGS, *LEVEL_WORDS])
END = TOKENIZER.id_of(SEP)


def follow(constraint, ids):
    """Return the ways on behind every token, the first before all."""
    ways = [constraint.begin()]
    for token in ids:
        ways.append(constraint.forward(ways[-1], token))
    return ways


@given(change_sets())
@settings(max_examples=100, deadline=None)
def test_every_answer_of_the_grammar_can_be_said(changes):
    ids, _ = TOKENIZER.encode([write_changes(changes)], max_length=500)
    ways = follow(AnswerConstraint(TOKENIZER), ids[0, 1:].tolist())
    assert all(ways[:-1])
    assert ways[-1] == []  # behind the end


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_said_parses_names_a_finding_once_and_can_be_ended(seed):
    rng, constraint = np.random.default_rng(seed), AnswerConstraint(TOKENIZER)
    ways, said = constraint.begin(), []
    while ways:
        allowed = sorted({way.ids[0] for way in ways})
        # An answer ends where it can and is long: every list can be closed.
        token = END if END in allowed and len(said) > 60 else int(rng.choice(allowed))
        said.append(token)
        ways = constraint.forward(ways, token)
    [text] = TOKENIZER.decode(np.array([said]))
    assert said[-1] == END
    assert parse_changes(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "the level of edema has changed from mild to mild.",
        "the level of edema has changed from mild to severe. the level of edema",
        "the main image has additional findings of edema than",
        "the main image is missing the findings of hernia, hernia",
        "the main image is missing the finding of hernia than the reference image. the main image has",
        "nothing has changed. the",
        "yes",
    ],
)
def test_what_does_not_follow_the_grammar_cannot_be_said(text):
    ids, _ = TOKENIZER.encode([text], max_length=500)
    assert follow(AnswerConstraint(TOKENIZER), ids[0, 1:-1].tolist())[-1] == []


@pytest.mark.parametrize(
    "text",
    [
        "the main image has additional findings of infection, and edema than the reference image.",
        "the level of edema has changed from small moderate to moderate to severe.",
        "the level of edema has changed from mild to mild increasing.",
    ],
)
def test_other_names_and_levels_of_several_words_can_be_said_as_the_release_does(text):
    assert parse_changes(text)
    constraint = AnswerConstraint(AnswerTokenizer.train([*FRAME, *ANSWER_FINDINGS, *LEVEL_WORDS, "infection"]))
    ids, _ = constraint._tokenizer.encode([text], max_length=500)
    ways = follow(constraint, ids[0, 1:].tolist())
    assert all(ways[:-1])
    assert ways[-1] == []


def test_a_finding_is_not_named_again_by_its_other_name():
    constraint = AnswerConstraint(AnswerTokenizer.train([*FRAME, *ANSWER_FINDINGS, *LEVEL_WORDS, "infection"]))
    ids, _ = constraint._tokenizer.encode(
        ["the main image is missing the findings of pneumonia, and infection"], max_length=500
    )
    assert follow(constraint, ids[0, 1:-1].tolist())[-1] == []


def test_a_sentence_whose_words_were_never_seen_is_left_out():
    frame = "the main image has an additional finding of than the reference image."
    few = AnswerTokenizer.train([frame, "edema", "hernia"])
    constraint = AnswerConstraint(few)
    said = {few.decode(np.array([way.ids]))[0] for way in constraint.begin()}
    assert said == {
        f"the main image has an additional finding of {name} than the reference image." for name in ("edema", "hernia")
    }


def test_what_the_tokenizer_has_no_words_for_is_left_out():
    few = AnswerTokenizer.train([*FRAME, "edema"])
    said = {few.decode(np.array([way.ids]))[0] for way in AnswerConstraint(few).begin()}
    assert said == {
        NOTHING,
        "the main image has an additional finding of edema than the reference image.",
        "the main image is missing the finding of edema than the reference image.",
    }
    assert AnswerConstraint(AnswerTokenizer.train(["yes"])).begin() == []
