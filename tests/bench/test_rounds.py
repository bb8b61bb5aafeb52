"""Measuring in turn: with clocks that are known."""

import pytest

from cfvqa.bench.rounds import interleave, timed


def of(values, calls, name):
    """A measure that gives the values one after the other, and notes when it is called."""
    left = iter(values)

    def measure():
        calls.append(name)
        return next(left)

    return measure


def test_ways_are_measured_in_turn_and_the_first_round_does_not_count():
    calls = []
    ways = {"a": of([99, 2, 4, 30], calls, "a"), "b": of([99, 1, 1, 10], calls, "b")}
    rounds = interleave(ways, 3)
    assert calls == ["a", "b"] * 4
    assert rounds.values == {"a": [2, 4, 30], "b": [1, 1, 10]}
    assert rounds.median("a") == 4
    assert rounds.median("b") == 1


def test_the_ratio_is_the_median_of_the_ratios_of_each_round():
    # The last round was disturbed as a whole: the ratio of medians would be 4.
    rounds = interleave({"a": of([0, 2, 4, 30], [], "a"), "b": of([0, 1, 1, 10], [], "b")}, 3)
    assert rounds.ratio("a", "b") == 3
    assert rounds.ratio("b", "a") == pytest.approx(1 / 3)


def test_time_is_that_between_two_looks_at_the_clock():
    times = iter([10.0, 12.5])
    work = []
    assert timed(lambda: work.append(1), clock=lambda: next(times))() == 2.5
    assert work == [1]
