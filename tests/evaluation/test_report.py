import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cfvqa.evaluation.answer_tables import answer_tables_of
from cfvqa.evaluation.charts import DASH, Figure, Line
from cfvqa.evaluation.curves import Chart, Curve
from cfvqa.evaluation.report import Facts, Page, Pair, Picture, SmallRow, SmallTable, WordPictures, identity_tag, render
from cfvqa.evaluation.report_figures import figure_at, finding_rows_of, headline_of, text_table_of
from cfvqa.evaluation.text_scores import FIGURES
from cfvqa.evaluation.verdicts import judge

HOSTILE = "\"><script>alert(1)</script><img src=https://example.org/x.png onerror=alert(2)> {{ 7*7 }} '&"
URI = "data:image/jpeg;base64,AAAA"
VOID = {"meta", "img", "br", "hr", "link", "input"}


CONFUSION = {  # in the order of a file with sorted keys
    "added": {"added": 3, "level": 0, "none": 0, "removed": 1},
    "level": {"added": 1, "level": 0, "none": 1, "removed": 0},
    "none": {"added": 1, "level": 0, "removed": 0},
    "removed": {"added": 0, "level": 0, "none": 0, "removed": 0},
}


class Reading(HTMLParser):
    """The tags, attributes and text of a page; counts what is opened and not closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def scores(f1):
    """Return figures as `evaluate_predictions` gives them; None is not defined."""
    bounds = None if f1 is None else [max(0.0, f1 - 0.05), f1 + 0.05]
    names = ("f1", "precision", "recall", "direction_accuracy", "level_accuracy", "unchanged_accuracy")
    one = {"n": 4, "precision": None, "recall": f1, "f1": f1}
    return {
        "n": 12,
        "by_type": {kind: {"n": 6} | dict.fromkeys(FIGURES, f1) for kind in ("abnormality", "difference")},
        "other_types": {"n": 6, "exact_match": f1},
        "changes": dict.fromkeys(names, f1)
        | {"n": 6, "unparsed": 2, "by_finding": {"edema": one}, "confusion": CONFUSION},
        "interval": {"changes": dict.fromkeys(names, bounds), "other_types": {"exact_match": bounds}},
        "undefined": {} if f1 is not None else {f"changes.{name}": "no change is true" for name in names},
    }


def metrics(f1=0.4, blind=0.1):
    flip = {"n": 6, "consistency": f1, "n_changed": 3, "consistency_changed": f1, "jaccard": f1}
    return scores(f1) | {
        "flip": flip,
        "baseline": {name: scores(blind) for name in ("question_only", "majority", "prior")},
        "control": {"shuffled_reference": scores(blind)},
        "scorers": {"bleu": {"name": "BLEU", "version": "package 1", "scale": "0 to 1"}},
    }


def pair(number, truth, answer, kind="difference", **changes):
    pictures = (Picture("reference image", "earlier", URI), Picture("main image", "later", URI))
    shown = pictures if kind == "difference" else pictures[1:]
    made = Pair(f"q{number}", kind, f"question {number}?", truth, answer, 0.5, judge(kind, truth, answer), shown)
    return replace(made, **changes)


def page(figures=None, **changes):
    figures = figures or metrics()
    lines = (Line("training", "train", ((1.0, 2.0), (2.0, 1.0))),)
    made = Page(
        identity="0123456789ab",
        name="trial",
        read="Data set phantom.",
        notes=("No medical device.",),
        headline=headline_of(figures),
        answers=answer_tables_of(figures),
        text=text_table_of(figures),
        findings=finding_rows_of(figures),
        contrasts=(SmallTable("Retrieval", "of 3 pairs", ("recall@1",), (SmallRow("by chance", (Figure(0.25),)),)),),
        curves=(Curve("Reader, phase finetune", "note", (Chart("loss", lines, (2.0, 1.0)),)),),
        pairs=(
            pair(1, "nothing has changed.", "nothing has changed."),
            pair(2, "the main image is missing the finding of edema than the reference image.", "yes"),
            pair(3, "PA view", "AP view", "view"),
        ),
        rule="Drawn by lot.",
        facts=(Facts("Reader", (("seed", "1"),)),),
        times=(("reader", "3.0 s"),),
    )
    return replace(made, **changes)


def test_the_page_is_whole_html_and_says_what_it_was_made_from():
    html = render(page())
    reading = Reading(html)
    assert reading.open == []
    assert identity_tag("0123456789ab") in html
    identities = [attributes["content"] for tag, attributes in reading.tags if attributes.get("name") == "cfvqa-id"]
    assert identities == ["0123456789ab"]


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs():
    reading = Reading(render(page()))
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in reading.tags}
    for _, attributes in reading.tags:
        assert attributes.get("src", URI).startswith("data:")
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    style = re.search("<style>(.*?)</style>", render(page()), re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_tables_of_contrasts_and_maps_of_words_are_there_where_something_was_judged_and_nothing_is_left_elsewhere():
    reading = Reading(render(page()))
    assert "by chance 0.250" in reading.text
    assert "where words of the answer look" not in reading.text
    maps = (WordPictures("edema", (Picture("reference", "earlier, for edema", URI),)),)
    shown = render(page(contrasts=(), pairs=(replace(pair(1, "yes", "yes"), words=maps),)))
    assert "where words of the answer look edema" in Reading(shown).text
    assert 'alt="earlier, for edema"' in shown
    assert "by chance" not in shown
    assert 'href="#contrasts"' not in shown


def test_what_was_taken_for_what_is_a_share_of_what_is_true():
    [table] = answer_tables_of(metrics())  # without scores nothing tells which answers to keep
    rows = {row.label: [figure.value for figure in row.figures] for row in table.rows}
    assert list(rows) == ["added (4)", "removed (0)", "level (2)", "none (1)"]
    assert rows["added (4)"] == [0.75, 0.25, 0, 0]
    assert rows["removed (0)"] == [None] * 4
    assert rows["level (2)"] == [0.5, 0, 0, 0.5]
    assert rows["none (1)"] == [1, 0, 0, None]
    assert f"removed (0) {DASH} {DASH} {DASH} {DASH}" in Reading(render(page())).text


def test_what_is_left_if_the_model_may_abstain_stands_with_its_interval():
    figures = metrics()
    figures["calibration"] = {"n": 6, "risk": {"0.5": 0.0, "1": 0.25}}
    figures["interval"]["calibration"] = {"risk": {"0.5": [0.0, 0.1], "1": [0.2, 0.3]}}
    table = answer_tables_of(figures)[1]
    assert [(row.label, row.figures) for row in table.rows] == [
        ("50%", (Figure(0.0, 0.0, 0.1),)),
        ("100%", (Figure(0.25, 0.2, 0.3),)),
    ]
    assert "100% 0.250 0.200–0.300" in Reading(render(page(figures))).text


def test_links_lead_to_sections():
    reading = Reading(render(page()))
    ids = {attributes["id"] for _, attributes in reading.tags if "id" in attributes}
    links = {attributes["href"].removeprefix("#") for tag, attributes in reading.tags if tag == "a"}
    named = {attributes["aria-labelledby"] for _, attributes in reading.tags if "aria-labelledby" in attributes}
    assert links == named == ids


def test_hostile_text_is_escaped_everywhere():
    judgement = judge("difference", HOSTILE, HOSTILE)
    hostile = pair(1, HOSTILE, HOSTILE, question_id=HOSTILE, question=HOSTILE, question_type=HOSTILE)
    lines = (Line(HOSTILE, "train", ((1.0, 2.0),)),)
    figures = metrics()
    figures["by_type"][HOSTILE] = figures["by_type"]["difference"]
    figures["changes"]["by_finding"][HOSTILE] = figures["changes"]["by_finding"]["edema"]
    figures["scorers"]["bleu"] = dict.fromkeys(("name", "version", "scale"), HOSTILE)
    html = render(
        page(
            figures,
            name=HOSTILE,
            read=HOSTILE,
            notes=(HOSTILE,),
            rule=HOSTILE,
            pairs=(replace(hostile, judgement=judgement, pictures=(Picture(HOSTILE, HOSTILE, URI),)),),
            curves=(Curve(HOSTILE, HOSTILE, (Chart(HOSTILE, lines),)),),
            facts=(Facts(HOSTILE, ((HOSTILE, HOSTILE),)),),
            times=((HOSTILE, HOSTILE),),
        )
    )
    assert "<script" not in html
    assert "https://example.org/x.png onerror" in html  # as text
    reading = Reading(html)
    assert [attributes["src"] for tag, attributes in reading.tags if tag == "img"] == [URI]
    assert " ".join(HOSTILE.split()) in reading.text


def test_every_pair_is_shown_with_its_verdict_and_changes():
    html = render(page())
    cards = re.findall(r'<article class="pair (\w+)">(.*?)</article>', html, re.DOTALL)
    assert [kind for kind, _ in cards] == ["right", "wrong", "wrong"]
    for number, (_, card) in enumerate(cards, start=1):
        assert f"question {number}?" in card
        assert f">q{number}<" in card
    assert [card.count("<img") for _, card in cards] == [2, 2, 1]
    assert 'class="missed"><b>missed</b> edema removed' in cards[1][1]
    assert "does not read as changes" in cards[1][1]
    assert "does not read as changes" not in cards[0][1]


def test_every_picture_has_words():
    reading = Reading(render(page()))
    assert all(attributes["alt"] for tag, attributes in reading.tags if tag == "img")
    charts = [attributes for tag, attributes in reading.tags if tag == "svg" and attributes.get("class")]
    assert all(attributes["aria-label"] and attributes["role"] == "img" for attributes in charts)


def test_figures_stand_on_the_page_beside_what_they_are_compared_with():
    text = Reading(render(page())).text
    for words in ("0.400", "0.100", "question only", "majority", "prior", "shuffled reference", "Flip consistency"):
        assert words in text


def test_figures_that_are_not_defined_are_dashes_with_their_reason():
    figures = metrics(f1=None, blind=None)
    figures.pop("flip")
    text = Reading(render(page(figures, pairs=(pair(1, "PA view", "", "view", score=None),)))).text
    assert DASH in text
    assert "not defined: no change is true." in text
    assert "not defined: not measured." in text
    assert "None" not in text
    assert "nan" not in text


def test_a_page_without_pairs_findings_or_curves_is_still_a_page():
    figures = metrics()
    figures["changes"]["by_finding"] = {}
    figures["baseline"], figures["control"] = {}, {}
    reading = Reading(render(page(figures, pairs=(), curves=())))
    assert reading.open == []
    assert "No finding changes" in reading.text
    assert "There is nothing to compare it with." in reading.text


def test_the_same_page_has_the_same_bytes():
    assert render(page()) == render(page())


@pytest.mark.parametrize(("f1", "blind", "words"), [(0.4, 0.1, "no guesses"), (0.18, 0.1, "does not clear")])
def test_the_headline_says_whether_the_images_are_used(f1, blind, words):
    assert words in headline_of(metrics(f1, blind)).verdict


def test_the_weakest_figures_stand_beside_the_headline():
    figures = metrics()
    figures["changes"] |= {"level_accuracy": 0.08, "recall": 0.2, "precision": None}
    figures["by_type"] |= {"view": figures["by_type"]["abnormality"] | {"n": 1234, "exact_match": 0.07}}
    figures["by_type"]["difference"]["exact_match"] = 0.0
    weakest = headline_of(figures).weakest
    assert "changes: level accuracy 0.080, recall 0.200." in weakest
    assert "exact match: view 0.070 (1,234 questions), abnormality 0.400 (6 questions)." in weakest
    assert "difference" not in weakest
    figures["changes"]["hallucinated_per_100"] = 0.0
    assert headline_of(figures | {"calibration": {"error": 0.0}}).weakest == weakest  # both are best at 0
    assert weakest in Reading(render(page(figures))).text
    assert headline_of(metrics(f1=None)).weakest == ""


def test_the_flip_figures_stand_together_with_what_they_are_of():
    figures = metrics()
    figures["flip"] |= {"n_changed": 3210, "consistency_changed": 0.3, "jaccard": 0.7}
    panel = next(panel for panel in headline_of(figures).panels if panel.title == "Flip consistency")
    rows = {row.label: row.figure.value for row in panel.rows}
    assert rows == {"the model": 0.4, "the 3,210 that report a change": 0.3, "overlap": 0.7}


def test_pointing_stands_beside_what_points_without_any_image():
    chances = {"chance_1": 0.3, "chance_3": 0.6, "constant_1": 0.7, "constant_3": 0.9}
    grounding = {"n": 206, "pointing_1": 0.97, "pointing_3": 1.0} | chances
    figures = metrics() | {"grounding": grounding, "word_grounding": grounding | {"n": 180, "pointing_1": 0.5}}
    panel = next(panel for panel in headline_of(figures).panels if panel.title == "Pointing accuracy")
    rows = {row.label: row.figure.value for row in panel.rows}
    assert (rows["at random"], rows["always the same"], rows["always the same three"]) == (0.3, 0.7, 0.9)
    assert rows["words of 180 answers"] == 0.5


def test_a_training_of_one_epoch_is_a_row_of_figures():
    lines = (Line("training", "train", ((1.0, 2.25),)), Line("validation", "val", ()))
    text = render(page(curves=(Curve("Reader, phase pretrain", "", (Chart("loss", lines),)),)))
    assert 'class="curve"' not in text
    assert "<td>2.250</td>" in text
    assert 'class="curve"' in render(page())


def test_a_card_without_a_figure_has_no_plot():
    html = render(page(metrics(f1=None, blind=None) | {"flip": metrics()["flip"]}))
    assert html.count('class="intervals"') == 1
    assert render(page()).count('class="intervals"') == 8


def test_the_legend_of_a_picture_is_text():
    legend = ("left hilum 31%", "aorta 9%")
    shown = pair(1, "PA view", "PA view", "view", pictures=(Picture("main image", "later", URI, legend),))
    html = render(page(pairs=(shown,)))
    assert "<ol><li>left hilum 31%</li><li>aorta 9%</li></ol>" in html


def test_the_best_blind_baseline_is_named():
    figures = metrics()
    figures["baseline"]["majority"] = scores(0.3)
    label, figure = headline_of(figures).best_blind
    assert (label, figure.value) == ("majority", 0.3)
    assert headline_of(metrics(0.4, None)).best_blind is None


def test_a_figure_brings_its_interval_or_its_reason():
    assert figure_at(metrics(), "changes.f1") == Figure(0.4, pytest.approx(0.35), pytest.approx(0.45))
    assert figure_at(metrics(f1=None), "changes.f1").reason == "no change is true"
    assert figure_at(metrics(), "changes.unheard_of").reason == "not measured"


def test_findings_are_sorted_by_how_often_they_change():
    figures = metrics()
    for name, count in (("atelectasis", 4), ("hernia", 9)):
        figures["changes"]["by_finding"][name] = figures["changes"]["by_finding"]["edema"] | {"n": count}
    rows = finding_rows_of(figures)
    assert [row.name for row in rows] == ["hernia", "atelectasis", "edema"]
    assert [row.blind_f1 for row in rows] == [None, None, 0.1]


def test_text_scores_begin_with_difference_questions():
    assert [row.question_type for row in text_table_of(metrics()).rows] == ["difference", "abnormality"]
