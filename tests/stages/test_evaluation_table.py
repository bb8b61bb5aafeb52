from io import StringIO

import numpy as np
import pytest
from omegaconf import OmegaConf

from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import add_tests
from cfvqa.evaluation.retrieval import retrieval
from cfvqa.progress import StageConsole
from cfvqa.stages.asking import shaping_answers
from cfvqa.stages.evaluation import evaluate_file, evaluation_folder
from cfvqa.stages.evaluation_table import show


def figures(f1):
    return {
        "changes": {"f1": f1, "direction_accuracy": None, "n": 16, "unparsed": 4},
        "by_type": {"difference": {"cider": 7.0, "bleu_4": 0.5}},
        "other_types": {"exact_match": 0.25},
    }


@pytest.mark.parametrize("width", [60, 80, 200])
def test_names_are_whole_in_a_narrow_terminal(width):
    names = ("question_only", "shuffled_reference", "shuffled_pair")
    metrics = figures(0.5) | {
        "baseline": {names[0]: figures(0.1)},
        "control": {name: figures(0.2) for name in names[1:]},
    }
    console = StageConsole()
    console.file, console.width = StringIO(), width
    show(metrics, console)
    text = console.file.getvalue()
    assert all(name in text for name in names)
    assert "…" not in text
    assert "4 of 16 answers to difference questions cannot be read" in " ".join(text.split())
    assert all(len(line) <= width for line in text.splitlines())


def test_figures_that_are_not_defined_are_dashes():
    nothing = {"f1": None, "direction_accuracy": None, "n": 0, "unparsed": 0}
    metrics = {"changes": nothing, "by_type": {}, "other_types": {"exact_match": None}}
    metrics["flip"] = {"consistency": None, "n": 0}
    console = StageConsole()
    console.file, console.width = StringIO(), 80
    show(metrics, console)
    assert "flip consistency - of 0 questions" in console.file.getvalue()


def test_the_line_of_a_stage_is_one_line():
    console = StageConsole()
    console.file, console.width = StringIO(), 40
    console.announce("features", "work/features/" + "0123456789" * 5, "ready")
    assert console.file.getvalue().count("\n") == 1


def judged(tasks, phase=None):
    settings = {"tasks": tasks, "phase": phase}
    return OmegaConf.create(
        {"runs": "runs", "name": "one", "phases": {"pretrain": {}, "finetune": {}}, "evaluation": settings}
    )


def test_retrieval_is_shown_without_answers():
    figures = retrieval([np.eye(4)], np.arange(4), list("abcd"), draws=5)
    console = StageConsole()
    console.file, console.width = StringIO(), 80
    show(add_tests({"interval": {}, "undefined": {}}, {"retrieval": figures}), console)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.file.getvalue().splitlines()]
    assert ["pair to answer", "1.000", "1.000", "1.000", "1.000"] in rows
    assert ["by chance", "0.250", "1.000", "1.000", "2.500"] in rows


def test_the_answers_of_the_finished_reader_have_a_folder_of_their_own():
    assert evaluation_folder(judged(["answers", "retrieval"])).name == "evaluation"
    assert evaluation_folder(judged(["retrieval"])).name == "evaluation_finetune"
    assert evaluation_folder(judged(["answers"], "pretrain")).name == "evaluation_pretrain"


@pytest.mark.parametrize("config", [judged(["answers", "retrieval"]), judged(["answers"], "pretrain")])
def test_of_a_file_only_answers_are_judged(config):
    with pytest.raises(InputError, match=r"leave evaluation.tasks and evaluation.phase out"):
        evaluate_file(config, StageConsole(quiet=True))


def test_the_size_of_a_batch_shapes_figures_only_where_words_are_drawn():
    def shaped(batch_size, drawn):
        return shaping_answers({"batch_size": batch_size, "seed": 1, "decoding": {"do_sample": drawn}})

    assert shaped(8, drawn=False) == shaped(16, drawn=False)
    assert shaped(8, drawn=True) != shaped(16, drawn=True)
