import hashlib
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy.stats import rankdata

from cfvqa.language.grammar import changes_between, parse_changes
from cfvqa.phantom import PhantomSettings, write_phantom
from cfvqa.phantom.anatomy import sample_anatomy
from cfvqa.phantom.evolution import PREVALENCE, sample_subject
from cfvqa.phantom.findings import PHANTOM_FINDINGS
from cfvqa.phantom.questioning import levels, question_rows
from cfvqa.phantom.records import choose_absent
from cfvqa.phantom.study import Presence, StudyTruth, draw_study
from cfvqa.sources.mimic import MimicSource
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS


def draw(finding=None, severity=1, site=0, seed=1):
    anatomy = sample_anatomy(np.random.default_rng(0))
    there = ()
    if finding is not None:
        kind = finding.types[0] if finding.types else None
        there = (Presence(finding.name, finding.sites[site], severity, kind, 5),)
    return draw_study(np.random.default_rng(seed), anatomy, StudyTruth("PA", there), 256)


def effect(finding, severity, site=0):
    with_finding = draw(finding, severity, site).image.astype(float)
    return np.abs(with_finding - draw().image.astype(float))


def test_there_are_enough_findings_and_regions():
    assert len(PHANTOM_FINDINGS) >= 14
    touched = {region for finding in PHANTOM_FINDINGS for site in finding.sites for region in site.regions}
    assert len(touched) >= 14
    assert touched <= set(REGIONS)


@pytest.mark.parametrize("finding", PHANTOM_FINDINGS, ids=lambda f: f.name)
def test_a_finding_is_seen_at_its_mildest(finding):
    assert (effect(finding, 1) > 8).sum() >= 60


@pytest.mark.parametrize("finding", PHANTOM_FINDINGS, ids=lambda f: f.name)
def test_the_level_orders_the_visible_effect(finding):
    areas = [(effect(finding, severity) > 8).sum() for severity in (1, 2, 3)]
    assert areas[0] < areas[1] < areas[2]


@pytest.mark.parametrize("name", ["granuloma", "calcification", "consolidation", "hernia", "pleural effusion"])
def test_what_is_drawn_lies_in_the_regions_of_its_site(name):
    finding = next(f for f in PHANTOM_FINDINGS if f.name == name)
    for site in range(len(finding.sites)):
        change = effect(finding, 2, site) > 40
        inside = np.zeros_like(change)
        boxes = draw(finding, 2, site).boxes.round().astype(int)
        for region in finding.sites[site].regions:
            x1, y1, x2, y2 = boxes[REGION_INDEX[region]]
            inside[y1:y2, x1:x2] = True
        assert change[inside].sum() / change.sum() > 0.9


def test_lung_boxes_enclose_the_dark_of_the_lungs():
    drawing = draw()
    x1, y1, x2, y2 = drawing.boxes[REGION_INDEX["right lung"]].round().astype(int)
    lung = drawing.image[y1:y2, x1:x2]
    assert lung.mean() < drawing.image[y2 : y2 + 20, x1:x2].mean()
    assert (drawing.boxes[:, 2:] - drawing.boxes[:, :2]).min() > 8
    assert drawing.boxes.min() >= 0
    assert drawing.boxes.max() <= 256


def hashes(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_one_seed_gives_the_same_bytes_whatever_the_processes(tmp_path):
    settings = PhantomSettings(subjects=10, seed=3, size=64, jobs=1)
    write_phantom(tmp_path / "a", settings)
    write_phantom(tmp_path / "b", replace(settings, jobs=2))
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    write_phantom(tmp_path / "c", replace(settings, seed=4))
    assert hashes(tmp_path / "a") != hashes(tmp_path / "c")


def test_chains_are_stationary_and_pairs_vary():
    rng = np.random.default_rng(0)
    subjects = [sample_subject(rng) for _ in range(1500)]
    first = np.mean([len(s.studies[0].findings) for s in subjects])
    last = np.mean([len(s.studies[-1].findings) for s in subjects if len(s.studies) > 2])
    expected = PREVALENCE * len(PHANTOM_FINDINGS)
    assert first == pytest.approx(expected, rel=0.08)
    assert last == pytest.approx(expected, rel=0.08)
    assert {len(s.studies) for s in subjects} == {1, 2, 3, 4}
    pairs = [(b, a) for s in subjects for a, b in zip(s.studies, s.studies[1:], strict=False)]
    counts = [len(changes_between(levels(b), levels(a))) for b, a in pairs]
    assert 0.03 < np.mean([c == 0 for c in counts]) < 0.25
    assert 1.2 < np.mean(counts) < 3.0


def auroc(score, label):
    ranks = rankdata(score)  # the same for ties
    positive = label.sum()
    return (ranks[label].sum() - positive * (positive + 1) / 2) / (positive * (~label).sum())


def standard_error(label):
    """Return that of an AUROC where the score has nothing to do with the label."""
    positive, negative = label.sum(), (~label).sum()
    return np.sqrt((positive + negative + 1) / (12 * positive * negative))


# Air is dark: more of it, or air where there was tissue, lowers the mean of the image a little, as in a real one;
# a larger lung also has more texture, which a JPEG file needs bytes for. Of 3,671 images of 256 pixels the mean told
# hyperaeration with an AUROC of 0.66, pneumothorax 0.62, pneumomediastinum 0.59, and the file size hyperaeration 0.38.
PHYSICAL = {
    ("mean intensity", "hyperaeration"): 0.2,
    ("mean intensity", "pneumothorax"): 0.15,
    ("mean intensity", "pneumomediastinum"): 0.1,
    ("file size", "hyperaeration"): 0.12,
}
OF_SUBJECTS = ("subject id", "row")  # the same, or nearly, for all studies of a subject
LEAST = 0.05  # an AUROC this near to chance is no leak in however large a sample


def telling(channel, score, has, subjects):
    """Return the findings that a channel tells better than chance and physics do, with their AUROC.

    Four standard errors: of 17 findings and 8 channels one is beyond by chance in a hundred samples. A subject keeps
    most findings from study to study, so a channel of subjects has as many independent values as there are subjects.
    """
    studies = len(score) / subjects if channel in OF_SUBJECTS else 1
    areas = {finding: auroc(score, label) for finding, label in has.items()}
    return {
        finding: round(float(area), 3)
        for finding, area in areas.items()
        if abs(area - 0.5)
        > max(LEAST, 4 * standard_error(has[finding]) * np.sqrt(studies)) + PHYSICAL.get((channel, finding), 0)
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom")
    write_phantom(root, PhantomSettings(subjects=320, seed=1, size=128, jobs=2))
    return MimicSource(root=root, name="phantom", on_reversed="error").read()


def test_all_types_are_asked_and_difference_answers_parse(written):
    assert written.questions["question_type"].n_unique() == 7
    answers = written.questions.filter(pl.col("question_type") == "difference")["answer"]
    assert all(parse_changes(answer) is not None for answer in answers)


@pytest.fixture(scope="module")
def has(written):
    """Which images have each finding."""
    whole = written.findings.filter(pl.col("region").is_null() & (pl.col("presence") == "yes"))
    ids = {finding: whole.filter(pl.col("finding") == finding)["image_id"] for finding in whole["finding"].unique()}
    return {finding: written.images["image_id"].is_in(some.implode()).to_numpy() for finding, some in ids.items()}


def test_nothing_but_the_drawing_tells_a_finding(written, has):
    images = written.images
    paths = [written.root / path for path in images["path"]]
    channels = {
        "file size": np.array([path.stat().st_size for path in paths]),
        "mean intensity": np.array([np.asarray(Image.open(path)).mean() for path in paths]),
        "image id": np.array([int(name[:8], 16) for name in images["image_id"]]),
        "study id": images["study_id"].cast(pl.Int64).to_numpy(),
        "subject id": images["subject_id"].cast(pl.Int64).to_numpy(),
        "row": np.arange(len(images)),
        "order": images["study_order"].to_numpy(),
        "view": (images["view"] == "PA").to_numpy(),
    }
    assert len(has) >= 14
    subjects = images["subject_id"].n_unique()
    leaks = {channel: telling(channel, score, has, subjects) for channel, score in channels.items()}
    assert not any(leaks.values()), leaks


def test_a_leak_of_one_finding_and_opposite_leaks_of_two_are_noticed(written, has):
    rng = np.random.default_rng(0)
    chance = rng.normal(size=len(written.images))
    assert not telling("image id", chance, has, 1)
    for up, down in (("edema", None), ("consolidation", "scoliosis")):
        up = next(finding for finding in has if up in finding)
        score = chance + has[up] - (0 if down is None else has[down])
        assert set(telling("image id", score, has, 1)) == {up, down} - {None}
        assert abs(np.mean([auroc(score, label) for label in has.values()]) - 0.5) < 0.12  # the mean tells of neither


def test_the_wording_of_a_presence_question_does_not_tell_its_answer():
    rng = np.random.default_rng(0)
    answers = {"short": [], "long": []}
    for _ in range(2000):
        study = sample_subject(rng).studies[-1]
        rows = question_rows(study, study, choose_absent(study, rng), rng)
        _, question, answer = next(row for row in rows if row[0] == "presence")
        if "area" not in question:
            answers["long" if "evidence" in question else "short"].append(answer == "yes")
    short, long = (np.mean(answers[form]) for form in ("short", "long"))
    assert min(map(len, answers.values())) > 500
    assert abs(short - long) < 0.06


def test_key_information_agrees_with_the_reports(written):
    root = written.root.parent
    records = json.loads((root / "medical-diff-vqa" / "all_diseases.json").read_text())
    for record in records[:50]:
        subject = f"p{record['subject_id']}"
        path = written.root / "files" / subject[:3] / subject / f"s{record['study_id']}.txt"
        text = path.read_text()
        assert "FINDINGS:" in text
        for name, entity in record["entity"].items():
            assert f"{entity['level'][0]}" in text
            assert name in text
        for name in record["no_entity"]:
            assert f"No {name}." in text
