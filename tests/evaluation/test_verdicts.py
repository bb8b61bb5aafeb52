import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.evaluation.verdicts import Outcome, Verdict, choose, judge

TRUTH = (
    "the level of edema has changed from mild to severe. "
    "the main image has additional findings of pleural effusion, and pneumonia than the reference image."
)
NOTHING = "nothing has changed."


def outcomes(judgement, outcome):
    return [change.words for change in judgement.changes if change.outcome is outcome]


def test_the_truth_is_right():
    judgement = judge("difference", TRUTH, TRUTH.upper())
    assert judgement.verdict is Verdict.RIGHT
    assert outcomes(judgement, Outcome.HIT) == ["edema: mild → severe", "pleural effusion added", "pneumonia added"]
    assert len(judgement.changes) == 3


def test_some_changes_are_partly_right():
    answer = (
        "the main image has an additional finding of pneumonia than the reference image. "
        "the main image is missing the finding of pleural effusion than the reference image."
    )
    judgement = judge("difference", TRUTH, answer)
    assert judgement.verdict is Verdict.PARTLY
    assert outcomes(judgement, Outcome.HIT) == ["pneumonia added"]
    assert outcomes(judgement, Outcome.MISSED) == ["edema: mild → severe", "pleural effusion added"]
    assert outcomes(judgement, Outcome.INVENTED) == ["pleural effusion removed"]


def test_a_truth_outside_the_grammar_is_compared_word_by_word():
    judged = [judge("difference", "it is worse", answer).verdict for answer in ("It is worse.", NOTHING)]
    assert judged == [Verdict.RIGHT, Verdict.WRONG]


@pytest.mark.parametrize(("answer", "readable"), [(NOTHING, True), ("yes", False), ("", False)])
def test_no_true_change_is_wrong(answer, readable):
    judgement = judge("difference", TRUTH, answer)
    assert judgement.verdict is Verdict.WRONG
    assert judgement.readable is readable
    assert len(outcomes(judgement, Outcome.MISSED)) == 3


def test_where_nothing_has_changed_only_saying_so_is_right():
    assert judge("difference", NOTHING, NOTHING).verdict is Verdict.RIGHT
    assert judge("difference", NOTHING, "no").verdict is Verdict.WRONG
    assert outcomes(judge("difference", NOTHING, TRUTH), Outcome.INVENTED)


def test_other_types_are_judged_by_their_words():
    assert judge("view", "PA view", "pa view").verdict is Verdict.RIGHT
    assert judge("view", "PA view", "AP view").verdict is Verdict.WRONG
    assert judge("presence", NOTHING, "yes").changes == ()


KINDS = st.lists(st.tuples(st.sampled_from(["difference", "view"]), st.booleans()), max_size=60)


@given(KINDS, st.integers(0, 20), st.integers(0, 5))
def test_a_choice_is_full_distinct_and_stable(answers, count, seed):
    kinds, right = [kind for kind, _ in answers], [good for _, good in answers]
    chosen = choose(kinds, right, count=count, seed=seed)
    assert len(chosen) == len(set(chosen)) == min(count, len(answers))
    assert chosen == choose(kinds, right, count=count, seed=seed)
    order = [kinds[row] for row in chosen]
    assert order == sorted(order)  # difference before the others


def test_a_choice_is_two_thirds_differences_and_half_right():
    kinds, right = ["difference", "view"] * 50, [True, True, False, False] * 25
    chosen = choose(kinds, right, count=12, seed=3)
    assert [kinds[row] for row in chosen] == ["difference"] * 8 + ["view"] * 4
    assert sum(right[row] for row in chosen[:8]) == 4
    assert sum(right[row] for row in chosen[8:]) == 2
    assert chosen != choose(kinds, right, count=12, seed=4)


def test_where_none_is_right_wrong_ones_are_shown():
    assert len(choose(["difference"] * 9, [False] * 9, count=6, seed=1)) == 6
