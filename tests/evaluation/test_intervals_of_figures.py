"""Every headline figure has an interval by subject; of one subject, whose draws are all alike, it is the figure."""

import numpy as np
import polars as pl
import pytest

from cfvqa.evaluation.calibration import calibration
from cfvqa.evaluation.flip import flip_consistency
from cfvqa.evaluation.intervals import macro_f1
from cfvqa.evaluation.metrics import add_tests, evaluate_predictions
from cfvqa.evaluation.predictions import SCHEMA
from cfvqa.evaluation.retrieval import retrieval
from cfvqa.evaluation.text_scores import FIGURES
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, flip_answer, write_changes

EDEMA = Change("edema", ChangeKind.ADDED)
BOTH = write_changes([EDEMA, Change("hernia", ChangeKind.REMOVED)])
ONE = write_changes([EDEMA])
LEVEL = write_changes([Change("pneumothorax", ChangeKind.LEVEL, "mild", "severe")])


def table(subjects):
    """Five answers to difference questions, some of them right."""
    pairs = [(BOTH, ONE), (ONE, ONE), (LEVEL, BOTH), (NOTHING, NOTHING), (LEVEL, LEVEL)]
    rows = [
        {"question_id": f"q{n}", "subject_id": subjects[n], "question_type": "difference", "score": n / 5}
        | {"answer": truth, "prediction": answer}
        for n, (truth, answer) in enumerate(pairs)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def test_the_interval_of_one_subject_is_the_figure():
    figures = evaluate_predictions(table("aaaaa"), draws=5)
    texts, intervals = figures["by_type"]["difference"], figures["interval"]["by_type"]["difference"]
    assert {name: intervals[name] for name in FIGURES} == {name: pytest.approx([texts[name]] * 2) for name in FIGURES}
    changes, intervals = figures["changes"], figures["interval"]["changes"]
    for name in ("f1", "precision", "recall", "macro_f1", "level_accuracy", "unchanged_accuracy"):
        assert intervals[name] == pytest.approx([changes[name]] * 2), name
    assert list(intervals["by_finding"]) == ["edema", "hernia", "pneumothorax"]
    for name, one in intervals["by_finding"].items():
        for figure in ("f1", "precision", "recall"):
            assert one[figure] == pytest.approx([changes["by_finding"][name][figure]] * 2), (name, figure)


def test_the_interval_of_several_subjects_holds_the_figure():
    figures = evaluate_predictions(table("aabbc"), draws=200)
    low, high = figures["interval"]["by_type"]["difference"]["meteor"]
    assert low < figures["by_type"]["difference"]["meteor"] < high
    low, high = figures["interval"]["changes"]["macro_f1"]
    assert low < figures["changes"]["macro_f1"] < high


def test_tests_of_a_model_have_intervals_too():
    asked = table("aaaaa")
    turned = [flip_answer(ONE), ONE, flip_answer(BOTH), NOTHING, NOTHING]
    tests = {
        "flip": flip_consistency(asked.with_columns(swapped=pl.Series(turned)), draws=5),
        "calibration": calibration(asked, draws=5),
        "retrieval": retrieval([np.eye(5)[:, ::-1]], np.arange(5), list("aaaaa"), draws=5),
    }
    figures = add_tests({"interval": {}, "undefined": {}}, tests)
    places = [("flip", "consistency"), ("flip", "jaccard"), ("flip", "consistency_changed")]
    for test, name in (*places, ("calibration", "area"), ("calibration", "accuracy")):
        assert figures["interval"][test][name] == pytest.approx([figures[test][name]] * 2), name
    for coverage, risk in figures["calibration"]["risk"].items():
        assert figures["interval"]["calibration"]["risk"][coverage] == pytest.approx([risk] * 2)
    ranks = figures["interval"]["retrieval"]["pair_to_answer"]["median_rank"]
    assert ranks[0] <= figures["retrieval"]["pair_to_answer"]["median_rank"] <= ranks[1]


def test_macro_f1_leaves_out_findings_without_any_true_change():
    counts = np.array([[1, 1, 0], [0, 5, 0], [0, 0, 2]], dtype=float)  # F1 of 2/3, none that is true, 0
    assert macro_f1(counts.ravel()) == pytest.approx(1 / 3)
    assert np.isnan(macro_f1(np.zeros((2, 3)))).all()
    assert np.isnan(macro_f1(np.zeros(0)))
