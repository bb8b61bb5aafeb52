"""What is wrong is one line, wherever it was found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cfvqa.commands.messages import WRONG_INPUT, message_of
from cfvqa.data.image_sets import ImageSet, unlabelled
from cfvqa.data.loaders import loader_of_rows


def test_a_damaged_image_that_a_loading_process_meets_is_one_line(tmp_path):
    path = tmp_path / "cut.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3] + b"\xff\xd9")
    images = ImageSet(unlabelled([path]), size=32, cache_gib=0)
    with pytest.raises(WRONG_INPUT) as refused:
        list(loader_of_rows(images, [0], batch_size=1, workers=1))
    assert "Traceback" in str(refused.value)
    message = message_of(refused.value, Path())
    assert message.startswith(f"image {path} cannot be read (its data end before its last rows")
    assert "\n" not in message
