import numpy as np
import polars as pl
import pytest

from cfvqa.evaluation.changes import count_changes, score_changes
from cfvqa.language.grammar import Change, ChangeKind, flip_answer, write_changes

A = write_changes([Change("edema", ChangeKind.ADDED), Change("hernia", ChangeKind.REMOVED)])
B = write_changes([Change("edema", ChangeKind.LEVEL, "mild", "severe")])
N = "nothing has changed."


def scores(pairs):
    table = pl.DataFrame(
        {
            "question_id": [f"q{n}" for n in range(len(pairs))],
            "answer": [truth for truth, _ in pairs],
            "prediction": [answer for _, answer in pairs],
        }
    )
    return score_changes(count_changes(table))


def test_right_answers_are_right():
    result = scores([(A, A), (B, B), (N, N)])
    assert (result.f1, result.direction_accuracy, result.level_accuracy, result.unchanged_accuracy) == (1, 1, 1, 1)


def test_every_change_reversed_scores_nothing():
    result = scores([(A, flip_answer(A))])
    assert result.f1 == 0
    assert result.direction_accuracy == 0


def test_an_answer_that_does_not_parse_is_counted_and_never_dropped():
    result = scores([(A, "i do not know"), (A, A)])
    assert result.unparsed == 1
    assert result.n == 2
    assert result.recall == pytest.approx(0.5)
    assert result.precision == 1


def test_micro_average_in_closed_form():
    one = write_changes([Change("edema", ChangeKind.ADDED), Change("fracture", ChangeKind.ADDED)])
    result = scores([(A, one)])  # one right, one invented, one missed
    assert (result.precision, result.recall, result.f1) == (0.5, 0.5, 0.5)
    assert result.by_finding["hernia"].recall == 0


@pytest.mark.parametrize("answer", [A, N, "gibberish"])
def test_a_truth_that_does_not_parse_is_counted_and_changes_no_figure(answer):
    whole, known = (scores([(A, A), (B, A), (N, N), *more]).figures() for more in ([("gibberish", answer)], []))
    assert whole == known | {"unparsed_truth": 1}
    assert (whole["n"], known["unparsed_truth"]) == (3, 0)


def test_hallucinated_findings_are_those_that_did_not_change_whatever_is_said_of_them():
    truth = "the main image has an additional finding of edema than the reference image."
    answer = "the main image is missing the findings of edema, hernia, and pneumothorax than the reference image."
    assert scores([(truth, answer), (truth, truth)]).hallucinated_per_100 == 100


def test_hallucinated_findings_are_of_the_answers_that_parse():
    contradiction = A.replace("hernia", "edema")
    result = scores([(N, A), (B, B), (N, contradiction), (A, "i do not know")])
    assert (result.hallucinated_per_100, result.unparsed) == (100, 2)  # two of two, not of four
    assert np.isnan(scores([(N, contradiction)]).hallucinated_per_100)


def test_confusion_counts_findings_by_what_happened_and_what_was_said():
    truth = "the main image has additional findings of edema, and hernia than the reference image."
    answer = "the main image is missing the findings of edema, and pneumothorax than the reference image."
    confusion = scores([(truth, answer)]).confusion
    assert confusion["added"] == {"level": 0, "added": 0, "removed": 1, "none": 1}
    assert confusion["none"] == {"level": 0, "added": 0, "removed": 1}
    assert sum(confusion["removed"].values()) == 0
