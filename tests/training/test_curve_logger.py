from cfvqa.training.curve_logger import CurveLogger


def log(folder, epochs):
    logger = CurveLogger(folder)
    for epoch in epochs:
        logger.log_metrics({"val/loss": 1 / (epoch + 1), "epoch": epoch}, step=10 * (epoch + 1))
        logger.log_metrics({"train/loss": 2.0, "epoch": epoch}, step=10 * (epoch + 1))
        logger.save()
    logger.finalize("success")
    return (folder / "metrics.csv").read_bytes()


def test_a_resumed_training_writes_the_curves_of_one_never_stopped(tmp_path):
    whole = log(tmp_path / "whole", range(4))
    log(tmp_path / "stopped", range(3))
    # The last checkpoint was of epoch 1, so that epoch 2 is trained again.
    assert log(tmp_path / "stopped", range(2, 4)) == whole
    assert whole.decode().splitlines()[:3] == [
        "epoch,step,train/loss,val/loss",
        "0,10,,1.0",
        "0,10,2.0,",
    ]


def test_a_training_with_nothing_left_to_do_keeps_its_curves(tmp_path):
    whole = log(tmp_path, range(2))
    CurveLogger(tmp_path).finalize("success")
    assert (tmp_path / "metrics.csv").read_bytes() == whole
    assert not list(tmp_path.glob("*.tmp"))
