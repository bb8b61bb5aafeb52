import pytest
import torch
from cases import ANSWERS, FULL, GLORIA, batch_of, features, model_of

from cfvqa.data.batches import Texts
from cfvqa.models.rows import ROWS
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.gloria import GloriaGlobal, GloriaLocal

OWN = {
    "coarse": (FULL, Coarse()),
    "fine": (FULL, Fine()),
    "global": (GLORIA, GloriaGlobal()),
    "local": (GLORIA, GloriaLocal()),
}
every = pytest.mark.parametrize(("block", "contrast"), OWN.values(), ids=OWN)


@every
def test_gradients_of_a_contrast_are_finite_under_bf16(tokenizer, block, contrast):
    model, batch = model_of(tokenizer, block).train(), batch_of(tokenizer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = contrast(model, batch, model.read(batch))
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert any(gradient.abs().max() > 0 for gradient in gradients)
    assert all(gradient.isfinite().all() for gradient in gradients)


@every
def test_padding_of_texts_and_questions_changes_no_score(tokenizer, block, contrast):
    model = model_of(tokenizer, block)
    short, long = batch_of(tokenizer), batch_of(tokenizer, padding=5)
    with torch.inference_mode():
        scores = [
            contrast.scores(model, batch, model.read(batch), Texts(batch.answer, batch.keywords))
            for batch in (short, long)
        ]
    assert scores[0].shape == (2, 2)
    assert scores[0].abs().max() <= 1
    assert torch.allclose(*scores, atol=1e-5)


def test_the_whole_of_one_image_is_free_of_what_fills_the_place_of_the_other(tokenizer):
    model, batch = model_of(tokenizer, GLORIA), batch_of(tokenizer)
    with torch.inference_mode():
        first = model.whole(model.read(batch))
        batch.reference = features(2, 7)
        second = model.whole(model.read(batch))
    assert torch.allclose(first[1], second[1], atol=1e-6)
    assert not torch.allclose(first[0], second[0], atol=1e-3)


def test_a_sentence_is_read_without_images_in_both_directions(tokenizer):
    model, batch = model_of(tokenizer, GLORIA), batch_of(tokenizer)
    with torch.inference_mode():
        before = model.text.encode(batch.answer)
        batch.answer.ids[0, 10] = tokenizer.id_of("[MASK]")
        after = model.text.encode(batch.answer)
    assert (before - after).abs().amax(-1)[0, : len(ANSWERS[1].split())].min() > 0


def test_a_place_of_the_difference_is_one_of_both_images(tokenizer):
    model, batch = model_of(tokenizer, GLORIA), batch_of(tokenizer)
    weight = torch.zeros(2, 3, 3 * ROWS)
    weight[0, 0, 5] = weight[0, 1, ROWS + 24 + 7] = weight[0, 2, 2 * ROWS + 9] = 1
    seen = model.token_regions(weight, batch)[0]
    assert seen[0].nonzero().tolist() == [[0, 5]]  # a region of the main image
    assert seen[1].nonzero().tolist() == [[1, 7]]  # findings of the reference image
    assert seen[2, :, 9].tolist() == [0.5, 0.5]


def test_where_words_look_is_spread_as_the_attention_of_a_question_is(tokenizer):
    model, batch = model_of(tokenizer, FULL), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        one = model.region_attention(reading, batch)
        several = model.token_regions(torch.stack([reading.attention, reading.attention.flip(1)], 1), batch)
    assert torch.allclose(several[:, 0], one)
    assert several.sum((2, 3)).flatten().tolist() == pytest.approx([1] * 4, abs=1e-5)
    assert (several[1, :, 1] == 0).all()  # no reference image
