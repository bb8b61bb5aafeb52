from change_strategies import change_sets
from hypothesis import assume, given
from hypothesis import strategies as st

from cfvqa.language.grammar import write_changes
from cfvqa.language.keywords import answer_keywords


@given(change_sets(), change_sets())
def test_different_changes_have_different_keywords(first, second):
    assume(first != second)
    keywords = [answer_keywords("difference", write_changes(changes)) for changes in (first, second)]
    assert keywords[0] != keywords[1]


@given(change_sets(), st.sampled_from(["main image", "reference", "finding of", "level of"]))
def test_the_template_is_gone(changes, words):
    assert words not in answer_keywords("difference", write_changes(changes))


def test_keywords_keep_finding_level_and_direction():
    text = (
        "the level of edema has changed from mild to severe. "
        "the main image has an additional finding of hernia than the reference image. "
        "the main image is missing the findings of mass, and nodule than the reference image."
    )
    expected = "edema changed from mild to severe. additional hernia. missing mass, and nodule."
    assert answer_keywords("difference", text) == expected


def test_other_answers_are_their_own_keywords():
    assert answer_keywords("presence", "yes") == "yes"
    assert answer_keywords("location", "left lower lung area") == "left lower lung area"
