import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.language import questions as ask
from cfvqa.language.questions import parse_finding_list, question_finding
from cfvqa.vocabulary.findings import ANSWER_FINDINGS


@pytest.mark.parametrize(
    ("question", "published"),
    [
        (ask.presence("edema"), "is there evidence of edema in this image?"),
        (ask.short_presence("edema"), "is there edema?"),
        (ask.presence("edema", "the left lung area"), "is there edema in the left lung area?"),
        (ask.is_bilateral("edema"), "is the edema bilateral?"),
        (ask.is_view("PA"), "is this PA view?"),
        (ask.location("edema"), "where in the image is the edema located?"),
        (ask.short_location("edema"), "where is the edema?"),
        (ask.side("edema"), "is the edema located on the left side or right side?"),
        (ask.level("edema"), "what level is the edema?"),
        (ask.finding_type("edema"), "what type is the edema?"),
        (ask.abnormalities_in("the left lung base"), "what abnormalities are seen in the left lung base?"),
        (ask.difference_in("left lung"), "what has changed in the left lung area?"),
        (ask.WHAT_CHANGED, "what has changed compared to the reference image?"),
        (ask.VIEW, "which view is this image taken?"),
    ],
)
def test_questions_have_the_published_wording(question, published):
    assert question == published


def test_answers_have_the_published_wording():
    assert ask.list_answer(["edema", "hernia"]) == "edema, hernia"
    assert ask.area_answer([["right", "lower", "lung"]]) == "right lower lung area"
    assert ask.area_answer([["left"], ["right"]]) == "left area and right area"
    assert ask.view_answer("PA") == "PA view"
    assert ask.side_answer("left") == "left side"
    assert (ask.yes_no(truth=True), ask.yes_no(truth=False)) == ("yes", "no")


@given(st.sampled_from(ANSWER_FINDINGS))
def test_a_question_names_its_finding(finding):
    builders = (ask.presence, ask.short_presence, ask.is_bilateral, ask.location, ask.short_location, ask.side)
    for build in (*builders, ask.level, ask.finding_type):
        assert question_finding(build(finding)) == finding
    assert question_finding(ask.presence(finding, "the right lung base")) == finding


TYPED = {
    "abnormality": [ask.ABNORMALITIES, ask.ANY_ABNORMALITY, ask.abnormalities_in("the left lung base")],
    "presence": [ask.presence("edema"), ask.presence("edema", "the left lung area"), ask.short_presence("infection")],
    "view": [ask.VIEW, ask.is_view("PA"), ask.is_view("AP")],
    "location": [ask.location("edema"), ask.short_location("edema"), ask.side("edema")],
    "level": [ask.level("pleural effusion")],
    "type": [ask.finding_type("edema")],
    "difference": [ask.WHAT_CHANGED, ask.difference_in("left lung")],
}


@pytest.mark.parametrize(("kind", "question"), [(kind, text) for kind, texts in TYPED.items() for text in texts])
def test_a_question_of_a_template_has_its_type(kind, question):
    assert ask.question_type(question) == kind
    assert ask.question_type("  " + question.upper().replace(" ", "  ").rstrip("?")) == kind


@pytest.mark.parametrize(
    "question", ["5", "", "is there a quagga?", "who is this?", "edema", f"{ask.VIEW} really?", "what level is it?"]
)
def test_a_question_of_no_template_has_no_type(question):
    assert ask.question_type(question) is None


@pytest.mark.parametrize("question", [ask.VIEW, ask.ABNORMALITIES, ask.ANY_ABNORMALITY, ask.WHAT_CHANGED])
def test_general_questions_name_no_finding(question):
    assert question_finding(question) is None


@given(st.sets(st.sampled_from(ANSWER_FINDINGS), min_size=1))
def test_a_list_of_findings_parses_back(findings):
    assert parse_finding_list(ask.list_answer(findings)) == findings


@pytest.mark.parametrize("answer", ["yes", "no", "", "edema, dragons", "PA view"])
def test_what_is_no_list_of_findings_is_none(answer):
    assert parse_finding_list(answer) is None


def test_the_older_name_of_pneumonia_counts_as_pneumonia():
    assert parse_finding_list("infection, edema.") == {"pneumonia", "edema"}
    assert question_finding("is there infection?") == "pneumonia"


def test_seven_types_in_published_order():
    published = ("abnormality", "presence", "view", "location", "level", "type", "difference")
    assert published == ask.QUESTION_TYPES == tuple(TYPED)
