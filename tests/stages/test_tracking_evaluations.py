"""Where a tracker cannot be reached, the figures of an evaluation stay."""

from omegaconf import OmegaConf

from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.stages import tracking


class Unreachable:
    """A tracker whose server does not answer."""

    def start(self, run):
        raise InputError("logger.tracker: nobody answers")


def test_a_tracker_that_cannot_be_reached_is_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(tracking, "tracker_of", lambda config: Unreachable())
    config = OmegaConf.create({"name": "a", "group": "a", "runs": "runs"})
    tracking.track_evaluation(config, {}, None, None, StageConsole())
    printed = capsys.readouterr().out
    assert "warning: the tracker has not got all of this evaluation: logger.tracker: nobody answers" in printed
    assert "to send them later" in printed
