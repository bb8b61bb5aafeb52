import json
import multiprocessing
import os
import socket
from datetime import timedelta

import pytest
from filelock import FileLock
from omegaconf import OmegaConf

from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.stages.distribution import others_of
from cfvqa.stages.identity import SUCCESS, Stage, ensure, identify
from cfvqa.stages.run_folders import differences, hold_folder, is_made, run_lock, take_folder
from cfvqa.training.meeting import call_others, end_job, failures_told, is_called, open_calls

CONSOLE = StageConsole(quiet=True)


def settings_of(seed=1, pretrain=1, finetune=2):
    phases = {"pretrain": {"epochs": pretrain}, "finetune": {"epochs": finetune, "lr": 1e-3}}
    return {"seed": seed, "phases": phases}


def stage_of(folder, settings):
    return Stage("vqa", folder / "runs" / "trial" / "vqa", identify(settings))


def train(folder, settings, *, finished, resume="auto", phases=()):
    """Do with a run what a training does, up to its end or not."""
    stage = stage_of(folder, settings)
    with run_lock(stage, CONSOLE):
        take_folder(stage, settings, resume=resume, console=CONSOLE)
        if stage.whole:
            return "ready"
        stage.folder.mkdir(parents=True, exist_ok=True)
        went_on = (stage.folder / "weights").exists()
        hold_folder(stage, settings)
        (stage.folder / "weights").write_text(str(settings))
        for phase in phases:
            (stage.folder / phase).mkdir(exist_ok=True)
            (stage.folder / phase / SUCCESS).write_text("")
        if finished:
            (stage.folder / SUCCESS).write_text(json.dumps({"id": stage.id, "facts": {}, "seconds": 1}))
    return "went on" if went_on else "new"


def names(folder):
    return sorted(path.name for path in (folder / "runs").iterdir() if not path.name.startswith("."))


def test_a_finished_training_is_kept_when_settings_change_and_comes_back_with_them(tmp_path):
    first, second = settings_of(seed=1), settings_of(seed=2)
    assert train(tmp_path, first, finished=True) == "new"
    assert train(tmp_path, second, finished=True) == "new"
    assert names(tmp_path) == ["trial", f"trial.{identify(first)}"]
    assert train(tmp_path, first, finished=True) == "ready"
    assert names(tmp_path) == ["trial", f"trial.{identify(second)}"]
    assert train(tmp_path, second, finished=True) == "ready"


def test_a_finished_training_comes_back_where_the_next_one_has_not_begun(tmp_path):
    first, second = settings_of(seed=1), settings_of(seed=2)
    train(tmp_path, first, finished=False)
    assert train(tmp_path, first, finished=True, resume="never") == "new"
    stage = stage_of(tmp_path, second)
    take_folder(stage, second, resume="auto", console=CONSOLE)
    stage.folder.mkdir(parents=True)  # and fails there
    # The finished one, though the one that was stopped is kept too; and also for one who wants no stopped one.
    assert is_made(stage_of(tmp_path, first))
    assert train(tmp_path, first, finished=False, resume="never") == "ready"
    assert names(tmp_path) == ["trial", "trial.empty", f"trial.{identify(first)}"]


def test_an_unfinished_training_goes_on_with_its_settings_and_with_more_epochs(tmp_path):
    assert train(tmp_path, settings_of(), finished=False) == "new"
    assert train(tmp_path, settings_of(), finished=False) == "went on"
    assert train(tmp_path, settings_of(finetune=5), finished=False, phases=["pretrain"]) == "went on"
    with pytest.raises(InputError, match=r"phases\.pretrain\.epochs was 1, is 3"):
        train(tmp_path, settings_of(pretrain=3, finetune=5), finished=False)


def test_an_unfinished_training_does_not_end_early(tmp_path):
    train(tmp_path, settings_of(finetune=8), finished=False)
    with pytest.raises(InputError, match=r"phases\.finetune\.epochs was 8, is 2.*resume=never"):
        train(tmp_path, settings_of(finetune=2), finished=False)


def test_an_unfinished_training_is_not_mixed_with_other_settings(tmp_path):
    train(tmp_path, settings_of(seed=1), finished=False)
    with pytest.raises(InputError, match="seed was 1, is 2") as refused:
        train(tmp_path, settings_of(seed=2), finished=False)
    assert "phases" not in str(refused.value)
    assert train(tmp_path, settings_of(seed=2), finished=False, resume="never") == "new"
    assert names(tmp_path) == ["trial", f"trial.{identify(settings_of(seed=1))}"]


def test_beginning_anew_never_deletes(tmp_path):
    for _ in range(3):
        assert train(tmp_path, settings_of(), finished=False, resume="never") == "new"
    own = identify(settings_of())
    assert names(tmp_path) == ["trial", f"trial.{own}", f"trial.{own}.2"]


def test_damaged_settings_of_a_run_are_named(tmp_path):
    train(tmp_path, settings_of(), finished=False)
    (tmp_path / "runs/trial/vqa/settings.json").write_text("{")
    with pytest.raises(InputError, match=r"settings\.json is damaged"):
        train(tmp_path, settings_of(), finished=False)


@pytest.mark.parametrize("damage", ["5", "[]", '{"id": "x"}', '{"id": "x", "settings": 5}'])
def test_settings_of_a_run_that_hold_something_else_are_damaged(tmp_path, damage):
    train(tmp_path, settings_of(), finished=False)
    (tmp_path / "runs/trial/vqa/settings.json").write_text(damage)
    with pytest.raises(InputError, match=r"settings\.json is damaged"):
        train(tmp_path, settings_of(), finished=False)


@pytest.mark.parametrize("epochs", ["8", [8]])
def test_epochs_of_a_run_that_are_no_number_are_damaged(tmp_path, epochs):
    train(tmp_path, settings_of(finetune=epochs), finished=False)
    with pytest.raises(InputError, match=r"settings\.json is damaged"):
        train(tmp_path, settings_of(finetune=2), finished=False)


def hold(folder, settings, ready, over):
    stage = stage_of(folder, settings)
    with run_lock(stage, CONSOLE):
        stage.folder.mkdir(parents=True)
        hold_folder(stage, settings)
        ready.set()
        over.wait()


def test_two_trainings_of_one_name_and_different_settings_do_not_meet(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, over = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, settings_of(seed=1), ready, over))
    other.start()
    ready.wait()
    try:
        with pytest.raises(InputError, match=r"another process is at work in .*trial"):
            train(tmp_path, settings_of(seed=2), finished=False)
    finally:
        over.set()
        other.join()
    assert other.exitcode == 0


class Waits(StageConsole):
    """Tell the test that another process is waited for, in place of waiting."""

    def print(self, *_, **__):
        raise TimeoutError


def test_who_is_at_work_counts_and_not_whose_training_the_folder_still_holds(tmp_path):
    train(tmp_path, settings_of(seed=1), finished=True)
    earlier, at_work = (stage_of(tmp_path, settings_of(seed=seed)) for seed in (1, 2))
    with run_lock(at_work, CONSOLE):  # and has not begun
        with pytest.raises(TimeoutError), run_lock(at_work, Waits(quiet=True)):
            pass
        with pytest.raises(InputError, match="with other settings"), run_lock(earlier, Waits(quiet=True)):
            pass
    with run_lock(earlier, CONSOLE):
        assert earlier.whole


TWO = {"accelerator": "cpu", "devices": 2}


def place_for_two():
    """Return the environment by which two processes meet."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(found.getsockname()[1]), "WORLD_SIZE": "2"}


def ended(target, *args):
    """Run two processes, given their rank and arguments, and return the statuses with which they end."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=target, args=(rank, *args)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


class Telling(StageConsole):
    """Keep the lines of stages, and answer the first."""

    def __init__(self, answer):
        super().__init__(quiet=True)
        self.answer, self.told = answer, []

    def announce(self, name, folder, state):
        self.told.append(f"{name} {folder} {state}")
        if len(self.told) == 1:
            self.answer()


class Ranks:
    """Two processes that torchrun or srun would have started; the first decides late."""

    def __init__(self, folder, settings):
        context = multiprocessing.get_context("fork")
        self.folder, self.settings = folder, settings
        self.asked, self.together, self.seen = context.Event(), context.Barrier(2), context.Queue()
        self.place = place_for_two()
        self.ends = ended(self._make)

    def statuses(self):
        return self.ends

    def found(self):
        """Return what the second process found in the folder, each time that it was called."""
        return [self.seen.get(timeout=10) for _ in range(self.seen.qsize())]

    def _make(self, rank):
        os.environ.update(self.place | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        open_calls("trial")  # as every command does first
        stage = stage_of(self.folder, self.settings)
        others = others_of(OmegaConf.create(), "vqa", TWO)
        if rank == 0:
            self.asked.wait()
        with run_lock(stage, CONSOLE):
            take_folder(stage, self.settings, resume="auto", console=CONSOLE)
            self.asked.set()
            ensure(stage, lambda folder: self._train(rank, folder), CONSOLE, others=others)

    def _train(self, rank, folder):
        if rank > 0:
            self.seen.put((folder / "weights").exists())
        else:
            hold_folder(stage_of(self.folder, self.settings), self.settings)
        self.together.wait(30)
        return {}


def test_further_processes_wait_until_the_first_has_set_another_training_aside(tmp_path):
    first, second = settings_of(seed=1), settings_of(seed=2)
    train(tmp_path, first, finished=True)
    ranks = Ranks(tmp_path, second)
    assert ranks.statuses() == [0, 0]
    assert ranks.found() == [False]
    assert names(tmp_path) == ["trial", f"trial.{identify(first)}"]
    # The first one comes back whole: nothing is left to make, and nobody waits for the other.
    ranks = Ranks(tmp_path, first)
    assert ranks.statuses() == [0, 0]
    assert ranks.found() == []


def test_further_processes_end_when_the_first_refuses(tmp_path, capfd):
    train(tmp_path, settings_of(seed=1), finished=False)
    ranks = Ranks(tmp_path, settings_of(seed=2))
    assert ranks.statuses() == [1, 1]
    assert ranks.found() == []
    assert "the first process ended before it was done with" in capfd.readouterr().err


def end_jobs(rank, place, folder, seen):
    """Be one of two processes of a sweep of two jobs, of which the first fails in the first process alone."""
    os.environ.update(place | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
    for job in ("a", "b"):
        open_calls(job)
        stage = Stage("shared", folder / "shared", "id")
        failed = False
        try:
            ensure(stage, lambda _, job=job: make_but_not(job), CONSOLE)
        except InputError as error:
            failed = True
            seen.put((rank, job, str(error)))
        end_job(job, failed=failed)


def make_but_not(job):
    if job == "a":
        raise InputError("the table is damaged")
    return {}


def test_a_job_that_fails_in_the_first_process_alone_holds_up_no_other_one(tmp_path):
    seen = multiprocessing.get_context("fork").Queue()
    assert ended(end_jobs, place_for_two(), tmp_path, seen) == [0, 0]
    first, second = sorted(seen.get(timeout=10) for _ in range(2))
    assert first == (0, "a", "the table is damaged")
    assert second[:2] == (1, "a")
    assert "another process has failed" in second[2]
    assert (tmp_path / "shared" / SUCCESS).is_file()


def wait_for_one_that_fails(rank, place):
    """Be one of two processes: the first waits for the share of the other, which fails."""
    os.environ.update(place | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
    open_calls("a")
    with failures_told():
        if rank > 0:
            raise InputError("an image is damaged")
        call_others("features")
        while is_called("features"):
            pass


def test_the_first_process_does_not_wait_for_the_share_of_one_that_has_failed(capfd):
    assert ended(wait_for_one_that_fails, place_for_two()) == [1, 1]
    assert "another process has failed before features was done" in capfd.readouterr().err


def fail_beside_one_that_trains(rank, place, over):
    """Be one of two processes: the first fails, the other waits where it cannot be told."""
    os.environ.update(place | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
    open_calls("a")
    if rank > 0:
        over.wait(60)
        return
    try:
        end_job("a", failed=True)
    finally:
        over.set()


def test_a_sweep_ends_where_others_cannot_be_told_that_a_job_has_failed(monkeypatch, capfd):
    monkeypatch.setattr("cfvqa.training.meeting._PATIENCE", timedelta(milliseconds=100))
    over = multiprocessing.get_context("fork").Event()
    assert ended(fail_beside_one_that_trains, place_for_two(), over) == [1, 0]
    assert "the job a has failed in process 0, and the others do not know it" in capfd.readouterr().err


def test_who_waits_for_a_stage_is_told_for_what_and_whom(tmp_path):
    stage, made = Stage("tables", tmp_path / "tables", "id"), []
    lock = FileLock(tmp_path / "tables.lock")
    console = Telling(lock.release)
    with lock:
        ensure(stage, lambda folder: made.append(folder) or {}, console)
    assert console.told[0].startswith(f"tables {stage.folder} waiting for another process")
    assert str(lock.lock_file) in console.told[0]
    assert made == [stage.folder]


def test_differences_are_named_by_their_dotted_key():
    old, new = {"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"b": 2, "c": [1]}, "e": 3}
    assert differences(old, new) == {"a.b": (1, 2), "d": (1, None), "e": (None, 3)}
