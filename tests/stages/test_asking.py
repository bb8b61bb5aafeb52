import polars as pl
import pytest
from torch import nn

from cfvqa.stages.asking import exchange_images
from cfvqa.stages.evaluation import controls_of


@pytest.fixture
def questions():
    rows = [(f"q{n}", f"s{n // 2}", f"m{n}", f"r{n}") for n in range(40)]
    return pl.DataFrame(rows, schema=["question_id", "subject_id", "main_image", "reference_image"], orient="row")


def test_a_shuffled_reference_is_of_another_subject_and_each_is_used_once(questions):
    shuffled = exchange_images(questions, ("reference_image",), seed=1)
    assert shuffled["main_image"].equals(questions["main_image"])
    assert sorted(shuffled["reference_image"]) == sorted(questions["reference_image"])
    owner = dict(zip(questions["reference_image"], questions["subject_id"], strict=True))
    others = [owner[image] for image in shuffled["reference_image"]]
    assert all(other != own for other, own in zip(others, questions["subject_id"], strict=True))


def test_a_shuffled_pair_stays_a_pair(questions):
    shuffled = exchange_images(questions, ("main_image", "reference_image"), seed=1)
    assert (shuffled["main_image"].str.slice(1) == shuffled["reference_image"].str.slice(1)).all()
    assert (shuffled["main_image"] != questions["main_image"]).all()
    assert shuffled["question_id"].equals(questions["question_id"])


def test_the_exchange_follows_its_seed(questions):
    first, again, other = (exchange_images(questions, ("main_image",), seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


class Composing(nn.Module):
    """Puts answers about changes together."""

    def answer(self):
        raise NotImplementedError


@pytest.mark.parametrize(("model", "names"), [(nn.Identity(), ["no_reference"]), (Composing(), [])])
def test_a_reader_that_puts_answers_together_is_not_asked_without_a_reference_image(questions, model, names):
    shuffled = ["shuffled_reference", "shuffled_pair"]
    assert list(controls_of(model, questions, seed=1)) == shuffled + names
