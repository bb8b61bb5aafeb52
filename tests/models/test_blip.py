import copy

import pytest
import torch
from cases import BLIP, batch_of, features, model_of, one_of

from cfvqa.data.batches import Tokens
from cfvqa.models.momentum import Momentum, without_momentum
from cfvqa.models.rows import ROWS
from cfvqa.models.text import beginning_with
from cfvqa.objectives.hard_matching import HardMatching
from cfvqa.objectives.language import Generation
from cfvqa.objectives.momentum_contrast import ImageTextContrast

OBJECTIVES = [ImageTextContrast(), HardMatching(), Generation(smoothing=0.1)]


def blip(tokenizer, **arguments):
    return model_of(tokenizer, {"network": BLIP["network"] | arguments})


def unit_rows(count, seed=0, width=8):
    rows = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


def test_the_image_is_a_pooling_token_and_three_times_the_rows(tokenizer):
    model, batch = blip(tokenizer), batch_of(tokenizer)
    seen = {}
    model.towers.images.encoder.register_forward_pre_hook(lambda _, inputs: seen.update(tokens=inputs[0]))
    assert model.read(batch).visual.shape == (2, 1 + 3 * ROWS, 32)
    images = model.towers.images
    pool, rows = seen["tokens"].split([1, 3 * ROWS], dim=1)
    main, reference, difference = (
        part - images.part[number] - images.position for number, part in enumerate(rows.chunk(3, dim=1))
    )
    assert torch.equal(pool[:, 0], images.pool.expand(2, -1))
    torch.testing.assert_close(difference[0], main[0] - reference[0], atol=1e-5, rtol=0)
    for absent in (reference, difference):  # of a unit without a reference
        torch.testing.assert_close(absent[1], images.reference.absent.expand(ROWS, -1), atol=1e-6, rtol=0)


def test_a_text_alone_sees_no_image_and_both_of_its_ends(tokenizer):
    model, answer = blip(tokenizer), batch_of(tokenizer).answer
    changed = Tokens(answer.ids.clone(), answer.mask)
    changed.ids[0, 3] = tokenizer.id_of("[MASK]")
    one, other = (model.towers.text(text) for text in (answer, changed))
    assert not torch.allclose(one[0], other[0], atol=1e-5)
    assert torch.allclose(one[1], other[1], atol=1e-6)
    assert torch.allclose(one.norm(dim=-1), torch.ones(2), atol=1e-5)
    padded = Tokens(*(torch.nn.functional.pad(part, (0, 4)) for part in (answer.ids, answer.mask)))
    assert torch.allclose(model.towers.text(padded), one, atol=1e-5)
    assert torch.allclose(model.towers.text(beginning_with(answer, model.text.special.enc)), one)


def test_an_answer_is_written_from_the_states_of_its_question_alone(tokenizer):
    model, batch = blip(tokenizer), batch_of(tokenizer)
    reading = model.read(batch)
    assert torch.equal(reading.memory, reading.question)
    assert torch.equal(reading.memory_mask, batch.question.mask)


def test_shared_layers_differ_in_self_attention_alone(tokenizer):
    apart, shared = blip(tokenizer), blip(tokenizer, share=True)
    one, other = shared.text.reader.encoder.layer[0], shared.text.writer.bert.encoder.layer[0]
    assert one.crossattention is other.crossattention
    assert one.intermediate is other.intermediate
    assert one.output is other.output
    assert one.attention is not other.attention
    saved = sum(p.numel() for part in (one.crossattention, one.intermediate, one.output) for p in part.parameters())
    sizes = [sum(p.numel() for p in model.parameters() if p.requires_grad) for model in (apart, shared)]
    assert sizes[0] - sizes[1] == saved


def test_a_shared_model_writes_with_a_cache_what_it_writes_without(tokenizer):
    model, batch = blip(tokenizer, share=True), batch_of(tokenizer)
    with torch.inference_mode():
        reading = model.read(batch)
        memory = reading.memory, reading.memory_mask
        kept, _ = model.text.generate(*memory, max_new_tokens=5)
        again, _ = model.text.generate(*memory, max_new_tokens=5, use_cache=False)
    assert torch.equal(kept, again)


def test_defect_46_padding_of_the_question_is_masked_when_an_answer_is_written(tokenizer):
    model = blip(tokenizer)
    with torch.inference_mode():
        written = []
        for padding in (0, 6):
            reading = model.read(batch_of(tokenizer, padding=padding))
            written.append(
                model.text.generate(reading.memory, reading.memory_mask, max_new_tokens=12, min_new_tokens=12)
            )
    (ids, score), (padded, padded_score) = written
    assert ids.shape[1] == 12  # as long as the config says, not 10
    assert torch.equal(ids, padded)
    assert torch.allclose(score, padded_score, atol=1e-5)


def test_the_slow_copies_move_by_the_momentum(tokenizer):
    model = blip(tokenizer)
    before = copy.deepcopy(model.momentum.towers.state_dict())
    with torch.no_grad():
        for parameter in model.towers.parameters():
            parameter += 1
    model.momentum.follow(model.towers, 0.9)
    for name, own in model.momentum.towers.named_parameters():
        torch.testing.assert_close(own, before[name] * 0.9 + (before[name] + 1) * 0.1, atol=1e-5, rtol=1e-5)
    assert int(model.momentum.steps) == 1


def test_the_slow_copies_learn_nothing_and_do_not_count_as_parameters(tokenizer):
    model = blip(tokenizer).train()
    assert not any(parameter.requires_grad for parameter in model.momentum.parameters())
    assert not model.momentum.towers.training
    answering = without_momentum(blip(tokenizer))
    assert not any(isinstance(part, Momentum) for part in answering.modules())
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learned == {name for name, _ in answering.named_parameters()}
    assert "momentum" not in " ".join(answering.state_dict())


def test_training_features_are_known_to_the_slow_copies_too(tokenizer):
    model, seen = blip(tokenizer), features(20, 3)
    model.fit(seen)
    rows = [towers.images.rows(seen) for towers in (model.towers, model.momentum.towers)]
    assert torch.equal(*rows)


@pytest.mark.parametrize("batches", [[3, 3], [5, 5, 5], [8], [11], [7, 20, 1], [1] * 9])
def test_defect_44_a_queue_takes_batches_of_any_size_and_keeps_the_last(tokenizer, batches):
    slow = Momentum(blip(tokenizer).towers, space=8, length=8)
    assert len(slow.queue().ids) == 0  # nothing random counts as seen
    rows, ids = unit_rows(sum(batches)), torch.arange(sum(batches))
    for part in ids.split(batches):
        slow.enqueue(rows[part], -rows[part], part)
    queue = slow.queue()
    expected = ids[-8:]
    assert sorted(queue.ids.tolist()) == expected.tolist()
    assert torch.equal(queue.image, rows[queue.ids])
    assert torch.equal(queue.text, -rows[queue.ids])


def test_slow_copies_and_queue_come_back_from_a_checkpoint(tokenizer, tmp_path):
    model, batch = blip(tokenizer).train(), batch_of(tokenizer)
    with torch.no_grad():
        model.towers.project_image.weight += 1
    model.momentum.follow(model.towers, 0.5)
    model.momentum.enqueue(*model.momentum.see(batch), torch.tensor([5, 6]))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other = blip(tokenizer)
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert all(torch.equal(*pair) for pair in zip(model.momentum.see(batch), other.momentum.see(batch), strict=True))
    assert torch.equal(other.momentum.queue().ids, torch.tensor([5, 6]))
    assert int(other.momentum.steps) == 1


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_padding_changes_no_loss(tokenizer, objective):
    model = blip(tokenizer)
    losses = []
    for padding in (0, 5):
        batch = batch_of(tokenizer, padding=padding)
        torch.manual_seed(0)
        with torch.no_grad():
            losses.append(objective(model, batch, model.read(batch)).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_losses_and_gradients_are_finite_under_bf16(tokenizer, objective):
    model, batch = blip(tokenizer).train(), batch_of(tokenizer)
    for _ in range(2):  # the second time with a queue
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = objective(model, batch, model.read(batch))
        loss.backward()
        assert loss.isfinite()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_batch_of_one_is_learned_from(tokenizer, objective):
    model, batch = blip(tokenizer).train(), one_of(batch_of(tokenizer), 1)
    loss = objective(model, batch, model.read(batch))
    loss.backward()
    assert loss.isfinite()


@pytest.mark.parametrize("objective", OBJECTIVES[:2])
def test_what_is_drawn_comes_from_the_seed_of_the_step(tokenizer, objective):
    losses = []
    for _ in range(2):
        model, batch = blip(tokenizer).train(), batch_of(tokenizer)
        torch.manual_seed(4)
        losses.append(objective(model, batch, model.read(batch)).item())
    assert losses[0] == losses[1]
