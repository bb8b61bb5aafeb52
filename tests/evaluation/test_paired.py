import polars as pl
import pytest

from cfvqa.evaluation.paired import compare_paired, holm
from cfvqa.language.grammar import Change, ChangeKind, flip_answer, write_changes

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
    assert {row.figure for row in rows} == {"change F1", "direction accuracy", "hallucinated per 100", "others exact"}
    assert all((row.difference, row.interval, row.p_corrected) == (0, [0, 0], 1) for row in rows)


def test_a_better_system_is_told_from_chance_and_its_interval_is_that_of_the_pairs():
    weak, strong = answers(lambda n: ADDED if n % 2 else NOTHING), answers(lambda n: ADDED if n % 8 else NOTHING)
    row = by_figure(compare_paired({"weak": weak, "strong": strong}, draws=500)["strong"])["change F1"]
    assert row.first == pytest.approx(2 / 3)
    assert row.other == pytest.approx(2 * 35 / (2 * 35 + 5))
    assert 0 < row.interval[0] < row.difference < row.interval[1]
    assert row.p == pytest.approx(2 / 501)
    assert row.p_corrected > row.p


def test_a_figure_that_one_of_two_does_not_have_is_left_out():
    right, wrong = answers(lambda n: ADDED), answers(lambda n: NOTHING)
    assert "direction accuracy" not in by_figure(compare_paired({"a": right, "b": wrong}, draws=50)["b"])
    turned = answers(lambda n: flip_answer(ADDED))
    assert by_figure(compare_paired({"a": right, "b": turned}, draws=50)["b"])["direction accuracy"].difference == -1


def test_holm_in_closed_form():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []
