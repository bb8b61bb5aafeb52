import json
from types import SimpleNamespace

import polars as pl
import pytest
import torch

from cfvqa.errors import InputError
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.writing import SpecialIds
from cfvqa.stages.asking import Decoding
from cfvqa.stages.closed_answers import FILE, ClosedAnswers
from cfvqa.stages.trained import TrainedReader

ROWS = [
    ("presence", "yes", "train"),
    ("presence", "yes", "train"),
    ("presence", "no", "train"),
    ("presence", "perhaps", "test"),
    ("level", "severe", "train"),
    ("level", "mild", "train"),
    ("level", "moderate", "train"),
    ("level", "moderate", "train"),
    ("view", "AP view", "val"),
]
TABLE = pl.DataFrame(ROWS, schema=["question_type", "answer", "split"], orient="row")


class Fond:
    """A writer that is fond of some words."""

    def __init__(self, tokenizer, liked):
        ids = {name: tokenizer.id_of(f"[{name.upper()}]") for name in ("pad", "sep", "mask", "dec", "cls", "enc")}
        self.special = SpecialIds(**ids, specials=tuple(ids.values()), content=())
        self.logits = torch.zeros(len(tokenizer))
        for word, weight in liked.items():
            self.logits[tokenizer.encode([word], max_length=3)[0][0, 1]] = weight

    def next_token_logits(self, text, memory, memory_mask):
        return self.logits.expand(*text.ids.shape, -1)

    def generate(self, memory, memory_mask, **decoding):
        assert set(decoding) == {"num_beams"}
        return torch.full((len(memory), 1), self.special.sep), torch.ones(len(memory))


def reader(**liked):
    tokenizer = AnswerTokenizer.train([answer for _, answer, _ in ROWS])
    model = SimpleNamespace(text=Fond(tokenizer, liked))
    return TrainedReader(model, tokenizer, {"pairs": {"answer_length": 8}})


def reading(count):
    return SimpleNamespace(memory=torch.zeros(count, 1, 2), memory_mask=torch.ones(count, 1, dtype=torch.bool))


def test_the_lists_are_of_training_by_type_the_most_frequent_first():
    lists = ClosedAnswers.of_training(TABLE, None)
    assert lists.by_type == {"level": ["moderate", "mild", "severe"], "presence": ["yes", "no"]}
    assert ClosedAnswers.of_training(TABLE, 1).by_type == {"level": ["moderate"], "presence": ["yes"]}


def test_a_question_of_no_known_type_may_have_any_answer():
    lists = ClosedAnswers({"a": ["yes", "no"], "b": ["mild", "yes"]})
    assert lists.of("b") == ["mild", "yes"]
    assert lists.of(None) == lists.of("view") == ["yes", "no", "mild"]


def test_each_question_gets_an_answer_of_its_type():
    lists, kinds = ClosedAnswers.of_training(TABLE, None), ["presence", "level", None, "presence"]
    texts, scores = lists.choose(reader(no=3.0, severe=2.0), reading(4), kinds)
    assert texts == ["no", "severe", "no", "no"]
    assert all(0 < score < 1 for score in scores)


def test_answers_that_a_reader_writes_alike_are_one():
    lists = ClosedAnswers({"view": ["AP view", "ap view", "no"]})
    assert lists.choose(reader(), reading(1), ["view"])[0] == ["no"]  # the shorter, where all words are alike


def test_ways_to_answer(tmp_path):
    settings = {"way": "rank", "candidates": 5, "num_beams": 1}
    lists = ClosedAnswers.of_training(TABLE, 5)
    assert Decoding(settings, lists).answer(reader(no=3.0), reading(1), None, ["presence"])[0] == ["no"]
    assert Decoding(settings | {"way": "generate"}).answer(reader(), reading(2), None, [None] * 2)[0] == ["", ""]


def test_lists_are_written_and_read(tmp_path):
    lists = ClosedAnswers.of_training(TABLE, None)
    lists.save(tmp_path)
    assert ClosedAnswers.load(tmp_path) == lists


def test_lists_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match=r"answers\.json is missing.*cfvqa-evaluate"):
        ClosedAnswers.load(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"view": []}', '{"view": [3]}', '{"view": "AP view"}'])
def test_damaged_lists_are_named(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(InputError, match=r"answers\.json is damaged"):
        ClosedAnswers.load(tmp_path)


def test_the_file_is_for_people_too(tmp_path):
    ClosedAnswers({"view": ["AP view"]}).save(tmp_path)
    assert json.loads((tmp_path / FILE).read_text()) == {"view": ["AP view"]}
