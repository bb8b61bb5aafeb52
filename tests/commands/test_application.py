import sys

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cfvqa.commands.application import quoted, run
from cfvqa.errors import InputError

LITERAL = ("question", "main")
GRAMMAR = st.text(alphabet=st.sampled_from(list("ab\\\"'${}()[],=:? \n#%é~+*@")), max_size=14)


def understood(argument):
    """Return what a task finds in its config behind an override."""
    override = OverridesParser.create().parse_override(argument)
    config = OmegaConf.create({override.key_or_group: None})
    OmegaConf.update(config, override.key_or_group, override.value())
    return config[override.key_or_group]


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


@pytest.mark.parametrize(
    "question", ["is there edema, or (maybe) not = {a}?", '"edema" or "effusion"', "a 'b' ${c} \\"]
)
def test_questions_with_grammar_in_them(question):
    assert understood(quoted(f"question={question}", LITERAL)) == question


@pytest.fixture
def swept(tmp_path, monkeypatch):
    """Sweep a task over seeds, in an empty folder; returns the exit status."""
    monkeypatch.chdir(tmp_path)

    def sweep(task, seeds):
        monkeypatch.setattr(sys, "argv", ["cfvqa-x", "--multirun", f"seed={seeds}"])
        GlobalHydra.instance().clear()
        try:
            run(task, needs=())
        except SystemExit as stop:
            return stop.code
        return 0

    return sweep


def test_jobs_behind_a_wrong_one_still_run(swept, capsys):
    seen = []
    assert swept(lambda config, _: seen.append(config.seed), "1,x,3") == 2
    assert seen == [1, 3]
    assert capsys.readouterr().err.count("error: seed is 'x'") == 1


def test_an_error_of_the_program_is_told_with_its_traceback(swept, capsys):
    def task(config, _):
        if config.seed == 2:
            raise ZeroDivisionError
        raise InputError("no such thing")

    assert swept(task, "1,2,3") == 1
    printed = capsys.readouterr().err
    assert printed.count("error: no such thing") == 2
    assert printed.count("Traceback") == 1


def test_a_sweep_without_fault_ends_with_status_zero(swept):
    assert swept(lambda config, _: None, "1,2") == 0
