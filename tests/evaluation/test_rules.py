import numpy as np
import polars as pl
import pytest

from cfvqa.evaluation.rules import Rule, SeenFindings, answers_by_rule, learn_rule
from cfvqa.sources.tables import SCHEMAS
from cfvqa.vocabulary.findings import FINDING_INDEX, FINDINGS

EDEMA, HEART = "pulmonary edema/hazy opacity", "enlarged cardiac silhouette"
NAMES = {EDEMA: "edema", HEART: "cardiomegaly"}


def seen(probability, severity):
    """What is seen in images 0, 1, ...: of the edema and the heart alone."""
    both = [FINDING_INDEX[EDEMA], FINDING_INDEX[HEART]]
    p, s = np.zeros((len(probability), len(FINDINGS))), np.ones((len(probability), len(FINDINGS)), dtype=int)
    p[:, both], s[:, both] = probability, severity
    return SeenFindings({str(row): row for row in range(len(p))}, p, s)


def findings(*rows):
    return pl.DataFrame(rows, schema=SCHEMAS["findings"], orient="row")


def test_each_finding_is_cut_where_validation_images_tell_it_best():
    images = seen([[0.92, 0.31], [0.72, 0.11], [0.52, 0.33], [0.12, 0.08]], [[1, 1]] * 4)
    table = findings(
        ("0", None, EDEMA, "yes", "mild"),
        ("1", None, EDEMA, "yes", None),
        ("2", None, HEART, "yes", "severe"),
        ("0", None, HEART, "yes", "severe"),
        ("2", None, EDEMA, "no", None),
        ("2", "left lung", EDEMA, "yes", None),  # of a region: what the whole image has is told apart
        ("elsewhere", None, EDEMA, "yes", "moderate"),
    )
    rule = learn_rule(table, images, NAMES)
    assert 0.52 < rule.cuts[EDEMA] <= 0.72
    assert 0.11 < rule.cuts[HEART] <= 0.31
    assert rule.words == {(EDEMA, 1): "mild", (HEART, 3): "severe"}


def test_a_finding_without_a_labelled_image_to_choose_its_cut_by_is_never_seen():
    images = seen([[0.9, 0.9], [0.1, 0.1]], [[1, 1]] * 2)
    rule = learn_rule(findings(("0", None, EDEMA, "yes", None)), images, NAMES)
    shown = pl.DataFrame({"main_image": ["0"], "reference_image": ["1"]})
    assert answers_by_rule(shown, images, rule) == [
        "the main image has an additional finding of edema than the reference image."
    ]


def test_the_rule_says_what_changed_between_what_it_sees():
    images = seen([[0.9, 0.9], [0.2, 0.8], [0.2, 0.9]], [[2, 3], [1, 1], [1, 1]])
    words = {(HEART, 1): "mild", (HEART, 3): "severe"}  # the edema has no levels
    rule = Rule(NAMES, {EDEMA: 0.5, HEART: 0.5}, words)
    shown = pl.DataFrame({"main_image": ["0", "1"], "reference_image": ["1", "2"]})
    assert answers_by_rule(shown, images, rule) == [
        "the level of cardiomegaly has changed from mild to severe. "
        "the main image has an additional finding of edema than the reference image.",
        "nothing has changed.",
    ]


@pytest.mark.parametrize("table", [findings(), findings(("elsewhere", None, EDEMA, "yes", "mild"))])
def test_without_a_labelled_image_there_is_no_rule(table):
    assert learn_rule(table, seen([[0.9, 0.9]], [[1, 1]]), NAMES) is None
