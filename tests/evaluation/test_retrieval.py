"""Retrieval against what all orders of equal scores give, counted one by one."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from cfvqa.evaluation.metrics import add_tests
from cfvqa.evaluation.retrieval import Places, mixed, places_of_answers, places_of_pairs, retrieval

# Pairs 0 and 3 have one text; rows are pairs, columns texts.
OWN = np.array([0, 1, 2, 0])
SCORE = np.array([[2.0, 1, 1], [1, 1, 0], [3, 2, 1], [1, 3, 0]])
SUBJECTS = ["a", "b", "c", "d"]


def in_every_order(scores, hits, depth):
    """Return how often a hit is among the first, over all orders of the candidates that keep better ones in front."""
    found = []
    for order in permutations(range(len(scores))):
        if all(scores[one] >= scores[other] for one, other in pairwise(order)):
            first = next(rank for rank, candidate in enumerate(order, 1) if candidate in hits)
            found.append((first <= depth, first))
    return np.mean(found, axis=0)


def expected(direction, depth):
    rows = []
    for query, text in enumerate(OWN):
        candidates = SCORE[query][OWN] if direction == "answers" else SCORE[:, text]
        rows.append(in_every_order(candidates, set(np.flatnonzero(text == OWN)), depth))
    return np.array(rows).T


@pytest.mark.parametrize("rows", [512, 2])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("direction", "places"), [("answers", places_of_answers), ("pairs", places_of_pairs)])
def test_ties_and_equal_texts_count_as_all_their_orders_do(direction, places, depth, rows, monkeypatch):
    monkeypatch.setattr("cfvqa.evaluation.retrieval._ROWS", rows)
    recall, rank = expected(direction, depth)
    found = places(SCORE, OWN)
    assert found.recall(depth) == pytest.approx(recall)
    assert found.rank() == pytest.approx(rank)


def test_chance_is_that_of_a_draw_and_of_a_model_that_says_nothing():
    level = retrieval([np.zeros((4, 3))], OWN, SUBJECTS, draws=5)
    for recall in (level.pair_to_answer, level.answer_to_pair):
        drawn = np.array([in_every_order(np.zeros(4), set(np.flatnonzero(text == OWN)), 1) for text in OWN])
        assert recall.candidates == recall.n == 4
        assert recall.recall_1 == recall.chance_1 == pytest.approx(drawn[:, 0].mean())
        assert recall.median_rank == recall.chance_rank == pytest.approx(np.median(drawn[:, 1]))
        assert recall.recall_5 == recall.chance_10 == 1


def test_a_model_that_knows_finds_everything():
    known = (OWN[:, None] == np.arange(3)).astype(float)
    found = retrieval([known], OWN, SUBJECTS, draws=5)
    for recall in (found.pair_to_answer, found.answer_to_pair):
        assert (recall.recall_1, recall.median_rank, recall.recall_1_interval) == (1, 1, [1, 1])
        assert recall.chance_1 < 0.5


def test_many_candidates_are_no_matter_of_size():
    places = Places(np.array([0, 40_000]), np.array([99_999, 3]), np.array([1, 1]))
    assert places.recall(10) == pytest.approx([1e-4, 0], rel=1e-6, abs=1e-12)


def test_defect_41_scores_are_standardised_over_candidates_alone():
    weight = np.array([2, 1, 1])
    whole = mixed([SCORE, SCORE**2], weight)
    for row in range(4):
        assert mixed([SCORE[[row]], SCORE[[row]] ** 2], weight)[0] == pytest.approx(whole[row])
    assert (mixed([np.full((1, 3), 0.7)], weight) == 0).all()
    as_written_out = SCORE[0][OWN]
    assert mixed([SCORE], weight)[0] == pytest.approx((SCORE[0] - as_written_out.mean()) / as_written_out.std())


def test_intervals_stand_beside_the_others():
    empty = {"interval": {}, "undefined": {}}
    figures = add_tests(empty, {"retrieval": retrieval([SCORE], OWN, SUBJECTS, draws=20)})
    low, high = figures["interval"]["retrieval"]["pair_to_answer"]["recall_1"]
    assert low <= figures["retrieval"]["pair_to_answer"]["recall_1"] <= high
    assert not [name for name in figures["retrieval"]["answer_to_pair"] if name.endswith("interval")]
