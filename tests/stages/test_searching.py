"""A search: what it asks for, what counts as done, and that a stopped one goes on."""

import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from cfvqa.commands.outcomes import config_folder
from cfvqa.errors import InputError
from cfvqa.stages.searching import STUDY, Search, trial_of
from cfvqa.stages.sweeps import DONE, FAILED, PRUNED, Job

LR, HEADS, SIZE = "phases.finetune.optimizer.lr", "model.network.heads", "pairs.question_length"


def search_in(folder, *overrides, pruner=None, sampler=None):
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    space = {override.get_key_element(): override for override in parsed}
    return Search(folder / STUDY, space, sampler=sampler, pruner=pruner)


def ended(state, figure=None):
    figures = {} if figure is None else {"change F1": 0.5, "val/loss": figure}
    return Job(overrides=[], name="a", state=state, seconds=1.0, figures=figures)


def test_every_kind_of_sweep_is_asked_for_in_its_range(tmp_path):
    search = search_in(
        tmp_path,
        f"{LR}=tag(log,interval(1e-4,1e-2))",
        f"{HEADS}=choice(2,4)",
        f"{SIZE}=int(interval(8,16))",
        "seed=range(1,4)",
    )
    for _ in range(10):
        asked = dict(override.split("=") for override in search.ask().overrides)
        assert 1e-4 <= float(asked[LR]) <= 1e-2
        assert asked[HEADS] in ("2", "4")
        assert asked[SIZE] in map(str, range(8, 17))
        assert asked["seed"] in ("1", "2", "3")


def test_figures_and_prunings_are_done_and_failures_are_not(tmp_path):
    search = search_in(tmp_path, f"{HEADS}=choice(2,4)")
    outcomes = [ended(DONE, 0.5), ended(PRUNED), ended(FAILED), ended(DONE, float("nan")), ended(DONE)]
    for outcome in outcomes:
        search.tell(search.ask().number, outcome)
    assert search.done == 2
    assert search_in(tmp_path, f"{HEADS}=choice(2,4)").done == 2


def test_a_stopped_trial_is_asked_for_again_before_any_other(tmp_path):
    stopped = search_in(tmp_path, f"{LR}=interval(0.1,0.9)").ask()
    again = search_in(tmp_path, f"{LR}=interval(0.1,0.9)")
    again.try_stopped_again()
    asked = again.ask()
    assert asked.overrides == stopped.overrides
    assert asked.number > stopped.number
    assert again.ask().overrides != stopped.overrides


def test_a_search_that_goes_on_repeats_no_point_and_one_begun_anew_has_the_same(tmp_path):
    shipped = OmegaConf.load(Path(config_folder()) / "hydra/sweeper/optuna.yaml").sampler
    sampler = OmegaConf.merge(shipped, {"seed": 1})
    asked = {"one": [], "other": []}
    for name, points in asked.items():
        (tmp_path / name).mkdir()
        for _ in range(2):
            search = search_in(tmp_path / name, f"{LR}=interval(0.1,0.9)", sampler=sampler)
            points += [search.ask().overrides[0] for _ in range(3)]
    assert len(set(asked["one"])) == 6
    assert asked["one"] == asked["other"]


def test_a_job_finds_its_trial(tmp_path):
    search = search_in(tmp_path, f"{LR}=interval(0.1,0.9)")
    search.ask()
    second = search.ask()
    trial = trial_of(OmegaConf.create({"study": str(tmp_path / STUDY), "number": second.number}))
    trial.report(0.5, 0)
    assert trial.number == second.number
    assert trial.study.trials[1].intermediate_values == {0: 0.5}


@pytest.mark.parametrize(("upper", "pruned"), [(0.4, True), (0.6, False)])
def test_a_job_asks_the_pruner_of_its_search(tmp_path, upper, pruned):
    pruner = {"_target_": "optuna.pruners.ThresholdPruner", "upper": upper}
    number = search_in(tmp_path, f"{LR}=interval(0.1,0.9)", pruner=pruner).ask().number
    trial = trial_of(OmegaConf.create({"study": str(tmp_path / STUDY), "number": number}))
    trial.report(0.5, 0)
    assert trial.should_prune() is pruned


def test_a_study_of_a_stranger_names_no_foreign_class(tmp_path):
    number = (
        search_in(tmp_path, f"{LR}=interval(0.1,0.9)", pruner={"_target_": "os.system", "command": "true"}).ask().number
    )
    with pytest.raises(InputError, match=r"os\.system"):
        trial_of(OmegaConf.create({"study": str(tmp_path / STUDY), "number": number}))


@pytest.mark.parametrize(("name", "number"), [("nowhere/x.db", 0), ("other.db", 0), (STUDY, 7)])
def test_a_trial_that_is_not_there_is_named(tmp_path, name, number):
    search_in(tmp_path, f"{LR}=interval(0.1,0.9)").ask()
    (tmp_path / "other.db").write_text("no database, " * 100)
    with pytest.raises(InputError, match=f"trial.*{name}"):
        trial_of(OmegaConf.create({"study": str(tmp_path / name), "number": number}))
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("sweep", ["glob(*)", "shuffle(1,2)"])
def test_what_cannot_be_searched_is_named(tmp_path, sweep):
    with pytest.raises(InputError, match=f"{HEADS}: give choice"):
        search_in(tmp_path, f"{HEADS}={sweep}")


def test_a_study_of_other_choices_is_named(tmp_path):
    search_in(tmp_path, f"{HEADS}=choice(2,4)").ask()
    with pytest.raises(InputError, match="begun with other choices"):
        search_in(tmp_path, f"{HEADS}=choice(2,8)").ask()


def test_a_missing_package_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'cfvqa\[sweep\]'"):
        search_in(tmp_path, f"{HEADS}=choice(2,4)")
