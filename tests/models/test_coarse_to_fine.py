from dataclasses import replace

import pytest
import torch
from cases import TEXT, batch_of, features, model_of, network, one_of

from cfvqa.data.batches import Tokens, swap_images
from cfvqa.models.difference import PairEncoder
from cfvqa.models.knowledge_graph import NODES, adjacency, node_texts
from cfvqa.models.standardise import Standardise
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.vocabulary.findings import FINDING_INDEX
from cfvqa.vocabulary.regions import REGION_INDEX

SEEN = ("region", "finding", "probability")


def test_defect_8_hidden_words_are_filled_in_from_the_images_and_from_what_stands_before_and_behind(tokenizer):
    model, batch = model_of(tokenizer), batch_of(tokenizer)

    def logits(shown, text=batch.answer):
        reading = model.read(shown)
        return model.text.masked_logits(text, reading.memory, reading.memory_mask)

    other = Tokens(batch.answer.ids.clone(), batch.answer.mask)
    other.ids[0, 5] = batch.answer.ids[1, 1]
    with torch.inference_mode():
        whole, swapped, changed = logits(batch), logits(swap_images(batch)), logits(batch, other)
    assert not torch.allclose(whole[0], swapped[0], atol=1e-6)
    assert torch.allclose(whole[1], swapped[1], atol=1e-6)  # no reference: nothing to swap
    assert all((whole[0, place] - changed[0, place]).abs().max() > 1e-5 for place in (0, 4, 6))


@pytest.mark.parametrize("objective", [Generation(), MaskedLanguage(several=1.0, none=1.0)])
def test_defect_8_what_is_learned_of_words_reaches_the_features_of_both_images(tokenizer, objective):
    model, batch = model_of(tokenizer), batch_of(tokenizer)
    told = [getattr(image, name).requires_grad_() for image in (batch.main, batch.reference) for name in SEEN]
    objective(model, batch, model.read(batch)).backward()
    assert all(part.grad[0].any() for part in told)


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


def test_defect_15_without_findings_nodes_keep_to_themselves():
    assert torch.allclose(adjacency(torch.zeros(1, 24, 38))[0], torch.eye(NODES))


def test_defect_7_adjacency_is_symmetric_and_joins_a_region_with_its_finding_by_name():
    probability = torch.zeros(1, 24, 38)
    probability[0, REGION_INDEX["left apical zone"], FINDING_INDEX["pneumothorax"]] = 1.0
    matrix = adjacency(probability)[0]
    region, finding = node_texts().index("left apical"), node_texts().index("pneumothorax")
    assert torch.allclose(matrix, matrix.T)
    assert matrix[region, finding] == pytest.approx(0.5)
    assert matrix.count_nonzero() == NODES + 2


def test_edges_are_cut_at_one_half():
    probability = torch.zeros(1, 24, 38)
    probability[0, 3, 5], probability[0, 3, 6] = 0.5, 0.49
    matrix = adjacency(probability, "cut")[0]
    assert matrix[3, 24 + 5] == pytest.approx(0.5)
    assert matrix[3, 24 + 6] == 0


def test_reader_and_writer_share_their_layers_if_they_are_told_to(tokenizer):
    shared = model_of(tokenizer, network("coarse_to_fine.CoarseToFine", heads=2, share=True, edges="cut"))
    own = model_of(tokenizer, network("coarse_to_fine.CoarseToFine", heads=2))
    first, second = (model.text.reader.encoder.layer[0].output for model in (shared, own))
    assert first is shared.text.writer.bert.encoder.layer[0].output
    assert second is not own.text.writer.bert.encoder.layer[0].output
    assert shared.read(batch_of(tokenizer)).memory.isfinite().all()


def test_features_are_standardised_a_region_and_what_never_varies_is_not_blown_up():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(500, 2, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.0]) + torch.tensor(
        [3.0, -1.0, 2.0]
    )
    values[:, 1] += 7
    standardise = Standardise(2, 3)
    standardise.fit(values, torch.ones(500, 2, dtype=torch.bool))
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
        labels = model.nodes.names(model.text.word_embeddings)
        mask = model.nodes.masks(2)
        assert torch.allclose(model.nodes(first, labels, mask), model.nodes(twice, labels, mask), atol=1e-5)


def test_every_node_has_a_text_of_its_own():
    assert len(set(node_texts())) == NODES


def test_equal_images_have_no_difference():
    encoder = PairEncoder(width=16, layers=1, heads=2, dropout=0.0).eval()
    nodes = torch.randn(1, 62, 16, generator=torch.Generator().manual_seed(0))
    seen = {}
    encoder.encoders[0].register_forward_pre_hook(lambda _, inputs: seen.update(difference=inputs[1]))
    encoder(nodes, nodes.clone(), torch.tensor([0]))
    assert seen["difference"].abs().max() == 0


def test_the_pair_encoder_is_one_graph_whatever_has_a_reference():
    encoder = PairEncoder(width=16, layers=1, heads=2, dropout=0.0).eval()
    whole = torch.compile(encoder, backend="eager", fullgraph=True)  # an error where it cannot be
    main = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(0))
    for there in ([1], [0, 2]):
        reference = main[there].roll(1, dims=1)
        assert torch.allclose(
            whole(main, reference, torch.tensor(there)), encoder(main, reference, torch.tensor(there))
        )


PUBLISHED = {"nodes": "both", "join": "tokens", "memory": "question"}
CHOICES = [{"nodes": "rows"}, {"nodes": "both"}, {"encoders": "separate"}, {"join": "tokens"}, PUBLISHED]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: " ".join(choice.values()))
def test_every_choice_reads_learns_and_attends(tokenizer, choice):
    model, batch = model_of(tokenizer, network("coarse_to_fine.CoarseToFine", heads=2, **choice)), batch_of(tokenizer)
    reading = model.read(batch)
    count = model.nodes.count * (4 if choice.get("join") == "tokens" else 1)
    assert reading.visual.shape[:2] == (2, count)
    seen = model.region_attention(reading, batch)
    assert seen.shape == (2, 2, 24)
    assert seen.sum((1, 2)).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (seen[1, 1] == 0).all()
    reading.visual.square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.pair.encoders.parameters())


@pytest.mark.parametrize("kind", ["shared", "separate"])
def test_a_batch_without_any_reference_is_read_and_learned_from(tokenizer, kind):
    model = model_of(tokenizer, network("coarse_to_fine.CoarseToFine", heads=2, dropout=0.0, encoders=kind))
    whole = batch_of(tokenizer)
    alone = one_of(whole, 1)
    reading = model.read(alone)
    with torch.inference_mode():
        together = model.read(whole).visual[1:]
        torch.testing.assert_close(model.read(alone).visual, together, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(reading.visual, together, rtol=1e-4, atol=1e-5)
    reading.visual.square().mean().backward()
    gradients = [parameter.grad for parameter in model.pair.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)  # as DDP wants of a rank


def test_separate_encoders_are_two_and_a_shared_one_is_one(tokenizer):
    shared, separate = (
        model_of(tokenizer, network("coarse_to_fine.CoarseToFine", heads=2, encoders=kind))
        for kind in ("shared", "separate")
    )
    count = {model: sum(part.numel() for part in model.pair.encoders.parameters()) for model in (shared, separate)}
    assert count[separate] == 2 * count[shared]


def test_an_attention_to_the_rows_of_a_region_is_to_that_region(tokenizer):
    model, batch = (
        model_of(tokenizer, network("coarse_to_fine.CoarseToFine", heads=2, nodes="rows")),
        batch_of(tokenizer),
    )
    attention = torch.zeros(2, 48)
    attention[:, 5], attention[:, 24 + 5], attention[:, 9] = 0.5, 0.3, 0.2
    seen = model.region_attention(replace(model.read(batch), attention=attention), batch)
    assert seen[0, :, 5].tolist() == pytest.approx([0.4, 0.4])
    assert seen[1, :, 9].tolist() == pytest.approx([0.2, 0.0])
