"""Objectives with the models that they train: losses and gradients stay finite, whatever the batch."""

from dataclasses import replace

import pytest
import torch
from cases import EKAID, FULL, GLORIA, SIAMESE, batch_of, features, model_of, one_of

from cfvqa.data.batches import Tokens
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.objectives.changes import Changes
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.gloria import GloriaGlobal, GloriaLocal
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.objectives.matching import Matching
from cfvqa.objectives.sparse_attention import SparseAttention

CONTRASTS = {
    "coarse": (FULL, Coarse(temperature="learned")),
    "fine": (FULL, Fine(temperature="learned")),
    "fine_published": (FULL, Fine(softmaxes=2, context="question")),
    "gloria_global": (GLORIA, GloriaGlobal()),
    "gloria_local": (GLORIA, GloriaLocal()),
}
OTHERS = {
    "matching": (FULL, Matching()),
    "masked_language": (FULL, MaskedLanguage()),
    "changes": (SIAMESE, Changes()),
    "sparse_attention": (EKAID, SparseAttention()),
}


def of(table):
    return pytest.mark.parametrize(("block", "objective"), table.values(), ids=table)


def step(model, objective, batch):
    """Return the loss and the largest gradient, once all of it is seen to be finite."""
    model.zero_grad()
    torch.manual_seed(0)
    loss = objective(model, batch, model.read(batch))
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    return loss.item(), max(gradient.abs().max().item() for gradient in gradients)


@of(CONTRASTS | OTHERS)
def test_an_objective_learns_under_bf16(tokenizer, block, objective):
    model = model_of(tokenizer, block).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, largest = step(model, objective, batch_of(tokenizer))
    assert largest > 0


@of(CONTRASTS | OTHERS)
@pytest.mark.parametrize("row", [0, 1])
def test_an_objective_takes_a_batch_of_one(tokenizer, block, objective, row):
    loss, _ = step(model_of(tokenizer, block).train(), objective, one_of(batch_of(tokenizer), row))
    assert loss == 0 if objective in [contrast for _, contrast in CONTRASTS.values()] else loss >= 0


@of(CONTRASTS | OTHERS | {"generation": (FULL, Generation(smoothing=0.1))})
def test_defect_18_padding_of_all_texts_changes_no_loss(tokenizer, block, objective):
    model = model_of(tokenizer, block)
    losses = [step(model, objective, batch_of(tokenizer, padding=padding))[0] for padding in (0, 5)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0] > 0


def pairs(tokenizer, texts):
    """Return a batch of one question about each of as many pairs, with the given answers."""
    batch, count = batch_of(tokenizer), len(texts)
    ids, mask = (torch.from_numpy(part) for part in tokenizer.encode(texts, max_length=16))
    text, question = Tokens(ids, mask), Tokens(*(part[[0] * count] for part in vars(batch.question).values()))
    return replace(
        batch,
        main=features(3, 0)[:count],
        reference=features(3, 1)[:count],
        has_reference=torch.ones(count, dtype=torch.bool),
        unit=torch.arange(count),
        question=question,
        answer=text,
        keywords=text,
    )


@of(CONTRASTS)
def test_a_text_of_unknown_words_takes_no_part_in_a_contrast(tokenizer, block, objective):
    model = model_of(tokenizer, block)
    without, _ = step(model, objective, pairs(tokenizer, ["edema", "scoliosis"]))
    with_it, _ = step(model, objective, pairs(tokenizer, ["edema", "scoliosis", "zebra okapi"]))
    assert with_it == pytest.approx(without, rel=1e-5)
    assert without > 0
    assert step(model, objective, pairs(tokenizer, ["zebra", "okapi"])) == (0, 0)


ANSWERS = {  # what is filled in, by the words of the answer
    "yes": [],
    "PA view": [],
    "nothing has changed.": [],
    "edema, pleural effusion": ["edema", "pleural", "effusion"],
    "left lower lung area and right side": ["left", "lower", "lung", "right"],
    "moderate to severe": ["moderate", "severe"],
    "patchy": ["patchy"],
    "enlargement of the cardiac silhouette": ["enlargement", "cardiac", "silhouette"],
    "the level of edema has changed from mild to severe. the main image is missing the finding of hernia than the "
    "reference image.": ["edema", "mild", "severe", "missing", "hernia"],
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_defect_19_the_keywords_of_an_answer_are_filled_in_and_any_word_where_there_is_none(answer):
    tokenizer = AnswerTokenizer.train([*ANSWERS, "what has changed compared to the reference image?"])
    model, asked = model_of(tokenizer, FULL), one_of(batch_of(tokenizer), 0)
    ids, mask = (torch.from_numpy(part) for part in tokenizer.encode([answer], max_length=40, first="[DEC]"))
    seen = {}
    model.text.masked_logits = lambda text, *_: seen.update(ids=text.ids) or torch.zeros(*text.ids.shape, 200)
    asked = replace(asked, answer=Tokens(ids, mask), draw=torch.zeros(ids.shape))
    MaskedLanguage(several=1.0, none=1.0)(model, asked, model.read(asked))
    hidden = tokenizer.decode(ids[seen["ids"] == model.text.special.mask][None].numpy())[0]
    words = answer.lower() if not ANSWERS[answer] else " ".join(ANSWERS[answer])
    assert hidden == words


def test_defect_19_a_yes_is_filled_in_at_the_rate_of_words_that_are_none():
    tokenizer = AnswerTokenizer.train(["yes"])
    model, asked = model_of(tokenizer, FULL), one_of(batch_of(tokenizer), 0)
    ids, mask = (torch.from_numpy(part) for part in tokenizer.encode(["yes"] * 400, max_length=9, first="[DEC]"))
    seen = {}
    model.text.masked_logits = lambda text, *_: seen.update(ids=text.ids) or torch.zeros(*text.ids.shape, 200)
    draw = torch.rand(ids.shape, generator=torch.Generator().manual_seed(0))
    MaskedLanguage()(model, replace(asked, answer=Tokens(ids, mask), draw=draw), model.read(asked))
    assert 0.25 < (seen["ids"] == model.text.special.mask).any(1).float().mean() < 0.35


def test_of_ten_words_to_fill_in_eight_are_masked_one_is_any_and_one_is_left(tokenizer):
    model = model_of(tokenizer, FULL)
    ids = torch.full((100, 100), tokenizer.encode(["edema"], max_length=8)[0][0, 1])
    draw = torch.rand(ids.shape, generator=torch.Generator().manual_seed(0))
    hidden = MaskedLanguage(instead="mixed")._hide(model, ids, torch.ones_like(ids, dtype=torch.bool), draw)
    assert (hidden == model.text.special.mask).float().mean() == pytest.approx(0.8, abs=0.02)
    assert (hidden == ids).float().mean() == pytest.approx(0.1, abs=0.02)
    assert len(hidden.unique()) > len(tokenizer) / 2
    assert torch.equal(MaskedLanguage(instead="mixed")._hide(model, ids, ids == 0, draw), ids)
