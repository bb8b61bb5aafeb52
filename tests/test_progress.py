"""How far a work is: a bar on a terminal, and in a log a line now and then with rate and time left."""

import io

import pytest
from rich.console import Console

from cfvqa.progress import counting


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def log():
    return Console(file=io.StringIO(), width=20)


def said(console):
    return console.file.getvalue().splitlines()


def counted(console, total, *moments):
    """Tell the seconds and the number of items done of each moment to a work of so many items."""
    clock = Clock()
    with counting(console, "reading", total, clock) as count:
        for clock.seconds, done in moments:
            count(done)


def test_a_log_is_told_once_a_minute_with_rate_and_time_left(log):
    counted(log, 5000, *((second, 2 * second) for second in range(1, 181)))
    assert said(log) == [
        "  reading  120/5,000  2.0/s  0:40:40 left",
        "  reading  240/5,000  2.0/s  0:39:40 left",
        "  reading  360/5,000  2.0/s  0:38:40 left",
    ]


def test_a_work_of_less_than_a_minute_says_nothing(log):
    counted(log, 10, *((second, second) for second in range(10)))
    assert said(log) == []


def test_without_a_total_there_is_a_rate_and_with_nothing_done_no_time_left(log):
    counted(log, None, (60, 90_000))
    counted(log, 10, (60, 0))
    assert said(log) == ["  reading  90,000  1,500.0/s", "  reading  0/10  0.0/s"]


def test_another_round_over_the_items_has_a_rate_of_its_own(log):
    counted(log, 100, (50, 100), (59, 1), (90, 32), (119, 60))
    assert said(log) == ["  reading  60/100  1.0/s  0:00:40 left"]


def test_a_terminal_sees_no_such_line():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    counted(console, 100, (60, 40), (120, 80))
    assert " left" not in console.file.getvalue()
    assert "80/100" in console.file.getvalue()
