"""What is true of every model that is told in `cases`: a new one is one entry there."""

from dataclasses import replace

import pytest
import torch
from cases import EKAID, EVERY, JOINT, SEEING, batch_of, features, model_of, one_of
from transformers.modeling_outputs import CausalLMOutputWithPast

from cfvqa.data.batches import Tokens, swap_images
from cfvqa.models import writing

every = pytest.mark.parametrize("block", EVERY.values(), ids=EVERY)
seeing = pytest.mark.parametrize("block", SEEING.values(), ids=SEEING)


def logits_of(model, batch, text=None):
    reading = model.read(batch)
    return model.text.next_token_logits(text or batch.answer, reading.memory, reading.memory_mask)


@every
def test_it_writes_and_learns(tokenizer, block):
    model, batch = model_of(tokenizer, block).train(), batch_of(tokenizer)
    logits = logits_of(model, batch)
    assert logits.shape == (*batch.answer.ids.shape, len(tokenizer))
    logits.square().mean().backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


@every
def test_gradients_are_finite_under_bf16(tokenizer, block):
    model, batch = model_of(tokenizer, block).train(), batch_of(tokenizer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = logits_of(model, batch)
    torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), batch.answer.ids.flatten()).backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


@every
def test_a_question_alone_is_read_as_in_a_batch(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        together = logits_of(model, batch)
        for row in range(2):
            assert torch.allclose(logits_of(model, one_of(batch, row))[0], together[row], atol=1e-4)


@every
def test_defect_18_padding_of_the_question_changes_nothing(tokenizer, block):
    model = model_of(tokenizer, block)
    short, long = batch_of(tokenizer), batch_of(tokenizer, padding=5)
    with torch.inference_mode():
        assert torch.allclose(logits_of(model, short), logits_of(model, long, short.answer), atol=1e-4)


@seeing
@pytest.mark.parametrize("told", ["region", "finding", "probability", "severity", "box"])
def test_it_is_told_all_that_others_are_told_of_an_image(tokenizer, block, told):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    other = replace(batch.main, **{told: getattr(features(len(batch.main.score), 5), told)})
    with torch.inference_mode():
        assert torch.equal(logits_of(model, batch), logits_of(model, batch))
        assert not torch.equal(logits_of(model, replace(batch, main=other)), logits_of(model, batch))


@seeing
def test_defect_18_padding_of_the_question_moves_no_attention(tokenizer, block):
    model = model_of(tokenizer, block)
    with torch.inference_mode():
        short, long = (
            model.region_attention(model.read(batch), batch)
            for batch in (batch_of(tokenizer), batch_of(tokenizer, padding=5))
        )
    assert torch.allclose(short, long, atol=1e-5)


@every
def test_padding_of_the_answer_changes_nothing(tokenizer, block):
    model, short, long = model_of(tokenizer, block), batch_of(tokenizer), batch_of(tokenizer, padding=5)
    with torch.inference_mode():
        before, after = logits_of(model, short), logits_of(model, short, long.answer)
    length = before.shape[1]
    assert torch.allclose(before[short.answer.mask], after[:, :length][short.answer.mask], atol=1e-4)


@every
def test_defect_8b_a_position_sees_none_after_itself(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    changed = Tokens(batch.answer.ids.clone(), batch.answer.mask)
    changed.ids[:, -1] = 1
    with torch.inference_mode():
        before, after = logits_of(model, batch), logits_of(model, batch, changed)
    assert torch.allclose(before[:, :-1], after[:, :-1], atol=1e-5)


@seeing
def test_defect_8_the_answer_depends_on_the_images(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        first, second = logits_of(model, batch), logits_of(model, swap_images(batch))
    assert not torch.allclose(first[0], second[0], atol=1e-6)
    assert torch.allclose(first[1], second[1], atol=1e-6)  # no reference: nothing to swap


@seeing
def test_a_unit_without_reference_never_reads_what_fills_its_place(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        first = logits_of(model, batch)
        batch.reference = features(2, 7)
        second = logits_of(model, batch)
    assert torch.allclose(first[1], second[1], atol=1e-6)
    assert not torch.allclose(first[0], second[0], atol=1e-6)


@seeing
def test_all_attention_is_one_and_none_is_in_a_reference_that_is_not_there(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        seen = model.region_attention(model.read(batch), batch)
    assert seen.shape == (2, 2, 24)
    assert seen.sum((1, 2)).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (seen[1, 1] == 0).all()


@every
def test_defect_35_greedy_writing_is_the_step_by_step_argmax_of_what_training_sees(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        ids, score = model.text.generate(reading.memory, reading.memory_mask, max_new_tokens=5, num_beams=1)
        text = torch.full((2, 1), tokenizer.id_of("[DEC]"))
        for _ in range(ids.shape[1]):
            tokens = Tokens(text, torch.ones_like(text, dtype=torch.bool))
            step = model.text.next_token_logits(tokens, reading.memory, reading.memory_mask)[:, -1].argmax(-1)
            text = torch.cat([text, step[:, None]], 1)
    for written, expected in zip(ids, text[:, 1:], strict=True):
        end = (written == tokenizer.id_of("[SEP]")).nonzero()
        length = int(end[0]) + 1 if len(end) else len(written)
        assert torch.equal(written[:length], expected[:length])
    assert ((score >= 0) & (score <= 1)).all()


@pytest.mark.parametrize("block", [EKAID, JOINT], ids=["ekaid", "mccformers_s"])
def test_a_writer_that_goes_on_from_what_it_kept_says_what_it_says_of_the_whole_text(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        memory, mask = model.read(batch).memory, model.read(batch).memory_mask
        kept = []
        for place in range(1, batch.answer.ids.shape[1]):
            ids = batch.answer.ids[:, :place]
            logits, kept = model.text.step(ids[:, -1], kept, memory, mask)
            whole = Tokens(ids, torch.ones_like(ids, dtype=torch.bool))
            expected = model.text.next_token_logits(whole, memory, mask)[:, -1]
            torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


class ReadingAll(writing._Continuation):
    """Reads the whole text again for every word."""

    def forward(self, input_ids, memory, memory_mask, **_):
        text = Tokens(input_ids, torch.ones_like(input_ids, dtype=torch.bool))
        return CausalLMOutputWithPast(logits=self.writer.next_token_logits(text, memory, memory_mask))


@pytest.mark.parametrize("block", [EKAID, JOINT], ids=["ekaid", "mccformers_s"])
def test_beams_take_along_what_was_kept_of_their_words(tokenizer, block, monkeypatch):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    beams = {"num_beams": 4, "max_new_tokens": 8, "repetition_penalty": 1.2}
    with torch.inference_mode():
        memory = model.read(batch).memory, model.read(batch).memory_mask
        ids, scores = model.text.generate(*memory, **beams)
        monkeypatch.setattr(writing, "_Continuation", ReadingAll)
        expected, expected_scores = model.text.generate(*memory, **beams)
    assert torch.equal(ids, expected)
    torch.testing.assert_close(scores, expected_scores)


@every
@pytest.mark.parametrize("decoding", [{"num_beams": 3, "repetition_penalty": 1.2}, {"do_sample": True, "top_p": 0.8}])
def test_it_writes_in_other_ways_too(tokenizer, block, decoding):
    torch.manual_seed(0)
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        ids, _ = model.text.generate(reading.memory, reading.memory_mask, max_new_tokens=4, **decoding)
    assert ids.shape[0] == 2
    assert 1 <= ids.shape[1] <= 4
