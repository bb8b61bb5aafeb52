import pytest

from cfvqa.errors import InputError
from cfvqa.evaluation.curves import curve_of

LOGGED = """epoch,step,train/fine,train/loss,val/fine,val/loss
0,10,,,2.0,5.0
0,10,3.0,9.0,,
1,20,,,1.5,4.0
1,20,2.5,8.0,,
2,30,,,1.0,4.5
2,30,nan,7.0,,
"""


def curve(tmp_path, text, **arguments):
    file = tmp_path / "metrics.csv"
    file.write_text(text)
    return curve_of(file, **({"title": "t", "monitor": "val/loss", "mode": "min"} | arguments))


def test_curves_join_training_and_validation_by_epoch(tmp_path):
    drawn = curve(tmp_path, LOGGED)
    assert [chart.title for chart in drawn.charts] == ["loss", "fine"]
    train, val = drawn.charts[0].lines
    assert train.points == ((1.0, 9.0), (2.0, 8.0), (3.0, 7.0))
    assert val.points == ((1.0, 5.0), (2.0, 4.0), (3.0, 4.5))


def test_the_monitored_figure_comes_first_with_its_checkpoint(tmp_path):
    drawn = curve(tmp_path, LOGGED, monitor="val/fine", mode="max", note="Words.")
    assert [chart.title for chart in drawn.charts] == ["fine", "loss"]
    assert drawn.charts[0].best == (1.0, 2.0)
    assert drawn.charts[1].best is None
    assert drawn.note == "Words. The checkpoint of epoch 1 was kept."


def test_values_that_are_no_numbers_are_left_out(tmp_path):
    train = curve(tmp_path, LOGGED).charts[1].lines[0]
    assert train.points == ((1.0, 3.0), (2.0, 2.5))


def test_an_epoch_that_ran_twice_counts_once(tmp_path):
    resumed = LOGGED + "2,30,,,0.9,4.2\n"
    assert curve(tmp_path, resumed).charts[0].lines[1].points[-1] == (3.0, 4.2)


def test_a_figure_that_was_never_logged_has_no_chart(tmp_path):
    drawn = curve(tmp_path, "epoch,step,train/loss\n0,1,2.0\n", monitor="val/auroc")
    assert [chart.title for chart in drawn.charts] == ["loss"]
    assert drawn.note == ""


@pytest.mark.parametrize("text", [None, "", "step,train/loss\n1,2.0\n", 'epoch,train/loss\n0,"a'])
def test_a_file_that_is_no_curve_is_named(tmp_path, text):
    file = tmp_path / "metrics.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=r"metrics\.csv"):
        curve_of(file, title="t", monitor="val/loss", mode="min")
