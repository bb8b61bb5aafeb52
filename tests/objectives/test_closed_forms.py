"""Each objective against the value that a pencil gives, with models that say what a test lets them say."""

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


@dataclass
class FlatModel:
    text: FlatText

    def contrast(self, state):
        return state


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


def given(*shape):
    """Logits that differ everywhere."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def cost(logits, target):
    """The cross-entropy of a few logits, with a pencil."""
    return math.log(sum(math.exp(value) for value in logits.tolist())) - logits[target].item()


def test_defect_5_masked_language_is_the_mean_over_hidden_words_each_asked_for_at_its_own_place(case):
    model, batch, reading = case
    logits, shown = given(2, 4, VOCABULARY), []
    model.text.masked_logits = lambda text, *_: shown.append(text.ids) or logits
    expected = (cost(logits[0, 1], 5) + cost(logits[0, 2], 6) + cost(logits[1, 1], 7)) / 3
    assert MaskedLanguage(several=1.0)(model, batch, reading).item() == pytest.approx(expected, rel=1e-5)
    assert shown[0].tolist() == [[3, 2, 2, 1], [3, 2, 1, 0]]


def test_masked_language_costs_nothing_where_nothing_is_drawn(case):
    model, batch, reading = case
    batch.answer = tokens([3, 8, 9, 1], [3, 10, 1, 0])  # no word of content
    assert MaskedLanguage(none=0.0)(model, batch, reading).item() == 0


def test_matching_is_the_mean_over_right_and_wrong_answers_each_beside_its_own_images(case):
    model, batch, reading = case
    reading.memory[1] = 2
    model.text.answer_state = lambda text, memory, _: text.ids[:, 1:2] * memory[:, 0, :1]  # 5, 14 and 8, 18
    model.match = lambda state: torch.cat([torch.zeros_like(state), (state - 9) / 4], dim=1)  # of wrong, right
    right = math.log(1 + math.exp(1)) + math.log(1 + math.exp(-5 / 4))
    wrong = math.log(1 + math.exp(-1 / 4)) + math.log(1 + math.exp(9 / 4))
    assert Matching()(model, batch, reading).item() == pytest.approx((right + wrong) / 4, rel=1e-6)


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


def test_changes_cost_what_happened_to_each_finding_its_two_levels_and_whether_they_are_asked_for(case):
    model, batch, reading = case
    findings, levels = len(ANSWER_FINDINGS), len(LEVEL_WORDS)
    grown = [Change("edema", ChangeKind.LEVEL, "mild", "severe"), Change("hernia", ChangeKind.ADDED)]
    batch.changes = torch.stack([torch.from_numpy(label_changes(some)) for some in (grown, None)])
    kind, (before, after) = given(2, findings, len(KINDS)), given(2, 2, findings, levels)
    reading.changes = ChangeLogits(kind, before, after)
    model.asks_for_change = lambda reading: torch.tensor([0.5, 2.0])
    happened = {"edema": KINDS.index(ChangeKind.LEVEL), "hernia": KINDS.index(ChangeKind.ADDED)}
    kinds = sum(cost(kind[0, row], happened.get(name, 0)) for row, name in enumerate(ANSWER_FINDINGS))
    edema = ANSWER_FINDINGS.index("edema")
    words = cost(before[0, edema], LEVEL_WORDS.index("mild")) + cost(after[0, edema], LEVEL_WORDS.index("severe"))
    gate = (math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(2))) / 2  # the first asks, the second does not
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
