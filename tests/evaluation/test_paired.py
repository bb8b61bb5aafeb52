import polars as pl
import pytest

from cfvqa.evaluation.paired import compare_paired, holm
from cfvqa.language.grammar import Change, ChangeKind, flip_answer, write_changes
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.regions import REGION_INDEX

ADDED = write_changes([Change("edema", ChangeKind.ADDED)])
NOTHING = "nothing has changed."


def answers(given, *, turned=lambda n: None, count=40):
    """Difference questions about `count` subjects, answered by `given(number)`, and as many others.

    With their images swapped they are answered by `turned(number)`.
    """
    rows = [(f"d{n}", f"s{n}", "difference", ADDED, given(n), turned(n)) for n in range(count)]
    rows += [(f"o{n}", f"s{n}", "presence", "yes", "yes" if n % 2 else "no", None) for n in range(count)]
    columns = ["question_id", "subject_id", "question_type", "answer", "prediction", "swapped"]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def by_figure(rows):
    return {row.figure: row for row in rows}


def test_a_system_beside_itself_differs_by_nothing():
    one = answers(lambda n: ADDED if n % 3 else NOTHING)
    rows = compare_paired({"one": one, "again": one.sample(fraction=1, shuffle=True, seed=1)}, draws=200).differences[
        "again"
    ]
    figures = {"change F1", "direction accuracy", "hallucinated per 100", "CIDEr", "others exact"}
    assert {row.figure for row in rows} == figures
    assert all((row.difference, row.interval, row.p_corrected) == (0, [0, 0], 1) for row in rows)


def test_answers_that_turn_around_with_the_images_are_told_from_those_that_do_not():
    said = {"turning": flip_answer(ADDED), "stiff": ADDED}
    turning, stiff = (answers(lambda n: ADDED, turned=lambda n, name=name: said[name]) for name in said)
    row = by_figure(compare_paired({"stiff": stiff, "turning": turning}, draws=500).differences["turning"])
    row = row["flip consistency"]
    assert (row.first, row.other, row.interval) == (0, 1, [1, 1])
    assert row.p_corrected < 0.01


def test_a_better_system_is_told_from_chance_and_its_interval_is_that_of_the_pairs():
    weak, strong = answers(lambda n: ADDED if n % 2 else NOTHING), answers(lambda n: ADDED if n % 8 else NOTHING)
    found = compare_paired({"weak": weak, "strong": strong}, draws=500)
    row = by_figure(found.differences["strong"])["change F1"]
    assert row.first == pytest.approx(2 / 3)
    assert row.other == pytest.approx(2 * 35 / (2 * 35 + 5))
    assert 0 < row.interval[0] < row.difference < row.interval[1]
    assert found.draws == 1000  # of five comparisons, each with 200
    assert row.p == pytest.approx(2 / 1001)
    assert row.p_corrected > row.p


def test_of_twelve_systems_one_that_is_better_is_told_from_chance_too():
    systems = {"weak": answers(lambda n: ADDED if n % 2 else NOTHING)}
    systems |= {f"strong {k}": answers(lambda n, k=k: NOTHING if n == k else ADDED) for k in range(11)}
    found = compare_paired(systems, draws=100)
    rows = [by_figure(rows)["change F1"] for rows in found.differences.values()]
    assert len(rows) == 11
    assert found.draws == 200 * sum(map(len, found.differences.values())) > 10_000
    assert all(row.p <= row.p_corrected < 0.02 for row in rows)


def looking(places):
    """The answers of a system that looks at region `places(number)` of the main image; None is no attention."""
    images = [f"m{n}" for n in range(40)] * 2
    shares = [None if place is None else [float(r == place) for r in range(24)] for place in map(places, range(80))]
    return answers(lambda n: ADDED).with_columns(
        pl.Series("main_image", images),
        pl.Series("attention_main", shares, dtype=pl.List(pl.Float64)),
        pl.lit("old").alias("reference_image"),
        pl.lit(None, dtype=pl.List(pl.Float64)).alias("attention_reference"),
    )


def test_systems_that_look_elsewhere_are_told_apart_where_both_have_an_attention():
    findings = pl.DataFrame(
        [(f"m{n}", "left lung", NODE_OF_ANSWER["edema"], "yes") for n in range(40)],
        schema=["image_id", "region", "finding", "presence"],
        orient="row",
    )
    place = REGION_INDEX["left lung"]
    systems = {
        "there": looking(lambda n: place if n else None),
        "elsewhere": looking(lambda n: place + (n > 0)),  # right only where the first has no attention
        "blind": looking(lambda n: None),
    }
    found = compare_paired(systems, findings, draws=50)
    row = by_figure(found.differences["elsewhere"])["pointing@1"]
    assert (row.first, row.other, row.interval) == (1, 0, [-1, -1])
    assert "pointing@1" not in by_figure(found.differences["blind"])
    both = ["elsewhere", "blind"]
    assert found.left_out == {"level accuracy": both, "flip consistency": both, "pointing@1": ["blind"]}
    assert compare_paired(systems, draws=50).left_out["pointing@1"] == ["elsewhere", "blind"]


def test_a_figure_that_one_of_two_does_not_have_is_left_out():
    right, wrong, turned = (answers(lambda n, a=a: a) for a in (ADDED, NOTHING, flip_answer(ADDED)))
    found = compare_paired({"a": right, "b": wrong, "c": turned}, draws=50)
    assert found.left_out["direction accuracy"] == ["b"]
    assert by_figure(found.differences["c"])["direction accuracy"].difference == -1


def test_holm_in_closed_form():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []
