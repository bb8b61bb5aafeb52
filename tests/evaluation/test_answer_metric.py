"""Figures of answers that two processes have given are those of one process, and of pycocoevalcap."""

from dataclasses import asdict
from functools import partial

import polars as pl
import pytest
import torch
from test_text_scores import ANSWERS, TRUTHS, by_hand  # noqa: F401 (the last is a fixture)
from torch import distributed, multiprocessing

from cfvqa.evaluation.answer_metric import AnswerMetric
from cfvqa.evaluation.calibration import calibration
from cfvqa.evaluation.flip import flip_consistency
from cfvqa.evaluation.metrics import evaluate_predictions
from cfvqa.evaluation.predictions import SCHEMA, predictions_of
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, flip_answer, write_changes

NAMES = ["question_id", "subject_id", "main_image", "reference_image", "question_type", "question", "answer"]
FEW_DRAWS, FLIP = partial(evaluate_predictions, draws=20), partial(flip_consistency, draws=20)
EDEMA = write_changes([Change("edema", ChangeKind.ADDED)])
PAIRS = [(EDEMA, flip_answer(EDEMA)), (NOTHING, NOTHING), (EDEMA, EDEMA), ("no idea", EDEMA)]
SHARES = [[0, 1, 4], [2], [3, 0]]  # of two processes: the second has two batches, and a question of the first again
FEW = [3, 1, 2]  # that the first process alone has answered


def answers(rows):
    """Predictions for some of the five questions, in this order."""
    questions = [(f"q{row}", f"s{row // 2}", "main", "other", "location", "where?", TRUTHS[row]) for row in rows]
    table = predictions_of(pl.DataFrame(questions, schema=NAMES, orient="row"), [ANSWERS[row] for row in rows])
    return table.with_columns(score=pl.Series([row / 5 for row in rows], dtype=SCHEMA["score"]))


def both_answers(rows):
    """Answers to difference questions, and those to swapped images: flipped, flipped, not flipped, none that reads."""
    said = [PAIRS[row % len(PAIRS)] for row in rows]
    table = answers(rows).with_columns(question_type=pl.lit("difference"), prediction=pl.Series([a for a, _ in said]))
    return table.with_columns(swapped=pl.Series([b for _, b in said]))


def judge(rank, folder):
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    metrics = {"answers": AnswerMetric(FEW_DRAWS), "trust": AnswerMetric(partial(calibration, seed=1, draws=20))}
    for rows in SHARES[:1] if rank == 0 else SHARES[1:]:
        for metric in metrics.values():
            metric.update(answers(rows))
    turned = AnswerMetric(FLIP)
    turned.update(both_answers(SHARES[rank]))
    figures = {name: metric.compute() for name, metric in (metrics | {"flip": turned}).items()}
    few = AnswerMetric(len)
    if rank == 0:
        few.update(answers(FEW))
    torch.save({**figures, "few": few.compute()}, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What each of two processes says."""
    folder = tmp_path_factory.mktemp("judges")
    multiprocessing.spawn(judge, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.long
def test_both_processes_say_what_one_says(of_two):
    alone = AnswerMetric(FEW_DRAWS)
    alone.update(answers([4, 2, 0]))
    alone.update(answers([1, 3]))
    assert of_two[0] == of_two[1]
    assert of_two[0]["answers"] == alone.compute()
    assert of_two[0]["trust"] == asdict(calibration(answers(range(5)), seed=1, draws=20))
    every = both_answers(sorted({*SHARES[0], *SHARES[1]}))
    assert of_two[0]["flip"] == asdict(flip_consistency(every, draws=20))
    assert of_two[0]["flip"]["consistency"] == pytest.approx(3 / 4)
    assert of_two[0]["few"] == len(FEW), "a process that has answered nothing counts nothing, and stops none"


@pytest.mark.long
def test_text_scores_of_two_processes_are_those_of_a_direct_call(of_two, by_hand):  # noqa: F811
    figures = of_two[0]["answers"]["by_type"]["location"]
    assert {name: figures[name] for name in by_hand} == pytest.approx(by_hand, abs=1e-9)


def test_answers_to_swapped_images_are_judged_beside_the_others_batch_by_batch():
    metric = AnswerMetric(FLIP)
    metric.update(both_answers([0, 2]))
    metric.update(both_answers([1, 3]))
    figures = metric.compute()
    assert (figures["n"], figures["consistency"], figures["consistency_changed"]) == (4, 0.5, 0.5)


def test_a_metric_begins_anew_after_a_reset():
    metric = AnswerMetric(len)
    metric.update(answers([0, 1, 2]))
    metric.reset()
    metric.update(answers([3]))
    assert metric.compute() == 1
