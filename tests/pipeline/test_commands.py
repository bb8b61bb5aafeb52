"""Whole commands, in processes of their own, on a phantom so small that its figures mean nothing."""

import json
import re
import signal
import subprocess

import polars as pl
import pytest
import torch
from calling import refused
from processes import ENVIRONMENT, command, run, wait_for

import cfvqa


def metrics(folder, name="phantom_tiny"):
    figures = json.loads((folder / "runs" / name / "evaluation" / "metrics.json").read_text())
    for part in ("seconds", "answers_per_second"):
        figures["decode"].pop(part)
    return figures


def predictions(folder, name):
    return pl.read_parquet(folder / "runs" / name / "evaluation" / "predictions.parquet").sort("question_id")


def markers(folder):
    found = [*folder.glob("work/*/*/_SUCCESS"), *folder.glob("runs/phantom_tiny/*/_SUCCESS")]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def judged_baselines(folder):
    return {name: stamp for name, stamp in markers(folder).items() if name.startswith("work/baselines/")}


@pytest.mark.slow
def test_defects_1_and_6_every_step_reads_what_the_one_before_wrote_and_figures_are_whole(folder):
    figures = metrics(folder)
    assert {"n", "by_type", "changes", "flip", "interval", "baseline", "control", "decode", "scorers", "data"} <= set(
        figures
    )
    assert set(figures["baseline"]) == {"question_only", "majority", "constant", "prior"}
    assert figures["changes"]["n"] == figures["flip"]["n"] == figures["by_type"]["difference"]["n"]
    assert figures["data"]["name"] == "phantom"


@pytest.mark.slow
def test_contrasts_of_a_phase_are_judged_beside_the_answers(folder, call_tiny):
    before = markers(folder)
    judged = ("evaluation.tasks=[retrieval,zero_shot]", "evaluation.phase=pretrain")
    status, output = call_tiny("evaluate", *judged)
    assert status == 0, output
    for word in ("Retrieval", "answer to pair", "Zero-shot", "evaluation_pretrain/metrics.json"):
        assert word in output
    figures = json.loads((folder / "runs" / "phantom_tiny" / "evaluation_pretrain" / "metrics.json").read_text())
    assert "changes" not in figures
    assert figures["data"]["phase"] == "pretrain"
    assert figures["retrieval"]["pair_to_answer"]["n"] == figures["zero_shot"]["n"] == metrics(folder)["changes"]["n"]
    assert figures["interval"]["zero_shot"]["added_macro"]
    assert before.items() <= markers(folder).items()
    status, output = call_tiny("report", *judged)
    assert status == 2, output
    assert "add answers to evaluation.tasks" in output


@pytest.mark.slow
def test_the_report_holds_the_figures_and_is_made_once(folder, call_tiny):
    page = folder / "runs" / "phantom_tiny" / "report.html"
    html, before, figures = page.read_text(), page.stat().st_mtime_ns, metrics(folder)
    for name in ("question_only", "majority", "prior"):
        assert f"{figures['baseline'][name]['other_types']['exact_match']:.3f}" in html
    assert f"{figures['changes']['f1']:.3f}" in html
    assert html.count('<article class="pair ') == 12
    pictures = re.sub('<details class="words">.*?</details>', "", html, flags=re.DOTALL)
    assert pictures.count('src="data:image/jpeg;base64,') == 20
    status, output = call_tiny("report")
    assert status == 0, output
    assert page.stat().st_mtime_ns == before
    assert call_tiny("report", "report.pairs=2")[0] == 0
    assert page.read_text().count('<article class="pair ') == 2
    assert call_tiny("report")[0] == 0
    assert page.read_text() == html


@pytest.mark.slow
def test_a_second_call_makes_nothing_and_a_changed_setting_only_what_it_shapes(folder, call_tiny):
    before = markers(folder)
    status, output = call_tiny("run")
    assert status == 0, output
    assert markers(folder) == before
    status, output = call_tiny("run", "evaluation.draws=60")
    assert status == 0, output
    changed = {name for name, stamp in markers(folder).items() if before.get(name) != stamp}
    [beside] = [name for name in changed if name.startswith("work/baselines/")]
    assert changed == {beside, "runs/phantom_tiny/evaluation/_SUCCESS"}
    assert call_tiny("run")[0] == 0


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_in_the_same_figures(folder, call_tiny):
    expected = metrics(folder)
    process = subprocess.Popen(
        command("run", "name=killed"),
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watched = "runs/killed/vqa/pretrain/checkpoints/last.ckpt"
    wait_for(process, folder, watched)
    process.kill()
    process.wait()
    assert (folder / watched).exists()
    assert not (folder / "runs" / "killed" / "vqa" / "_SUCCESS").exists()
    judged = judged_baselines(folder)
    status, output = call_tiny("run", "name=killed")
    assert status == 0, output
    figures = metrics(folder, "killed")
    figures["data"], expected["data"] = None, None
    assert figures == expected
    assert predictions(folder, "killed").equals(predictions(folder, "phantom_tiny"))
    assert judged_baselines(folder) == judged


@pytest.mark.long
def test_a_compiled_reader_is_trained_and_loaded_as_any_other(folder):
    few = ("variant=question_only", "+trainer.limit_train_batches=4")  # compiling larger ones takes minutes
    status, output = run(folder, "train", "name=compiled", "compile=true", *few)
    assert status == 0, output
    run_folder = folder / "runs" / "compiled"
    assert "compile: true" in (run_folder / "config.yaml").read_text()
    assert cfvqa.load(run_folder).reader.model.text.word_embeddings.weight.isfinite().all()


@pytest.mark.slow
def test_a_training_that_is_interrupted_says_how_to_go_on(folder):
    line = command("train", "name=interrupted", "phases=finetune_only", "phases.finetune.epochs=60")
    with subprocess.Popen(
        line,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Behind a `&`, shells let their processes ignore Ctrl-C, and these hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as started:
        while b"finetune epoch" not in started.stdout.readline():
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        _, messages = started.communicate()
    assert started.returncode == 130
    assert messages.decode() == "stopped: the same command goes on where it was\n"


@pytest.mark.slow
def test_a_checkpoint_of_something_else_leaves_no_run_behind(folder, call_tiny):
    [foreign] = folder.glob("work/anatomy/*/checkpoints/best.ckpt")
    status, output = call_tiny("train", "name=foreign", f"resume={foreign}")
    assert status == 2, output
    assert f"resume={foreign}: this reader cannot start from it" in output
    assert not [path for path in (folder / "runs" / "foreign").rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("trainer=multi_node", "trainer.accelerator=cpu", "trainer.devices=2"), "start one process a device"),
        (("resume=foreign.ckpt",), "cannot start from it"),
        (("resume=newer.ckpt",), "newer.ckpt has format 99, this version of cfvqa reads"),
    ],
)
def test_no_finished_run_is_moved_for_a_training_that_cannot_begin(folder, call_tiny, overrides, words):
    (folder / "foreign.ckpt").write_text("foreign")
    torch.save({"state_dict": {}, "cfvqa_format": 99}, folder / "newer.ckpt")
    status, output = call_tiny("train", *overrides)
    assert status == 2, output
    assert words in output
    assert "is kept as" not in output
    assert (folder / "runs" / "phantom_tiny" / "vqa" / "_SUCCESS").is_file()


@pytest.mark.slow
def test_a_marker_that_a_power_cut_left_empty_counts_as_none(folder, call_tiny):
    marker = folder / "runs" / "phantom_tiny" / "evaluation" / "_SUCCESS"
    marker.write_text("")
    status, output = call_tiny("evaluate")
    assert status == 0, output
    assert output.count("done in") == 1
    assert json.loads(marker.read_text())["id"]


@pytest.mark.slow
def test_answers_of_a_file_are_scored_and_bad_files_refused(folder, call_tiny):
    table = pl.read_parquet(folder / "runs/phantom_tiny/evaluation/predictions.parquet")
    good = folder / "answers.csv"
    table.select("question_id", pl.col("answer").alias("prediction")).write_csv(good)
    status, output = call_tiny("evaluate", "name=truth", f"predictions={good}")
    assert status == 0, output
    figures = json.loads((folder / "runs/truth/evaluation/metrics.json").read_text())
    assert figures["changes"]["f1"] == 1
    assert figures["other_types"]["exact_match"] == 1
    status, output = call_tiny("compare", "runs=[runs/phantom_tiny,runs/truth]", "to=compared", "report.pairs=2")
    assert status == 0, output
    page = (folder / "compared" / "disagreements.html").read_text()
    assert page.count('<article class="pair">') == 2
    assert page.count('src="data:image/jpeg;base64,') == 4
    bad = folder / "bad.csv"
    pl.read_csv(good).head(3).write_csv(bad)
    status, output = call_tiny("evaluate", "name=bad", f"predictions={bad}")
    assert status == 2
    assert f"bad.csv: {len(table) - 3} question_id have no prediction: '{table['question_id'][3]}'" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("sed=3",), "sed"),
        (("model=unheard_of",), "unheard_of"),
        (("source=mimic", "source.root=nowhere"), "nowhere"),
        (("source=nih",), "source.root"),
        (("task=dance",), "dance"),
        (("detector.network._target_=os.system",), "os.system"),
    ],
)
def test_bad_input_is_one_message_and_status_two(call, overrides, words):
    refused(call, [words], "train", "experiment=phantom_tiny", *overrides)


def test_a_process_ends_with_the_status_and_help_and_config_are_shown(tmp_path, call):
    status, output = run(tmp_path, "train", "sed=3")
    assert status == 2, output
    assert output.startswith("error: ")
    assert "Traceback" not in output
    for arguments in (("train", "--cfg", "job"), ("prepare", "--help")):
        status, output = call(*arguments)
        assert status == 0, output
        assert "source" in output
    assert not [*call.folder.iterdir(), *(path for path in tmp_path.iterdir() if path != call.folder)]


@pytest.mark.long
def test_other_systems_are_trained_and_judged_by_the_same_commands(folder, call_tiny):
    # mccformers_d is in tests/pipeline/test_published.py.
    status, output = call_tiny("evaluate", "name=ekaid", "variant=ekaid")
    assert status == 0, output
    check_judged(folder, "ekaid")


@pytest.mark.long
def test_gloria_is_trained_judged_by_answers_and_contrasts_and_shown_with_maps_of_words(folder, call_tiny):
    tasks = "evaluation.tasks=[answers,retrieval,zero_shot]"
    status, output = call_tiny("run", "name=gloria", "variant=gloria", tasks, "+trainer.limit_train_batches=0.3")
    assert status == 0, output
    figures = check_judged(folder, "gloria")
    assert figures["retrieval"]["answer_to_pair"]["n"] == figures["zero_shot"]["n"] == figures["changes"]["n"]
    assert figures["word_grounding"]["n"] > 0
    html = (folder / "runs" / "gloria" / "report.html").read_text()
    for words in ("Retrieval", "Zero-shot"):
        assert words in html
    maps = re.findall('<details class="words">.*?</details>', html, flags=re.DOTALL)
    assert maps
    assert all(one.count('src="data:image/jpeg;base64,') >= 2 for one in maps)  # each word over both images


def check_judged(folder, name):
    """Check the figures of a run that learned from the tiny phantom; return them."""
    figures = metrics(folder, name)
    assert figures["n"] == metrics(folder)["n"]
    assert figures["grounding"]["n"] > 0
    assert figures["calibration"]["n"] == figures["changes"]["n"]
    return figures
