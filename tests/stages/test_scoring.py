from types import SimpleNamespace

import polars as pl
import pytest
import torch

from cfvqa.data.batches import ImageFeatures
from cfvqa.sources.tables import SCHEMAS
from cfvqa.stages import scoring
from cfvqa.vocabulary.findings import FINDINGS

SPLITS = ("train", "val", "test")


class Store:
    """Every image shows nothing."""

    def read(self, names):
        shapes = ((24, 8), (24, 6), (24, len(FINDINGS)), (len(FINDINGS), 2), (24, 4), (24,))
        return ImageFeatures(*(torch.zeros(len(names), *shape) for shape in shapes))


@pytest.mark.parametrize(("split", "chosen_by"), [("test", "val"), ("val", "train")])
def test_the_rule_is_never_chosen_by_the_questions_that_it_answers(split, chosen_by, monkeypatch):
    questions = pl.DataFrame({"split": SPLITS, "main_image": SPLITS, "reference_image": SPLITS}).with_columns(
        question_type=pl.lit("difference")
    )
    seen = []
    monkeypatch.setattr(scoring, "learn_rule", lambda findings, images, names: seen.extend(images.row_of))
    read = SimpleNamespace(questions=questions, findings=pl.DataFrame(schema=SCHEMAS["findings"]))
    scoring._by_rule(read, split, Store(), {})
    assert seen == [chosen_by]
