"""Comparing pairs with texts, with a store that holds what it is told."""

import polars as pl
import pytest
import torch

from cfvqa.data.batches import ImageFeatures
from cfvqa.errors import InputError
from cfvqa.evaluation.predictions import predictions_of
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, write_changes
from cfvqa.language.questions import WHAT_CHANGED
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.objectives.contrast import Coarse, Fine
from cfvqa.objectives.gloria import GloriaGlobal, GloriaLocal
from cfvqa.progress import StageConsole
from cfvqa.settings.reader import Widths, build_model
from cfvqa.stages import contrasting
from cfvqa.stages.contrasting import Comparing
from cfvqa.stages.trained import TrainedReader
from cfvqa.stages.word_maps import attended_by_words, local_of, word_maps

EDEMA = write_changes([Change("edema", ChangeKind.ADDED)])
BOTH = write_changes([Change("edema", ChangeKind.REMOVED), Change("pleural effusion", ChangeKind.ADDED)])
ANSWERS = [EDEMA, NOTHING, BOTH, EDEMA]
TEXT = {"pretrained": None, "transformer": {"width": 16, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 64}}
MODELS = {
    "coarse_to_fine.CoarseToFine": {"coarse": Coarse(), "fine": Fine()},
    "gloria.GLoRIA": {"gloria_global": GloriaGlobal(), "gloria_local": GloriaLocal()},
}
SETTINGS = {"batch_size": 3, "seed": 1, "draws": 10, "split": "test"}


class Store:
    """Features that the name of an image decides."""

    folder = "nowhere"

    def missing(self, names):
        return []

    def read(self, names):
        rows = []
        for name in names:
            g = torch.Generator().manual_seed(sum(map(ord, name)))
            shapes = ((24, 8), (24, 6), (24, 38), (38, 2), (24, 4), (24,))
            rows.append([torch.rand(*shape, generator=g) for shape in shapes])
        return ImageFeatures(*(torch.stack(parts) for parts in zip(*rows, strict=True)))


@pytest.fixture
def pairs():
    table = {
        "question_id": [f"q{number}" for number in range(4)],
        "subject_id": ["a", "b", "c", "c"],
        "main_image": [f"main {number}" for number in range(4)],
        "reference_image": [f"old {number}" for number in range(4)],
        "question_type": ["difference"] * 4,
        "question": [WHAT_CHANGED] * 4,
        "answer": ANSWERS,
    }
    return pl.DataFrame(table)


@pytest.fixture(params=MODELS)
def comparing(request, pairs):
    tokenizer = AnswerTokenizer.train([*ANSWERS, *node_texts(), WHAT_CHANGED])
    block = {"network": {"_target_": f"cfvqa.models.{request.param}"}}
    model = build_model(block, TEXT, tokenizer=tokenizer, widths=Widths(8, 6), seed=0).eval()
    reader = TrainedReader(model, tokenizer, {"pairs": {"question_length": 32, "answer_length": 48}})
    return Comparing(reader, MODELS[request.param], Store(), pairs, SETTINGS, StageConsole(quiet=True))


def test_defects_40_and_41_neither_other_pairs_nor_other_texts_change_a_score(comparing, pairs, monkeypatch):
    whole = comparing.scores(pairs, ANSWERS, "")
    monkeypatch.setattr(contrasting, "_TEXTS", 2)
    for row in range(4):
        alone = comparing.scores(pairs[[row]], ANSWERS, "")
        for name, scores in whole.items():
            assert scores.shape == (4, 4)
            assert alone[name][0] == pytest.approx(scores[row], abs=1e-5)
    assert all((scores[:, 0] == scores[:, 3]).all() for scores in whole.values())  # one text twice


def test_a_pair_has_the_zero_shot_scores_that_it_has_among_others(comparing, pairs, monkeypatch):
    monkeypatch.setattr(contrasting, "zero_shot", lambda score, *_, **__: score)
    whole = comparing.judge("zero_shot", pairs)
    assert whole.shape == (4, 4)  # edema and pleural effusion added, edema removed, nothing
    for row in range(4):
        assert comparing.judge("zero_shot", pairs[[row]])[0] == pytest.approx(whole[row], abs=1e-4)


def test_tasks_are_judged_on_difference_questions(comparing, pairs):
    other = pairs.with_columns(question_type=pl.lit("presence"), answer=pl.lit("yes"))
    found = comparing.judge("retrieval", pl.concat([pairs, other]))
    assert (found.pair_to_answer.n, found.pair_to_answer.candidates) == (4, 4)
    assert found.pair_to_answer.chance_1 == pytest.approx((2 / 4 + 1 / 4 + 1 / 4 + 2 / 4) / 4)
    judged = comparing.judge("zero_shot", pl.concat([pairs, other]))
    assert {name: one.n for name, one in judged.added.items()} == {"pleural effusion": 1, "edema": 2}
    assert judged.unchanged.n == 1
    with pytest.raises(InputError, match=r"evaluation.tasks: zero_shot needs questions of what has changed"):
        comparing.judge("zero_shot", other)


def test_answers_outside_the_grammar_are_retrieved_but_in_no_zero_shot_figure(comparing, pairs):
    free = pl.concat([pairs, pairs[[0]].with_columns(question_id=pl.lit("free"), answer=pl.lit("edema, perhaps"))])
    assert comparing.judge("retrieval", free).pair_to_answer.candidates == 5
    assert comparing.judge("zero_shot", free) == comparing.judge("zero_shot", pairs)
    with pytest.raises(InputError, match="has none that it can judge"):
        comparing.judge("zero_shot", free[[4]])


def test_words_that_name_findings_are_mapped_in_both_images(comparing, pairs):
    contrast = local_of(comparing.contrasts)
    answers = predictions_of(pairs, [EDEMA, NOTHING, BOTH, "edema, perhaps"])
    maps = word_maps(comparing.reader, contrast, answers, comparing.store)
    assert [[one.word for one in words] for words in maps] == [["edema"], [], ["pleural", "effusion", "edema"], []]
    assert maps[0][0].weight.shape == (2, 24)
    assert maps[0][0].weight.sum() == pytest.approx(1, abs=1e-5)
    assert abs(maps[0][0].weight - maps[2][2].weight).max() > 1e-6  # other images


def test_the_attention_of_an_answer_is_the_mean_of_its_words(comparing, pairs):
    contrast = local_of(comparing.contrasts)
    answers = predictions_of(pairs, [EDEMA, NOTHING, BOTH, EDEMA])
    maps = word_maps(comparing.reader, contrast, answers, comparing.store)
    attended = attended_by_words(comparing.reader, contrast, answers, comparing.store)
    assert attended["attention_main"][1] is None
    expected = sum(one.weight for one in maps[2]) / 3
    assert attended["attention_main"][2].to_list() == pytest.approx(expected[0].tolist(), abs=1e-6)
    assert attended["attention_reference"][2].to_list() == pytest.approx(expected[1].tolist(), abs=1e-6)
    assert local_of({"coarse": Coarse()}) is None


def test_words_that_look_at_the_question_have_no_map(comparing, pairs):
    answers = predictions_of(pairs, ANSWERS)
    comparing.reader.model.contrast = torch.nn.Identity()
    assert word_maps(comparing.reader, Fine(context="question"), answers, comparing.store) == [[], [], [], []]
