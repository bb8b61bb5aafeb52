"""The contrasts of GLoRIA against slow loops, with a model whose states are given."""

from dataclasses import dataclass, field

import pytest
import torch
from loops import WIDTH, GivenText, random, slow_look, slow_loss, tokens
from torch.nn.functional import cosine_similarity, pad

from cfvqa.data.batches import PairBatch, Texts, Tokens
from cfvqa.models.outputs import Reading
from cfvqa.objectives.contrast import multi_positive_loss, spread, texts_of_units
from cfvqa.objectives.gloria import GloriaGlobal, GloriaLocal

ANSWERS = [[3, 5, 6, 1, 0], [3, 7, 1, 0, 0], [3, 8, 9, 5, 1]]


@dataclass
class GivenModel:
    text: GivenText = field(default_factory=GivenText)

    def whole(self, reading):
        return reading.question[:, 0]


def case(answers, units=None, *, places=6):
    """Return model, batch and reading of Q questions; the last place of each image is not there."""
    count = len(answers)
    text = tokens(answers)
    unit = torch.arange(count) if units is None else torch.tensor(units)
    batch = PairBatch(None, None, None, unit, text, text, text, text, None, torch.arange(count), None)
    visual = random(4, places, WIDTH, seed=1)[unit]
    mask = torch.ones(count, places, dtype=torch.bool)
    mask[:, -1] = False
    whole = random(4, 1, WIDTH, seed=2)[unit]
    return GivenModel(), batch, Reading(visual, mask, whole, visual, mask, None)


def slow_global(model, reading, image, answer):
    mean = torch.stack(model.text.words(answer)).mean(0)
    return cosine_similarity(reading.question[image, 0], mean, dim=0).item()


def slow_local(model, reading, image, answer):
    return slow_look(model.text.words(answer), reading.visual[image][reading.visual_mask[image]])


CONTRASTS = [(GloriaGlobal(), slow_global), (GloriaLocal(), slow_local)]
both = pytest.mark.parametrize(("objective", "slow"), CONTRASTS, ids=["global", "local"])


@both
def test_scores_and_loss_against_a_slow_loop(objective, slow):
    answers, units = [*ANSWERS, ANSWERS[0]], [0, 1, 1, 2]
    model, batch, reading = case(answers, units)
    expected = [[slow(model, reading, image, answer) for answer in answers] for image in range(4)]
    texts = Texts(batch.answer, batch.keywords)
    torch.testing.assert_close(
        objective.scores(model, batch, reading, texts), torch.tensor(expected), rtol=1e-4, atol=1e-5
    )
    said = [
        [any(answers[k] == answers[j] for k in range(4) if units[k] == units[i]) for j in range(4)] for i in range(4)
    ]
    assert said == texts_of_units(batch.answer, batch.unit).tolist()
    assert objective(model, batch, reading).item() == pytest.approx(slow_loss(expected, said), rel=1e-4)


@both
def test_defect_40_padding_changes_nothing_and_training_sees_the_scores_that_are_judged(objective, slow):
    model, batch, reading = case(ANSWERS)
    score = objective.scores(model, batch, reading, Texts(batch.answer, batch.keywords))
    loss = multi_positive_loss(10 * score, torch.eye(3, dtype=torch.bool), torch.ones(3, dtype=torch.bool))
    assert objective(model, batch, reading).item() == pytest.approx(loss.item(), rel=1e-5)
    longer = Tokens(pad(batch.answer.ids, (0, 7)), pad(batch.answer.mask, (0, 7)))
    torch.testing.assert_close(objective.scores(model, batch, reading, Texts(longer, longer)), score)


@both
def test_defect_41_a_pair_alone_has_the_scores_that_it_has_among_others(objective, slow):
    model, batch, reading = case(ANSWERS)
    texts = Texts(batch.answer, batch.keywords)
    together = objective.scores(model, batch, reading, texts)
    _, one, alone = case(ANSWERS[:1])
    torch.testing.assert_close(objective.scores(model, one, alone, texts), together[:1])
    assert objective(model, one, alone).item() == pytest.approx(0, abs=1e-6)


@both
def test_defect_42_two_equal_answers_do_not_push_each_other(objective, slow):
    model, batch, reading = case([ANSWERS[0], ANSWERS[0]])
    for name in ("visual", "question"):
        same = getattr(reading, name)[:1].repeat(2, 1, 1).requires_grad_()
        setattr(reading, name, same)
    objective(model, batch, reading).backward()
    grown = [part.grad for part in (reading.visual, reading.question) if part.grad is not None]
    assert len(grown) == 1
    assert grown[0].abs().max() < 1e-6


def test_targets_are_symmetric_where_each_unit_has_one_text():
    text = tokens([[5, 6], [7, 0], [5, 6], [8, 0]])
    same = texts_of_units(text, torch.arange(4))
    assert torch.equal(same, same.T)
    assert same.sum() == 6


def test_a_limit_leaves_out_no_image_before_the_second_text_of_another():
    unit = torch.tensor([0, 0, 0, 1, 1, 2])
    assert spread(unit, 4).tolist() == [0, 3, 5, 1]
    assert sorted(spread(unit, 16).tolist()) == list(range(6))


def test_what_a_limit_leaves_out_is_still_said_of_its_image():
    answers, units = [ANSWERS[0], ANSWERS[1], ANSWERS[1]], [0, 0, 1]
    model, batch, reading = case(answers, units)
    loss = GloriaLocal(limit=2)(model, batch, reading)
    rows = [[slow_local(model, reading, image, answers[text]) for text in (0, 2)] for image in (0, 2)]
    assert loss.item() == pytest.approx(slow_loss(rows, [[True, True], [False, True]]), rel=1e-4)


def test_defect_17_a_single_word_looks_where_it_is_named():
    model, batch, reading = case([[3, 5, 1]])
    reading.visual[0, 2] = 3 * model.text.table[5]
    texts = Texts(batch.answer, batch.keywords)
    shares = [
        GloriaLocal(sharpness=50.0, softmaxes=softmaxes).word_attention(model, batch, reading, texts).weight[0, 1]
        for softmaxes in (1, 2)
    ]
    assert shares[0].argmax() == 2
    assert shares[0][-1] == 0
    assert torch.allclose(shares[1][:-1], torch.tensor(1 / 5))  # the choice has the defect, and says so


def test_words_look_in_the_images_of_their_own_question():
    model, batch, reading = case(ANSWERS)
    found = GloriaLocal().word_attention(model, batch, reading, Texts(batch.answer, batch.keywords))
    assert found.weight.shape == (3, 5, 6)
    assert torch.equal(found.word.mask, batch.answer.ids > 3)
    _, one, alone = case(ANSWERS[:1])
    single = GloriaLocal().word_attention(model, one, alone, Texts(one.answer, one.keywords))
    torch.testing.assert_close(single.weight[0], found.weight[0])
