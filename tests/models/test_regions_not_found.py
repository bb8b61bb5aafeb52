"""Regions that the detector did not find, and images that do not differ."""

from dataclasses import replace

import pytest
import torch
from cases import FULL, SEEING, SIAMESE, batch_of, features, model_of, network

from cfvqa.models.standardise import Standardise, relative_boxes

LOST = 3  # a region


def without(images, *, filling):
    """Return images in whose first the detector did not find a region; what is stored of it is drawn from a seed."""
    other, score = features(len(images.score), filling), images.score.clone()
    score[0, LOST] = 0
    stored = {}
    for name in ("region", "finding", "probability", "box"):
        stored[name] = getattr(images, name).clone()
        stored[name][0, LOST] = 3 * getattr(other, name)[0, LOST]
    stored["probability"].clamp_(max=1)
    return replace(images, score=score, **stored)


@pytest.mark.parametrize("block", [*SEEING.values(), FULL["network"]], ids=[*SEEING, "rows_and_graph"])
@torch.inference_mode()
def test_defect_25_nothing_is_read_of_a_region_that_was_not_found(tokenizer, block):
    block = block if "network" in block else {"network": {**block, "nodes": "both"}}
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)

    def read(**images):
        reading = model.read(replace(batch, **images))
        logits = model.text.next_token_logits(batch.answer, reading.memory, reading.memory_mask)
        return torch.cat([reading.visual.flatten(), logits.flatten()])

    for image in ("main", "reference"):
        lost = [read(**{image: without(getattr(batch, image), filling=seed)}) for seed in (7, 8)]
        assert torch.allclose(*lost, atol=1e-6)
        assert not torch.allclose(lost[0], read(), atol=1e-6)


def test_defect_25_a_box_that_was_not_found_moves_no_other():
    images = features(2, 0)
    lost = without(images, filling=7)
    lost.box[0, LOST] = 0
    others = torch.arange(24) != LOST
    shares = relative_boxes(lost.box, lost.found)
    expected = relative_boxes(images.box[:, others], images.found[:, others])
    assert torch.equal(shares[0, others], expected[0])
    assert not shares[0, LOST].any()


def test_an_image_without_any_region_is_read(tokenizer):
    batch = batch_of(tokenizer)
    none = {name: torch.zeros_like(value) for name, value in vars(batch.main).items()}
    for block in SEEING.values():
        reading = model_of(tokenizer, block).read(replace(batch, main=replace(batch.main, **none)))
        assert reading.memory.isfinite().all()


def test_defect_25_a_region_that_was_not_found_is_no_part_of_the_statistics():
    values = torch.randn(200, 2, 3, generator=torch.Generator().manual_seed(0))
    found = torch.ones(200, 2, dtype=torch.bool)
    found[:50, 1] = False
    values[:50, 1] = 99
    standardise = Standardise(2, 3)
    standardise.fit(values, found)
    assert torch.allclose(standardise.mean[1], values[50:, 1].mean(0), atol=1e-5)
    assert standardise.scale.max() < 1.2


@pytest.mark.parametrize("nodes", ["graph", "both"])
def test_defect_16_equal_images_do_not_differ_while_the_method_learns(tokenizer, nodes):
    block = network("coarse_to_fine.CoarseToFine", heads=2, dropout=0.5, nodes=nodes)
    model, batch = model_of(tokenizer, block).train(), batch_of(tokenizer)
    seen = []
    model.pair.register_forward_pre_hook(lambda _, given: seen.append(given))
    model.read(replace(batch, reference=batch.main))
    [(main, reference, has_reference)] = seen
    assert torch.equal(main[has_reference], reference)
    model.read(batch)
    assert not torch.equal(main, seen[1][0])  # another mask in every step


def test_defect_16_equal_images_do_not_differ_while_the_siamese_reader_learns(tokenizer):
    model = model_of(tokenizer, {"network": {**SIAMESE["network"], "dropout": 0.5}}).train()
    torch.nn.init.normal_(model.change_head.kind.weight)
    batch = batch_of(tokenizer)
    _, added, removed, _ = model.read(replace(batch, reference=batch.main)).changes.kind[0].unbind(-1)
    assert torch.equal(added, removed)
