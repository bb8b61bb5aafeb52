"""Answers without any image: the best constant answer has a closed form, and is judged like any other."""

import numpy as np
import polars as pl
import pytest

from cfvqa.errors import InputError
from cfvqa.evaluation.baselines import constant, majority, prior
from cfvqa.evaluation.changes import count_changes, score_changes
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, parse_changes, write_changes

ADDED, REMOVED = Change("edema", ChangeKind.ADDED), Change("pneumothorax", ChangeKind.REMOVED)
EDEMA, GONE, BOTH = (write_changes(changes) for changes in ([ADDED], [REMOVED], [ADDED, REMOVED]))


def questions(*answers, kind="difference"):
    return pl.DataFrame(
        {
            "question_id": [f"{kind}{number}" for number in range(len(answers))],
            "subject_id": [str(number) for number in range(len(answers))],
            "main_image": ["a"] * len(answers),
            "reference_image": ["b"] * len(answers),
            "question_type": [kind] * len(answers),
            "question": ["?"] * len(answers),
            "answer": list(answers),
        }
    )


def f1_of(answer, truth):
    table = truth.with_columns(pl.lit(answer).alias("prediction"))
    return score_changes(count_changes(table)).f1


def test_the_constant_answer_takes_changes_as_long_as_they_help():
    # Edema in 3 of 4 answers, the pneumothorax in 1: 2*3 / (4 + 4) with edema alone, 2*4 / (8 + 4) with both.
    train = questions(EDEMA, EDEMA, BOTH, "nothing has changed.")
    given = constant(train, questions(GONE, EDEMA))
    assert given["prediction"].to_list() == [EDEMA, EDEMA]
    assert f1_of(EDEMA, train) == pytest.approx(0.75)
    assert f1_of(BOTH, train) == pytest.approx(2 / 3)


def test_no_other_answer_of_the_training_scores_better():
    train = questions(EDEMA, BOTH, GONE, BOTH, BOTH, "nothing has changed.")
    best = constant(train, train)["prediction"][0]
    assert f1_of(best, train) == max(f1_of(answer, train) for answer in train["answer"])
    assert best == BOTH


def test_other_questions_get_the_majority_and_unchanged_pairs_an_empty_answer():
    train = pl.concat([questions("nothing has changed."), questions("yes", "yes", "no", kind="presence")])
    assert constant(train, train)["prediction"].to_list() == ["nothing has changed.", "yes", "yes", "yes"]
    assert majority(train, train)["prediction"].to_list() == ["nothing has changed.", "yes", "yes", "yes"]


def test_the_prior_draws_changes_as_often_as_training_has_them_and_a_finding_once():
    train = questions(*[EDEMA] * 3, GONE, write_changes([ADDED, Change("hernia", ChangeKind.ADDED)]))
    given, again = (
        prior(train, questions(*[EDEMA] * 2000), generator=np.random.default_rng(0))["prediction"] for _ in range(2)
    )
    assert given.equals(again)
    said = [parse_changes(answer) for answer in given]
    alone = [changes for changes in said if len(changes) == 1]
    assert np.mean([changes == {ADDED} for changes in alone]) == pytest.approx(3 / 4 * 4 / 5, abs=0.03)
    assert np.mean([len(changes) == 2 for changes in said]) == pytest.approx(1 / 5, abs=0.03)


def test_answers_outside_the_grammar_teach_nothing_of_changes():
    train, test = questions(EDEMA, "it is worse"), questions(*[EDEMA] * 5)
    given = prior(train, test, generator=np.random.default_rng(0))
    assert given["prediction"].to_list() == constant(train, test)["prediction"].to_list() == [EDEMA] * 5
    alone = questions("it is worse")
    nothing = prior(alone, test, generator=np.random.default_rng(0))
    assert nothing["prediction"].to_list() == constant(alone, test)["prediction"].to_list() == [NOTHING] * 5


def test_a_type_without_training_questions_is_named():
    with pytest.raises(InputError, match="no question of type view"):
        constant(questions(EDEMA), questions("ap", kind="view"))
