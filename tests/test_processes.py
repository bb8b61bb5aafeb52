import pytest

from cfvqa.errors import InputError
from cfvqa.processes import ordered


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
