"""Reading the command line: literal values arrive as they were given, foreign code does not run."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cfvqa.commands.application import config_folder
from cfvqa.commands.arguments import asks_for_jobs, check_open, quoted, readable
from cfvqa.commands.composing import first_job
from cfvqa.errors import InputError

LITERAL = ("question", "main")
GROUPS = Path(config_folder())
GRAMMAR = st.text(alphabet=st.sampled_from(list("ab\\\"'${}()[],=:? \n#%é~+*@")), max_size=14)


def understood(argument):
    """Return what a task finds in its config behind an override."""
    override = OverridesParser.create().parse_override(argument)
    config = OmegaConf.create({override.key_or_group: None})
    OmegaConf.update(config, override.key_or_group, override.value())
    return config[override.key_or_group]


@settings(deadline=None)
@given(text=GRAMMAR | st.text(max_size=12))
def test_literal_values_arrive_as_they_were_given(text):
    argument = quoted(f"question={text}", LITERAL)
    already = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    if text not in ("null", "???") and not already:
        assert understood(argument) == text


@pytest.mark.parametrize(
    "argument",
    [
        "seed=1,2",
        "experiment=a",
        "--multirun",
        "question='is there {edema}?'",
        'main="a b"',
        "main=null",
        "~main",
        "main",
    ],
)
def test_other_arguments_and_quoted_values_stay(argument):
    assert quoted(argument, LITERAL) == argument


@pytest.mark.parametrize("argument", ["sweep=ablation", "hydra.mode=MULTIRUN"])
def test_a_command_that_looks_at_the_first_job_refuses_a_sweep_that_stands_in_a_config(argument):
    with pytest.raises(InputError, match=f"{argument}: .* give --multirun KEY=A,B"):
        check_open(["seed=1", argument])
    check_open(["seed=1", "--help", "sweep=null", "--"])


def test_a_sweep_is_asked_for_by_its_option_however_short():
    assert all(map(asks_for_jobs, ["-m", "--m", "--multi", "--multirun"]))
    assert not any(map(asks_for_jobs, ["--", "-h", "--help", "model=m"]))


def test_the_first_job_has_the_first_value_of_everything_that_is_swept():
    arguments = ["name=a", "+variant=ekaid,full", "seed=range(1,4)", "phases.finetune.lr=interval(0.1,1)"]
    assert first_job(arguments) == (["name=a", "+variant=ekaid", "seed=1", "phases.finetune.lr=0.1"], 6)
    others = ["seed=2", "~logger", "--config-dir", "own", "seed=choice("]
    assert first_job(others) == (others, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("work=~/x", "work=/home/me/x"),
        ("runs='~/x'", "runs='/home/me/x'"),
        ("+detector.trained=~", "+detector.trained=/home/me"),
        ("source.root=/a=~/b", "source.root=/a=~/b"),
        ("resume=~you/x", "resume=~you/x"),
        ("question=is it ~ a/b?", "question=is it ~ a/b?"),
        ("~pairs.swap", "~pairs.swap"),
    ],
)
def test_a_path_may_begin_with_the_home_folder_whatever_its_key(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/me")
    assert readable([given], (), GROUPS) == [expected]


@pytest.mark.parametrize(
    "question", ["is there edema, or (maybe) not = {a}?", '"edema" or "effusion"', "a 'b' ${c} \\"]
)
def test_questions_with_grammar_in_them(question):
    assert understood(quoted(f"question={question}", LITERAL)) == question


@pytest.mark.parametrize(
    "argument",
    [
        "--config-path=/a/run",
        "--config-path",
        "-cp",
        "--config-name=config",
        "--config-p=/a/run",
        "--config-nam",
        "-cn",
        "--experimental-rerun=/a/run/config.pickle",
        "--experimental-rerun",
        "--e",
        "+hydra.callbacks.x={_target_: pathlib.Path.touch, self: /tmp/x}",
        "+hydra.callbacks.x._target_=os.system",
        "++hydra.callbacks={x: {'_target_': 'os.system'}}",
        'hydra.job_logging.handlers.file={"_target_":"logging.FileHandler"}',
        "hydra.launcher._target_=os.system",
        "+hydra.callbacks.y=${x}",
        "hydra.launcher=${x}",
        "+hydra.job_logging.handlers.x={class: logging.FileHandler, filename: /tmp/x}",
        "hydra.searchpath=[file:///a/folder]",
        "hydra={mode: RUN}",
        "hydra.sweeper.sampler={_target_: optuna.samplers.TPESampler, x: {_target_: os.system}}",
        "+hydra.launcher.x={_target_: optuna.samplers._base.np.load, file: a.npy, allow_pickle: true}",
        "+hydra.launcher.x._target_=optuna.samplers.TPESampler",
        "hydra.sweeper._target_=optuna.samplers.TPESampler",
        "hydra.sweeper.pruner={_target_: optuna.samplers._base.np.load}",
        "hydra.sweeper.sampler._target_=optuna.samplers.TPESampler.sample_independent",
        "hydra.sweeper.sampler._target_=optuna.pruners.NopPruner",
        "hydra.sweeper={sampler: {_target_: os.system}}",
        "hydra.sweeper.params={a: [{_target_: os.system}]}",
        r"""++hydra.sweeper.params={+hydra.job_logging.formatters.x:"{\(\):os.mkdir,path:/tmp/x}"}""",
        "hydra.sweeper={params: {+hydra.job_logging.formatters.x: '{class: os.system}'}}",
        "+hydra.sweeper.params.seed=x",
        "hydra.sweeper.sampler._target_=os.system,os.getcwd",
        "source@hydra.callbacks=phantom",
    ],
)
def test_the_command_line_names_no_foreign_code(argument):
    with pytest.raises(InputError):
        readable(["seed=1", argument], (), GROUPS)


@pytest.mark.parametrize(
    "argument",
    [
        "name=a,b",
        "experiment=phantom_demo,nih_sample",
        "runs=choice(x,y)",
        "+group=a,b",
        "logger=csv,wandb",
        "logger.tracker.offline=true,false",
        "resume=auto,never",
        "checkpoint_steps=range(1,5)",
        "pairs.workers=0,2",
    ],
)
def test_what_all_jobs_of_a_sweep_share_is_not_swept(argument):
    with pytest.raises(InputError, match="all jobs of a sweep share"):
        readable(["--multirun", argument], (), GROUPS)


@pytest.mark.parametrize(
    "argument", ["runs=[a,b]", "name='a,b'", "name=a b", "hydra.mode=MULTIRUN", "hydra.sweep.dir=x"]
)
def test_lists_and_single_values_pass(argument):
    assert readable([argument], (), GROUPS) == [argument]


def test_pruners_and_samplers_are_chosen_on_the_command_line():
    given = ["hydra.sweeper.pruner._target_=optuna.pruners.NopPruner", "hydra/launcher=joblib", "--config-dir", "x"]
    assert readable(given, (), GROUPS) == given


@pytest.mark.parametrize(
    "argument",
    [
        "experiment=../../evil/boo",
        "experiment=/tmp/boo",
        "+experiment='../boo'",
        "experiment=\\.\\./boo",
        "variant=full,../../evil/boo",
        "variant=choice(full,/tmp/boo)",
        "objective=[coarse,../../boo]",
        "source@detector_source=../boo",
        "hydra/launcher=../../../evil/boo",
        "experiment=${oc.env:EVIL}",
    ],
)
def test_no_config_is_chosen_that_lies_in_no_group(argument):
    with pytest.raises(InputError, match=r"give the name of a config of the group"):
        readable([argument], (), GROUPS)


@pytest.mark.parametrize(
    "argument",
    [
        "source.root=../x",
        "work=/a/b",
        "runs=../runs",
        "run=../a",
        "source=nih",
        "objective=[coarse,fine]",
        "variant=own/x",
    ],
)
def test_folders_may_lie_anywhere_and_groups_are_chosen_by_name(argument):
    assert readable([argument], (), GROUPS) == [argument]
