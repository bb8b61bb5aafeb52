"""The siamese reader: what it says of a pair is exchanged with its images, and is always a sentence of the grammar."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import ANSWERS, SIAMESE, batch_of, model_of

from cfvqa.data.batches import swap_images
from cfvqa.language.change_labels import KINDS, changes_of_labels
from cfvqa.language.grammar import ChangeKind, flip_answer, parse_changes
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.change_head import ChangeHead, ChangeLogits
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

A, L = len(ANSWER_FINDINGS), len(LEVEL_WORDS)


SENTENCES = [
    *(f"the level of {finding} has changed from mild to moderate." for finding in ANSWER_FINDINGS),
    *LEVEL_WORDS,
    "the main image has additional findings of edema, and hernia than the reference image.",
    "the main image is missing the findings of edema than the reference image. nothing",
]


@pytest.fixture
def case():
    """A model that knows difference questions, in a state in which it finds many changes, and a batch."""
    tokenizer = AnswerTokenizer.train([*ANSWERS, *SENTENCES, "is there edema?"])
    model = model_of(tokenizer, SIAMESE)
    torch.nn.init.constant_(model.asked.weight, 0)
    torch.nn.init.constant_(model.asked.bias, 1)
    torch.nn.init.normal_(model.change_head.kind.weight, generator=torch.Generator().manual_seed(3))
    return model, batch_of(tokenizer)


def answer(model, batch):
    with torch.inference_mode():
        return model.answer(model.read(batch), batch, max_new_tokens=5)


def test_exchanged_images_give_the_exchanged_answer(case):
    model, batch = case
    there, back = (answer(model, pair)[0][:1] for pair in (batch, swap_images(batch)))
    said, turned = (model.tokenizer.decode(np.asarray(ids))[0] for ids in (there, back))
    assert parse_changes(said)
    assert turned == flip_answer(said)


def test_an_answer_in_which_all_findings_change_level_is_whole(case):
    model, _ = case
    before, after = LEVEL_WORDS.index("moderate to large"), LEVEL_WORDS.index("moderate to severe")
    labels = torch.tensor([KINDS.index(ChangeKind.LEVEL), before, after]).expand(2, A, 3)
    said = model.tokenizer.decode(model._compose(labels).numpy())
    assert parse_changes(said[1]) == frozenset(changes_of_labels(labels[1].numpy()))


def test_questions_about_one_image_are_answered_by_the_writer(case):
    model, batch = case
    with torch.inference_mode():
        reading = model.read(batch)
        written, _ = model.text.generate(reading.memory[1:], reading.memory_mask[1:], max_new_tokens=5)
    ids, scores = answer(model, batch)
    assert ids[1, : written.shape[1]].tolist() == written[0].tolist()
    assert (ids[1, written.shape[1] :] == model.text.special.pad).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_question_that_asks_for_no_change_is_written_about_a_pair_too(case):
    model, batch = case
    torch.nn.init.constant_(model.asked.bias, -1)
    with torch.inference_mode():
        reading = model.read(batch)
        written, _ = model.text.generate(reading.memory, reading.memory_mask, max_new_tokens=5)
    assert torch.equal(answer(model, batch)[0], written)


def test_attention_of_changes_lies_where_the_changed_finding_is_seen(case):
    model, batch = case
    batch.main.probability[:], batch.reference.probability[:] = 0, 0
    batch.main.probability[0, 3, FINDINGS.index("hernia")] = 0.9
    reading = model.read(batch)
    kind = torch.zeros(2, A, len(KINDS))
    kind[..., 0] = 20.0  # nothing has changed but the hernia
    kind[0, ANSWER_FINDINGS.index("hernia"), 1] = 40.0
    model.finding_states.look.data.mul_(100)
    reading = replace(reading, changes=replace(reading.changes, kind=kind))
    assert model.region_attention(reading, batch)[0, 0, 3].item() == pytest.approx(1, abs=1e-3)


def test_attention_is_finite_where_it_is_certain_that_nothing_has_changed(case):
    model, batch = case
    reading = model.read(batch)
    kind = torch.zeros(2, A, len(KINDS))
    kind[..., 0] = 100.0
    reading = replace(reading, changes=replace(reading.changes, kind=kind))
    assert model.region_attention(reading, batch).isfinite().all()


def test_the_head_exchanges_what_it_says_with_the_images():
    head = ChangeHead(width=6, dropout=0.0)
    main, reference = torch.randn(2, 3, A, 6, generator=torch.Generator().manual_seed(0))
    there, back = head(main, reference), head(reference, main)
    assert torch.allclose(there.kind[..., [0, 2, 1, 3]], back.kind, atol=1e-6)
    assert torch.equal(there.before, back.after)
    assert torch.equal(there.after, back.before)


def test_a_decision_is_the_likeliest_and_its_probability_is_that_of_all_labels():
    kind = torch.tensor([[[0.0, math.log(3), 0.0, 0.0], [0.0, 0.0, 0.0, math.log(9)]]])  # one half; three quarters
    before, after = torch.zeros(1, 2, L), torch.zeros(1, 2, L)
    before[..., 4], after[..., 4] = 50.0, 50.0  # the same word twice is no change
    after[..., 6] = 49.0
    before[..., 7] = 40.0
    labels, probability = ChangeLogits(kind, before, after).decide()
    assert labels.tolist() == [[[1, -1, -1], [3, 4, 6]]]
    assert probability.item() == pytest.approx(0.5 * 0.75, rel=1e-3)


def test_equal_images_have_no_change_that_would_have_a_direction():
    head = ChangeHead(width=6, dropout=0.0)
    torch.nn.init.constant_(head.kind.bias, 0)
    head.kind.weight.data[0] = -10  # all but "nothing"
    state = torch.randn(3, A, 6, generator=torch.Generator().manual_seed(0))
    found = head(state, state)
    assert (found.kind.argmax(-1) > 0).any()
    labels, _ = found.decide()
    assert not labels[..., 0].any()


def test_every_decision_is_a_set_of_changes():
    torch.manual_seed(0)
    labels, _ = ChangeLogits(torch.randn(50, A, 4), torch.randn(50, A, L), torch.randn(50, A, L)).decide()
    for row in labels.numpy():
        assert len(changes_of_labels(row)) == (row[:, 0] > 0).sum()
