import math

import numpy as np
import polars as pl
import pytest

from cfvqa.evaluation.grounding import changed_regions, places_of, pointing, pointing_hits
from cfvqa.evaluation.predictions import SCHEMA
from cfvqa.language.grammar import Change, ChangeKind, write_changes
from cfvqa.vocabulary.regions import REGION_INDEX

EDEMA = "pulmonary edema/hazy opacity"
FINDINGS = pl.DataFrame(
    [
        ("new", "left lung", EDEMA, "yes"),
        ("new", "right lung", EDEMA, "no"),
        ("new", None, EDEMA, "yes"),
        ("old", "right lung", "pleural effusion", "yes"),
        ("old", "right costophrenic angle", "pleural effusion", "yes"),
        ("new", "right lung", "pneumothorax", "yes"),
        ("old", "left lung", "pneumothorax", "yes"),
    ],
    schema=["image_id", "region", "finding", "presence"],
    orient="row",
)
ADDED = "the main image has an additional finding of edema than the reference image."
GONE = "the main image is missing the finding of pleural effusion than the reference image."
LEVEL = write_changes([Change("pneumothorax", ChangeKind.LEVEL, "mild", "severe")])


def row(number, answer, main, reference, subject="a"):
    attention = {"attention_main": main, "attention_reference": reference}
    return {
        "question_id": f"q{number}",
        "subject_id": subject,
        "main_image": "new",
        "reference_image": "old",
        "question_type": "difference",
        "question": "what has changed compared to the reference image?",
        "answer": answer,
        "prediction": answer,
        "score": 0.5,
    } | attention


def look(**regions):
    values = [0.0] * 24
    for name, share in regions.items():
        values[REGION_INDEX[name.replace("_", " ")]] = share
    return values


def table(*rows):
    return pl.DataFrame(list(rows), schema=SCHEMA)


def test_what_is_new_is_in_the_main_image_what_is_gone_in_the_other_and_a_level_in_both():
    answers = (ADDED, GONE, LEVEL, "nothing has changed.", "it is worse")
    asked = table(*(row(number, answer, None, None) for number, answer in enumerate(answers)))
    names = [{"left lung"}, {"right lung", "right costophrenic angle"}, {"left lung", "right lung"}, set(), set()]
    expected = [{REGION_INDEX[name] for name in regions} for regions in names]
    assert changed_regions(asked, places_of(FINDINGS, asked)) == expected


def test_pointing_counts_the_first_and_the_first_three_regions_of_both_images_together():
    asked = table(
        row(0, ADDED, look(left_lung=0.3, spine=0.25), look(left_lung=0.2, mediastinum=0.25)),
        row(1, GONE, look(spine=0.6, mediastinum=0.2), look(right_lung=0.1, spine=0.1)),
        row(2, ADDED, look(spine=0.4, mediastinum=0.3, left_apical_zone=0.2), look(left_lung=0.1), subject="b"),
        row(3, "nothing has changed.", look(spine=1), look()),
        row(4, ADDED, None, None),
    )
    found = pointing(asked, FINDINGS, table())
    assert found.n == 3
    assert found.pointing_1 == pytest.approx(1 / 3)
    assert found.pointing_3 == pytest.approx(2 / 3)
    assert found.chance_1 == pytest.approx((1 + 2 + 1) / 3 / 24)
    assert found.chance_3 == pytest.approx((2 * 3 / 24 + 1 - 22 * 21 * 20 / (24 * 23 * 22)) / 3)
    low, high = found.pointing_1_interval
    assert low <= found.pointing_1 <= high
    assert math.isnan(found.constant_1)  # nothing was learned from


def test_equal_attention_everywhere_has_the_figures_of_chance():
    asked = table(row(0, ADDED, [1 / 48] * 24, [1 / 48] * 24), row(1, GONE, [1 / 48] * 24, [1 / 48] * 24))
    found = pointing(asked, FINDINGS, table())
    assert found.pointing_1 == pytest.approx(found.chance_1) == pytest.approx((1 + 2) / 2 / 24)
    assert found.pointing_3 == pytest.approx(found.chance_3)


def test_regions_of_one_attention_stand_in_no_order():
    held = np.array([[True, False, False, False]] * 3)
    hits = pointing_hits(np.array([[0.5, 0.5, 0, 0], [0.2, 0.4, 0.2, 0.2], [0, 0.5, 0.25, 0.25]]), held)
    assert hits[1].tolist() == pytest.approx([1 / 2, 0, 0])
    assert hits[3].tolist() == pytest.approx([1, 2 / 3, 0])


def test_an_attention_that_is_no_number_is_no_hit():
    with pytest.raises(ValueError, match="not finite"):
        pointing_hits(np.full((1, 4), np.nan), np.array([[True, False, False, False]]))


def test_the_region_of_most_training_changes_is_judged_whatever_the_attention():
    asked = table(row(0, ADDED, look(spine=1), look()), row(1, GONE, look(spine=1), look()))
    train = table(*(row(number, ADDED, None, None) for number in range(3)), row(3, GONE, None, None))
    found = pointing(asked, FINDINGS, train)
    assert (found.constant_1, found.constant_3) == (1 / 2, 1)
    assert found.pointing_1 == 0
    turned = pointing(asked, FINDINGS, train.filter(pl.col("answer") == GONE))
    assert turned.constant_1 == 1 / 2


def test_without_regions_or_attention_there_is_nothing_to_say():
    asked = table(row(0, ADDED, look(left_lung=1), look()))
    assert pointing(asked, FINDINGS.filter(pl.col("region").is_null()), asked) is None
    blank = asked.with_columns(attention_main=pl.lit(None, dtype=pl.List(pl.Float32)))
    assert pointing(blank, FINDINGS, asked) is None
