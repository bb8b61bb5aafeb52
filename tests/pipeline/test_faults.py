"""Bad input, as a user meets it: one message that names the place, exit status 2, nothing half-written."""

import subprocess

import numpy as np
import pytest
import torch
from calling import prepare_mimic, prepare_nih, refused
from filelock import FileLock
from layouts import dicom_id
from PIL import Image

from cfvqa.training.checkpoints import FORMAT

SECOND = 59_000_012
SMALL = ("detector.training.epochs=1", "image_size=64", "source.split=official")


def test_a_missing_column(call, nih):
    table = nih / "Data_Entry_2017.csv"
    table.write_text(table.read_text().replace("Finding Labels", "Labels"))
    refused(call, ["Data_Entry_2017.csv", "column 'Finding Labels' is missing"], *prepare_nih(nih))


def test_a_truncated_png(call, nih):
    image = nih / "images" / "00000003_001.png"
    image.write_bytes(image.read_bytes()[:-40])
    refused(call, ["00000003_001.png", "truncated"], *prepare_nih(nih))


def test_an_image_of_one_pixel(call, nih):
    Image.new("L", (1, 1)).save(nih / "images" / "00000003_001.png")
    refused(call, ["00000003_001.png", "1 x 1 pixels"], *prepare_nih(nih))


def test_images_of_sixteen_bits_and_of_colours_are_read(call, nih):
    deep = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(deep).save(nih / "images" / "00000003_001.png")
    Image.fromarray(np.full((64, 64, 4), 90, dtype=np.uint8), "RGBA").save(nih / "images" / "00000003_002.png")
    status, output = call(*prepare_nih(nih))
    assert status == 0, output
    assert "images 90" in output


def test_an_image_that_is_absent(call, nih):
    (nih / "images" / "00000003_001.png").unlink()
    refused(call, ["00000003_001.png is missing"], *prepare_nih(nih))


def test_an_image_path_that_leaves_the_data_folder(call, nih, tmp_path):
    image = nih / "images" / "00000003_001.png"
    image.rename(tmp_path / "elsewhere.png")
    image.symlink_to(tmp_path / "elsewhere.png")
    refused(call, ["00000003_001.png", "leaves the data folder"], *prepare_nih(nih))
    table = nih / "Data_Entry_2017.csv"
    table.write_text(table.read_text().replace("00000003_001.png", "../../elsewhere.png"))
    refused(call, ["Data_Entry_2017.csv, row", "../../elsewhere.png"], *prepare_nih(nih))


def test_ids_that_occur_twice(call, nih):
    table = nih / "Data_Entry_2017.csv"
    table.write_text(table.read_text().replace("00000003_001.png", "00000003_000.png"))
    refused(call, ["Data_Entry_2017.csv", "00000003_000.png", "twice"], *prepare_nih(nih))


def test_an_unknown_question_type(call, mimic):
    mimic.questions[4]["question_type"] = "opinion"
    mimic.write()
    words = ["mimic_pair_questions.csv, row 6", "question_type is 'opinion'", "expected abnormality"]
    refused(call, words, *prepare_mimic(mimic))


def test_an_empty_split(call, nih):
    refused(call, ["split", "has no question", "limit"], *prepare_nih(nih), "limit=1")


def test_a_root_that_is_missing(call):
    refused(call, ["source.root", "nowhere"], "prepare", "source=nih", "source.root=nowhere")
    refused(call, ["source.root"], "prepare", "source=nih")


TYPOS = {
    "sede=3": "key 'sede' is unknown; did you mean 'seed'?",
    "+sede=3": "key 'sede' is unknown; did you mean 'seed'?",
    "experimnt=phantom_tiny": "key 'experimnt' is unknown; did you mean 'experiment'?",
    "source.rooot=x": "key 'source.rooot' is unknown; did you mean 'source.root'?",
    "detector.training.epoch=2": "did you mean 'detector.training.epochs'?",
    "seed.x=2": "key 'seed.x' is unknown",
    "source=nhi": "source=nhi is unknown: choose one of csv, mimic, nih, phantom, vindr",
    "source=mimic": "source.root is not set: give source.root=FOLDER",
    "detector=null": "Config group override must be a string",
    "name=[a": "'name=[a' cannot be read",
    "seed=1,2": "add --multirun",
    "name=a,b": "all jobs of a sweep share name: give a command for each",
    "source.phantom.seed=${nosuch}": "source.phantom.seed: Interpolation key 'nosuch' not found",
    "name=../x": "name is '../x'",
    "work=/proc/x": "work: folder /proc/x cannot be made or written",
}


@pytest.mark.parametrize("typo", TYPOS)
def test_a_typo_in_the_config(call, typo):
    status, output = call("prepare", typo)
    assert status == 2, output
    assert output.startswith("error: ")
    assert output.count("\n") == 1
    assert TYPOS[typo] in output
    assert not list(call.folder.iterdir())


def test_every_job_of_a_sweep_says_once_what_is_wrong(call):
    status, output = call("train", "--multirun", "experiment=phantom_tiny", "task=x,y")
    assert status == 2, output
    for task in ("x", "y"):
        assert output.count(f"error: task is '{task}'") == 1
    assert "Traceback" not in output
    assert not list(call.folder.glob("work"))


@pytest.mark.parametrize("overrides", [("seed=1,2", "--multirun"), ("sweep=learning_rate",)])
def test_a_comparison_is_no_sweep(call, overrides):
    refused(call, ["a comparison of runs is no sweep"], "compare", "runs=[a,b]", *overrides)


def test_a_sweep_whose_folder_cannot_be_made(call):
    refused(call, ["/proc/x"], "train", "--multirun", "runs=/proc/x", "seed=1,2")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("trainer=gpu",), "this machine has no GPU that can be used: choose trainer=cpu or trainer=ddp_cpu"),
        (("trainer=gpu", "trainer.devices=0"), "trainer.devices is '0': give a number from 1"),
        (("trainer.devices=0",), "trainer.devices is '0': give a number from 1"),
        (("precision=16",), "precision=16 needs a GPU"),
    ],
)
def test_devices_and_precisions_that_are_not_there_are_one_message(call, monkeypatch, overrides, words):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    refused(call, [words], "train", "experiment=phantom_tiny", *overrides)


@pytest.mark.slow
def test_two_commands_of_one_name_and_different_settings_do_not_meet(folder, call_tiny):
    (folder / "runs" / ".taken.holder").write_text("a training of other settings")
    with FileLock(folder / "runs" / ".taken.lock"):
        status, output = call_tiny("train", "name=taken")
    assert status == 2, output
    assert output.count("error: ") == 1
    assert "error: another process is at work in runs/taken with other settings: choose another name=..." in output
    assert not (folder / "runs" / "taken").exists()


@pytest.mark.slow
def test_a_finished_training_is_found_while_another_command_judges_it(folder, call_tiny):
    (folder / "runs" / ".phantom_tiny.holder").write_text("an evaluation")
    with FileLock(folder / "runs" / ".phantom_tiny.lock"):
        status, output = call_tiny("train")
    (folder / "runs" / ".phantom_tiny.holder").unlink()
    assert status == 0, output
    assert "runs/phantom_tiny/vqa  ready" in output


def given_detector(folder, network):
    (folder / "checkpoints").mkdir(parents=True)
    torch.save({"state_dict": network.state_dict(), "cfvqa_format": FORMAT}, folder / "checkpoints" / "best.ckpt")
    (folder / "_SUCCESS").write_text('{"id": "foreign", "facts": {}}')
    return folder


def test_a_checkpoint_of_another_model(call, mimic, tmp_path):
    mimic.write()
    folder = given_detector(tmp_path / "detector", torch.nn.Linear(2, 2))
    status, output = call(
        "train",
        "task=findings",
        *prepare_mimic(mimic)[1:],
        *SMALL,
        f"detector.trained={folder}",
    )
    assert status == 2, output
    assert f"{folder}/checkpoints/best.ckpt is of another model" in output
    assert not list(call.folder.glob("work/findings/*/*"))


def test_an_image_that_breaks_while_it_is_decoded(call, mimic):
    mimic.write()
    status, output = call(*prepare_mimic(mimic), "source.split=official")
    assert status == 0, output
    image = mimic.image_path(SECOND)
    content = bytearray(image.read_bytes())
    content[2:-2] = bytes(len(content) - 4)
    image.write_bytes(content)
    status, output = call("train", "task=anatomy", *prepare_mimic(mimic)[1:], *SMALL)
    assert status == 2, output
    assert f"{dicom_id(SECOND)}.jpg cannot be read" in output
    assert "Traceback" not in output
    assert not list(call.folder.glob("work/anatomy/*/_SUCCESS"))


def test_a_jpeg_whose_data_are_cut_before_its_end_mark(call, mimic):
    content = mimic.write().image_path(SECOND).read_bytes()
    mimic.image_path(SECOND).write_bytes(content[: len(content) * 3 // 4] + content[-2:])
    status, output = call("train", "task=anatomy", *prepare_mimic(mimic)[1:], *SMALL)
    assert status == 2, output
    assert output.count("error: ") == 1
    assert f"{dicom_id(SECOND)}.jpg cannot be read (its data end before its last rows" in output
    assert "Traceback" not in output
    assert not list(call.folder.glob("work/anatomy/*/_SUCCESS"))


def test_a_full_disk_keeps_what_is_finished(call, small_disk):
    arguments = ("prepare", "experiment=phantom_tiny", "source.phantom.jobs=1")
    status, output = call(*arguments, f"work={small_disk}/work")
    assert status == 2, output
    assert "the disk is full while writing" in output
    assert "Traceback" not in output
    assert not list(small_disk.rglob("_SUCCESS"))
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    status, output = call(*arguments, f"work={small_disk}/work")
    assert status == 0, output


@pytest.mark.slow
def test_an_extraction_on_a_full_disk_keeps_its_finished_shards(folder, call_tiny, small_disk):
    work = small_disk / "work"
    work.mkdir()
    for part in (folder / "work").iterdir():
        if part.name != "features":
            (work / part.name).symlink_to(part)
    arguments = ("extract", f"work={work}", "extraction.rows_per_shard=32", "extraction.batch_size=32")
    status, output = call_tiny(*arguments)
    assert status == 2, output
    assert output.count("error: ") == 1
    assert "the disk is full while writing" in output
    assert "Traceback" not in output
    finished = {shard: shard.stat().st_mtime_ns for shard in work.glob("features/*/part-*.h5")}
    assert finished
    assert not [*work.glob("features/*/*.tmp"), *work.glob("features/*/_SUCCESS")]
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    status, output = call_tiny(*arguments)
    assert status == 0, output
    shards = {shard: shard.stat().st_mtime_ns for shard in work.glob("features/*/part-*.h5")}
    assert finished.items() < shards.items()
