"""The published rules, one after the other, by what they make of the smallest report that shows each."""

import pytest

from cfvqa.language.reports.published import parse_report, split_negation
from cfvqa.language.reports.records import PLACES

NAME = "s50000001"


def read(text):
    return parse_report(NAME, text)


def one(text):
    """Return the only finding of a sentence."""
    [entity] = read(f"FINDINGS: {text}.").entities.values()
    return entity.first


# 1. The text


def test_a_report_is_read_from_its_findings_to_its_end():
    text = "INDICATION: Edema.\n FINDINGS:\n Pneumonia.\n IMPRESSION: Scoliosis.\n FINDINGS: Hernia."
    assert list(read(text).entities) == ["pneumonia", "scoliosis", "hernia"]


def test_without_findings_it_is_read_from_its_impression_and_without_both_as_a_whole():
    assert set(read("INDICATION: Edema.\nIMPRESSION: Pneumonia.").entities) == {"pneumonia"}
    assert set(read("INDICATION: Edema. Findings: Pneumonia.").entities) == {"edema", "pneumonia"}


def test_headers_count_in_capitals_with_a_colon_only():
    assert set(read("Edema. FINDINGS Pneumonia. Impression: Hernia.").entities) == {"edema", "pneumonia", "hernia"}


def test_the_name_of_the_file_gives_the_first_sentence_its_blank():
    assert read("No edema.").absent == ("edema",)
    assert read("No edema.No hernia.").absent == ("edema",)  # the second sentence has no blank before its cue


def test_an_empty_report_says_nothing():
    assert read("").record("50000001", "10000001") == {
        "study_id": "50000001",
        "subject_id": "10000001",
        "entity": {},
        "no_entity": [],
    }


def test_two_to_five_blanks_are_one():
    for blanks in (1, 2, 3, 4, 5, 7):
        assert read(f"Lungs:{' ' * blanks}no{' ' * blanks}edema").absent == ("edema",)
    assert (
        one("pleural" + " " * 6 + "effusion").location is None
    )  # one, and one: still two, so "effusion" alone is found


def test_a_line_break_is_a_blank():
    assert read("FINDINGS: Pleural\neffusion in the left\nlower lobe.").entities["pleural effusion"].first == one(
        "Pleural effusion in the left lower lobe"
    )


# 2. Negation


@pytest.mark.parametrize(
    ("sentence", "positive", "negative"),
    [
        (" no edema", "", "edema "),
        ("clear lungs without edema", "clear lungs", " edema "),
        ("lungs clear of edema", "lungs", " edema "),
        ("heart r/o chf", "heart", "chf "),
        ("please rule out chf", "please", " chf "),
        ("chf less likely pneumonia", "chf", " pneumonia "),
        ("no edema", "no edema", ""),
        ("there is nothing", "there is nothing", ""),
        ("a no b no c", "a", "b c "),
        ("a no b no c no d no e no f", "a no b", "c d e f "),
        ("effusion no longer seen", "", "effusion no longer seen"),
        ("edema has resolved", "", "edema has resolved"),
        ("edema unresolved", "", "edema unresolved"),
        ("edema not resolved", "edema not resolved", ""),
        ("edema has disappeared", "", "edema has disappeared"),
        ("edema not disappeared", "edema not disappeared", ""),
        ("there is no change in edema", "there is change in edema ", ""),
        ("there is no edema or change in effusion", "there is edema or change in effusion ", ""),
    ],
)
def test_a_sentence_is_cut_into_what_is_said_and_what_is_denied(sentence, positive, negative):
    assert split_negation(sentence) == (positive, negative)


# 3. Findings


def test_synonyms_are_found_inside_other_words():
    assert set(read("FINDINGS: Enlarged hila, hydropneumothorax.").entities) == {"cardiomegaly", "pneumothorax"}


def test_of_a_finding_the_first_synonym_of_the_library_counts():
    # "pleural effusion" stands before "effusion" in the library, and behind it in the text.
    assert one("effusion on the small left pleural effusion").level == ("small",)
    assert one("left volume loss and right atelectasis").location == ("left",)


def test_names_are_official_and_in_the_order_of_the_library():
    record = read("FINDINGS: Thymoma, blunting of the left costodiaphragmatic recess, hematoma, htn, opacity, chf.")
    assert list(record.entities) == [
        "heart failure",
        "lung opacity",
        "hypertensive heart disease",
        "hematoma",
        "thymoma",
        "blunting of the costophrenic angle",
    ]
    assert read("No fracture, no edema, no hernia.").absent == ("edema", "hernia", "fracture")


def test_a_tortuous_descending_aorta_needs_the_blank_of_the_library():
    name = "tortuosity of the descending aorta"
    assert list(read(f"FINDINGS: {name} seen.").entities) == [f"{name} "]
    assert not read(f"FINDINGS: {name}.").entities


# 4. What stands behind a finding


def test_what_has_resolved_is_in_neither_list():
    assert read("FINDINGS: The edema has resolved.") == read("")
    record = read("FINDINGS: The edema has resolved, hernia.")
    assert (dict(record.entities), record.absent) == ({}, ("hernia",))


def test_a_place_behind_a_finding_is_kept_as_it_is_spelled():
    assert one("opacity in the left lower lobe").post_location == "the left lower lung"
    assert one("opacity at the right base").post_location == "the right lung base"
    assert one("opacity seen over the left apical region").post_location == "the left apical area"
    assert one("opacity in the right mid lobe").post_location == "the right middle lung"


def test_a_place_needs_its_preposition_and_the_first_of_the_library_counts():
    assert one("opacity of the left lower lobe").post_location is None
    assert one("opacity in the left lower lobe and the left upper lobe").post_location == "the left upper lung"
    assert one("opacity in the left base and the lower lobe").post_location == "the lower lung"


def test_spellings_of_the_places_are_places_too():
    assert one("opacity in the lower lung").post_location == "the lower lung"
    assert len(PLACES) > 42


# 5. What stands before a finding


def test_words_before_a_finding_say_where_of_what_type_and_how_much():
    found = one("there is small patchy left lower lobe opacity")
    assert (found.location, found.type, found.level) == (("left", "lower", "lung"), ("patchy",), ("small",))


def test_only_the_last_five_words_count():
    assert one("small one two three four five effusion").level is None
    assert one("small one two three four effusion").level == ("small",)


def test_a_phrase_lifts_the_limit_and_comes_first():
    assert one("left a b c d e moderate to large effusion").location == ("left",)
    assert one("small a b c d e f moderate to large effusion").level == ("moderate to large", "small")
    assert one("right mid to lower opacity").location == ("middle", "to", "lower", "right")


def test_prepositions_cut_off_what_stands_before_them():
    assert one("small amount of left effusion").level is None
    assert one("small amount of left effusion").location == ("left",)
    assert one("again small effusion").level == ("small",)  # "again " ends with a preposition too
    assert one("small again left effusion").level is None


def test_a_preposition_right_before_a_finding_leaves_nothing():
    for word in ("and", "in", "of", "with"):
        assert one(f"left small {word} effusion").known == 0


def test_words_between_two_findings_belong_to_the_second():
    found = read("FINDINGS: small left effusion, mild right atelectasis.").entities
    assert found["pleural effusion"].first.level == ("small",)
    assert found["atelectasis"].first.location == ("right",)


def test_a_word_before_the_first_finding_needs_a_blank_behind_it():
    assert one("small,effusion").level is None
    assert one("small left/effusion").location is None


def test_words_before_each_mention_of_a_finding_are_gathered():
    assert one("small left edema and moderate right edema").location == ("left", "right")
    assert one("small left edema and moderate right edema").level == ("small", "moderate")


def test_punctuation_hides_a_word():
    assert one("small, left effusion").level is None


# 6. Over the sentences


def test_what_was_denied_before_is_not_asserted_later():
    record = read("FINDINGS: No edema. Mild edema.")
    assert (dict(record.entities), record.absent) == ({}, ("edema",))


def test_what_is_denied_later_stays_asserted_and_is_in_both_lists():
    record = read("FINDINGS: Mild edema. No edema. No edema.")
    assert list(record.entities) == ["edema"]
    assert record.absent == ("edema", "edema")


def test_another_side_is_a_second_instance_and_a_third_takes_its_place():
    entity = read("FINDINGS: Small left effusion. Moderate right effusion.").entities["pleural effusion"]
    assert (entity.first.location, entity.second.location) == (("left",), ("right",))
    assert entity.record("pleural effusion")["level2"] == ["moderate"]
    entity = read("FINDINGS: Left effusion. Right effusion. Mild bibasilar effusion.").entities["pleural effusion"]
    assert (entity.first.location, entity.second.level) == (("left",), ("mild",))


def test_of_one_side_the_fuller_counts_and_of_two_alike_the_later():
    def level(text):
        return read(f"FINDINGS: {text}").entities["pleural effusion"].first.level

    assert level("Small left effusion. Left effusion.") == ("small",)
    assert level("Left effusion. Small left effusion.") == ("small",)
    assert level("Small left effusion. Mild left effusion.") == ("mild",)


def test_a_record_has_the_published_keys_in_their_order():
    record = read("FINDINGS: Small patchy left effusion in the left base.").record("50000001", "10000001")
    assert list(record) == ["study_id", "subject_id", "entity", "no_entity"]
    assert record["entity"] == {
        "pleural effusion": {
            "entity_name": "pleural effusion",
            "location": ["left"],
            "type": ["patchy"],
            "level": ["small"],
            "post_location": "the left lung base",
            "location2": None,
            "type2": None,
            "level2": None,
            "post_location2": None,
        }
    }
    assert list(record["entity"]["pleural effusion"])[:3] == ["entity_name", "location", "type"]
