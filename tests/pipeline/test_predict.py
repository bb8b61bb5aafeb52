"""cfvqa-predict on the tiny phantom: every kind of file, the same figures as extraction and evaluation."""

import json
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from dicoms import write_dicom
from PIL import Image
from processes import ENVIRONMENT

from cfvqa.commands import predict as command
from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.language.questions import WHAT_CHANGED
from cfvqa.sharing.loading import load_run
from cfvqa.sources.image_files import read_image
from cfvqa.sources.tables import read_tables
from cfvqa.vocabulary.findings import FINDING_INDEX
from cfvqa.vocabulary.regions import REGIONS

pytestmark = pytest.mark.slow

RUN = "runs/phantom_tiny"


@pytest.fixture(scope="module")
def loaded(folder):
    return load_run(folder / RUN)


@pytest.fixture(scope="module")
def files(folder):
    """The file of every image of the phantom."""
    tables = read_tables(next(folder.glob("work/tables/*/")))
    return {image: tables.root / path for image, path in tables.images.select("image_id", "path").iter_rows()}


@pytest.fixture(scope="module")
def answered(folder):
    return pl.read_parquet(folder / RUN / "evaluation" / "predictions.parquet")


@pytest.fixture(scope="module")
def pair(files, answered):
    row = answered.filter(pl.col("question_type") == "difference").row(0, named=True)
    return files[row["main_image"]], files[row["reference_image"]]


@pytest.fixture
def predicted(folder, monkeypatch, capsys):
    """Call the command in this process: arguments in; status, standard output and standard error out."""

    def call(*arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["cfvqa-predict", *arguments])
        status = 0
        try:
            command.main()
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


def test_answers_are_those_of_the_evaluation(loaded, files, answered, folder):
    store = FeatureStore(next(folder.glob("work/features/*/")))
    rows = answered.sort("question_type").gather_every(len(answered) // 8).to_dicts()
    same = []
    for row in rows:
        reference = files.get(row["reference_image"])
        seen = loaded.ask(main=files[row["main_image"]], reference=reference, question=row["question"])
        same.append(seen.answer == row["prediction"])
        assert seen.score == pytest.approx(row["score"], abs=1e-2)
        stored = store.read([row["main_image"]]).probability[0].amax(0)
        for finding in seen.findings:
            expected = float(stored[FINDING_INDEX[finding.finding]])
            assert finding.main.probability == pytest.approx(expected, abs=1e-2)
        attended = {seen.region: seen.main.attention for seen in seen.regions}
        assert [attended[region] for region in REGIONS] == pytest.approx(row["attention_main"], abs=1e-2)
    assert len(same) >= 8
    assert sum(same) >= len(same) - 1  # features on disk have 16 bits, those in memory 32


def save_as(kind, pixels, path):
    """Write an image (H, W), float from 0 to 1, as a kind of file; return the file."""
    eight = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    if kind == "dicom":
        path = path.with_suffix(".dcm")
        inverted = (4095 - np.rint(pixels * 4095)).astype(np.uint16)
        write_dicom(path, inverted, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    elif kind == "16-bit":
        path = path.with_suffix(".png")
        Image.fromarray(np.rint(pixels * 65535).astype(np.uint16)).save(path)
    else:
        path = path.with_suffix(".jpg" if kind == "JPEG" else ".png")
        eight.convert("RGBA" if kind == "RGBA" else "L").save(path, quality=95)
    return path


def full_range(path, size=None):
    """Return an image scaled to `size` and to values from 0 to 1, as DICOM files are read."""
    image = Image.fromarray(np.rint(read_image(path) * 255).astype(np.uint8))
    pixels = np.asarray(image if size is None else image.resize(size), dtype=np.float32)
    return (pixels - pixels.min()) / (pixels.max() - pixels.min())


@pytest.mark.parametrize("size", [(96, 96), (300, 200), (150, 410)])
def test_every_kind_of_file_shows_the_same(loaded, pair, tmp_path, size):
    pixels = full_range(pair[0], size)
    seen = {}
    for kind in ("PNG", "JPEG", "16-bit", "RGBA", "dicom"):
        file = save_as(kind, pixels, tmp_path / kind)
        answer = loaded.ask(main=file, reference=pair[1], question=WHAT_CHANGED)
        seen[kind] = {finding.finding: finding.main.probability for finding in answer.findings}
    for figures in seen.values():
        assert figures == pytest.approx(seen["PNG"], abs=1e-2)


def test_output_for_programs_is_json_alone_and_the_picture_is_there(predicted, pair, tmp_path):
    picture = tmp_path / "an answer, drawn.png"
    status, output, messages = predicted(
        f"main={pair[0]}", f"reference={pair[1]}", f"run={RUN}", "output=json", f"output_image={picture}"
    )
    assert (status, messages) == (0, "")
    seen = json.loads(output)
    assert {"answer", "score", "question", "findings", "regions"} <= set(seen)
    assert seen["question"] == WHAT_CHANGED
    with Image.open(picture) as drawn:
        assert drawn.width == 2 * 640 + 3 * 20
        assert drawn.height > 640


def test_names_and_questions_with_hydras_grammar_in_them(predicted, pair, tmp_path):
    name = tmp_path / "x=1, {later} (no 'copy') [a].jpg"
    shutil.copy(pair[0], name)
    question = "is there edema, or (maybe) not = {a}?"
    status, output, messages = predicted(f"main={name}", f"question={question}", f"run={RUN}", "output=json")
    assert status == 0
    assert json.loads(output)["main"] == str(name)
    assert json.loads(output)["question"] == question
    assert "(maybe)" in messages


def test_the_command_in_a_process_of_its_own_prints_a_table(folder, pair):
    files = {path.name for path in folder.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "cfvqa.commands.predict", f"main={pair[0]}", f"reference={pair[0]}", f"run={RUN}"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for word in (WHAT_CHANGED, "answer", "score", "difference", "regions by attention"):
        assert word in done.stdout
    assert {path.name for path in folder.iterdir()} == files


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"main": None}, "main=FILE"),
        ({"main": "absent.png"}, "absent.png"),
        ({"main": "broken.png"}, "broken.png"),
        ({"reference": None}, "reference=FILE"),
        ({"question": " ?"}, "no words"),
        ({"run": None}, "run=runs/NAME"),
        ({"run": "work"}, "config.yaml"),
        ({"run": "runs/no_such_run"}, "no folder runs/no_such_run"),
        ({"output": "xml"}, "output is 'xml'"),
        ({"output_image": "a.gif"}, "a.gif"),
        ({"output_image": "nowhere/a.png"}, "nowhere/a.png"),
    ],
)
def test_bad_input_is_one_message_and_status_two(predicted, folder, pair, changed, words):
    (folder / "broken.png").write_bytes(b"no image")
    keys = {"main": pair[0], "reference": pair[1], "run": RUN, "output": "json", "output_image": "never.png"} | changed
    status, output, messages = predicted(*(f"{key}={value}" for key, value in keys.items() if value is not None))
    assert (status, output) == (2, "")
    assert words in messages
    assert messages.startswith("error: ")
    assert messages.count("\n") == 1
    assert not list(folder.glob("*never.png*"))


@pytest.mark.parametrize("change", [{"folder": "nowhere"}, {"id": "another"}])
def test_vision_models_that_are_gone_or_other_are_named_with_the_command(folder, tmp_path, change):
    run = tmp_path / "copied"
    shutil.copytree(folder / RUN, run)
    file = run / "vqa" / "reader.json"
    description = json.loads(file.read_text())
    description["vision"]["classifier"] |= change
    file.write_text(json.dumps(description))
    with pytest.raises(InputError, match="classifier") as caught:
        load_run(run)
    assert f"the settings of {run}/config.yaml" in str(caught.value)
    assert description["vision"]["classifier"]["folder"] in str(caught.value)


def test_a_run_that_records_no_vision_models_says_what_to_do(folder, tmp_path):
    run = tmp_path / "older"
    shutil.copytree(folder / RUN, run)
    file = run / "vqa" / "reader.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "vision"}))
    with pytest.raises(InputError, match="_SUCCESS"):
        load_run(run)


def test_a_run_that_names_foreign_classes_is_refused(folder, tmp_path):
    run = tmp_path / "foreign"
    shutil.copytree(folder / RUN, run)
    file = run / "vqa" / "reader.json"
    file.write_text(file.read_text().replace("cfvqa.vision.region_queries.RegionQueries", "os.system"))
    with pytest.raises(InputError, match=r"os\.system"):
        load_run(run)
