"""Ranking a closed list by reading little gives what reading all of it gives."""

import pytest
import torch
from cases import ANSWERS, EVERY, batch_of, model_of

from cfvqa.data.batches import Tokens
from cfvqa.models.ranking import rank

LIST = [
    *ANSWERS,
    "no",
    "the main image has an additional finding of hernia than the reference image.",
    "the main image has an additional finding of edema, and hernia than the reference image.",
    "the main image is missing the finding of edema than the reference image.",
    "is there edema than",
    "is there edema",
    "is there edema?",
    "edema",
    "edema, hernia",
]


def tokens(tokenizer, texts, padding=0):
    ids, mask = tokenizer.encode(texts, max_length=40, first="[DEC]")
    return Tokens(*(torch.nn.functional.pad(torch.from_numpy(part), (0, padding)) for part in (ids, mask)))


def likely(model, reading, tokenizer, text):
    """Return the log-probability (Q,) of one answer, read by itself."""
    answer, total = tokens(tokenizer, [text]), 0.0
    rows = len(reading.memory)
    whole = Tokens(answer.ids.expand(rows, -1), answer.mask.expand(rows, -1))
    log = model.text.next_token_logits(whole, reading.memory, reading.memory_mask).log_softmax(-1)
    for place in range(answer.ids.shape[1] - 1):
        total = total + log[:, place, answer.ids[0, place + 1]]
    return total


def sharpened(tokenizer, block, seed):
    """Return a model that is surer of some words than of others."""
    model = model_of(tokenizer, block)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.text.parameters():
            parameter += torch.randn_like(parameter) * parameter.std(correction=0) * 2
    return model


@pytest.mark.parametrize("block", EVERY.values(), ids=EVERY)
def test_defect_45_the_order_is_that_of_reading_every_answer(tokenizer, block):
    batch, lists = batch_of(tokenizer), tokens(tokenizer, LIST, padding=3)
    chosen = set()
    for seed in range(4):
        model = sharpened(tokenizer, block, seed)
        with torch.inference_mode():
            reading = model.read(batch)
            every = torch.stack([likely(model, reading, tokenizer, text) for text in LIST], dim=1)
            ids, score = rank(model.text, lists, reading.memory, reading.memory_mask)
        assert torch.equal(ids, lists.ids[every.argmax(1), 1:])
        assert ((score > 0) & (score <= 1)).all()
        chosen |= set(every.argmax(1).tolist())
    assert len(chosen) > 1


@pytest.mark.parametrize("count", [1, 2])
def test_defect_45_a_list_may_be_as_short_as_it_is(tokenizer, count):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        ids, _ = rank(model.text, tokens(tokenizer, LIST[:count]), reading.memory, reading.memory_mask)
    assert set(tokenizer.decode(ids.numpy())) <= set(LIST[:count])


class Counted:
    """A writer that is sure of its answer, and counts what it reads."""

    def __init__(self, special, answer, vocabulary):
        self.special, self.answer, self.vocabulary, self.read = special, answer, vocabulary, 0

    def next_token_logits(self, text, memory, memory_mask):
        self.read += len(text.ids)
        following = torch.nn.functional.pad(self.answer[:, 1:], (0, text.ids.shape[1]))[:, : text.ids.shape[1]]
        return 9.0 * torch.nn.functional.one_hot(following.expand(len(text.ids), -1), self.vocabulary).float()


def test_what_cannot_win_is_not_read(tokenizer):
    lists, special = tokens(tokenizer, LIST), model_of(tokenizer).text.special
    writer = Counted(special, lists.ids[6:7], len(tokenizer))
    memory, mask = torch.zeros(3, 1, 4), torch.ones(3, 1, dtype=torch.bool)
    ids, score = rank(writer, lists, memory, mask)
    assert tokenizer.decode(ids.numpy()) == [LIST[6]] * 3
    assert (score > 0.98).all()
    assert writer.read < 3 * len(LIST) / 2
