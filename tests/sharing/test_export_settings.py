"""The settings of an export: what its networks are built from, and no place on the machine that trained them."""

import json
from pathlib import Path

from torch import nn

from cfvqa.sharing.answering import Model
from cfvqa.sharing.publishing import settings_of
from cfvqa.stages.trained import TrainedReader

NETWORK = {"_target_": "cfvqa.vision.faster_rcnn.FasterRCNN", "weights": "/home/me/start.pt", "shortest_edge": 800}


def test_an_export_does_not_say_where_the_weights_lay_that_a_detector_began_with():
    vision = {
        name: {"network": NETWORK, "image_size": 64, "folder": "/home/me/work", "id": "x"}
        for name in ("detector", "classifier")
    }
    reader = TrainedReader(nn.Identity(), None, {"text": {"pretrained": "/home/me/bert"}, "vision": vision})
    nothing = nn.Identity()
    model = Model(
        folder=Path("/home/me/run"), detector=nothing, classifier=nothing, reader=reader, image_size=64, decoding={}
    )
    settings = settings_of(model)
    assert settings["reader"]["vision"]["detector"]["network"] == NETWORK | {"weights": None}
    assert "/home" not in json.dumps(settings)
