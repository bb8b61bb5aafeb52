"""Every command that the README, the pages of the site and the Makefile give composes, and passes the checks."""

import re
import shlex
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from pages import PAGES

from cfvqa.commands import searching
from cfvqa.commands.application import config_folder
from cfvqa.commands.arguments import quoted, readable
from cfvqa.settings.building import plain
from cfvqa.settings.checking import check, select
from cfvqa.settings.training_checks import TRAINERS, check_training
from cfvqa.training.ranks import process_count

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
LITERAL = ("main", "reference", "question", "run", "to", "predictions", "reports", "studies", "out")
COMMAND = re.compile(r"cfvqa-([\w-]+)$|^cfvqa\.commands\.(\w+)$")


CLUSTER = PAGES / "how-to" / "cluster.md"


def shown(*files):
    """Return (command, arguments) of every indented line of pages that starts a command."""
    text = "\n".join(file.read_text() for file in files).replace("\\\n", " ")
    return given([line for line in text.splitlines() if re.match(r"    (cfvqa-|torchrun|srun)", line)])


def made(target):
    """Return (command, arguments) of every command of a target of the Makefile."""
    line = ["make", "--dry-run", "--no-print-directory", f"--directory={ROOT}", target]
    printed = subprocess.run(line, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
    return given([line for line in printed.splitlines() if "/bin/cfvqa-" in line])


def given(lines):
    """Return (command, arguments) of lines for a shell."""
    found = []
    for words in (shlex.split(line, comments=True) for line in lines):
        [place] = [place for place, word in enumerate(words) if COMMAND.search(word)]
        name = next(name for name in COMMAND.search(words[place]).groups() if name)
        found.append((name, words[place + 1 :]))
    return found


def first_of(argument):
    """Return an override with the first value of its sweep."""
    override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        return [argument]
    if not override.is_discrete_sweep():
        return []
    return [f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    shown(README, *sorted(PAGES.rglob("*.md"))),
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_command_that_is_shown_composes(name, arguments):
    check_command(name, arguments)


@pytest.mark.parametrize("target", ["demo", "bench", "tuning", "benchmark"])
def test_commands_of_the_makefile_compose(target):
    for name, arguments in made(target):
        check_command(name, arguments)


def check_command(name, arguments):
    assert f"cfvqa-{name}" in {script.name for script in entry_points(group="console_scripts")}
    searching.register()
    readable_ones = readable(arguments, LITERAL, Path(config_folder()))
    quoted_ones = [quoted(argument, LITERAL) for argument in readable_ones if argument != "--multirun"]
    overrides = [override for argument in quoted_ones for override in first_of(argument)]
    check(composed(overrides))


def composed(overrides):
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=[override.replace("=FOLDER", "=.") for override in overrides])


def test_commands_for_a_cluster_pass_every_check_but_that_for_gpus():
    commands = shown(CLUSTER)
    processes = []
    for _, arguments in commands:
        overrides = [override for argument in arguments if argument != "--multirun" for override in first_of(argument)]
        config = composed(overrides)
        config.trainer.accelerator = "cpu"  # where there is no GPU
        check(config)
        check_training(config)
        processes.append([process_count(select(plain(config), place)) for place in TRAINERS])
    alone = [1, 1, 1, 1]
    assert processes == [alone, alone, alone, [1, 8, 8, 8], [8, 1, 1, 1], [32, 1, 1, 1], alone]


def test_commands_of_every_kind_are_shown():
    words = " ".join(" ".join((name, *arguments)) for name, arguments in shown(README, CLUSTER))
    for word in ("trainer=gpu", "trainer=ddp", "trainer=multi_node", "hydra/launcher=slurm", "hydra/sweeper=optuna"):
        assert word in words
