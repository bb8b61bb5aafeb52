import json
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.language.questions import WHAT_CHANGED, difference_in
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.settings.reader import Widths, build_model
from cfvqa.sharing.answering import Model
from cfvqa.sharing.prediction import request_of
from cfvqa.sharing.showing import as_json, picture, show, striking, wrap, write_picture
from cfvqa.stages.trained import TrainedReader
from cfvqa.vision.region_queries import RegionQueries
from cfvqa.vision.shared_trunk import SharedTrunk
from cfvqa.vision.trunk import Trunk
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

TEXT = {"pretrained": None, "transformer": {"width": 32, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 64}}
READING = {"network": {"_target_": "cfvqa.models.coarse_to_fine.CoarseToFine", "heads": 2}}
BLIND = {"network": {"_target_": "cfvqa.models.question_only.QuestionOnly"}}


def run_of(model):
    """Return a run whose networks were never trained."""
    torch.manual_seed(1)
    trunk = {"channels": [8, 8, 8, 8], "width": 16}
    tokenizer = AnswerTokenizer.train([WHAT_CHANGED, "is there edema in this image? yes", *node_texts()])
    reader = build_model(model, TEXT, tokenizer=tokenizer, widths=Widths(24, 24), seed=1).eval()
    description = {"pairs": {"question_length": 16, "answer_length": 24}}
    return Model(
        folder=Path(),
        detector=RegionQueries(trunk=Trunk(**trunk), channels=16, width=24).eval(),
        classifier=SharedTrunk(trunk=Trunk(**trunk), channels=16, width=24).eval(),
        reader=TrainedReader(reader, tokenizer, description),
        image_size=64,
        decoding={"max_new_tokens": 8, "num_beams": 1, "do_sample": False},
    )


@pytest.fixture(scope="module")
def run():
    return run_of(READING)


@pytest.fixture
def images(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (2, 80, 120), dtype=np.uint8)
    paths = [tmp_path / "later image.png", tmp_path / "earlier, image.png"]
    for path, pixels in zip(paths, noise, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def test_a_pair_is_answered_with_all_findings_and_regions_in_order(run, images):
    seen = run.ask(main=images[0], reference=images[1], question=WHAT_CHANGED)
    assert 0 <= seen.score <= 1
    assert {finding.finding for finding in seen.findings} == set(FINDINGS)
    highest = [max(f.main.probability, f.reference.probability) for f in seen.findings]
    assert highest == sorted(highest, reverse=True)
    for finding in seen.findings:
        assert finding.difference == pytest.approx(finding.main.probability - finding.reference.probability, abs=2e-6)
    assert {region.region for region in seen.regions} == set(REGIONS)
    assert sum(region.attention for region in seen.regions) == pytest.approx(1, abs=1e-4)
    assert any(region.main.attention != region.reference.attention for region in seen.regions)
    assert seen.notes == []


def test_exchanged_images_exchange_what_is_seen_in_them(run, images):
    one = run.ask(main=images[0], reference=images[1], question=WHAT_CHANGED)
    other = run.ask(main=images[1], reference=images[0], question=WHAT_CHANGED)
    turned = {seen.finding: seen for seen in other.findings}
    for seen in one.findings:
        assert seen.main.probability == pytest.approx(turned[seen.finding].reference.probability, abs=1e-5)


def test_one_image_has_nothing_of_a_reference(run, images):
    seen = run.ask(main=images[0], reference=None, question="is there edema in this image?")
    assert seen.reference is None
    assert all(finding.reference is None and finding.difference is None for finding in seen.findings)
    assert all(region.reference is None for region in seen.regions)


def test_a_blind_reader_has_no_attention(images, tmp_path):
    seen = run_of(BLIND).ask(main=images[0], reference=images[1], question=WHAT_CHANGED)
    assert [region.region for region in seen.regions] == list(REGIONS)
    assert all(region.attention is None for region in seen.regions)
    assert "attention" not in shown(seen)
    write_picture(seen, tmp_path / "blind.png")
    assert json.loads(as_json(seen))["regions"][0]["main"]["attention"] is None


@pytest.mark.parametrize("question", [WHAT_CHANGED, difference_in("left lung"), "What  changed", "what have changed?"])
def test_a_question_for_a_change_wants_a_reference(run, images, question):
    with pytest.raises(InputError, match="reference=FILE"):
        run.ask(main=images[0], reference=None, question=" ".join(question.split()))


@pytest.mark.parametrize("key", ["main", "reference"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is missing"),
        (b"", "cannot be read"),
        (b"no image", "cannot be read"),
        (lambda whole: whole[: len(whole) // 2], "truncated"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(run, images, tmp_path, key, content, words):
    file = tmp_path / "given.png"
    if content is not None:
        file.write_bytes(content(images[0].read_bytes()) if callable(content) else content)
    given = {"main": images[0], "reference": images[1]} | {key: file}
    with pytest.raises(InputError, match=rf"^image {re.escape(str(file))} .*{words}") as refused:
        run.ask(**given)
    assert "\n" not in str(refused.value)


def test_an_image_that_is_a_folder_is_named(run, images, tmp_path):
    with pytest.raises(InputError, match=f"image {re.escape(str(tmp_path))} is missing"):
        run.ask(main=tmp_path, reference=images[1])


@pytest.mark.parametrize("question", ["", "  ", "?!", "..."])
def test_a_question_has_words(run, images, question):
    with pytest.raises(InputError, match="no words"):
        run.ask(main=images[0], reference=images[1], question=question)


def test_notes_name_unknown_words_cut_questions_and_unlearned_pairs(run, images):
    asked = f"{WHAT_CHANGED} zebra, is there a Quagga?"
    assert run.ask(main=images[0], reference=images[1], question=asked).notes[1:] == [
        "the reader does not know 3 of the question's words: zebra, a, Quagga",
        "the question has 16 tokens; the reader reads the first 14",
    ]
    (note,) = run.ask(main=images[0], reference=images[1], question="is there edema?").notes
    assert "source.pairing" in note


@pytest.mark.parametrize("question", ["5", "who is this?"])
def test_a_question_of_no_known_type_is_noted(run, images, question):
    seen = run.ask(main=images[0], reference=None, question=question)
    assert seen.notes[0].startswith("the question is worded like none of the 7 types")
    assert json.loads(as_json(seen))["notes"] == seen.notes
    assert run.ask(main=images[0], reference=None, question="Is there edema").notes == []


def shown(seen):
    console = Console(file=StringIO(), width=80)
    show(seen, console)
    return console.file.getvalue()


def test_words_of_an_answer_are_no_markup(run, images):
    from dataclasses import replace

    seen = run.ask(main=images[0], reference=images[1], question=WHAT_CHANGED)
    text = shown(replace(seen, answer="[bold]edema[/] [UNK]"))
    assert "[bold]edema[/] [UNK]" in text
    assert "(no words)" in shown(replace(seen, answer=""))
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())


def test_striking_findings_are_likely_somewhere_or_differ(run, images):
    seen = run.ask(main=images[0], reference=images[1], question=WHAT_CHANGED).findings
    chosen = striking(seen)
    assert seen[0] in chosen
    assert max(seen, key=lambda finding: abs(finding.difference)) in chosen
    assert 5 <= len(chosen) <= 15


def test_json_is_one_object_with_the_promised_keys(run, images):
    seen = json.loads(as_json(run.ask(main=images[0], reference=images[1], question=WHAT_CHANGED)))
    assert set(seen) == {"main", "reference", "question", "answer", "score", "findings", "regions", "notes"}
    assert len(seen["regions"][0]["reference"]["box"]) == 4


def test_the_picture_holds_the_images_and_all_words(run, images, tmp_path):
    from dataclasses import replace

    one = run.ask(main=images[0], reference=None, question="is there edema?")
    two = run.ask(main=images[0], reference=images[1], question=WHAT_CHANGED)
    assert picture(one, side=200).width == 240
    small = picture(two, side=200)
    assert small.width == 460
    assert picture(replace(two, answer="edema " * 200), side=200).height > small.height + 200
    for name in ("a.png", "a.JPG", "a.jpeg"):
        write_picture(two, tmp_path / name)
        with Image.open(tmp_path / name) as written:
            assert written.size[0] > 1000
    assert not list(tmp_path.glob(".*"))


def test_a_picture_that_cannot_be_written_leaves_nothing(run, images, tmp_path):
    seen = run.ask(main=images[0], reference=None, question="is there edema?")
    (tmp_path / "taken.png").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="output_image"):
        write_picture(seen, tmp_path / "taken.png")
    assert sorted(tmp_path.iterdir()) == before


def test_lines_are_no_wider_than_asked_and_lose_no_letter():
    from PIL import ImageFont

    text = "the main image has " + "x" * 300 + " and no more"
    lines = wrap(text, 20, 200)
    assert all(ImageFont.load_default(20).getlength(line) <= 200 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def request(tmp_path, **changed):
    (tmp_path / "a.png").touch()
    keys = {"run": str(tmp_path), "main": str(tmp_path / "a.png"), "reference": None, "question": "is there edema?"}
    return request_of(OmegaConf.create(keys | {"output": "text", "output_image": None} | changed))


def test_a_good_request_is_read(tmp_path):
    asked = request(tmp_path, output="json", output_image=str(tmp_path / "b.PNG"), reference=str(tmp_path / "a.png"))
    assert asked.reference == asked.main
    assert asked.picture == tmp_path / "b.PNG"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"run": None}, "run=runs/NAME"),
        ({"main": None}, "main=FILE"),
        ({"main": "absent.png"}, "main: no file absent.png"),
        ({"reference": "absent.png"}, "reference: no file absent.png"),
        ({"output": "xml"}, "choose one of text, json"),
        ({"output_image": "a.gif"}, "must end with .png"),
        ({"output_image": "nowhere/a.png"}, "cannot be written"),
    ],
)
def test_a_bad_request_names_its_key(tmp_path, changed, words):
    with pytest.raises(InputError, match=words):
        request(tmp_path, **changed)
