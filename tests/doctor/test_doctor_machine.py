"""Disks, processes and batches: what fits, what agrees, and what does not."""

from collections import namedtuple

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from cfvqa.doctor.cost import checkpoint_bytes, image_seconds
from cfvqa.doctor.disk import Need, disk_notes
from cfvqa.doctor.doctor import next_command
from cfvqa.doctor.launcher import launcher_notes
from cfvqa.doctor.machine import batch_notes, load_notes, precision_notes, process_notes
from cfvqa.doctor.note import MISSING, OK, WARNING
from cfvqa.doctor.packages import Chosen, package_notes
from cfvqa.doctor.words import duration, size
from cfvqa.processes import cores

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    def set_free(count):
        monkeypatch.setattr("cfvqa.doctor.disk.shutil.disk_usage", lambda _: Usage(10**12, 0, count))

    return set_free


def needs(folder):
    return [Need("work", folder / "work", "features", 600), Need("runs", folder / "runs", "finetune", 300)]


@pytest.mark.parametrize(("count", "state"), [(2000, OK), (1000, WARNING), (800, MISSING)])
def test_what_is_written_to_one_disk_is_added_up(tmp_path, free, count, state):
    free(count)
    *folders, room = disk_notes(needs(tmp_path))
    assert [note.about for note in folders] == ["work", "runs"]
    assert room.about == "disk of work and runs"
    assert room.state == state
    assert ("work=FOLDER runs=FOLDER" in room.text) == (state != OK)


def test_stages_that_may_be_made_already_do_not_stand_in_the_way(tmp_path, free):
    free(800)
    shard = tmp_path / "work/features/0/part-00000.h5"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(bytes(200))
    assert disk_notes(needs(tmp_path))[-1].state == WARNING


@pytest.fixture
def alone(monkeypatch):
    for name in (
        "SLURM_JOB_ID",
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_NNODES",
        "LOCAL_RANK",
        "RANK",
        "WORLD_SIZE",
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_several_machines_need_somebody_who_starts_the_processes(alone):
    [note] = process_notes({"num_nodes": 4, "devices": 8})
    assert note.state == WARNING
    assert "srun or torchrun" in note.text
    assert not process_notes({"num_nodes": 1, "devices": 1})


def test_a_job_of_other_nodes_than_the_trainer_asks_for(alone):
    for name, value in {
        "JOB_ID": "7",
        "NNODES": "2",
        "NTASKS_PER_NODE": "8",
        "PROCID": "0",
        "STEP_NUM_TASKS": "32",
    }.items():
        alone.setenv(f"SLURM_{name}", value)
    found = process_notes({"num_nodes": 4, "devices": 8})
    assert [note.text for note in found if note.state == MISSING] == [
        "SLURM_NNODES is 2 and trainer.num_nodes is 4: make them agree"
    ]


@pytest.mark.parametrize(("units", "states"), [(8, []), (9, [WARNING])])
def test_a_batch_that_some_processes_have_less_of(units, states):
    content = {
        "trainer": {"accelerator": "cpu", "devices": 2},
        "phases": {"finetune": {"units_per_batch": units}},
    }
    assert [note.state for note in batch_notes(content)] == states


@pytest.mark.parametrize(
    ("precision", "capability", "count"), [("bf16", "AVX2", 1), ("bf16", "AVX512", 0), ("32", "AVX2", 0)]
)
def test_16_bits_on_a_processor_that_only_emulates_them_are_told(monkeypatch, precision, capability, count):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    content = {"precision": precision, "trainer": {"accelerator": "cpu"}}
    assert [note.state for note in precision_notes(content)] == [WARNING] * count


@pytest.mark.parametrize(("load", "count"), [(0.5, 0), (500.0, 1)])
def test_a_machine_that_others_keep_busy_is_told(monkeypatch, load, count):
    monkeypatch.setattr("os.getloadavg", lambda: (load, load, load))
    assert [note.state for note in load_notes()] == [WARNING] * count


def test_where_the_system_does_not_say_what_a_process_may_use_all_processors_count(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert cores() == 6


@pytest.mark.parametrize(
    ("nodes", "devices", "start"),
    [(1, 8, ""), (4, 8, "srun --nodes=4 --ntasks-per-node=8 "), (2, "auto", "srun --nodes=2 ")],
)
def test_the_next_command_repeats_the_overrides_and_starts_several_machines_by_srun(nodes, devices, start):
    config = OmegaConf.create({"trainer": {"num_nodes": nodes, "devices": devices}})
    command = next_command(config, ["name=a b", "seed=2"])
    assert command.startswith(start)
    assert command.endswith("cfvqa-run 'name=a b' seed=2")
    assert command.startswith("srun") == bool(start)


def test_packages_that_only_a_sweep_needs(monkeypatch):
    monkeypatch.setattr("cfvqa.doctor.packages.find_spec", lambda name: None)
    assert not package_notes(Chosen())
    notes = package_notes(Chosen(launcher="slurm", sweeper="optuna"))
    assert [note.about for note in notes] == ["submitit", "optuna"]
    assert all("pip install 'cfvqa[sweep]'" in note.text for note in notes)


@pytest.mark.parametrize(
    ("jobs", "devices", "at_once", "state"), [(2, 1, 2, OK), (2, 2, 2, WARNING), (-1, 1, 4, OK), (9, 1, 9, WARNING)]
)
def test_jobs_at_once_are_compared_with_the_processors(monkeypatch, jobs, devices, at_once, state):
    monkeypatch.setattr("cfvqa.doctor.launcher.cores", lambda: 4 if devices == 1 else 3)
    chosen = Chosen(launcher="joblib", launching={"n_jobs": jobs})
    [note] = launcher_notes(chosen, {"accelerator": "cpu", "devices": devices})
    assert note.state == state
    assert f"hydra.launcher.n_jobs={jobs}: {at_once} jobs at once" in note.text
    assert not launcher_notes(Chosen(), {"accelerator": "cpu", "devices": 9})


SLURM = {"nodes": 1, "gpus_per_node": 1, "tasks_per_node": 1, "timeout_min": 720, "partition": None}


@pytest.mark.parametrize(
    ("given", "trainer", "told"),
    [
        ({}, {"devices": 1}, []),
        ({}, {"devices": "auto"}, []),
        ({"gpus_per_node": 8}, {"devices": 8}, []),
        ({}, {"devices": 8}, ["hydra.launcher.gpus_per_node=1 and trainer.devices=8"]),
        ({"gpus_per_node": None}, {"devices": "auto"}, ["hydra.launcher.gpus_per_node=0 and trainer.devices=auto"]),
        ({"gpus_per_node": None}, {"devices": 1, "accelerator": "cpu"}, []),
        ({"nodes": 4, "gpus_per_node": 8, "tasks_per_node": 8}, {"devices": 8, "num_nodes": 4}, []),
        ({"nodes": 4, "gpus_per_node": 8, "tasks_per_node": 8}, {"devices": "auto", "num_nodes": 4}, []),
        ({"tasks_per_node": 8}, {"devices": 1}, ["hydra.launcher.tasks_per_node=8 and trainer.devices=1"]),
        (
            {"nodes": 2, "gpus_per_node": 8},
            {"devices": 8, "num_nodes": 4},
            ["hydra.launcher.nodes=2 and trainer.num_nodes=4", "hydra.launcher.tasks_per_node=1 and trainer.devices=8"],
        ),
    ],
)
def test_what_slurm_is_asked_for_is_what_the_trainer_takes(monkeypatch, given, trainer, told):
    monkeypatch.setattr("shutil.which", lambda name: name)
    chosen = Chosen(launcher="slurm", launching=SLURM | {"partition": "long"} | given)
    first, *others = launcher_notes(chosen, {"accelerator": "gpu"} | trainer)
    assert (first.state, "nodes of long for 720 minutes" in first.text) == (OK, True)
    assert [(note.state, note.text) for note in others] == [(MISSING, f"{text}: make them agree") for text in told]


def test_a_machine_without_slurm_and_a_partition_that_is_not_said_are_told(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    notes = launcher_notes(Chosen(launcher="submitit_slurm", launching=SLURM), {"accelerator": "cpu", "devices": 1})
    assert [note.state for note in notes] == [OK, MISSING]
    assert "the default partition" in notes[0].text
    assert "no SLURM is on this machine" in notes[1].text


def test_checkpoints_are_counted_as_they_are_written(tmp_path):
    layer = nn.Linear(300, 400)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 300)).sum().backward()
    optimizer.step()
    path = tmp_path / "one.ckpt"
    torch.save({"state_dict": layer.state_dict(), "optimizer": optimizer.state_dict()}, path)
    assert checkpoint_bytes(layer) == pytest.approx(4 * path.stat().st_size, rel=0.02)


def test_loading_processes_decode_while_the_networks_work():
    assert image_seconds(2, 0.1, 0.06, workers=0) == pytest.approx(0.32)
    assert image_seconds(2, 0.1, 0.06, workers=0, kept=True) == pytest.approx(0.26)
    assert image_seconds(2, 0.1, 0.06, workers=1) == pytest.approx(0.2)
    assert image_seconds(2, 0.01, 0.06, workers=2) == pytest.approx(0.06)


def test_sizes_and_durations_read_well():
    assert [size(count) for count in (0, 999, 1234, 5e8, 2.5e12)] == [
        "0 bytes",
        "999 bytes",
        "1.2 kB",
        "500 MB",
        "2.5 TB",
    ]
    assert [duration(seconds) for seconds in (0.03, 42, 600, 9000, 4e5)] == [
        "0.03 s",
        "42 s",
        "10 min",
        "2.5 h",
        "4.6 days",
    ]
