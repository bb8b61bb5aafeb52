import torch
from cases import CROSSED, JOINT, batch_of, features, model_of
from formulas import attended, close, linear, looked, normed, random, scrambled

from cfvqa.models.captioner import Captioner
from cfvqa.models.mccformers import CrossEncoder, JointEncoder
from cfvqa.models.writing import SpecialIds


def rows(seed, count=5):
    return torch.randn(2, count, 8, generator=torch.Generator().manual_seed(seed))


def encoder_of(kind):
    torch.manual_seed(0)
    return kind(width=8, layers=2, heads=2, inner=16, dropout=0.0).eval()


def test_defect_29_each_half_depends_on_both_images():
    for kind in (JointEncoder, CrossEncoder):
        encoder = encoder_of(kind)
        first, second = encoder(rows(0), rows(1))
        other_first, other_second = encoder(rows(0), rows(2))
        assert not torch.allclose(first, other_first, atol=1e-5)
        assert not torch.allclose(second, other_second, atol=1e-5)


def test_defect_4_any_number_of_rows_is_encoded():
    for kind in (JointEncoder, CrossEncoder):
        first, second = encoder_of(kind)(rows(0, 57), rows(1, 57))
        assert first.shape == second.shape == (2, 57, 8)


def test_both_directions_of_d_are_updated_at_once_with_the_same_weights():
    encoder = encoder_of(CrossEncoder)
    first, second = encoder(rows(0), rows(1))
    turned_second, turned_first = encoder(rows(1), rows(0))
    assert torch.allclose(first, turned_first, atol=1e-6)
    assert torch.allclose(second, turned_second, atol=1e-6)


def test_a_crossed_layer_against_its_formula():
    layer = encoder_of(CrossEncoder).layers[0]
    own, other = rows(0)[:1], rows(1)[:1]
    seen = attended(layer.attention, own[0], other[0])
    state = layer.first_norm(own + seen)
    expected = layer.second_norm(state + layer.forward_part(state))
    assert torch.allclose(layer(own, other), expected, atol=1e-5)


def test_the_images_are_joined_on_the_features_row_by_row(tokenizer):
    for block in (JOINT, CROSSED):
        states = model_of(tokenizer, block).pair_states(batch_of(tokenizer))
        assert states.shape == (2, 48, 32)


def test_without_question_all_questions_about_a_pair_are_one(tokenizer):
    block = {"network": JOINT["network"] | {"question": False}}
    model, batch = model_of(tokenizer, block), batch_of(tokenizer)
    first = model.read(batch).memory
    batch.question.ids[:, 2] += 1
    assert torch.equal(first, model.read(batch).memory)
    assert first.shape[1] == 48


def test_training_features_decide_the_scale_of_the_rows(tokenizer):
    model, seen = model_of(tokenizer, JOINT), features(20, 3)
    before = model.rows(seen)
    model.fit(seen)
    assert not torch.allclose(before, model.rows(seen), atol=1e-3)
    assert model.rows.region(seen.region).mean().abs() < 1e-2


SPECIAL = SpecialIds(pad=0, sep=1, mask=2, dec=3, cls=4, enc=5, specials=(0, 1, 2, 3), content=())
SIZES = {"width": 8, "layers": 2, "heads": 2, "dropout": 0.0, "max_length": 6}


def test_the_attention_before_the_first_word_against_its_formula():
    captioner = scrambled(Captioner(vocabulary=9, special=SPECIAL, **SIZES))
    memory, there = random(2, 5, 8, seed=0), torch.tensor([[True] * 5, [False, True, False, True, True]])
    first, last = captioner.decoder.layers
    start = captioner.word_embeddings.weight[3:4] + captioner.position[:1]
    for found, seen, mask in zip(captioner.first_attention(memory, there), memory, there, strict=True):
        state = normed(first.norm1, start + attended(first.self_attn, start, start))
        state = normed(first.norm2, state + attended(first.multihead_attn, state, seen[mask]))
        state = normed(first.norm3, state + linear(first.linear2, linear(first.linear1, state).relu()))
        state = normed(last.norm1, state + attended(last.self_attn, state, state))
        close(found[mask], looked(last.multihead_attn, state, seen[mask]).mean(0)[0])
        assert not found[~mask].any()


def test_a_region_is_pointed_at_by_what_is_seen_of_both_its_rows(tokenizer):
    model, batch = model_of(tokenizer, JOINT), batch_of(tokenizer)  # a pair, and an image alone
    words = batch.question.ids.shape[1]
    weight = torch.rand(2, words + 48, generator=torch.Generator().manual_seed(0))
    model.text.first_attention = lambda *_: weight
    found = model.region_attention(model.read(batch), batch)
    for row, shares in enumerate([(0.5, 0.5), (1, 0)]):
        seen = weight[row, words:].tolist()
        for region in range(24):
            both = (seen[region] + seen[24 + region]) / sum(seen)
            close(found[row, :, region], torch.tensor([share * both for share in shares]))
