"""What works on many files keeps a few of them in memory."""

from cfvqa.sources.threads import in_threads


def test_results_come_in_order_and_few_are_made_before_they_are_asked_for():
    made = []

    def work(number):
        made.append(number)
        return 2 * number

    results = in_threads(work, range(10_000))
    assert next(results) == 0
    assert len(made) < 2_000
    assert list(results) == [2 * number for number in range(1, 10_000)]
