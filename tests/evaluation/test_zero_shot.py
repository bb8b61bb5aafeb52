import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc

from cfvqa.evaluation.charts import Figure
from cfvqa.evaluation.contrast_tables import page_tables_of
from cfvqa.evaluation.intervals import SubjectBootstrap, bounds
from cfvqa.evaluation.metrics import add_tests
from cfvqa.evaluation.zero_shot import auroc, prompts_for, zero_shot
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, parse_changes

EDEMA = Change("edema", ChangeKind.ADDED)
GONE = Change("edema", ChangeKind.REMOVED)
LEVEL = Change("pneumothorax", ChangeKind.LEVEL, "mild", "severe")
TRUTH = [frozenset({EDEMA}), frozenset(), frozenset({GONE, LEVEL}), frozenset({EDEMA, LEVEL})]


def test_areas_are_those_of_all_pairs_whatever_they_weigh():
    generator = np.random.default_rng(0)
    score = generator.integers(0, 6, 30) / 6  # with ties
    positive = generator.random(30) < 0.4
    weight = generator.integers(0, 3, (4, 30))
    for found, one in zip(auroc(score, positive, weight), weight, strict=True):
        above = below = 0.0
        for i in np.flatnonzero(positive):
            for j in np.flatnonzero(~positive):
                above += one[i] * one[j] * ((score[i] > score[j]) + 0.5 * (score[i] == score[j]))
                below += one[i] * one[j]
        assert found == pytest.approx(above / below)
    plain = auroc(score, positive, np.ones((1, 30)))[0]
    assert plain == pytest.approx(binary_auroc(torch.from_numpy(score), torch.from_numpy(positive.astype(int))).item())


def test_an_area_without_positives_or_negatives_is_not_defined():
    for positive in ([False, False], [True, True]):
        assert math.isnan(auroc(np.arange(2.0), np.array(positive), np.ones((1, 2)))[0])


def test_sentences_are_those_of_the_grammar_about_what_ever_changes():
    prompts = prompts_for(TRUTH)
    assert [prompt.change for prompt in prompts] == [EDEMA, GONE, None]
    assert [parse_changes(prompt.text) for prompt in prompts] == [{EDEMA}, {GONE}, frozenset()]
    assert prompts[-1].text == NOTHING
    assert [[prompt.true_of(changes) for changes in TRUTH] for prompt in prompts] == [
        [True, False, False, True],
        [False, False, True, False],
        [False, True, False, False],
    ]


def test_a_finding_that_changes_in_training_alone_has_no_figure():
    prompts = prompts_for(TRUTH)
    found = zero_shot(np.zeros((2, 3)), prompts, TRUTH[:2], ["a", "b"], draws=5)
    assert (list(found.added), list(found.removed)) == (["edema"], [])
    assert (found.added_macro, math.isnan(found.removed_macro)) == (0.5, True)


def test_figures_of_scores_that_know_and_of_scores_that_do_not():
    prompts = prompts_for(TRUTH)
    score = np.array([[prompt.true_of(changes) for prompt in prompts] for changes in TRUTH], dtype=float)
    score[:, 1] = 0.3
    found = zero_shot(score, prompts, TRUTH, ["a", "b", "c", "d"], draws=30)
    assert (found.n, found.added["edema"].n, found.removed["edema"].n, found.unchanged.n) == (4, 2, 1, 1)
    assert (found.added_macro, found.removed_macro, found.unchanged.auroc) == (1, 0.5, 1)
    assert found.added_macro_interval == [1, 1]
    assert found.removed_macro_interval == [0.5, 0.5]
    areas = [one.auroc_interval for one in (found.added["edema"], found.removed["edema"], found.unchanged)]
    assert areas == [[1, 1], [0.5, 0.5], [1, 1]]


def test_each_area_has_the_interval_of_draws_of_its_subjects_and_shows_it():
    prompts = prompts_for(TRUTH)
    score, subjects = np.random.default_rng(0).random((40, 3)), [f"s{n // 2}" for n in range(40)]
    found = zero_shot(score, prompts, TRUTH * 10, subjects, seed=3, draws=50)
    figures = add_tests({"interval": {}, "undefined": {}}, {"zero_shot": found})
    positive = np.array([EDEMA in changes for changes in TRUTH * 10])
    drawn = []
    for rows in SubjectBootstrap(subjects, draws=50, seed=3).samples():
        drawn.append(auroc(score[rows, 0], positive[rows], np.ones((1, len(rows))))[0])
    low, high = bounds(np.array(drawn))
    assert figures["interval"]["zero_shot"]["added"]["edema"]["auroc"] == pytest.approx([low, high])
    _, by_finding = page_tables_of(figures)
    assert by_finding.rows[0].figures[0] == Figure(found.added["edema"].auroc, low, high)


def test_what_is_not_defined_says_why_and_is_a_dash_on_the_page():
    truth = [frozenset(), frozenset()]
    prompts = prompts_for(truth)
    judged = zero_shot(np.zeros((2, 1)), prompts, truth, ["a", "b"], draws=5)
    figures = add_tests({"interval": {}, "undefined": {}}, {"zero_shot": judged})
    assert figures["zero_shot"]["added_macro"] is figures["zero_shot"]["unchanged"]["auroc"] is None
    assert "no finding" in figures["undefined"]["zero_shot.added_macro"]
    small, by_finding = page_tables_of(figures)
    assert [row.figures[0].value for row in small.rows] == [None, None, None]
    assert by_finding.rows == ()
