import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfvqa.language.elsewhere import wrong_places
from cfvqa.language.grammar import ChangeKind, changes_between, parse_changes
from cfvqa.language.pairing import any_earlier, published_choice
from cfvqa.language.questions import QUESTION_TYPES, WHAT_CHANGED, question_finding, question_type
from cfvqa.language.reports.records import PLACES, Entity, KeyInformation, Mention, spelled
from cfvqa.language.sampling import question_rows
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.reports import LIBRARY, LOCATION_WORDS, TYPE_WORDS

NOTHING = KeyInformation({}, ())
STUDY = KeyInformation(
    {
        "pleural effusion": Entity(Mention(("left",), ("layering",), ("small", "moderate"))),
        "atelectasis": Entity(Mention(None, None, None, "the right lung base")),
        "edema": Entity(Mention(("bilateral",), None, ("mild",))),
        "lung opacity": Entity(Mention(("left", "lower", "lung")), Mention(("right", "upper", "lung"))),
    },
    ("pneumothorax", "pneumothorax"),
)


def some(words):
    return st.none() | st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True).map(tuple)


MENTIONS = st.builds(
    Mention, some(LOCATION_WORDS[1:]), some(TYPE_WORDS), some(LEVEL_WORDS), st.none() | st.sampled_from(list(PLACES))
)
ENTITIES = st.builds(Entity, MENTIONS, st.none() | MENTIONS)
RECORDS = st.builds(
    KeyInformation,
    st.dictionaries(st.sampled_from(list(LIBRARY)), ENTITIES, max_size=5),
    st.lists(st.sampled_from(list(LIBRARY)), max_size=3).map(tuple),
)


def rows(main=STUDY, reference=NOTHING, view="PA", draws=1500):
    """Return what is asked of a pair over many draws: type -> {(question, answer)}."""
    asked = {kind: set() for kind in QUESTION_TYPES}
    for seed in range(draws):
        for kind, *pair in question_rows(main, reference, view, np.random.default_rng(seed)):
            asked[kind].add(tuple(pair))
    return asked


@pytest.fixture(scope="module")
def asked():
    return rows()


def test_abnormalities_are_asked_for_anywhere_at_a_place_and_at_all(asked):
    assert asked["abnormality"] == {
        ("what abnormalities are seen in this image?", "pleural effusion, atelectasis, edema, lung opacity"),
        ("what abnormalities are seen in the right lung base?", "atelectasis"),
        ("is there evidence of any abnormalities in this image?", "yes"),
    }


def test_locations_are_one_area_two_areas_a_place_or_a_side(asked):
    where = {
        "pleural effusion": "left area",
        "atelectasis": "the right lung base",
        "edema": "bilateral area",
        "lung opacity": "left lower lung area and right upper lung area",
    }
    expected = {(f"where is the {name}?", place) for name, place in where.items()}
    expected |= {(f"where in the image is the {name} located?", place) for name, place in where.items()}
    sides = {"pleural effusion": "left side", "atelectasis": "right side"}
    assert asked["location"] == expected | {
        (f"is the {name} located on the left side or right side?", side) for name, side in sides.items()
    }


def test_levels_and_types_are_their_words(asked):
    assert asked["level"] == {
        ("what level is the pleural effusion?", "small moderate"),
        ("what level is the edema?", "mild"),
    }
    assert asked["type"] == {("what type is the pleural effusion?", "layering")}


def test_views_are_asked_openly_and_closed_and_those_from_the_front_seldom(asked):
    assert asked["view"] == {
        ("which view is this image taken?", "PA view"),
        ("is this PA view?", "yes"),
        ("is this AP view?", "no"),
    }
    kept = sum(
        "view" in [kind for kind, *_ in question_rows(STUDY, NOTHING, "AP", np.random.default_rng(seed))]
        for seed in range(2000)
    )
    assert 60 < kept < 140


def test_presence_is_asked_of_what_is_there_denied_or_any_and_of_places(asked):
    presence = asked["presence"]
    assert {
        ("is there evidence of edema in this image?", "yes"),
        ("is there pneumothorax?", "no"),
        ("is there thymoma?", "no"),
        ("is there pleural effusion in the left lung area?", "yes"),
        ("is there lung opacity in the left lower lung area?", "yes"),
        ("is there atelectasis in the right lung base?", "yes"),
        ("is the edema bilateral?", "yes"),
    } <= presence
    truth = dict.fromkeys(STUDY.entities, "yes")
    plain = {pair for pair in presence if " in the " not in pair[0] and "bilateral" not in pair[0]}
    assert all(truth.get(question_finding(question), "no") == answer for question, answer in plain)
    wrong = {question for question, answer in presence if answer == "no" and "in the " in question}
    assert wrong  # the only finding with a place is asked for elsewhere
    assert all("atelectasis" in question and "right" not in question for question in wrong)


def denied(entity):
    """Return the questions for a place of an edema that are answered with no."""
    asked = rows(KeyInformation({"edema": entity}, ()), draws=300)["presence"]
    return {question for question, answer in asked if answer == "no" and question.startswith("is there edema in the ")}


def test_a_wrong_area_is_the_other_side_or_another_height():
    def wrong(*location):
        return denied(Entity(Mention(location)))

    assert wrong("left") == {"is there edema in the right area?"}
    assert wrong("right", "upper", "lung") == {"is there edema in the left upper lung area?"}
    assert wrong("upper", "lung") == {"is there edema in the lower lung area?"}
    assert wrong("middle", "to", "lower") == {"is there edema in the upper area?"}
    assert wrong("middle", "lung") == {
        "is there edema in the upper lung area?",
        "is there edema in the lower lung area?",
    }
    assert wrong("retrocardiac") == set()
    assert wrong("left", "right") == wrong("bilateral") == set()


def test_no_area_that_a_second_instance_may_be_in_is_denied():
    left, lower = Mention(("left",)), Mention(("left", "lower", "lung"))
    for second in (
        Mention(("right",)), Mention(("right", "upper", "lung")), Mention(("bilateral",)), Mention(("lower", "lung")),
        Mention(None, None, None, "the right base"), Mention(),
    ):  # fmt: skip
        assert denied(Entity(left, second)) == set()
    assert denied(Entity(lower, Mention(("right", "upper", "lung")))) == {
        "is there edema in the right lower lung area?"
    }
    assert denied(Entity(Mention(("lower", "lung")), Mention(("right", "upper", "lung")))) == set()


def test_no_place_that_an_instance_may_be_in_is_denied():
    base, upper = (Mention(post_location=place) for place in ("the right lung base", "the left upper lung"))
    alone, beside = (set(wrong_places(Entity(*instances))) for instances in ((base,), (base, upper)))
    assert {"the left lung base", "the left upper lung", "the upper lobe", "the soft tissues"} <= alone
    assert alone.isdisjoint({"the right base", "the lower lobe", "the lung bases"})
    assert beside == {place for place in alone if "upper" not in place and "apical" not in place}
    assert denied(Entity(base, upper)) <= {f"is there edema in {place}?" for place in beside}
    assert wrong_places(Entity(base, Mention())) == wrong_places(Entity(upper, Mention(("bilateral",)))) == []


def test_presence_is_half_yes():
    drawn = [
        dict((kind, answer) for kind, _, answer in question_rows(STUDY, NOTHING, "PA", np.random.default_rng(seed)))
        for seed in range(2000)
    ]
    assert 0.45 < np.mean([answers["presence"] == "yes" for answers in drawn]) < 0.6


def test_of_a_study_without_findings_little_can_be_asked():
    asked = rows(NOTHING, NOTHING, draws=200)
    assert asked["abnormality"] == {("is there evidence of any abnormalities in this image?", "no")}
    assert asked["difference"] == {(WHAT_CHANGED, "nothing has changed.")}
    assert not any(asked[kind] for kind in ("presence", "location", "level", "type"))


def test_a_changed_level_in_a_common_area_is_all_that_is_asked():
    before = KeyInformation({"pleural effusion": Entity(Mention(("left",), None, ("small",)))}, ())
    answer = "the level of pleural effusion has changed from small to small moderate."
    assert rows(STUDY, before, draws=20)["difference"] == {("what has changed in the left lung area?", answer)}


def test_an_answer_with_two_readings_is_not_given():
    before, after = (
        KeyInformation({"edema": Entity(Mention(level=(level,)))}, ()) for level in ("mild", "moderate to severe")
    )
    assert rows(after, before, draws=20)["difference"] == set()
    assert rows(before, after, draws=20)["difference"]


def test_a_name_of_the_library_loses_its_blank():
    study = KeyInformation({"tortuosity of the descending aorta ": Entity(Mention(level=("mild",)))}, ())
    assert rows(study, draws=20)["level"] == {("what level is the tortuosity of the descending aorta?", "mild")}


@settings(max_examples=150, deadline=None)
@given(RECORDS, RECORDS, st.sampled_from(["PA", "AP"]), st.integers(0, 2**32))
def test_difference_answers_parse_back_to_exactly_the_changes(main, reference, view, seed):
    asked = list(question_rows(main, reference, view, np.random.default_rng(seed)))
    kinds = [kind for kind, *_ in asked]
    assert kinds == [kind for kind in QUESTION_TYPES if kind in kinds]
    assert len({question for _, question, _ in asked}) == len(asked)
    assert all(question_type(question) == kind for kind, question, _ in asked)
    levels = [
        {
            name.strip(): " ".join(entity.first.level) if entity.first.level else None
            for name, entity in record.entities.items()
        }
        for record in (main, reference)
    ]
    changes = frozenset(changes_between(*levels))
    for kind, question, answer in asked:
        if kind == "difference":
            told = parse_changes(answer)
            located = question != WHAT_CHANGED
            assert told <= changes if located else told == changes
            assert not located or [change.kind for change in told] == [ChangeKind.LEVEL]


def test_the_same_draws_ask_the_same():
    first, second = ([*question_rows(STUDY, NOTHING, "PA", np.random.default_rng(9))] for _ in range(2))
    assert first == second


def test_every_place_that_a_record_holds_is_a_place_of_the_library():
    assert all(spelled(place) in PLACES for place in PLACES)


def drawn(choose, others, fitting):
    return {choose(others, fitting, np.random.default_rng(seed)) for seed in range(60)}


def test_any_earlier_study_is_a_reference():
    assert drawn(any_earlier, ["1", "2", "3"], {"1", "3"}) == {"1", "3"}
    assert drawn(any_earlier, ["1"], {"1"}) == {"1"}
    assert drawn(any_earlier, ["1"], set()) == drawn(any_earlier, [], set()) == {None}


def test_the_published_choice_gives_up_where_the_first_that_fits_is_tried_last():
    assert drawn(published_choice, ["1"], {"1"}) == {None}
    assert drawn(published_choice, ["1", "2"], {"1"}) == {"1", None}
    assert drawn(published_choice, ["1", "2"], {"1", "2"}) == {"1", "2"}
