import math

import pytest
import torch
from cases import EKAID, batch_of, model_of

from cfvqa.errors import InputError
from cfvqa.models.ekaid import QuestionEncoder
from cfvqa.models.relations import AskedNodes, RelationEncoder, SemanticEdges, geometry, spatial_edges
from cfvqa.vocabulary.findings import FINDING_INDEX, FINDINGS
from cfvqa.vocabulary.groups import GROUPS, finding_group, region_group
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS


def boxes(count, seed):
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand(1, count, 2, generator=g) * 0.8
    return torch.cat([corner, corner + torch.rand(1, count, 2, generator=g) * 0.4 + 0.01], dim=-1)


def label_by_hand(one, other):
    if all(one[k] > other[k] for k in (0, 1)) and all(one[k] < other[k] for k in (2, 3)):
        return 1
    if all(one[k] < other[k] for k in (0, 1)) and all(one[k] > other[k] for k in (2, 3)):
        return 2
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    if width * height / (areas - width * height) >= 0.5:
        return 3
    dx, dy = ((other[k] + other[k + 2] - one[k] - one[k + 2]) / 2 for k in (0, 1))
    if math.hypot(dx, dy) >= 2 / 3:
        return 0
    return 4 + int((math.degrees(math.atan2(dy, dx)) % 360) // 45)


def test_spatial_edges_against_a_slow_loop():
    box = torch.cat([boxes(30, 0), boxes(30, 0) + torch.tensor([0.01, 0.01, -0.001, -0.001])], dim=1)
    label = spatial_edges(box)[0]
    for i, one in enumerate(box[0].tolist()):
        for j, other in enumerate(box[0].tolist()):
            assert label[i, j] == (0 if i == j else label_by_hand(one, other))
    assert set(label.unique().tolist()) == set(range(12))


def test_defect_39_a_box_beside_another_lies_in_a_sector_and_the_way_back_in_the_opposite_one():
    label = spatial_edges(torch.tensor([[[0.1, 0.1, 0.2, 0.2], [0.4, 0.1, 0.5, 0.2]]]))[0]
    assert label[0, 1] == 4  # angle 0: the first sector, and no overlap
    assert label[1, 0] == 8


def test_the_way_back_of_an_edge_has_the_opposite_label():
    opposite = torch.tensor([0, 2, 1, 3, 8, 9, 10, 11, 4, 5, 6, 7])
    label = spatial_edges(boxes(40, 3))
    assert torch.equal(opposite[label], label.transpose(1, 2))


def test_geometry_against_its_formula():
    box = boxes(3, 1)
    one, other = box[0, 0].tolist(), box[0, 2].tolist()
    width, height = one[2] - one[0], one[3] - one[1]
    dx, dy = (abs(one[k] + one[k + 2] - other[k] - other[k + 2]) / 2 for k in (0, 1))
    measures = [dx / width, dy / height, width / (other[2] - other[0]), height / (other[3] - other[1])]
    expected = []
    for measure in measures:
        phases = [100 * math.log(max(measure, 1e-3)) / 1000 ** (k / 8) for k in range(8)]
        expected += [math.sin(phase) for phase in phases] + [math.cos(phase) for phase in phases]
    assert geometry(box)[0, 0, 2].tolist() == pytest.approx(expected, abs=1e-3)


def test_every_region_and_finding_has_a_knowledge_group():
    assert {region_group(name) for name in REGIONS} == set(GROUPS)
    assert {finding_group(name) for name in FINDINGS} == set(GROUPS)
    with pytest.raises(KeyError, match="left knee"):
        region_group("left knee")


def test_findings_that_occur_together_on_training_images_are_joined():
    edema, effusion, hernia = (
        FINDING_INDEX[name] for name in ("pulmonary edema/hazy opacity", "pleural effusion", "hernia")
    )
    seen = torch.zeros(100, 24, 38)
    seen[:50, 0, edema] = 0.9
    seen[:10, 1, effusion] = 0.9  # with edema in a fifth of its images
    seen[:9, 2, hernia] = 0.9  # in 0.18 of the images with edema: not more
    edges = SemanticEdges()
    edges.fit(seen)
    assert edges.together[edema, effusion] == 1
    assert edges.together[edema, hernia] == 0
    assert edges.together[hernia, edema] == 1
    assert edges.together.diagonal().sum() == 0


def test_semantic_edges_join_a_region_with_findings_of_its_group_and_findings_that_meet():
    edges = SemanticEdges()
    heart, lung = REGION_INDEX["cardiac silhouette"], REGION_INDEX["left lung"]
    big, edema = FINDING_INDEX["enlarged cardiac silhouette"], FINDING_INDEX["pulmonary edema/hazy opacity"]
    edges.together[big, edema] = 1
    probability = torch.zeros(1, 24, 38)
    probability[0, heart, big], probability[0, lung, edema] = 0.9, 0.9
    label = edges(probability)[0]
    assert torch.equal(label, label.T)
    assert label[heart, 24 + heart] == 1
    assert label[heart, 24 + lung] == 0
    assert label[lung, 24 + lung] == 1
    assert label[24 + heart, 24 + lung] == 2
    assert label[:24, :24].sum() == 0


ALL = torch.ones(1, 6, dtype=torch.bool)


def relation(**arguments):
    torch.manual_seed(0)
    return RelationEncoder(**{"width": 8, "heads": 2, "dropout": 0.0, "labels": 12} | arguments).eval()


def case(count=6):
    g = torch.Generator().manual_seed(5)
    node, question = torch.randn(1, count, 8, generator=g), torch.randn(1, 8, generator=g)
    return AskedNodes(node, question, torch.tensor([0])), spatial_edges(boxes(count, 4))


def test_defect_32_both_directions_and_the_node_itself_count():
    encoder = relation()
    asked, edge = case()
    encoder(asked, edge, ALL).sum().backward()
    parts = [encoder.directions[0].output, encoder.directions[1].output, encoder.itself]
    for part in parts:
        gradient = [parameter.grad for parameter in part.parameters()]
        assert all(values is not None and values.abs().sum() > 0 for values in gradient)


def test_defect_34_a_node_without_neighbours_receives_nothing():
    encoder = relation()
    asked, edge = case()
    edge[0, 2], edge[0, 1, 3] = 0, 5
    direction = encoder.directions[0]
    seen = direction(asked, edge, ALL)
    assert torch.allclose(seen[0, 2], direction.output.bias)
    asked.node[0, 3] += 5
    assert torch.equal(direction(asked, edge, ALL)[0, 2], seen[0, 2])
    assert not torch.allclose(direction(asked, edge, ALL)[0, 1], seen[0, 1])


def test_a_direction_of_attention_against_a_slow_loop():
    direction = relation().directions[0]
    asked, edge = case(4)
    node = asked.states()
    query, key = direction.query(node)[0], direction.key(node)[0]
    joined = []
    for i in range(4):
        heads = []
        for half in (slice(0, 4), slice(4, 8)):
            near = [j for j in range(4) if edge[0, i, j] > 0]
            score = [query[i, half] @ key[j, half] / 2 + direction.bias.weight[edge[0, i, j], 0] for j in near]
            share = torch.stack(score).softmax(0)
            heads.append(sum(weight * node[0, j] for weight, j in zip(share, near, strict=True)))
        joined.append(torch.cat(heads))
    assert torch.allclose(direction(asked, edge, ALL[:, :4])[0], direction.output(torch.stack(joined)), atol=1e-5)


def test_implicit_relations_join_all_nodes_by_their_geometry():
    encoder = relation(labels=None)
    asked, _ = case()
    near = encoder(asked, geometry(boxes(6, 4)), ALL)
    assert not torch.allclose(near, encoder(asked, geometry(boxes(6, 9)), ALL), atol=1e-6)


def test_a_layer_of_nodes_and_questions_is_that_of_their_sum():
    g = torch.Generator().manual_seed(2)
    asked = AskedNodes(*(torch.randn(*shape, generator=g) for shape in ((2, 3, 8), (3, 8))), torch.tensor([0, 1, 1]))
    states = torch.stack(
        [asked.node[unit] + question for unit, question in zip(asked.unit, asked.question, strict=True)]
    )
    assert torch.equal(asked.states(), states)
    layer = torch.nn.Linear(8, 5)
    assert torch.allclose(asked.through(layer).states(), layer(states), atol=1e-6)
    encoder = relation()
    beside = torch.cat([asked.node[asked.unit], asked.question.unsqueeze(1).expand(-1, 3, -1)], dim=-1)
    assert torch.allclose(encoder._joined(asked).states(), encoder.join(beside), atol=1e-6)


def test_defect_31_the_relations_are_parallel_and_their_weights_count(tokenizer):
    batch = batch_of(tokenizer)
    answers = {}
    for shares in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.2, 0.3, 0.5)):
        model = model_of(tokenizer, {"network": EKAID["network"] | {"relations": list(shares)}})
        question, _ = model.question(batch.question)
        answers[shares] = model.nodes(model.rows(batch.main), batch.main, question, batch.unit)
    alone = list(answers.values())[:3]
    assert not torch.allclose(alone[0], alone[1], atol=1e-4)
    mixed = sum(share * nodes for share, nodes in zip((0.2, 0.3, 0.5), alone, strict=True))
    assert torch.allclose(answers[0.2, 0.3, 0.5], mixed, atol=1e-5)


def test_defect_33_a_question_is_pooled_over_its_own_words(tokenizer):
    torch.manual_seed(0)
    encoder = QuestionEncoder(vocabulary=len(tokenizer), word_width=8, width=8, dropout=0.0).eval()
    batch = batch_of(tokenizer)
    together, _ = encoder(batch.question)
    text = batch.question
    alone, _ = encoder(type(text)(text.ids[:1], text.mask[:1]))
    assert torch.allclose(together[:1], alone, atol=1e-6)


def test_the_third_vector_is_what_differs(tokenizer):
    model, batch = model_of(tokenizer, EKAID), batch_of(tokenizer)
    main, reference, difference = model.read(batch).memory.unbind(1)
    assert torch.allclose(difference, reference - main)
    equal = batch_of(tokenizer)
    equal.reference = equal.main
    main, reference, difference = model.read(equal).memory.unbind(1)
    assert difference[0].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("setting", "said"), [({"heads": 3}, "heads 3 do not divide"), ({"relations": [0.5, 0.5]}, "are not 3 weights")]
)
def test_settings_that_cannot_be_trained_are_refused_before_the_first_batch(tokenizer, setting, said):
    with pytest.raises(InputError, match=f"model.network cannot be made with these settings: ValueError: .*{said}"):
        model_of(tokenizer, {"network": EKAID["network"] | setting})
