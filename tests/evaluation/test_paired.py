import polars as pl
import pytest

from cfvqa.evaluation.paired import compare_paired, holm
from cfvqa.language.grammar import Change, ChangeKind, flip_answer, write_changes
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.regions import REGION_INDEX

ADDED = write_changes([Change("edema", ChangeKind.ADDED)])
NOTHING = "nothing has changed."


def answers(given, *, count=40):
    """Difference questions about `count` subjects, answered by `given(number)`, and as many others."""
    rows = [(f"d{n}", f"s{n}", "difference", ADDED, given(n)) for n in range(count)]
    rows += [(f"o{n}", f"s{n}", "presence", "yes", "yes" if n % 2 else "no") for n in range(count)]
    columns = ["question_id", "subject_id", "question_type", "answer", "prediction"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def by_figure(rows):
    return {row.figure: row for row in rows}


def test_a_system_beside_itself_differs_by_nothing():
    one = answers(lambda n: ADDED if n % 3 else NOTHING)
    rows = compare_paired({"one": one, "again": one.sample(fraction=1, shuffle=True, seed=1)}, draws=200)["again"]
    figures = {"change F1", "direction accuracy", "hallucinated per 100", "CIDEr", "others exact"}
    assert {row.figure for row in rows} == figures
    assert all((row.difference, row.interval, row.p_corrected) == (0, [0, 0], 1) for row in rows)


def test_a_better_system_is_told_from_chance_and_its_interval_is_that_of_the_pairs():
    weak, strong = answers(lambda n: ADDED if n % 2 else NOTHING), answers(lambda n: ADDED if n % 8 else NOTHING)
    row = by_figure(compare_paired({"weak": weak, "strong": strong}, draws=500)["strong"])["change F1"]
    assert row.first == pytest.approx(2 / 3)
    assert row.other == pytest.approx(2 * 35 / (2 * 35 + 5))
    assert 0 < row.interval[0] < row.difference < row.interval[1]
    assert row.p == pytest.approx(2 / 501)
    assert row.p_corrected > row.p


def test_systems_that_look_elsewhere_are_told_apart_where_all_have_an_attention():
    findings = pl.DataFrame(
        [(f"m{n}", "left lung", NODE_OF_ANSWER["edema"], "yes") for n in range(40)],
        schema=["image_id", "region", "finding", "presence"],
        orient="row",
    )
    images = [f"m{n}" for n in range(40)] * 2
    one = answers(lambda n: ADDED).with_columns(main_image=pl.Series(images), reference_image=pl.lit("old"))
    place = REGION_INDEX["left lung"]
    looks = {"there": place, "elsewhere": place + 1}
    lists = {name: [float(region == at) for region in range(24)] for name, at in looks.items()}
    systems = {
        name: one.with_columns(
            pl.Series("attention_main", [None if name == "there" and n == 0 else shares for n in range(80)]),
            pl.lit(None, dtype=pl.List(pl.Float64)).alias("attention_reference"),
        )
        for name, shares in lists.items()
    }
    row = by_figure(compare_paired(systems, findings, draws=50)["elsewhere"])["pointing@1"]
    assert (row.first, row.other, row.interval) == (1, 0, [-1, -1])
    assert "pointing@1" not in by_figure(compare_paired(systems, draws=50)["elsewhere"])
    systems["blank"] = one.with_columns(
        pl.lit(None, dtype=pl.List(pl.Float64)).alias(f"attention_{name}") for name in ("main", "reference")
    )
    assert "pointing@1" not in by_figure(compare_paired(systems, findings, draws=50)["blank"])


def test_a_figure_that_one_of_two_does_not_have_is_left_out():
    right, wrong = answers(lambda n: ADDED), answers(lambda n: NOTHING)
    assert "direction accuracy" not in by_figure(compare_paired({"a": right, "b": wrong}, draws=50)["b"])
    turned = answers(lambda n: flip_answer(ADDED))
    assert by_figure(compare_paired({"a": right, "b": turned}, draws=50)["b"])["direction accuracy"].difference == -1


def test_holm_in_closed_form():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []
