from dataclasses import replace

import pytest
import torch

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens, swap_images
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.difference import PairEncoder
from cfvqa.models.knowledge_graph import NODES, Standardise, adjacency, node_texts
from cfvqa.stages.reader import Widths, build_model

ANSWERS = ["yes", "the main image has an additional finding of edema than the reference image."]
TEXT = {"pretrained": None, "transformer": {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 64}}
FULL = {
    "reads_images": True,
    "network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine", "heads": 2, "dropout": 0.0},
}
BLIND = {"reads_images": False, "network": {"_target_": "cfvqa.models.question_only.QuestionOnly"}}


@pytest.fixture(scope="module")
def tokenizer():
    return AnswerTokenizer.train([*ANSWERS, *node_texts(), "is there edema?"])


def features(count, seed):
    g = torch.Generator().manual_seed(seed)
    return ImageFeatures(
        region=torch.randn(count, 24, 8, generator=g),
        finding=torch.randn(count, 24, 6, generator=g),
        probability=torch.rand(count, 24, 38, generator=g),
        severity=torch.rand(count, 38, 2, generator=g),
        box=torch.zeros(count, 24, 4),
        score=torch.ones(count, 24),
    )


def batch_of(tokenizer, *, padding=0):
    def tokens(texts, first):
        ids, mask = (torch.from_numpy(part) for part in tokenizer.encode(texts, max_length=40, first=first))
        pad = torch.nn.functional.pad
        return Tokens(pad(ids, (0, padding)), pad(mask, (0, padding)))

    return PairBatch(
        main=features(2, 0),
        reference=features(2, 1),
        has_reference=torch.tensor([True, False]),
        unit=torch.tensor([0, 1]),
        question=tokens(["what has changed compared to the reference image?", "is there edema?"], "[ENC]"),
        answer=tokens(ANSWERS[::-1], "[DEC]"),
        wrong_answer=tokens(ANSWERS, "[DEC]"),
        keywords=tokens(["additional edema.", "yes"], "[CLS]"),
        row=torch.tensor([0, 1]),
    )


def model_of(tokenizer, block=FULL, text=TEXT):
    return build_model(block, text, tokenizer=tokenizer, widths=Widths(8, 6), seed=0).eval()


@pytest.mark.parametrize("block", [FULL, BLIND])
def test_every_model_reads_writes_and_learns(tokenizer, block):
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    reading = model.read(batch)
    logits = model.text.next_token_logits(batch.answer, reading.memory, reading.memory_mask)
    assert logits.shape == (*batch.answer.ids.shape, len(tokenizer))
    logits.square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    ids, score = model.text.generate(reading.memory.detach(), reading.memory_mask, max_new_tokens=6, num_beams=1)
    assert ids.shape[0] == 2
    assert ((score >= 0) & (score <= 1)).all()


def test_defect_18_padding_of_the_question_changes_nothing(tokenizer):
    model = model_of(tokenizer)
    short, long = batch_of(tokenizer), batch_of(tokenizer, padding=5)
    with torch.inference_mode():
        first, second = model.read(short), model.read(long)
        a = model.text.next_token_logits(short.answer, first.memory, first.memory_mask)
        b = model.text.next_token_logits(short.answer, second.memory, second.memory_mask)
    assert torch.allclose(a, b, atol=1e-5)


def test_defect_8_the_answer_depends_on_the_images(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    with torch.inference_mode():
        first = model.read(batch)
        second = model.read(swap_images(batch))
    assert not torch.allclose(first.visual[0], second.visual[0], atol=1e-4)
    assert torch.allclose(first.visual[1], second.visual[1], atol=1e-6)  # no reference: nothing to swap


def test_the_state_that_matching_judges_is_the_first_of_a_whole_reading(tokenizer):
    text = TEXT | {"transformer": TEXT["transformer"] | {"writer_layers": 2}}
    model, batch = model_of(tokenizer, text=text), batch_of(tokenizer)
    batch.answer.mask[0, 3:] = False  # what is padded is not read
    batch.answer.ids[0, 3:] = 0
    with torch.inference_mode():
        reading = model.read(batch)
        memory_mask = reading.memory_mask.clone()
        memory_mask[1, 2:4] = False
        state = model.text.answer_state(batch.answer, reading.memory, memory_mask)
        whole = model.text.writer.bert(
            input_ids=batch.answer.ids,
            attention_mask=batch.answer.mask.long(),
            encoder_hidden_states=reading.memory,
            encoder_attention_mask=memory_mask.long(),
            is_decoder=False,
        )
    assert torch.allclose(state, whole.last_hidden_state[:, 0], atol=1e-5)


def test_defect_8b_a_position_sees_none_after_itself(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        before = model.text.next_token_logits(batch.answer, reading.memory, reading.memory_mask)
        changed = Tokens(batch.answer.ids.clone(), batch.answer.mask)
        changed.ids[:, -1] = 1
        after = model.text.next_token_logits(changed, reading.memory, reading.memory_mask)
    assert torch.allclose(before[:, :-1], after[:, :-1], atol=1e-5)


def test_attention_of_a_finding_goes_to_the_image_and_the_regions_where_it_is_seen(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    batch.main.probability[:], batch.reference.probability[:] = 0, 0
    batch.main.probability[0, 3, 5], batch.main.probability[0, 4, 5] = 0.9, 0.3
    batch.reference.probability[0, 7, 6] = 0.5
    attention = torch.zeros(2, NODES)
    attention[:, 24 + 5], attention[:, 24 + 6], attention[:, 9] = 0.4, 0.4, 0.2
    reading = replace(model.read(batch), attention=attention)
    main, reference = model.region_attention(reading, batch)[0]
    assert main[[3, 4, 9]].tolist() == pytest.approx([0.3, 0.1, 0.1], abs=1e-4)
    assert reference[[7, 9]].tolist() == pytest.approx([0.4, 0.1], abs=1e-4)


def test_all_attention_is_one_and_none_is_in_a_reference_that_is_not_there(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    batch.main.probability[1, :, 5] = 0  # seen nowhere
    with torch.inference_mode():
        seen = model.region_attention(model.read(batch), batch)
        turned = model.region_attention(model.read(batch), swap_images(batch))
    assert seen.sum((1, 2)).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (seen[1, 1] == 0).all()
    assert torch.allclose(seen[0], turned[0].flip(0), atol=1e-6)


def test_a_unit_without_reference_never_reads_what_fills_its_place(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    with torch.inference_mode():
        first = model.read(batch).visual[1]
        batch.reference = features(2, 7)
        assert torch.allclose(first, model.read(batch).visual[1], atol=1e-6)


def test_greedy_generation_with_cache_equals_the_step_by_step_argmax(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        ids, _ = model.text.generate(reading.memory, reading.memory_mask, max_new_tokens=5, num_beams=1)
        text = torch.full((2, 1), tokenizer.id_of("[DEC]"))
        for _ in range(ids.shape[1]):
            tokens = Tokens(text, torch.ones_like(text, dtype=torch.bool))
            step = model.text.next_token_logits(tokens, reading.memory, reading.memory_mask)[:, -1].argmax(-1)
            text = torch.cat([text, step[:, None]], 1)
    for written, expected in zip(ids, text[:, 1:], strict=True):
        end = (written == tokenizer.id_of("[SEP]")).nonzero()
        length = int(end[0]) + 1 if len(end) else len(written)
        assert torch.equal(written[:length], expected[:length])


def test_defect_15_without_findings_nodes_keep_to_themselves():
    assert torch.allclose(adjacency(torch.zeros(1, 24, 38))[0], torch.eye(NODES))


def test_adjacency_is_symmetric_and_joins_a_region_with_its_finding():
    probability = torch.zeros(1, 24, 38)
    probability[0, 3, 5] = 1.0
    matrix = adjacency(probability)[0]
    assert torch.allclose(matrix, matrix.T)
    assert matrix[3, 24 + 5] == pytest.approx(0.5)


def test_features_are_standardised_a_region_and_what_never_varies_is_not_blown_up():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(500, 2, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.0]) + torch.tensor(
        [3.0, -1.0, 2.0]
    )
    values[:, 1] += 7
    standardise = Standardise(2, 3)
    standardise.fit(values)
    seen = standardise(values)
    assert torch.allclose(seen.mean(0), torch.zeros(2, 3), atol=1e-3)
    assert torch.allclose(seen[..., :2].std(0), torch.ones(2, 2), atol=0.02)
    assert seen[..., 2].abs().max() < 1e-3
    again = Standardise(2, 3)
    again.load_state_dict(standardise.state_dict())
    assert torch.equal(again(values), seen)


def test_boxes_reach_the_graph_free_of_the_size_of_the_image(tokenizer):
    model, first = model_of(tokenizer), features(2, 0)
    corner = torch.rand(2, 24, 2, generator=torch.Generator().manual_seed(1)) * 100
    first.box = torch.cat([corner, corner + 40], -1)
    twice = replace(first, box=first.box * 2 + 13)
    with torch.inference_mode():
        labels = model.labels()
        assert torch.allclose(model.graph(first, labels), model.graph(twice, labels), atol=1e-5)


def test_every_node_has_a_text_of_its_own():
    assert len(set(node_texts())) == NODES


def test_equal_images_have_no_difference():
    encoder = PairEncoder(width=16, layers=1, heads=2, dropout=0.0).eval()
    nodes = torch.randn(1, 62, 16, generator=torch.Generator().manual_seed(0))
    seen = {}
    encoder.encoder.register_forward_pre_hook(lambda _, inputs: seen.update(difference=inputs[1]))
    encoder(nodes, nodes.clone(), torch.tensor([True]))
    assert seen["difference"].abs().max() == 0
