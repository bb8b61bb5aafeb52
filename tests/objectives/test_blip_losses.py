"""The losses of BLIP against independent loops, and what must never happen in them."""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch

from cfvqa.data.batches import Tokens
from cfvqa.models.momentum import Momentum, Queue
from cfvqa.models.outputs import Reading
from cfvqa.models.writing import SpecialIds
from cfvqa.objectives.hard_matching import HardMatching, draw_negatives
from cfvqa.objectives.momentum_contrast import ImageTextContrast, contrast_targets, text_ids

SPECIAL = SpecialIds(pad=0, sep=1, mask=2, dec=3, cls=4, enc=5, specials=(0, 1, 2, 3, 4, 5), content=())
WIDTH = 4


def tokens(*rows):
    ids = torch.tensor(rows)
    return Tokens(ids, ids != 0)


def units(count, seed):
    rows = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


class Slow(Momentum):
    """A queue, and slow copies that say what they are told."""

    def __init__(self, image, text, length=6):
        super().__init__(torch.nn.Linear(1, 1), space=WIDTH, length=length)
        self.said = image, text
        self.followed = []

    def follow(self, towers, momentum):
        self.followed.append(momentum)
        self.steps += 1

    def see(self, batch):
        return self.said


@dataclass
class Model:
    """Fast directions that are given, and a matching head that says so much of each answer."""

    image: torch.Tensor
    text_direction: torch.Tensor
    momentum: Slow = None
    training: bool = True
    towers: object = None
    temperature: torch.nn.Parameter = field(default_factory=lambda: torch.nn.Parameter(torch.tensor(0.2)))
    read_pairs: list = field(default_factory=list)

    def directions(self, reading, answer):
        return self.image, self.text_direction

    @property
    def text(self):
        return SimpleNamespace(special=SPECIAL, read=self._read)

    def _read(self, text, visual, mask):
        assert (text.ids[:, 0] == SPECIAL.enc).all()
        images = visual[:, 0, 0].long().tolist()
        self.read_pairs = list(zip(images, text.ids[:, 1].tolist(), strict=True))
        return torch.ones(len(images), 2, WIDTH), None

    def match(self, state):
        return torch.tensor([0.0, math.log(3)]).expand(len(state), 2)  # "belongs" with probability 3/4


def case(*answers, unit=None):
    """Return a batch with these answers, and what was read: the image of a question is its number."""
    count = len(answers)
    batch = SimpleNamespace(answer=tokens(*answers), unit=torch.arange(count) if unit is None else torch.tensor(unit))
    visual = torch.arange(count).float().view(-1, 1, 1).expand(-1, 2, WIDTH)
    return batch, Reading(visual, torch.ones(count, 2, dtype=torch.bool), visual, visual, None, None)


def slow_loop(fast, slow, candidates, same, alpha, temperature):
    """Return one direction of the contrast, item by item."""
    total = 0.0
    for i in range(len(fast)):
        logits = [float(fast[i] @ other) / temperature for other in candidates]
        told = [math.exp(float(slow[i] @ other) / temperature) for other in candidates]
        normal = math.log(sum(math.exp(value) for value in logits))
        count = sum(same[i])
        for value, weight, positive in zip(logits, told, same[i], strict=True):
            target = alpha * weight / sum(told) + (1 - alpha) * positive / count
            total -= target * (value - normal)
    return total / len(fast)


A, B, C = [3, 7, 1, 0], [3, 8, 9, 1], [3, 8, 1, 0]


@pytest.mark.parametrize("queued", [0, 5, 9])
def test_the_contrast_against_a_slow_loop(queued):
    batch, reading = case(A, B, A)
    image, text, slow_image, slow_text = (units(3, seed) for seed in range(4))
    slow = Slow(slow_image, slow_text)
    ids = text_ids(batch.answer)
    old = text_ids(tokens(B, C, A, C, C, B, A, C, B))[:queued]
    slow.enqueue(units(9, 5)[:queued], units(9, 6)[:queued], old)
    queue = slow.queue()
    slow.steps += 24
    model = Model(image, text, slow)
    loss = ImageTextContrast(alpha=0.4, warmup=50)(model, batch, reading)  # this is step 25
    assert slow.followed == [0.995]
    seen = [*ids.tolist(), *queue.ids.tolist()]
    same = [[own == other for other in seen] for own in ids.tolist()]
    expected = (
        slow_loop(image, slow_image, [*slow_text, *queue.text], same, 0.2, 0.2)
        + slow_loop(text, slow_text, [*slow_image, *queue.image], same, 0.2, 0.2)
    ) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert int(slow.written) == queued + 3  # what was seen now is there for the next step, and not before


def test_outside_of_training_nothing_moves():
    batch, reading = case(A, B, A)
    slow = Slow(units(3, 2), units(3, 3))
    model = Model(units(3, 0), units(3, 1), slow, training=False)
    model.temperature.data.fill_(9.0)
    ImageTextContrast()(model, batch, reading)
    assert (slow.followed, int(slow.steps), int(slow.written), model.temperature.item()) == ([], 0, 0, 9.0)


@pytest.mark.parametrize(("given", "kept"), [(9.0, 0.5), (0.0, 0.001), (0.3, 0.3)])
def test_the_temperature_stays_within_its_bounds_and_is_learned(given, kept):
    batch, reading = case(A, B, A)
    model = Model(units(3, 0), units(3, 1), Slow(units(3, 2), units(3, 3)))
    model.temperature.data.fill_(given)
    ImageTextContrast()(model, batch, reading).backward()
    assert model.temperature.item() == pytest.approx(kept)
    assert model.temperature.grad.abs() > 0


def test_defect_42_equal_answers_are_not_pushed_apart():
    batch, reading = case(A, A)
    image, text = units(2, 0).requires_grad_(), units(1, 1).expand(2, -1)
    model = Model(image, text, Slow(units(2, 2), text))
    ImageTextContrast(alpha=0.0)(model, batch, reading).backward()
    assert image.grad.abs().max() < 1e-6  # in either place the answer is the same, and both are right


def test_defect_42_an_equal_answer_in_the_queue_is_a_positive():
    batch, reading = case(A)
    image, text = units(1, 0).requires_grad_(), units(1, 1)
    slow = Slow(units(1, 2), text)
    slow.enqueue(units(1, 3), text, text_ids(batch.answer))
    ImageTextContrast(alpha=0.0)(Model(image, text, slow), batch, reading).backward()
    assert image.grad.abs().max() < 1e-6


def test_defect_42_targets_are_symmetric_and_each_is_a_distribution():
    ids = text_ids(tokens(A, B, A, C, A))
    same = ids.unsqueeze(1) == ids
    score = units(5, 0) @ units(5, 1).T
    hard = contrast_targets(same, score, 0.0)
    assert torch.equal(hard, hard.T)
    assert hard[0].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 0, 1 / 3])
    soft = contrast_targets(same, score, 0.4)
    assert torch.allclose(soft.sum(1), torch.ones(5))
    assert torch.allclose(soft, 0.6 * hard + 0.4 * score.softmax(1))


def test_equal_texts_share_a_number_whatever_pads_them_or_comes_first():
    one, padded = (
        text_ids(tokens(A, B, C)),
        text_ids(tokens([4, 7, 1, 0, 0, 0], [4, 8, 9, 1, 0, 0], [4, 8, 1, 0, 0, 0])),
    )
    assert torch.equal(one, padded)
    assert len(set(one.tolist())) == 3
    g = torch.Generator().manual_seed(0)
    many = torch.randint(0, 50, (3000, 40), generator=g)
    assert len(set(text_ids(Tokens(many, torch.ones_like(many, dtype=torch.bool))).tolist())) == 3000


def test_defect_44_the_last_odd_batch_and_one_beyond_the_queue_are_learned_from():
    for count in (1, 3, 7, 13):
        batch, reading = case(*([[3, 7 + row, 1] for row in range(count)]))
        slow = Slow(units(count, 2), units(count, 3))
        for _ in range(2):
            loss = ImageTextContrast()(Model(units(count, 0), units(count, 1), slow), batch, reading)
            assert loss.isfinite()
        assert len(slow.queue().ids) == min(6, 2 * count)


def test_hard_matching_judges_each_pair_once_and_two_wrong_ones():
    batch, reading = case(A, B, [3, 9, 1, 0])
    model = Model(units(3, 0), units(3, 1))
    loss = HardMatching()(model, batch, reading)
    own, wrong_texts, wrong_images = model.read_pairs[:3], model.read_pairs[3:6], model.read_pairs[6:]
    assert own == [(0, 7), (1, 8), (2, 9)]
    assert [image for image, _ in wrong_texts] == [0, 1, 2]
    assert [word for _, word in wrong_images] == [7, 8, 9]
    assert set(own).isdisjoint(wrong_texts + wrong_images)
    assert loss.item() == pytest.approx((3 * math.log(4 / 3) + 6 * math.log(4)) / 9, rel=1e-6)


def test_a_wrong_answer_is_one_like_the_image_and_a_wrong_image_one_like_the_answer():
    batch, reading = case(A, B, [3, 9, 1, 0])
    axes = torch.eye(3, WIDTH)
    model = Model(axes, axes.roll(-1, dims=0))  # the first answer looks like the second image, and so on
    model.temperature.data.fill_(0.02)
    torch.manual_seed(0)
    HardMatching()(model, batch, reading)
    assert model.read_pairs[3:6] == [(0, 9), (1, 7), (2, 8)]
    assert model.read_pairs[6:] == [(1, 7), (2, 8), (0, 9)]


def test_defect_43_an_equal_answer_is_never_drawn_as_wrong():
    batch, reading = case(A, A, B)
    same = torch.ones(3, WIDTH)  # the equal answer looks exactly right
    model = Model(same, same)
    for seed in range(20):
        torch.manual_seed(seed)
        HardMatching()(model, batch, reading)
        words = {0: 7, 1: 7, 2: 8}
        wrong = model.read_pairs[3:]
        assert len(wrong) == 6
        assert all(words[image] != word for image, word in wrong)


def test_defect_43_where_all_answers_are_equal_nothing_is_wrong():
    batch, reading = case(A, A, A)
    model = Model(units(3, 0), units(3, 1))
    loss = HardMatching()(model, batch, reading)
    assert len(model.read_pairs) == 3
    assert loss.item() == pytest.approx(math.log(4 / 3), rel=1e-6)


def test_a_batch_of_one_is_matched():
    batch, reading = case(A)
    assert HardMatching()(Model(units(1, 0), units(1, 1)), batch, reading).item() == pytest.approx(math.log(4 / 3))


def test_another_question_about_the_same_images_is_not_wrong():
    batch, reading = case(A, B, [3, 9, 1, 0], unit=[0, 0, 1])
    same = torch.ones(3, WIDTH)
    model = Model(same, same)
    for seed in range(10):
        torch.manual_seed(seed)
        HardMatching()(model, batch, reading)
        assert len(model.read_pairs) == 9
        assert {(0, 8), (1, 7)}.isdisjoint(model.read_pairs)


def test_a_text_that_answers_another_question_about_the_same_images_is_not_wrong():
    batch, reading = case(A, B, A, [3, 9, 1, 0], unit=[0, 0, 1, 1])  # A is right of both units
    model = Model(torch.ones(4, WIDTH), torch.ones(4, WIDTH))
    for seed in range(10):
        torch.manual_seed(seed)
        HardMatching()(model, batch, reading)
        right = {0: {7, 8}, 1: {7, 8}, 2: {7, 9}, 3: {7, 9}}  # image of a question -> texts
        assert all(word not in right[image] for image, word in model.read_pairs[4:])


def test_no_more_questions_take_part_than_the_limit_says_and_of_every_unit_one_first():
    batch, reading = case(A, B, C, [3, 9, 1, 0], unit=[0, 0, 1, 1])
    model = Model(units(4, 0), units(4, 1))
    HardMatching(limit=2)(model, batch, reading)
    own, wrong_texts, wrong_images = model.read_pairs[:2], model.read_pairs[2:4], model.read_pairs[4:]
    assert own == [(0, 7), (2, C[1])]
    assert [image for image, _ in wrong_texts] == [0, 2]
    assert [word for _, word in wrong_images] == [7, C[1]]
    assert set(own).isdisjoint(wrong_texts + wrong_images)


def test_negatives_are_drawn_by_their_similarity():
    similarity = torch.tensor([[2.0, 1.0, 0.0, 5.0]]).expand(4000, -1)
    allowed = torch.tensor([[True, True, True, False]]).expand(4000, -1)
    torch.manual_seed(0)
    rows, drawn = draw_negatives(similarity, allowed)
    assert torch.equal(rows, torch.arange(4000))
    weight = similarity[0].softmax(0) + 1e-4
    weight[3] = 0
    found = torch.bincount(drawn, minlength=4) / 4000
    assert torch.allclose(found, weight / weight.sum(), atol=0.03)


def test_rows_without_a_candidate_are_left_out():
    allowed = torch.tensor([[False, False], [True, False]])
    rows, drawn = draw_negatives(torch.zeros(2, 2), allowed)
    assert (rows.tolist(), drawn.tolist()) == ([1], [0])


def test_an_empty_queue_holds_nothing():
    queue = Slow(units(1, 0), units(1, 0)).queue()
    assert isinstance(queue, Queue)
    assert [len(part) for part in (queue.image, queue.text, queue.ids)] == [0, 0, 0]
