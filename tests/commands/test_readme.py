"""Every command that the README and the pages of the site show composes, and passes the checks of its config."""

import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from pages import PAGES

from cfvqa.commands import searching
from cfvqa.commands.application import config_folder
from cfvqa.commands.arguments import quoted, readable
from cfvqa.stages.building import plain
from cfvqa.stages.settings import check, select
from cfvqa.stages.training_checks import TRAINERS, check_training
from cfvqa.training.ranks import process_count

README = Path(__file__).parents[2] / "README.md"
LITERAL = ("main", "reference", "question", "run", "to", "predictions", "reports", "studies", "out")
COMMAND = re.compile(r"cfvqa-([\w-]+)$|^cfvqa\.commands\.(\w+)$")


CLUSTER = PAGES / "how-to" / "cluster.md"


def shown(*files):
    """Return (command, arguments) of every indented line of pages that starts a command."""
    text = "\n".join(file.read_text() for file in files).replace("\\\n", " ")
    lines = [
        shlex.split(line, comments=True) for line in text.splitlines() if re.match(r"    (cfvqa-|torchrun|srun)", line)
    ]
    found = []
    for words in lines:
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
    assert f"cfvqa-{name}" in {script.name for script in entry_points(group="console_scripts")}
    searching.register()
    given = [
        quoted(argument, LITERAL)
        for argument in readable(arguments, LITERAL, Path(config_folder()))
        if argument != "--multirun"
    ]
    overrides = [override for argument in given for override in first_of(argument)]
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
