"""What README and Makefile promise of systems, held against the configs."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from cfvqa.commands.application import config_folder

ROOT = Path(__file__).parents[2]
_KEY = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)`")
DECODING = {"num_beams": (1, 3), "repetition_penalty": (1.0, 1.2)}  # the row "greedy", "beam of 3, ..." by its keys


@cache
def composed(*overrides):
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def choices():
    """Return (key, value here, value published) of every row of the table of choices."""
    table = (ROOT / "README.md").read_text().partition("| choice | here | published |\n|---|---|---|\n")[2]
    found = []
    for line in table.partition("\n\n")[0].splitlines():
        what, here, published = (cell.strip() for cell in line.strip("|").split(" | "))
        for key in _KEY.findall(what.partition("(")[0]):
            values = [re.match(r"`?(\w+(?:\.\d+)?)", cell)[1] for cell in (here, published)]
            found += [(key, *map(yaml.safe_load, values))]
    return found


def expanded():
    for key, here, published in choices():
        if key == "evaluation.decoding":
            assert (here, published) == ("greedy", "beam")
            yield from ((f"{key}.{name}", *values) for name, values in DECODING.items())
        else:
            yield key, here, published


@pytest.mark.parametrize(("key", "here", "published"), expanded())
def test_a_choice_of_the_table_is_what_the_configs_say(key, here, published):
    assert OmegaConf.select(composed(), key, throw_on_missing=True) == here
    assert OmegaConf.select(composed("variant=published"), key, throw_on_missing=True) == published


def leaves(block, place=""):
    for name, value in block.items():
        yield from leaves(value, f"{place}{name}.") if isinstance(value, dict) else [f"{place}{name}"]


def test_all_that_the_published_variant_sets_stands_in_the_table():
    variant = yaml.safe_load((ROOT / "conf/variant/published.yaml").read_text())
    assert variant.pop("variant") == "published"
    assert set(leaves(variant)) == {key for key, *_ in expanded()}


def benchmarked():
    """Return the variants that `make benchmark` and `make few-labels` train."""
    rules = (ROOT / "Makefile").read_text().partition("\nbenchmark:")[2].partition("\n# Two processes")[0]
    return sorted({name for names in re.findall(r"variant=([a-z_,]+)", rules) for name in names.split(",")})


@pytest.mark.parametrize("schedule", ["demo", "published"])
def test_every_system_of_the_benchmark_takes_as_many_updates(schedule):
    assert len(benchmarked()) == 14
    updates = {}
    for name in benchmarked():
        phases = composed("experiment=phantom_ablation", f"variant={name}", f"schedule={schedule}").phases.values()
        updates[name] = (sum(phase.epochs for phase in phases), {phase.units_per_batch for phase in phases})
    assert [*updates.values()] == [updates["full"]] * len(updates)
    assert len(updates["full"][1]) == 1


def test_a_longer_pretraining_takes_as_many_updates_in_all():
    [halves] = re.findall("HALVES := (.*)", (ROOT / "Makefile").read_text())
    longer, usual = composed("experiment=phantom_ablation", *halves.split()), composed("experiment=phantom_ablation")
    assert longer.phases.pretrain.epochs == longer.phases.finetune.epochs
    assert sum(phase.epochs for phase in longer.phases.values()) == sum(p.epochs for p in usual.phases.values())
