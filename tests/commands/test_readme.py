"""Every command that the README shows composes, and passes the checks of its config."""

import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from cfvqa.commands import searching
from cfvqa.commands.application import config_folder
from cfvqa.commands.arguments import quoted, readable
from cfvqa.stages.building import plain
from cfvqa.stages.settings import check
from cfvqa.stages.training_checks import check_training
from cfvqa.training.ranks import process_count

README = Path(__file__).parents[2] / "README.md"
LITERAL = ("main", "reference", "question", "run", "to", "predictions", "reports", "studies", "out")
COMMAND = re.compile(r"cfvqa-([\w-]+)$|^cfvqa\.commands\.(\w+)$")


CLUSTER = "## From a laptop to a cluster"


def page():
    return README.read_text().replace("\\\n", " ")


def shown(text=None):
    """Return (command, arguments) of every indented line of the README, or of a text, that starts a command."""
    text = page() if text is None else text
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
    ("name", "arguments"), shown(), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_commands_of_the_readme(name, arguments):
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
    commands = shown(page().partition(CLUSTER)[2].partition("\n## ")[0])
    processes = []
    for _, arguments in commands:
        overrides = [override for argument in arguments if argument != "--multirun" for override in first_of(argument)]
        config = composed(overrides)
        config.trainer.accelerator = "cpu"  # where there is no GPU
        check(config)
        check_training(config)
        processes.append(process_count(plain(config.trainer)))
    assert processes == [1, 1, 1, 8, 32, 1]


def test_the_readme_shows_commands_of_every_kind():
    words = " ".join(" ".join((name, *arguments)) for name, arguments in shown())
    for word in ("trainer=gpu", "trainer=ddp", "trainer=multi_node", "hydra/launcher=slurm", "hydra/sweeper=optuna"):
        assert word in words
