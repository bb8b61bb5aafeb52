"""The coarse and the fine contrast of the method against slow loops, with a model whose states are given."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from loops import WIDTH, GivenText, random, slow_look, slow_loss, tokens
from torch.nn.functional import cosine_similarity

from cfvqa.data.batches import PairBatch, Texts
from cfvqa.models.outputs import Reading
from cfvqa.objectives.contrast import Coarse, Fine

KEYWORDS = [[3, 5, 6, 1, 0], [3, 7, 1, 0, 0], [3, 5, 6, 1, 0], [3, 8, 9, 5, 1]]
UNITS = [0, 0, 1, 2]  # the first unit is asked twice; the second says what the first says in its first answer
WEIGHT, BIAS = random(WIDTH, WIDTH, seed=3), random(WIDTH, seed=4)


@dataclass
class Projecting:
    text: GivenText = field(default_factory=GivenText)
    log_scale: dict = field(default_factory=lambda: {"coarse": torch.tensor(0.4), "fine": torch.tensor(-0.3)})

    def contrast(self, state):
        return state @ WEIGHT.T + BIAS


@pytest.fixture
def case():
    """Model, batch and reading of four questions; the last place of each image, and some words, are not there."""
    unit, text = torch.tensor(UNITS), tokens(KEYWORDS)
    question = tokens([[3, 5, 6, 7], [3, 8, 0, 0], [3, 5, 9, 0], [3, 10, 11, 4]])
    batch = PairBatch(None, None, None, unit, question, text, text, text, None, torch.arange(4), None)
    visual, mask = random(3, 6, WIDTH, seed=1)[unit], torch.ones(4, 6, dtype=torch.bool)
    mask[:, -1] = False
    return Projecting(), batch, Reading(visual, mask, random(4, 4, WIDTH, seed=2), visual, mask, None)


def projected(state):
    return torch.stack([sum(WEIGHT[row, k] * state[k] for k in range(WIDTH)) + BIAS[row] for row in range(WIDTH)])


def slow_coarse(model, batch, reading, image, text):
    mean = torch.stack(model.text.words(KEYWORDS[text])).mean(0)
    return cosine_similarity(projected(reading.question[image, 0]), mean, dim=0).item()


def slow_fine(model, batch, reading, image, text):
    places = [projected(place) for place in reading.visual[image][reading.visual_mask[image]]]
    return slow_look(model.text.words(KEYWORDS[text]), places)


def slow_fine_of_question(model, batch, reading, image, text):
    there = [k for k in range(1, 4) if batch.question.mask[image, k]]
    return slow_look(model.text.words(KEYWORDS[text]), [projected(reading.question[image, k]) for k in there])


EQUAL = [[one == other for other in KEYWORDS] for one in KEYWORDS]
SAID = [[any(KEYWORDS[k] == text for k in range(4) if UNITS[k] == unit) for text in KEYWORDS] for unit in UNITS]
CONTRASTS = {
    "coarse": (Coarse, {}, slow_coarse, EQUAL),
    "fine": (Fine, {}, slow_fine, SAID),
    "fine_of_question": (Fine, {"context": "question"}, slow_fine_of_question, EQUAL),
}
each = pytest.mark.parametrize(("kind", "choice", "slow", "positive"), CONTRASTS.values(), ids=CONTRASTS)


@each
def test_scores_and_loss_against_a_slow_loop(case, kind, choice, slow, positive):
    expected = [[slow(*case, image, text) for text in range(4)] for image in range(4)]
    model, batch, reading = case
    scores = kind(**choice).scores(model, batch, reading, Texts(batch.answer, batch.keywords))
    torch.testing.assert_close(scores, torch.tensor(expected), rtol=1e-4, atol=1e-5)
    assert kind(**choice, scale=3.0)(*case).item() == pytest.approx(slow_loss(expected, positive, 3), rel=1e-4)
    scale = 3 * math.exp(model.log_scale[kind.__name__.lower()])
    learned = kind(**choice, scale=3.0, temperature="learned")(*case).item()
    assert learned == pytest.approx(slow_loss(expected, positive, scale), rel=1e-4)


@pytest.mark.parametrize("name", ["fine", "fine_of_question"])
def test_a_limit_takes_one_question_of_each_unit_first_and_what_all_say_of_it(case, name):
    kind, choice, slow, positive = CONTRASTS[name]
    some = [0, 2, 3]
    expected = [[slow(*case, image, text) for text in some] for image in some]
    right = [[positive[image][text] for text in some] for image in some]
    assert kind(**choice, limit=3)(*case).item() == pytest.approx(slow_loss(expected, right), rel=1e-4)
