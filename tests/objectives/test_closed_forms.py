"""Each objective against the value that a pencil gives, with a model that says the same of everything."""

import math
from dataclasses import dataclass

import pytest
import torch

from cfvqa.data.batches import ImageBatch, PairBatch, Tokens
from cfvqa.language.change_labels import KINDS, label_changes
from cfvqa.language.grammar import Change, ChangeKind
from cfvqa.models.change_head import ChangeLogits
from cfvqa.models.outputs import Reading
from cfvqa.models.text import SpecialIds
from cfvqa.objectives.changes import Changes
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.language import Generation, MaskedLanguage
from cfvqa.objectives.matching import Matching
from cfvqa.objectives.sparse_attention import SparseAttention
from cfvqa.vision.finding_losses import finding_losses
from cfvqa.vision.outputs import FindingOutput
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

VOCABULARY, WIDTH = 11, 4
SPECIAL = SpecialIds(pad=0, sep=1, mask=2, dec=3, cls=3, enc=3, specials=(0, 1, 2, 3), content=(5, 6, 7))


class FlatText:
    """Every token is as likely as every other, and every word is the same vector."""

    special = SPECIAL

    def word_embeddings(self, ids):
        return torch.ones(*ids.shape, WIDTH)

    def next_token_logits(self, text, memory, memory_mask):
        return torch.zeros(*text.ids.shape, VOCABULARY)

    masked_logits = next_token_logits

    def answer_state(self, text, memory, memory_mask):
        return torch.ones(len(text.ids), WIDTH)


@dataclass
class FlatModel:
    text: FlatText

    def contrast(self, state):
        return state

    def match(self, state):
        return torch.tensor([0.0, math.log(3)]).expand(len(state), 2)  # "right" with probability 3/4


def tokens(*rows):
    ids = torch.tensor(rows)
    return Tokens(ids, ids != 0)


@pytest.fixture
def case():
    answer, wrong = tokens([3, 5, 6, 1], [3, 7, 1, 0]), tokens([3, 8, 1, 0], [3, 9, 1, 0])
    batch = PairBatch(
        main=None,
        reference=None,
        has_reference=torch.tensor([True, True]),
        unit=torch.tensor([0, 1]),
        question=answer,
        answer=answer,
        wrong_answer=wrong,
        keywords=tokens([3, 5, 6, 1], [3, 7, 1, 0]),
        changes=torch.full((2, len(ANSWER_FINDINGS), 3), -1),
        row=torch.tensor([0, 1]),
        draw=torch.zeros(2, 4),
    )
    visual = torch.ones(2, 3, WIDTH)
    mask = torch.ones(2, 3, dtype=torch.bool)
    return FlatModel(FlatText()), batch, Reading(visual, mask, torch.ones(2, 4, WIDTH), visual, mask, None)


def test_generation_over_equal_tokens_costs_the_logarithm_of_the_vocabulary(case):
    assert Generation()(*case).item() == pytest.approx(math.log(VOCABULARY), rel=1e-6)
    assert Generation(smoothing=0.1)(*case).item() == pytest.approx(math.log(VOCABULARY), rel=1e-6)


def test_answers_that_are_put_together_are_not_learned_word_by_word(case):
    model, batch, reading = case
    batch.changes[0] = torch.from_numpy(label_changes([]))
    model.text.next_token_logits = lambda text, *_: torch.nn.functional.one_hot(text.ids, VOCABULARY).float() * 9
    loss = Generation(answers="written")(model, batch, reading).item()
    batch.answer = tokens([3, 7, 1, 0])
    batch.changes = batch.changes[1:]
    assert loss == pytest.approx(Generation()(model, batch, reading).item(), rel=1e-6)
    batch.changes[0] = torch.from_numpy(label_changes([]))
    assert Generation(answers="written")(model, batch, reading).item() == 0


def test_defect_5_masked_language_is_a_mean_and_costs_the_logarithm_of_the_vocabulary(case):
    assert MaskedLanguage(several=1.0)(*case).item() == pytest.approx(math.log(VOCABULARY), rel=1e-6)


def test_masked_language_costs_nothing_where_nothing_is_drawn(case):
    model, batch, reading = case
    batch.answer = tokens([3, 8, 9, 1], [3, 10, 1, 0])  # no word of content
    assert MaskedLanguage(none=0.0)(model, batch, reading).item() == 0


def test_matching_is_the_mean_over_right_and_wrong_answers(case):
    assert Matching()(*case).item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2, rel=1e-6)


def test_sparse_attention_is_the_mean_over_questions_of_all_that_they_look_at(case):
    model, batch, reading = case
    reading.attention = torch.tensor([[0.5, 0.25, 1.0], [0.0, 0.5, 0.25]])
    assert SparseAttention()(model, batch, reading).item() == pytest.approx((1.75 + 0.75) / 2)
    batch.unit, reading.attention = batch.unit[:1], reading.attention[:1]
    assert SparseAttention()(model, batch, reading).item() == pytest.approx(1.75)


CONTRASTS = [Coarse(scale=10.0), Fine(scale=10.0), Fine(scale=10.0, context="question", softmaxes=2)]


@pytest.mark.parametrize("objective", CONTRASTS)
def test_contrast_of_equal_vectors_costs_the_logarithm_of_the_candidates(case, objective):
    assert objective(*case).item() == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize("objective", CONTRASTS)
def test_contrast_of_equal_keywords_costs_no_more_however_they_score(case, objective):
    model, batch, reading = case
    batch.keywords = tokens([3, 5, 1], [3, 5, 1])
    assert objective(model, batch, reading).item() == pytest.approx(math.log(2), rel=1e-5)


def test_changes_of_an_undecided_head_cost_the_logarithms_of_what_is_to_choose(case):
    model, batch, reading = case
    findings, levels = len(ANSWER_FINDINGS), len(LEVEL_WORDS)
    grown = [Change("edema", ChangeKind.LEVEL, "mild", "severe"), Change("hernia", ChangeKind.ADDED)]
    batch.changes = torch.stack([torch.from_numpy(label_changes(some)) for some in (grown, None)])
    empty = torch.zeros(2, findings, levels)
    reading.changes = ChangeLogits(torch.zeros(2, findings, len(KINDS)), empty, empty)
    model.asks_for_change = lambda reading: torch.zeros(2)
    kinds, words, gate = findings * math.log(len(KINDS)), 2 * math.log(levels), math.log(2)
    assert Changes()(model, batch, reading).item() == pytest.approx(kinds + words + gate, rel=1e-5)


def test_a_learned_temperature_starts_where_the_fixed_one_is_and_goes_ten_times_as_far_at_most(case):
    model, batch, reading = case
    model.contrast = lambda state: state * torch.arange(state.shape[0]).view(-1, *[1] * (state.dim() - 1))
    model.log_scale = {name: torch.zeros(()) for name in ("coarse", "fine")}
    for kind in (Coarse, Fine):
        fixed, learned = kind(scale=2.0), kind(scale=2.0, temperature="learned")
        assert learned(model, batch, reading).item() == pytest.approx(fixed(model, batch, reading).item())
        wide = kind(scale=20.0)(model, batch, reading).item()
        model.log_scale = {name: torch.full((), 99.0) for name in ("coarse", "fine")}
        assert learned(model, batch, reading).item() == pytest.approx(wide, rel=0.01)
        model.log_scale = {name: torch.zeros(()) for name in ("coarse", "fine")}


def test_finding_losses_of_an_undecided_classifier():
    regions, findings = 24, 38
    zero = torch.zeros(1, regions, findings)
    output = FindingOutput(
        logit=zero,
        abnormal=torch.zeros(1, regions, 2),
        severity=torch.zeros(1, regions, findings, 2),
        feature=torch.zeros(1, regions, 3),
    )
    batch = ImageBatch(
        image=torch.zeros(1, 1, 8, 8, dtype=torch.uint8),
        box=torch.zeros(1, regions, 4),
        box_known=torch.ones(1, regions, dtype=torch.bool),
        region_finding=torch.ones(1, regions, findings, dtype=torch.int8),
        image_finding=torch.ones(1, findings, dtype=torch.int8),
        severity=torch.full((1, findings), 2, dtype=torch.int8),
        index=torch.zeros(1, dtype=torch.int64),
    )
    half = math.log(2)
    losses = {name: value.item() for name, value in finding_losses(output, batch).items()}
    assert losses == pytest.approx(
        {"region": 10 * half, "image": 2 * half, "abnormal": 0.2 * half, "severity": half / 2}
    )
