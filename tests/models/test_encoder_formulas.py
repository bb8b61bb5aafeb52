"""Encoders of pairs, graphs and questions against their formulas, from their own weights."""

import math

import pytest
import torch
from cases import GLORIA, batch_of, features, model_of
from formulas import attended, close, gelu, gru, linear, lstm, normed, random, scrambled

from cfvqa.data.batches import Tokens
from cfvqa.models.change_head import ChangeHead
from cfvqa.models.difference import DifferenceEncoder, PairEncoder
from cfvqa.models.ekaid import ChangeAttention, QuestionEncoder
from cfvqa.models.knowledge_graph import NODES, KnowledgeGraph
from cfvqa.models.mccformers import JointEncoder
from cfvqa.models.relations import AskedNodes, RelationEncoder, geometry
from cfvqa.models.rows import ROWS
from cfvqa.models.siamese import FindingStates
from cfvqa.models.speaker import Speaker
from cfvqa.models.standardise import relative_boxes
from cfvqa.vocabulary.findings import ANSWER_FINDINGS

SIZES = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}


def encoded(encoder, state, difference):
    """What a `DifferenceEncoder` of one layer says of a state and a difference (N, D)."""
    [layer] = encoder.encoder.layers
    x = torch.cat([state + encoder.which[0], difference + encoder.which[1]])
    before = normed(layer.norm1, x)
    x = x + attended(layer.self_attn, before, before)
    x = x + linear(layer.linear2, gelu(linear(layer.linear1, normed(layer.norm2, x))))
    return normed(encoder.encoder.norm, x).chunk(2)


@pytest.mark.parametrize("inner", [None, 12])
def test_a_difference_encoder_against_its_formula(inner):
    encoder = scrambled(DifferenceEncoder(**SIZES, inner=inner))
    state, difference = random(2, 5, 8, seed=0), random(2, 5, 8, seed=1)
    for row in range(2):
        for found, expected in zip(
            encoder(state, difference), encoded(encoder, state[row], difference[row]), strict=True
        ):
            close(found[row], expected)


def joined(join, parts, main):
    if hasattr(join, "which"):
        return normed(join.norm, torch.cat([part + which for part, which in zip(parts, join.which, strict=True)]))
    first, _, second = join.join
    return normed(join.norm, linear(second, gelu(linear(first, torch.cat(parts, dim=-1)))) + main)


@pytest.mark.parametrize("join", ["features", "tokens"])
@pytest.mark.parametrize("encoders", ["shared", "separate"])
def test_a_pair_is_both_images_with_their_difference_and_none_is_learned(join, encoders):
    pair = scrambled(PairEncoder(**SIZES, encoders=encoders, join=join))
    main, reference = random(2, 5, 8, seed=0), random(1, 5, 8, seed=1)
    found = pair(main, reference, torch.tensor([1]))
    one, other = pair.encoders[0], pair.encoders[-1]
    nothing = [pair.no_reference.expand(5, 8)] * 2
    close(found[0], joined(pair.join, [*encoded(one, main[0], torch.zeros(5, 8)), *nothing], main[0]))
    change = main[1] - reference[0]
    parts = [*encoded(one, main[1], change), *encoded(other, reference[0], change)]
    close(found[1], joined(pair.join, parts, main[1]))


def test_a_joint_layer_against_its_formula():
    encoder = scrambled(JointEncoder(**SIZES, inner=12))
    [layer] = encoder.encoder.layers
    main, reference = random(1, 5, 8, seed=0), random(1, 5, 8, seed=1)
    x = torch.cat([main[0], reference[0]])
    x = normed(layer.norm1, x + attended(layer.self_attn, x, x))
    x = normed(layer.norm2, x + linear(layer.linear2, linear(layer.linear1, x).relu()))
    close(torch.cat(encoder(main, reference), dim=1)[0], x)


def graph_by_hand(graph, image, labels, mask):
    """What the graph says of one image (a batch of one), region by region and finding by finding."""
    found = image.found[0].unsqueeze(-1)
    kinds = {"region": image.region, "finding": image.finding, "box": relative_boxes(image.box, image.found)}
    region, finding, box = (
        ((part[0] - getattr(graph, name).mean) / getattr(graph, name).scale).clamp(-6, 6)
        for name, part in kinds.items()
    )
    seen = linear(graph.from_finding, finding)
    regions = (linear(graph.from_region, region) + seen + linear(graph.geometry, box)) * found
    there, p = seen + linear(graph.whereabouts, labels[:24]), image.probability[0] * found
    nodes = list(regions)
    for f in range(38):
        highest = p[:, f].max()
        clipped = highest.clamp(1e-3, 1 - 1e-3)
        odds = torch.log(clipped / (1 - clipped)) / 2
        told = torch.stack([6 * highest - 3, odds, *(6 * image.severity[0, f] - 3)])
        nodes.append(
            sum(p[r, f] / p[:, f].sum() * there[r] for r in range(24)) * highest + linear(graph.presence, told)
        )
    x = torch.stack(nodes)
    x = x * (1 + linear(graph.gate, labels)) + labels
    edge = torch.eye(NODES)
    edge[:24, 24:], edge[24:, :24] = p, p.T
    degree = edge.sum(1).sqrt()
    edge = edge / degree[:, None] / degree[None, :]
    return normed(graph.norm, x + edge @ linear(graph.second, gelu(edge @ linear(graph.first, x)) * mask))


@pytest.mark.parametrize("inner", [8, 12])
def test_defect_15_a_graph_against_its_formula_labels_stay_each_with_its_node(inner):
    graph = scrambled(KnowledgeGraph(region_width=8, finding_width=6, width=8, dropout=0.0, inner=inner))
    graph.fit(features(20, 3))
    image, labels, mask = features(2, 0), random(NODES, 8, seed=1), random(2, NODES, inner, seed=2)
    image.score[1, 4] = 0  # a region that was not found
    found = graph(image, labels, mask)
    for row in range(2):
        close(found[row], graph_by_hand(graph, image[torch.tensor([row])], labels, mask[row]))


def test_a_question_is_pooled_by_its_formula():
    encoder = scrambled(QuestionEncoder(vocabulary=9, word_width=3, width=4, dropout=0.0))
    ids = torch.tensor([[3, 5, 7, 1], [3, 8, 0, 0]])
    pooled, _ = encoder(Tokens(ids, ids > 0))
    first, _, second = encoder.score
    for row, length in enumerate((4, 2)):
        states = [torch.zeros(4)]
        for word in ids[row, :length]:
            states.append(gru(encoder.reader, encoder.words.weight[word], states[-1]))
        share = torch.cat([linear(second, linear(first, state).tanh()) for state in states[1:]]).softmax(0)
        close(pooled[row], sum(part * state for part, state in zip(share, states[1:], strict=True)))


def test_change_attention_against_its_formula():
    change = scrambled(ChangeAttention(width=4, inner=3, dropout=0.0))
    node, difference = random(2, 5, 4, seed=0), random(2, 5, 4, seed=1)
    total, weight = change(node, difference)
    for row in range(2):
        expected = []
        for one, other in zip(node[row], difference[row], strict=True):
            content = (linear(change.content[0], other) + linear(change.content[1], one)).tanh()
            gate = (linear(change.gate[0], other) + linear(change.gate[1], one)).sigmoid()
            hidden = linear(change.judge[0], torch.cat([one, other, content * gate])).relu()
            expected.append(linear(change.judge[3], hidden).sigmoid()[0])
        close(weight[row], torch.stack(expected))
        close(total[row], sum(share * one for share, one in zip(expected, node[row], strict=True)))


def implicit_by_hand(direction, state, lies, there):
    """One direction of implicit attention among states (N, D); `lies` (N, N, 64) says how j lies to i."""
    query, key = linear(direction.query, state), linear(direction.key, state)
    half = state.shape[1] // 2
    rows = []
    for i in range(len(state)):
        heads = []
        for head in range(2):
            part = slice(head * half, (head + 1) * half)
            near = [j for j in range(len(state)) if there[j]]
            bias = [math.log(max(linear(direction.bias, lies[i, j])[head].item(), 1e-6)) for j in near]
            score = [query[i, part] @ key[j, part] / half**0.5 + more for j, more in zip(near, bias, strict=True)]
            share = torch.stack(score).softmax(0)
            heads.append(sum(weight * state[j] for weight, j in zip(share, near, strict=True)))
        rows.append(linear(direction.output, torch.cat(heads)))
    return torch.stack(rows)


def test_an_implicit_relation_against_a_slow_loop_in_both_directions():
    encoder = scrambled(RelationEncoder(width=8, heads=2, dropout=0.0, labels=None))
    node, question = random(1, 5, 8, seed=0), random(1, 8, seed=1)
    corner = random(1, 5, 2, seed=2).sigmoid() / 2
    lies = geometry(torch.cat([corner, corner + random(1, 5, 2, seed=3).sigmoid() / 2 + 0.01], dim=-1))
    there = torch.tensor([[True, True, False, True, True]])
    found = encoder(AskedNodes(node, question, torch.tensor([0])), lies, there)
    state = torch.stack([linear(encoder.join, torch.cat([one, question[0]])) for one in node[0]])
    out, back = encoder.directions
    seen = implicit_by_hand(out, state, lies[0], there[0])
    seen = seen + implicit_by_hand(back, state, lies[0].transpose(0, 1), there[0])
    close(found[0], (linear(encoder.itself, state) + seen).relu())


def test_the_steps_of_a_speaker_against_their_formula(tokenizer):
    special = model_of(tokenizer, GLORIA).text.special
    speaker = scrambled(Speaker(vocabulary=9, special=special, width=4, state_width=3, word_width=5, dropout=0.0))
    vectors, ids = random(1, 3, 4, seed=0), torch.tensor([[3, 5, 7]])
    found = speaker.next_token_logits(Tokens(ids, ids > 0), vectors, torch.ones(1, 3, dtype=torch.bool))[0]
    look, looked, said, kept = (torch.zeros(3) for _ in range(4))
    joined = linear(speaker.join[0], vectors.flatten()).relu()
    for place, word in enumerate(ids[0]):
        look, looked = lstm(speaker.look, torch.cat([joined, said]), look, looked)
        share = linear(speaker.choose, look).softmax(0)
        mixed = sum(part * vector for part, vector in zip(share, vectors[0], strict=True))
        kind = linear(speaker.side[2], linear(speaker.side[0], said).relu()).softmax(0)
        gate = torch.cat([look, linear(speaker.side[4], kind), mixed])
        gate = linear(speaker.gate[2], linear(speaker.gate[0], gate).relu()).sigmoid()
        heard = torch.cat([speaker.word_embeddings.weight[word].relu(), gate * mixed])
        said, kept = lstm(speaker.speak, heard, said, kept)
        close(found[place], linear(speaker.output, said))


def test_finding_states_against_their_formula():
    states = scrambled(FindingStates(width=4, dropout=0.0))
    nodes = random(1, 2, NODES, 4, seed=0)
    found = states(nodes)
    norm, first, _, _, second = states.refine
    for image in range(2):
        for row in range(len(ANSWER_FINDINGS)):
            share = states.look[row].exp() / states.look[row].exp().sum()
            seen = sum(part * node for part, node in zip(share, nodes[0, image], strict=True)) + states.name[row]
            hidden = gelu(linear(first, normed(norm, seen)))
            close(found[0, image, row], normed(states.norm, seen + linear(second, hidden)))


def test_a_change_head_against_its_formula():
    head = scrambled(ChangeHead(width=4, dropout=0.0))
    main, reference = random(1, 3, 4, seed=0), random(1, 3, 4, seed=1)
    found = head(main, reference)
    for row in range(3):
        one, other = main[0, row], reference[0, row]
        there, back = (gelu(linear(head.compare[0], torch.cat(pair))) for pair in ((one, other), (other, one)))
        (none, added, level), (none_back, removed, level_back) = linear(head.kind, there), linear(head.kind, back)
        close(found.kind[0, row], torch.stack([none + none_back, added, removed, level + level_back]))
        close(found.after[0, row], linear(head.level, there))
        close(found.before[0, row], linear(head.level, back))


def test_places_of_gloria_and_their_whole_against_their_formula(tokenizer):
    model, batch = scrambled(model_of(tokenizer, GLORIA)), batch_of(tokenizer)
    reading, rows = model.read(batch), [model.rows(image) for image in (batch.main, batch.reference)]
    whole = model.whole(reading)
    for unit, there in ((0, (True, True, True)), (1, (True, False, False))):
        images = (rows[0][unit], rows[1][unit], rows[1][unit] - rows[0][unit])
        pooled = []
        for number, image in enumerate(images):
            places = normed(model.local[1], linear(model.local[0], image + model.position + model.image[number]))
            here = slice(number * ROWS, (number + 1) * ROWS)
            close(reading.visual[unit, here], places)
            assert (reading.visual_mask[unit, here] == there[number]).all()
            pooled.append(linear(model.deeper[0], places).relu().mean(0) * there[number])
        close(whole[unit], linear(model.together, torch.cat(pooled)))
