"""Every task killed, with 0 and 2 workers, in 32 bits and bf16, in one process and two.

The simplest ways, and more kills of them, are in `test_resume`, and so is the simplest of blip.
"""

import pytest
from killing import Way
from resuming import kill_and_finish

WAYS = {
    "workers, bf16, accumulated, clipped": Way(workers=2, precision="bf16-mixed", accumulate=2, clip=0.5),
    "two processes, workers, bf16": Way(world=2, workers=2, units=8, precision="bf16-mixed"),
    "slow copies and a queue, two processes, workers, bf16": Way(
        "blip", world=2, workers=2, units=8, precision="bf16-mixed"
    ),
    "anatomy": Way("anatomy"),
    "anatomy, two processes, workers, bf16": Way("anatomy", world=2, workers=2, units=8, precision="bf16-mixed"),
    "findings, two processes, workers": Way("findings", world=2, workers=2, units=8),
}


@pytest.mark.long
@pytest.mark.parametrize("name", WAYS)
def test_a_training_of_every_way_that_is_killed_ends_as_one_that_was_not(base, name):
    kill_and_finish(base, name, WAYS[name], kills=1)
