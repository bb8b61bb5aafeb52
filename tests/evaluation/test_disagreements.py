"""Pairs on which runs disagree: which are taken, and what the page says of them."""

import polars as pl

from cfvqa.evaluation.disagreements import Page, ShownPair, disagreements, draw, render
from cfvqa.evaluation.report import Picture
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, write_changes

ADDED, REMOVED = (write_changes([Change("edema", kind)]) for kind in (ChangeKind.ADDED, ChangeKind.REMOVED))


def answers(*predictions, truth=ADDED):
    """Answers to difference questions of one truth."""
    rows = [(f"q{n}", "difference", f"m{n}", f"r{n}", truth, text) for n, text in enumerate(predictions)]
    names = ["question_id", "question_type", "main_image", "reference_image", "answer", "prediction"]
    return pl.DataFrame([*rows, ("p", "presence", "m", None, "yes", "no")], schema=names, orient="row")


def test_a_pair_is_taken_where_one_run_says_more_of_the_truth_or_invents_more():
    tables = {"a": answers(ADDED, NOTHING, ADDED, NOTHING), "b": answers(ADDED, NOTHING, NOTHING, REMOVED)}
    found = disagreements(tables)
    assert [one.question_id for one in found] == ["q2", "q3"]
    assert [given.run for given in found[0].answers] == ["a", "b"]
    assert [given.judgement.verdict.value for given in found[0].answers] == ["right", "wrong"]
    assert (found[1].main_image, found[1].reference_image, found[1].truth) == ("m3", "r3", ADDED)


def test_a_pair_is_taken_where_runs_say_as_much_but_other_changes_or_one_cannot_be_read():
    edema, pneumonia, hernia, fracture = (
        write_changes([Change(name, ChangeKind.ADDED)]) for name in ("edema", "pneumonia", "hernia", "fracture")
    )
    both = write_changes([Change("edema", ChangeKind.ADDED), Change("pneumonia", ChangeKind.ADDED)])
    a = answers(edema, hernia, NOTHING, "no words", truth=both)
    b = answers(pneumonia, fracture, "no words", "other words", truth=both)
    assert [one.question_id for one in disagreements({"a": a, "b": b})] == ["q0", "q1", "q2"]


def test_what_is_drawn_depends_on_the_seed_alone():
    found = disagreements({"a": answers(*[ADDED] * 30), "b": answers(*[NOTHING] * 30)})
    assert draw(found, count=5, seed=1) == draw(found, count=5, seed=1) != draw(found, count=5, seed=2)
    assert len(draw(found, count=5, seed=1)) == 5
    assert len(draw(found, count=99, seed=1)) == 30


def test_the_page_shows_every_answer_and_escapes_it():
    [one] = disagreements({"<a>": answers(ADDED), "b": answers("<script>")})
    picture = Picture("main image", "a radiograph", "data:image/jpeg;base64,AA==")
    page = Page(("<a>", "b"), "1 question", ("a note",), (ShownPair(one, (picture,)),))
    html = render(page)
    assert "<script>" not in html
    assert "<a>" not in html
    for words in ("&lt;script&gt;", ADDED, "edema added", "right", "wrong", "a note", picture.uri):
        assert words in html


def test_a_page_without_a_disagreement_says_so():
    assert "There is no pair" in render(Page(("a", "b"), "none", (), ()))
