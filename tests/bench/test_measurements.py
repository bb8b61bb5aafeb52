"""Each measurement on a tiny reader: figures that can be, and counts that are known."""

import math
import re
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cfvqa.bench.answers import answers
from cfvqa.bench.classifiers import classifiers, images_a_second
from cfvqa.bench.compiled import compiled
from cfvqa.bench.extraction import extraction
from cfvqa.bench.figures import HEADER, of_step
from cfvqa.bench.label_texts import encode_labels, label_texts
from cfvqa.bench.loading import loading, rows_a_second
from cfvqa.bench.machine import machine
from cfvqa.bench.padding import padding
from cfvqa.bench.precision import Mixed, precision
from cfvqa.bench.processes import processes
from cfvqa.bench.random_row import WAYS, random_row
from cfvqa.bench.rounds import Rounds
from cfvqa.bench.training_step import flop_of, training_step
from cfvqa.vision.region_crops import RegionCrops
from cfvqa.vision.shared_trunk import SharedTrunk
from cfvqa.vision.trunk import Trunk


@pytest.mark.parametrize("measure", [label_texts, padding, precision, loading, answers, random_row, extraction])
def test_figures_are_finite_and_positive(lab, measure):
    check(measure(lab))


def test_every_phase_has_its_step(lab):
    figures = training_step(lab)
    assert [figure.measured.split()[2] for figure in figures] == ["pretrain:", "finetune:"]
    check(figures)


def check(figures):
    assert figures
    for figure in figures:
        assert math.isfinite(figure.ratio)
        assert figure.ratio > 0
        assert len(figure.cells()) == len(HEADER)
        for cell in (figure.ours, figure.other):
            assert all(math.isfinite(float(number)) for number in re.findall(r"\d+\.\d+", cell))
            assert "inf" not in cell


def test_a_linear_layer_counts_as_its_closed_form():
    layer, rows = nn.Linear(5, 7), torch.randn(3, 5)
    product = 2 * 3 * 5 * 7
    assert flop_of(lambda: layer(rows).sum().backward()) == 2 * product  # forward, weights
    inside = torch.randn(3, 5, requires_grad=True)
    assert flop_of(lambda: layer(inside).sum().backward()) == 3 * product  # and what is below


def test_attention_is_counted():
    query = torch.randn(1, 2, 3, 4)  # two heads, three words, four wide
    assert flop_of(lambda: F.scaled_dot_product_attention(query, query, query)) == 2 * 2 * (2 * 3 * 3 * 4)


def test_a_step_changes_the_reader(lab):
    loss = lab.loss("finetune")
    before = loss.module.model.match.weight.detach().clone()
    lab.step(loss, "finetune").take(lab.inputs.pair_batch())
    assert not torch.equal(loss.module.model.match.weight, before)


def test_products_of_a_mixed_loss_are_of_16_bits_and_its_weights_stay_whole(lab):
    loss, types = Mixed(lab.loss("finetune")), []
    first = next(layer for layer in loss.modules() if isinstance(layer, nn.Linear))
    first.register_forward_hook(lambda layer, inputs, output: types.append(output.dtype))
    lab.step(loss, "finetune").take(lab.inputs.pair_batch())
    assert set(types) == {torch.bfloat16}
    assert {weight.dtype for weight in loss.parameters()} == {torch.float32}


def test_labels_are_encoded_to_a_state_each(lab):
    assert encode_labels(lab.reader()).shape == (62, 32)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_gives_rows(lab, workers):
    assert 0 < rows_a_second(lab.inputs, workers)() < math.inf


def test_classifiers_judge_images():
    small = Trunk(channels=(4, 8, 8, 8), width=8)
    for network in (SharedTrunk(trunk=small, channels=8, width=8), RegionCrops(network="resnet18", width=8, crop=32)):
        assert 0 < images_a_second(network, 2, 64, torch.device("cpu"))() < math.inf


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.672, "2.67 s"), (1, "1 s"), (0.0412, "41.2 ms"), (0.000123, "0.123 ms")]
)
def test_a_step_is_told_to_three_digits(seconds, text):
    assert of_step(seconds) == text


def test_the_machine_is_named():
    words = machine()
    assert f"{torch.get_num_threads()} threads" in words
    assert torch.__version__ in words


SECONDS = {"once": 2, "every image": 6, "random": 8, "sorted": 4, "plain": 6, "compiled": 3, "one": 3, "two": 2}
PRECISIONS = {"32": 8, "bf16": 2}
RATES = {"step": 5, "0 workers": 10, "2 workers": 20, "together": 12, "alone": 3, "trunk": 9, "crops": 3}
PASSES = {"networks": 8, "decoding": 40, "between": 4, "beside": 6}
MILLISECONDS = {"ours": 0.5} | {way.name: 2 + place for place, way in enumerate(WAYS)}


def known(monkeypatch, question, values):
    """Let a question find known values instead of measuring."""
    monkeypatch.setattr(
        f"{question.__module__}.interleave",
        lambda ways, repeats: Rounds({name: [values[name]] for name in ways}),
    )


@pytest.mark.parametrize(
    ("question", "ratios", "meaning"),
    [
        (label_texts, [3.0], "times as long"),
        (padding, [0.5], "times as long"),
        (compiled, [0.5], "times as long"),
        (precision, [0.25], "times as long"),
        (loading, [2.0, 4.0], "times as many"),
        (answers, [4.0], "times as many"),
        (random_row, [4.0, 6.0, 8.0], "times as long"),
        (extraction, [1.5], "times as many"),
        (classifiers, [3.0], "times as many"),
        (processes, [1.5], "times as many"),
    ],
)
def test_a_ratio_is_what_its_words_say(lab, monkeypatch, question, ratios, meaning):
    known(monkeypatch, question, SECONDS | PRECISIONS | RATES | PASSES | MILLISECONDS)
    monkeypatch.setattr("cfvqa.bench.compiled.has_compiler", lambda: True)
    monkeypatch.setattr("cfvqa.bench.compiled.compile_parts", lambda model: None)
    monkeypatch.setattr("cfvqa.bench.processes.shared_steps", lambda *_: nullcontext(lambda: None))
    assert [(figure.ratio, figure.meaning) for figure in question(lab)] == [(ratio, meaning) for ratio in ratios]


def test_a_step_that_takes_twice_as_long_reaches_half_the_share(lab, monkeypatch):
    shares = []
    for seconds in (1, 2):
        known(monkeypatch, training_step, dict.fromkeys(lab.config.phases, seconds) | {"sgemm": 1})
        shares.append([figure.ratio for figure in training_step(lab)])
    assert shares[0] == pytest.approx([2 * share for share in shares[1]])
