"""Flip consistency of pairs made by hand."""

import polars as pl
import pytest

from cfvqa.errors import InputError
from cfvqa.evaluation.flip import flip_consistency
from cfvqa.evaluation.predictions import SCHEMA
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, flip_answer, write_changes

EDEMA, HERNIA = Change("edema", ChangeKind.ADDED), Change("hernia", ChangeKind.REMOVED)
BOTH = write_changes([EDEMA, HERNIA])
HALF = write_changes([Change("edema", ChangeKind.REMOVED), HERNIA])  # of the three changes in either, one is turned
PAIRS = {  # answer, answer with the images swapped
    "flipped": (BOTH, flip_answer(BOTH)),
    "unflipped": (BOTH, BOTH),
    "half": (BOTH, HALF),
    "swapped unparsed": (BOTH, "it is worse"),
    "unparsed": ("it is worse", BOTH),
    "nothing": (NOTHING, NOTHING),
}


def table(answers, kind="difference"):
    names = ("question_id", "subject_id", "question_type", "prediction", "swapped")
    rows = [dict(zip(names, (name, name, kind, *said), strict=True)) for name, said in answers]
    return pl.DataFrame(rows, schema=SCHEMA)


def asked(names):
    return table([(name, PAIRS[name]) for name in names])


def test_each_kind_of_pair_counts_as_by_hand():
    found = flip_consistency(pl.concat([asked(PAIRS), table([("other", ("yes", None))], "presence")]), draws=5)
    assert (found.n, found.n_changed) == (6, 4)
    assert found.consistency == pytest.approx(2 / 6)
    assert found.consistency_changed == pytest.approx(1 / 4)
    assert found.jaccard == pytest.approx((1 + 0 + 1 / 3 + 0 + 0 + 1) / 6)


@pytest.mark.parametrize(
    ("name", "consistency", "changed", "jaccard"),
    [
        ("flipped", 1, 1, 1),
        ("unflipped", 0, 0, 0),
        ("half", 0, 0, pytest.approx(1 / 3)),
        ("swapped unparsed", 0, 0, 0),
        ("unparsed", 0, None, 0),
        ("nothing", 1, None, 1),  # who always says so is consistent, and shows nothing
    ],
)
def test_a_pair_alone(name, consistency, changed, jaccard):
    found = flip_consistency(asked([name]), draws=5)
    assert (found.consistency, found.jaccard) == (consistency, jaccard)
    assert found.consistency_changed == (pytest.approx(float("nan"), nan_ok=True) if changed is None else changed)


def test_an_answer_that_was_not_asked_for_swapped_images_is_named():
    some = asked(PAIRS).with_columns(swapped=pl.when(pl.col("question_id") != "nothing").then("swapped"))
    with pytest.raises(InputError, match="lack 1 questions, such as 'nothing'"):
        flip_consistency(some)
    assert flip_consistency(asked(PAIRS).with_columns(swapped=pl.lit(None, pl.String))) is None
