import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.language.grammar import NOTHING, Change, ChangeKind, parse_changes, write_changes
from cfvqa.language.negatives import Said, wrong_answer
from cfvqa.language.questions import parse_finding_list
from cfvqa.phantom.evolution import sample_subject
from cfvqa.phantom.questioning import question_rows
from cfvqa.phantom.records import choose_absent
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, NODE_OF_ANSWER
from cfvqa.vocabulary.levels import LEVEL_WORDS, SEVERITY
from cfvqa.vocabulary.reports import TYPE_WORDS


def draw(question_type, answer, count=300):
    rng = np.random.default_rng(0)
    return {wrong_answer(question_type, answer, rng) for _ in range(count)}


@given(st.sets(st.sampled_from(ANSWER_FINDINGS), min_size=1, max_size=8), st.integers(0, 2**32))
def test_defect_9_a_wrong_list_of_findings_is_another_list(findings, seed):
    wrong = parse_finding_list(wrong_answer("abnormality", ", ".join(findings), np.random.default_rng(seed)))
    assert wrong
    assert wrong != findings


def test_defect_10_wrong_answers_differ_from_draw_to_draw_and_touch_no_other_generator():
    before = np.random.get_state()[1].tolist()
    assert len(draw("abnormality", "edema")) > 10
    assert np.random.get_state()[1].tolist() == before


def test_findings_are_exchanged_added_and_left_out():
    sizes = {len(parse_finding_list(wrong)) for wrong in draw("abnormality", "edema, hernia")}
    assert sizes == {1, 2, 3}


@pytest.mark.parametrize("name", ["cardiomegaly", "tortuosity of the thoracic aorta"])
def test_another_name_of_the_same_finding_is_not_a_wrong_answer(name):
    wrong = {finding for text in draw("abnormality", name, 500) for finding in parse_finding_list(text) - {name}}
    assert NODE_OF_ANSWER[name] not in {NODE_OF_ANSWER.get(finding) for finding in wrong}


@pytest.mark.parametrize("level", LEVEL_WORDS)
def test_a_wrong_level_has_another_severity(level):
    for wrong in draw("level", level):
        assert wrong in LEVEL_WORDS
        assert wrong != level
        assert SEVERITY.get(wrong) is None or SEVERITY.get(wrong) != SEVERITY.get(level)


def test_a_wrong_level_of_a_change_is_neither_of_its_levels():
    truth = Change("edema", ChangeKind.LEVEL, "mild", "moderate")
    afters = {
        change.after
        for text in draw("difference", write_changes([truth]))
        for change in parse_changes(text)
        if change.finding == "edema" and change.before == "mild"
    }
    assert afters
    assert not {SEVERITY.get(after) for after in afters} & {1, 2}


@pytest.mark.parametrize("answer", ["focal parenchymal", "multifocal", "patchy"])
def test_a_wrong_type_shares_no_word_with_the_truth(answer):
    wrong = draw("type", answer)
    assert wrong <= set(TYPE_WORDS)
    assert not {word.replace("-", "") for word in wrong} & set(answer.split())


SAID_PLACES = {
    "left side": 5, "right side": 4, "left area": 6, "right area": 5, "bilateral area": 9, "left upper lung area": 3,
    "the right lung base": 2, "left area and right area": 1, "retrocardiac area": 1,
}  # fmt: skip
BASE, BEHIND, BOTH = "the right lung base", "retrocardiac area", "left area and right area"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("left side", {"right side"}),
        ("left area", {"right area", "bilateral area", BASE, BOTH}),
        ("Left upper lung area", {"right area", "bilateral area", BASE, BEHIND, BOTH}),
        ("left lower lung area", {"right area", "bilateral area", "left upper lung area", BASE, BOTH}),
        ("the right lung base", {"left area", "bilateral area", "left upper lung area", BEHIND, BOTH}),
        ("bilateral area", {"left area", "right area", "left upper lung area", BASE, BEHIND}),
        ("bibasilar area", {"left area", "right area", "left upper lung area", BASE, BEHIND}),
        (BOTH, {"left area", "right area", "left upper lung area", BASE, BEHIND}),
        (BEHIND, {"right area", "bilateral area", "left upper lung area", BASE, BOTH}),
    ],
)
def test_a_wrong_place_is_on_other_sides_or_at_another_height_and_in_words_that_truths_have(answer, expected):
    said, rng = Said.of(("location", place, count) for place, count in SAID_PLACES.items()), np.random.default_rng(0)
    assert {wrong_answer("location", answer, rng, said) for _ in range(400)} == expected


@pytest.mark.parametrize("answer", ["left area and right area", "retrocardiac area", "the lung bases", "pleural area"])
def test_a_place_that_no_other_truth_names_becomes_another_place(answer):
    wrong = draw("location", answer)
    assert len(wrong) > 3
    assert answer not in wrong
    assert all(re.fullmatch(r"[a-z ]+ area", text) for text in wrong)


@pytest.mark.parametrize(
    ("question_type", "answer", "expected"),
    [("presence", "yes", "no"), ("abnormality", "no", "yes"), ("view", "PA view", "AP view"), ("view", "yes", "no")],
)
def test_closed_answers_are_turned_round(question_type, answer, expected):
    assert draw(question_type, answer) == {expected}


def test_nothing_changed_becomes_an_invented_change():
    wrong = [parse_changes(text) for text in draw("difference", "nothing has changed.")]
    assert all(len(changes) == 1 for changes in wrong)
    assert {next(iter(changes)).kind for changes in wrong} == {ChangeKind.ADDED, ChangeKind.REMOVED}


def test_a_difference_answer_outside_the_grammar_gets_one_inside_it():
    assert all(parse_changes(text) for text in draw("difference", "the heart looks larger"))


def test_the_same_generator_state_gives_the_same_answer():
    texts = [wrong_answer("abnormality", "edema, hernia", np.random.default_rng(7)) for _ in range(2)]
    assert texts[0] == texts[1]


def shares(texts):
    """Return of difference answers the share that says nothing has changed, and of each finding among those named."""
    changes = [parse_changes(text) for text in texts]
    named = Counter(change.finding for some in changes for change in some)
    return {"nothing": sum(not some for some in changes) / len(changes)} | {
        name: count / named.total() for name, count in named.items()
    }


def test_defect_12_wrong_answers_name_findings_and_say_nothing_as_often_as_true_ones():
    rng = np.random.default_rng(3)
    often = {"edema": 0.4, "hernia": 0.2, "pneumonia": 0.2, "fracture": 0.1, "scoliosis": 0.1}
    truths = []
    for _ in range(3000):
        names = rng.choice(list(often), size=int(rng.integers(3)), replace=False, p=list(often.values()))
        truths.append(write_changes(Change(str(name), ChangeKind(rng.choice(["added", "removed"]))) for name in names))
    said = Said.of(("difference", truth, 1) for truth in truths)
    wrong = [wrong_answer("difference", truth, rng, said) for truth in truths]
    true, false = shares(truths), shares(wrong)
    assert true.keys() == false.keys()
    assert all(abs(true[name] - false[name]) < 0.13 for name in true)


def test_defect_12_wrong_levels_and_types_are_those_that_true_answers_say():
    said = Said.of([("level", "mild", 5), ("level", "severe", 1), ("type", "focal patchy", 2), ("type", "linear", 1)])
    rng = np.random.default_rng(0)
    assert {wrong_answer("level", "moderate", rng, said) for _ in range(100)} == {"mild", "severe"}
    assert {wrong_answer("type", "linear", rng, said) for _ in range(100)} == {"focal", "patchy"}
    assert wrong_answer("level", "mild", rng, Said.of([("level", "mild", 3)])) != "mild"


def parts(question_type, answer):
    """Return what an answer to an open question says, one by one; nothing of a closed one, which has one opposite."""
    if question_type == "difference":
        return {(change.finding, change.kind) for change in parse_changes(answer)} or {NOTHING}
    return set(answer.split(", ")) - {"yes", "no", "PA view", "AP view", "left side", "right side"}


def test_defect_12_nothing_that_an_answer_to_an_open_question_says_tells_whether_it_is_true():
    rng, truths = np.random.default_rng(5), []
    for subject in (sample_subject(rng).studies for _ in range(400)):
        for main, reference in pairwise(subject):
            truths += [(row[0], row[2]) for row in question_rows(main, reference, choose_absent(main, rng), rng)]
    said = Said.of((*truth, 1) for truth in truths)
    asked = Counter(kind for kind, _ in truths)
    answers = [(kind, wrong_answer(kind, truth, rng, said)) for kind, truth in truths]
    often, wrong = (
        Counter((kind, part) for kind, text in some for part in parts(kind, text)) for some in (truths, answers)
    )
    apart = {key: abs(often[key] - wrong[key]) / asked[key[0]] for key in often | wrong}
    assert often["location", "bilateral area"] > 0.2 * asked["location"]
    assert max(share for (kind, _), share in apart.items() if kind != "type") < 0.08
    assert max(apart.values()) < 0.15  # "multifocal" is never wrong where "focal" is right
