"""A training asks the system for its memory once, not in every step."""

import subprocess
import sys

import pytest

# What a step does, as far as the allocator sees it: large tensors of several sizes, freed together.
STEPS = """
import resource, sys
import torch
from cfvqa.training.memory import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "kept" else None
if kept is False:
    sys.exit("no glibc")
for step in range(30):
    if step == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(4_000_000 * size) for size in (1, 2, 4)]
    del tensors
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(way):
    """How many pages the system had to clear in ten steps."""
    ended = subprocess.run([sys.executable, "-c", STEPS, way], capture_output=True, text=True)
    if "no glibc" in ended.stderr:
        pytest.skip("the C library is not glibc")
    return int(ended.stdout)


def test_what_a_step_frees_is_there_for_the_next_one():
    assert new_pages("kept") < new_pages("given back") / 10
