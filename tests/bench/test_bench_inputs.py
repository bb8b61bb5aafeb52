"""What is measured on: drawn, always the same, and in the shapes of a training."""

import torch

from cfvqa.bench.inputs import draw_questions, open_inputs
from cfvqa.bench.padding import padding_share, sorted_by_length
from cfvqa.language.grammar import parse_changes


def test_questions_are_those_of_a_data_set_and_always_the_same():
    questions = draw_questions(20, seed=1)
    assert questions.equals(draw_questions(20, seed=1))
    assert not questions.equals(draw_questions(20, seed=2))
    difference = questions.filter(questions["question_type"] == "difference")
    assert len(difference) == 20
    assert difference["reference_image"].null_count() == 0
    assert all(parse_changes(answer) is not None for answer in difference["answer"])
    others = questions.filter(questions["question_type"] != "difference")
    assert others["reference_image"].null_count() == len(others)


def test_a_batch_is_of_pairs_with_features_of_the_networks(lab, config):
    batch = lab.inputs.pair_batch()
    assert len(batch.unit) == config.bench.units
    assert bool(batch.has_reference.all())
    assert batch.main.region.shape == (2, 24, 128)
    assert batch.main.finding.shape == (2, 24, 192)
    again = open_inputs(config, lab.folder).pair_batch()
    assert torch.equal(again.answer.ids, batch.answer.ids)
    assert torch.equal(again.main.region, batch.main.region)


def test_sorted_batches_hold_the_same_questions_with_less_padding(lab):
    rows = lab.inputs.pairs()[:16]
    ordered = sorted_by_length(lab.inputs, rows)
    assert sorted(ordered) == sorted(rows)
    shares = [
        padding_share([lab.inputs.batch(order[start : start + 4]) for start in range(0, 16, 4)])
        for order in (rows, ordered)
    ]
    assert 0 <= shares[1] < shares[0] < 1
