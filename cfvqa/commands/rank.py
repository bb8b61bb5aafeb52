"""One more process of a stage that several make together; started by the first one, never by people.

python -m cfvqa.commands.rank CONFIG STAGE
"""

import sys
from contextlib import suppress

from omegaconf import DictConfig, OmegaConf

from cfvqa.commands.outcomes import ending
from cfvqa.errors import Pruned
from cfvqa.progress import StageConsole
from cfvqa.stages.pipeline import STAGES
from cfvqa.training.keeping import preemptible


def main() -> None:
    """Join the stage that the first process makes."""
    config, stage = OmegaConf.load(sys.argv[1]), sys.argv[2]
    assert isinstance(config, DictConfig)
    with ending(), preemptible(), suppress(Pruned):  # the first process says so
        STAGES[stage](config, StageConsole(quiet=True))


if __name__ == "__main__":
    main()
