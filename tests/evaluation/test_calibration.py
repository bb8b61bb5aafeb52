import numpy as np
import polars as pl
import pytest

from cfvqa.evaluation.calibration import calibration, calibration_error, right_answers, risk_by_coverage
from cfvqa.evaluation.predictions import SCHEMA

ADDED = "the main image has an additional finding of edema than the reference image."


def table(rows):
    """A table of predictions from rows (type, truth, answer, score); two questions a subject."""
    names = ("question_type", "answer", "prediction", "score")
    fixed = {"main_image": "a", "reference_image": "b", "question": "?", "attention_main": None}
    full = [
        {"question_id": f"q{n}", "subject_id": f"s{n // 2}", "attention_reference": None}
        | fixed
        | dict(zip(names, row, strict=True))
        for n, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=SCHEMA)


def test_an_answer_about_changes_is_right_if_its_changes_are_however_it_is_worded():
    doubled = f"{ADDED} {ADDED}"
    rows = [("difference", ADDED, doubled, 1), ("difference", ADDED, "nothing has changed.", 1)]
    rows += [("difference", "nothing has changed.", "no idea", 1), ("view", "pa view", "PA view", 1)]
    rows += [("presence", "yes", "no", 1)]
    rows += [("difference", "better", "Better.", 1), ("difference", "better", "nothing has changed.", 1)]
    assert right_answers(table(rows)).tolist() == [True, False, False, True, False, True, False]


def test_the_risk_grows_with_what_is_covered():
    risk = risk_by_coverage(np.array([0.2, 0.9, 0.8, 0.1]), np.array([False, True, True, False]))
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_answers_of_one_score_stand_in_no_order():
    score = np.array([0.5, 0.5, 0.5, 0.9])
    for right in ([True, False, False, True], [False, False, True, True]):
        assert risk_by_coverage(score, np.array(right)).tolist() == pytest.approx([0, 1 / 3, 4 / 9, 1 / 2])


def test_scores_that_say_the_share_of_right_answers_have_no_error():
    right = np.array([True] * 8 + [False] * 2)
    assert calibration_error(np.full(10, 0.8), right) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.full(10, 0.5), right) == pytest.approx(0.3, abs=1e-6)


def test_error_and_interval_have_the_same_bins_for_a_certain_answer_too():
    rows = [("presence", "yes", "no", 1.0), ("presence", "yes", "yes", 0.95)]
    found = calibration(table(rows), draws=5)  # of one subject, so that every draw is all
    assert found.error == pytest.approx((1.95 - 1) / 2)  # of one bin: what one says too much, the other makes up for
    assert found.error_interval == pytest.approx([found.error] * 2)


def test_figures_of_a_table():
    rows = [("presence", "yes", "yes", 0.9)] * 6 + [("presence", "yes", "no", 0.6)] * 2
    found = calibration(table(rows), draws=200)
    assert found.n == 8
    assert found.accuracy == 0.75
    assert found.error == pytest.approx((6 * 0.1 + 2 * 0.6) / 8, abs=1e-6)
    assert found.risk == {"0.25": 0, "0.5": 0, "0.75": 0, "1": 0.25}
    assert found.area == pytest.approx((1 / 7 + 2 / 8) / 8)
    assert found.accuracy_interval[0] < found.accuracy <= found.accuracy_interval[1]
    assert found.error_interval[0] <= found.error <= found.error_interval[1]
    assert found.area_interval[0] <= found.area <= found.area_interval[1]


def test_answers_without_scores_say_nothing():
    assert calibration(table([("presence", "yes", "yes", None)])) is None
