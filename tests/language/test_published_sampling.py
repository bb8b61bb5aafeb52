"""What the published rules ask, defects included: each quirk of them by a record that shows it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvqa.language.grammar import ChangeKind, changes_between, parse_changes, write_changes
from cfvqa.language.published_sampling import question_rows
from cfvqa.language.questions import QUESTION_TYPES, WHAT_CHANGED, question_type
from cfvqa.language.reports.records import PLACES, Entity, KeyInformation, Mention
from cfvqa.vocabulary.reports import LIBRARY, LIBRARY_LEVELS, LOCATION_WORDS, TYPE_WORDS

NOTHING = KeyInformation({}, ())
BASE = Mention(post_location="the right lung base")
BLANK = "tortuosity of the descending aorta "


def of(absent=(), **findings):
    """Return a record; a finding is told by one mention, or by two."""
    told = {name.replace("_", " "): said if isinstance(said, tuple) else (said,) for name, said in findings.items()}
    return KeyInformation({name: Entity(*said) for name, said in told.items()}, tuple(absent))


def at(*words, level=None):
    return Mention(words, level=level and (level,))


def asked(kind, main, reference=NOTHING, view="PA", draws=400):
    """Return what is asked of one type over many draws."""
    return {
        tuple(pair)
        for seed in range(draws)
        for drawn, *pair in question_rows(main, reference, view, np.random.default_rng(seed))
        if drawn == kind
    }


def located(main, answer, draws=400):
    """Return the presence questions for a place that have an answer."""
    return {
        question
        for question, said in asked("presence", main, draws=draws)
        if said == answer and (" in the " in question or "bilateral" in question)
    }


def test_a_blank_stands_behind_every_sentence_of_a_difference_answer_but_not_behind_nothing_has_changed():
    edema = of(edema=Mention(level=("mild",)))
    assert asked("difference", edema, NOTHING, draws=5) == {
        (WHAT_CHANGED, "the main image has an additional finding of edema than the reference image. ")
    }
    assert asked("difference", of(edema=Mention(level=("severe",)), hernia=Mention()), edema, draws=5) == {
        (
            WHAT_CHANGED,
            "the level of edema has changed from mild to severe. "
            "the main image has an additional finding of hernia than the reference image. ",
        )
    }
    assert asked("difference", edema, edema, draws=5) == {(WHAT_CHANGED, "nothing has changed.")}


def test_added_findings_stand_in_any_order_and_missing_ones_in_that_of_the_record():
    main = of(pneumonia=Mention(), edema=Mention(), hernia=Mention())
    reference = of(fracture=Mention(), atelectasis=Mention())
    added = "the main image has additional findings of {}, {}, and {} than the reference image. "
    missing = "the main image is missing the findings of fracture, and atelectasis than the reference image. "
    assert asked("difference", main, reference, draws=100) == {
        (WHAT_CHANGED, added.format(*names) + missing) for names in itertools.permutations(main.entities)
    }


def test_changed_levels_stand_in_any_order():
    before, after = (of(edema=Mention(level=(one,)), contusion=Mention(level=(one,))) for one in ("mild", "severe"))
    sentences = [f"the level of {name} has changed from mild to severe. " for name in ("edema", "contusion")]
    expected = {(WHAT_CHANGED, "".join(order)) for order in itertools.permutations(sentences)}
    assert asked("difference", after, before, draws=40) == expected


def test_a_changed_level_in_a_common_area_is_all_that_is_told():
    before = of(pleural_effusion=at("left", level="small"), edema=Mention(level=("mild",)), hernia=Mention())
    after = of(pleural_effusion=at("left", level="severe"), edema=Mention(level=("severe",)), fracture=Mention())
    assert asked("difference", after, before, draws=40) == {
        ("what has changed in the left lung area?", "the level of pleural effusion has changed from small to severe. ")
    }


def test_the_words_of_a_common_area_stand_in_any_order():
    before, after = (of(edema=at("right", "left", "lung", level=one)) for one in ("mild", "severe"))
    assert {question for question, _ in asked("difference", after, before, draws=100)} == {
        f"what has changed in the {' '.join(words)} area?"
        for words in itertools.permutations(("left", "right", "lung"))
    }


def test_bilateral_alone_is_no_common_area_and_other_words_are():
    def area(*words):
        before, after = (of(edema=at(*words, level=one)) for one in ("mild", "severe"))
        return {question for question, _ in asked("difference", after, before, draws=20)}

    assert area("bilateral") == {WHAT_CHANGED}
    assert area("bilateral", "basilar") == {
        "what has changed in the bilateral basilar area?",
        "what has changed in the basilar bilateral area?",
    }


def test_a_level_is_its_words_in_their_order_and_changes_with_it():
    before, after = of(edema=Mention(level=("mild", "acute"))), of(edema=Mention(level=("acute", "mild")))
    answer = "the level of edema has changed from mild acute to acute mild. "
    assert asked("difference", after, before, draws=5) == {(WHAT_CHANGED, answer)}
    assert asked("difference", of(edema=Mention()), before, draws=5) == {(WHAT_CHANGED, "nothing has changed.")}


def test_an_answer_with_two_readings_is_given():
    before, after = (of(edema=Mention(level=(one,))) for one in ("mild", "moderate to severe"))
    answer = "the level of edema has changed from mild to moderate to severe. "
    assert asked("difference", after, before, draws=5) == {(WHAT_CHANGED, answer)}


def test_a_name_keeps_its_blank_and_is_read_without():
    main = KeyInformation({BLANK: Entity(Mention(("left",), ("focal",), ("mild",))), "edema": Entity(Mention())}, ())
    assert ("what abnormalities are seen in this image?", f"{BLANK}, edema") in asked("abnormality", main)
    assert asked("level", main, draws=5) == {(f"what level is the {BLANK}?", "mild")}
    assert asked("type", main, draws=5) == {(f"what type is the {BLANK}?", "focal")}
    assert (f"is there {BLANK}?", "yes") in asked("presence", main)
    assert (f"is there {BLANK}?", "no") in asked("presence", of(edema=Mention()), draws=1000)
    answers = {answer for _, answer in asked("difference", main, draws=20)}
    ends = " than the reference image. "
    assert answers == {
        f"the main image has additional findings of {BLANK}, and edema{ends}",
        f"the main image has additional findings of edema, and {BLANK}{ends}",
    }
    assert len({parse_changes(answer) for answer in answers}) == 1


def test_a_finding_that_is_asserted_and_denied_is_answered_both_ways():
    assert {("is there edema?", "yes"), ("is there edema?", "no")} <= asked("presence", of(["edema"], edema=Mention()))


def test_a_place_is_asked_for_under_the_name_of_the_first_finding_tried():
    main = of(edema=Mention(), hernia=at("left", "lower"), fracture=BASE)
    names = main.entities
    assert located(main, "yes") == (
        {f"is there {name} in the left lower area?" for name in names if name != "fracture"}
        | {f"is there {name} in the right lung base?" for name in names if name != "hernia"}
    )


def test_a_finding_on_both_sides_is_asked_for_by_its_own_name():
    assert located(of(edema=Mention(), hernia=at("bilateral")), "yes") == {"is the hernia bilateral?"}


def test_a_side_alone_is_a_lung_where_the_finding_is_and_none_where_it_is_not():
    assert located(of(edema=at("left")), "yes") == {"is there edema in the left lung area?"}
    assert located(of(edema=at("left")), "no") == {"is there edema in the right area?"}


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("right upper lung", ["left upper lung"]),
        ("left right", ["right right"]),
        ("upper lung", ["lower lung"]),
        ("lower", ["upper"]),
        ("upper lower", ["lower lower"]),
        ("mid to lower", ["upper to mid"]),
        ("mid to lower lung", ["upper to mid"]),
        ("upper to mid", ["mid to lower"]),
        ("middle to lower", ["middle to upper"]),
        ("middle lung", ["upper lung", "lower lung"]),
        ("mid", ["upper", "lower"]),
        ("middle mid", ["upper upper", "upper lower", "lower upper", "lower lower"]),
        ("bilateral", []),
        ("retrocardiac", []),
    ],
)
def test_a_wrong_area_is_made_of_the_words_of_the_right_one(words, others):
    expected = {f"is there edema in the {other} area?" for other in others}
    assert located(of(edema=Mention(tuple(words.split()))), "no") == expected


@pytest.mark.parametrize(
    ("place", "keywords"),
    [("the right lung base", ["right"]), ("the middle lung", ["middle", "mid"]), ("the lung bases", ["base"])],
)
def test_a_wrong_place_is_any_that_holds_no_keyword(place, keywords):
    wrong = located(of(edema=Mention(post_location=place)), "no")
    others = {other for other in PLACES if not any(word in other for word in keywords)}
    assert wrong <= {f"is there edema in {other}?" for other in others}
    assert len(wrong) > 20


def test_where_a_finding_has_a_place_no_area_is_denied():
    main = of(edema=at("left"), hernia=Mention(("lower",), post_location="the soft tissues"))
    assert all(question.startswith("is there hernia in the ") for question in located(main, "no"))
    assert "is there hernia in the upper area?" not in located(main, "no")


def test_an_area_is_denied_where_a_second_instance_is():
    assert located(of(edema=(at("left"), at("right"))), "no") == {"is there edema in the right area?"}


def test_a_location_with_both_sides_in_one_list_is_not_asked_for():
    assert asked("location", of(edema=at("left", "right"), hernia=at("right")), draws=60) == {
        ("where in the image is the hernia located?", "right area"),
        ("where is the hernia?", "right area"),
        ("is the hernia located on the left side or right side?", "right side"),
    }


def test_a_location_with_both_sides_in_its_second_instance_lends_its_name():
    main = of(edema=(at("left"), at("right", "left")), hernia=at("lower"))
    assert asked("location", main, draws=100) == {
        (question.format(name), "lower area")
        for question in ("where in the image is the {} located?", "where is the {}?")
        for name in ("edema", "hernia")
    }


def test_a_finding_without_a_side_lends_its_name_to_the_question_for_it():
    main = of(edema=at("lower"), hernia=Mention(("lower",), post_location="the left lung base"), fracture=Mention())
    sides = {pair for pair in asked("location", main, draws=100) if "side" in pair[0]}
    assert sides == {
        (f"is the {name} located on the left side or right side?", "left side") for name in ("edema", "hernia")
    }


def test_a_finding_of_two_instances_has_two_areas_but_no_side_and_no_place():
    main = of(edema=(at("left", "base"), at("right")), hernia=(BASE, at("left")))
    answers = {answer for _, answer in asked("location", main, draws=100)}
    assert answers == {"left base area and right area"}


def test_the_forms_of_a_question_have_the_published_shares():
    main, draws = of(["fracture"], edema=at("left")), 1500
    rows = [list(question_rows(main, NOTHING, "PA", np.random.default_rng(seed))) for seed in range(draws)]
    answers = [answer for row in rows for kind, question, answer in row if kind == "view" and "which" not in question]
    assert len(answers) / draws == pytest.approx(1 / 2, abs=0.05)
    assert np.mean([answer == "yes" for answer in answers]) == pytest.approx(1 / 2, abs=0.06)
    plain = [answer for row in rows for kind, question, answer in row if kind == "presence" and " area" not in question]
    assert len(plain) / draws == pytest.approx(2 / 3, abs=0.05)
    # Half is there; of the rest half is denied, and half any of the thirty.
    assert np.mean([answer == "yes" for answer in plain]) == pytest.approx(1 / 2 + 1 / 4 / len(LIBRARY), abs=0.06)
    sides = [question for row in rows for kind, question, _ in row if kind == "location" and "side" in question]
    assert len(sides) / draws == pytest.approx(1 / 3, abs=0.05)


def test_the_view_of_few_ap_images_is_asked_for():
    rows = (question_rows(NOTHING, NOTHING, "AP", np.random.default_rng(seed)) for seed in range(1000))
    assert sum(kind == "view" for row in rows for kind, *_ in row) / 1000 == pytest.approx(0.05, abs=0.02)


def some(words):
    return st.none() | st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True).map(tuple)


MENTIONS = st.builds(
    Mention, some(LOCATION_WORDS), some(TYPE_WORDS), some(LIBRARY_LEVELS), st.none() | st.sampled_from(list(PLACES))
)
RECORDS = st.builds(
    KeyInformation,
    st.dictionaries(st.sampled_from(list(LIBRARY)), st.builds(Entity, MENTIONS, st.none() | MENTIONS), max_size=5),
    st.lists(st.sampled_from(list(LIBRARY)), max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(RECORDS, RECORDS, st.sampled_from(["PA", "AP"]), st.integers(0, 2**32))
def test_difference_answers_parse_back_to_the_changes_that_they_were_written_from(main, reference, view, seed):
    rows = list(question_rows(main, reference, view, np.random.default_rng(seed)))
    assert rows == list(question_rows(main, reference, view, np.random.default_rng(seed)))
    kinds = [kind for kind, *_ in rows]
    assert kinds == [kind for kind in QUESTION_TYPES if kind in kinds]
    assert all(question_type(question) == kind for kind, question, _ in rows)
    _, question, answer = rows[-1]
    levels = [
        {name.strip(): said.first.level and " ".join(said.first.level) for name, said in record.entities.items()}
        for record in (main, reference)
    ]
    changes = changes_between(*levels)
    told = parse_changes(answer)
    assert told is not None
    if question != WHAT_CHANGED:
        changes = [one for one in changes if write_changes([one]) == write_changes(told)]
        assert [change.kind for change in changes] == [ChangeKind.LEVEL]
    # As text, for what has two readings is read in one of them.
    assert write_changes(told) == write_changes(changes)
    assert told == frozenset(changes) or " to moderate to " in answer
