import io
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

import cfvqa
from cfvqa.errors import InputError
from cfvqa.training.checkpoints import AtomicCheckpoints, check_weights, find_resumable, load_weights

STATE = dict.fromkeys(
    ("pytorch-lightning_version", "epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers")
)


def write(path, module):
    save({"state_dict": module.state_dict(), **STATE}, path)


def save(content, path):
    AtomicCheckpoints().save_checkpoint(content, path)


def turn_a_byte(path):
    """Damage a weight in a file whose structure stays whole."""
    content = bytearray(path.read_bytes())
    weight = torch.load(path, weights_only=True)["state_dict"]["weight"]
    content[content.index(weight.numpy().tobytes())] ^= 0xFF
    path.write_bytes(content)


def test_weights_come_back_and_no_temporary_file_stays(tmp_path):
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    write(tmp_path / "checkpoints" / "a.ckpt", first)
    load_weights(second, tmp_path / "checkpoints" / "a.ckpt")
    assert torch.equal(first.weight, second.weight)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize("other", [nn.Linear(4, 2), nn.Linear(3, 2, bias=False), nn.Sequential(nn.Linear(3, 2))])
def test_a_checkpoint_of_another_model_is_refused_by_name_and_changes_nothing(tmp_path, other):
    write(tmp_path / "a.ckpt", nn.Linear(3, 2))
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(InputError, match=r"a\.ckpt is of another model"):
        load_weights(other, tmp_path / "a.ckpt")
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_a_truncated_a_foreign_and_a_missing_checkpoint_are_refused_by_name(tmp_path):
    path = tmp_path / "a.ckpt"
    write(path, nn.Linear(3, 2))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"a\.ckpt is damaged"):
        check_weights(nn.Linear(3, 2), path)
    torch.save({"weights": 1}, path)
    with pytest.raises(InputError, match=r"a\.ckpt is damaged or foreign"):
        check_weights(nn.Linear(3, 2), path)
    with pytest.raises(InputError, match=r"b\.ckpt is missing"):
        check_weights(nn.Linear(3, 2), tmp_path / "b.ckpt")


def test_a_checkpoint_of_another_program_and_one_of_another_format_are_refused_by_name(tmp_path):
    path, module = tmp_path / "a.ckpt", nn.Linear(3, 2)
    torch.save({"state_dict": module.state_dict()}, path)
    with pytest.raises(InputError, match=r"a\.ckpt is no checkpoint of cfvqa"):
        check_weights(module, path)
    torch.save({"state_dict": module.state_dict(), "cfvqa_format": 99}, path)
    with pytest.raises(InputError, match=r"a\.ckpt has format 99, .*use the version that wrote it"):
        check_weights(module, path)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "is damaged or foreign"),
        (lambda path: path.write_text("something else"), "is damaged or foreign"),
        (lambda path: torch.save({"state_dict": {"other": torch.ones(1)}}, path), "is no checkpoint of cfvqa"),
        (lambda path: write(path, nn.Linear(4, 2)), "is of another model"),
        (turn_a_byte, "is damaged or foreign"),
        (lambda path: save({"state_dict": [1, 2]}, path), "is damaged or foreign"),
        (lambda path: save({"state_dict": {"weight": None, "bias": None}}, path), "is damaged or foreign"),
        (lambda path: save({"state_dict": nn.Linear(3, 2).state_dict()}, path), "holds no callbacks"),
    ],
    ids=[
        *("truncated", "foreign", "of another program", "of another model", "a byte turned", "a list", "no weights"),
        "weights alone",
    ],
)
def test_a_last_checkpoint_that_does_not_fit_is_named_in_a_warning_and_the_one_before_is_taken(tmp_path, damage, says):
    last, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    module, console = nn.Linear(3, 2), Console(file=io.StringIO(), width=20)
    for _ in range(2):
        write(last, module)
    assert find_resumable(module, tmp_path, console) == last
    assert console.file.getvalue() == ""
    damage(last)
    assert find_resumable(module, tmp_path, console) == previous
    [warning] = console.file.getvalue().splitlines()
    assert warning.startswith("warning: ")
    assert f"{last} {says}" in warning
    assert warning.endswith("; going on from previous.ckpt")
    previous.write_text("")
    with pytest.raises(InputError, match=rf"last\.ckpt {says}.*; to begin anew, delete {tmp_path}"):
        find_resumable(module, tmp_path, console)


class Planted:
    def __reduce__(self):
        return eval, ("__import__('pathlib').Path('planted').write_text('x')",)


def test_loading_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"weight": Planted()}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="damaged or foreign"):
        check_weights(nn.Linear(3, 2), tmp_path / "a.ckpt")
    assert not (tmp_path / "planted").exists()


def test_no_module_loads_more_than_weights():  # no linter here knows torch.load
    texts = [path.read_text() for path in Path(cfvqa.__file__).parent.rglob("*.py")]
    loads = [words for text in texts for words in re.findall(r"torch\.load\(([^)]*)\)", text)]
    assert loads
    assert [words for words in loads if "weights_only=True" not in words] == []
    assert [text for text in texts if re.search("weights_only=(False|None)|allow_pickle=True", text)] == []
