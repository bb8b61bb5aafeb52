import os
import signal

import pytest

from cfvqa.errors import InputError
from cfvqa.processes import ordered
from cfvqa.training.keeping import preemptible


def square(number):
    if number == 50:
        raise InputError("50 is wrong")
    return number * number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes):
    assert list(ordered(square, range(40), processes)) == [number * number for number in range(40)]


@pytest.mark.parametrize("processes", [1, 2])
def test_items_are_taken_a_few_at_a_time(processes):
    taken = []
    results = ordered(square, (taken.append(number) or number for number in range(40)), processes)
    next(results)
    assert len(taken) < 20
    results.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_what_goes_wrong_with_an_item_goes_wrong_here(processes):
    with pytest.raises(InputError, match="50 is wrong"):
        list(ordered(square, range(100), processes))


def killed_at(number):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_is_killed_is_told_and_takes_the_others_along():
    with preemptible(), pytest.raises(InputError, match=r"was killed.*out of memory"):  # as every command works
        list(ordered(killed_at, range(40), 3))
