"""The radiographs of a data set as pictures of a page."""

from collections.abc import Sequence

import numpy as np

from cfvqa.evaluation.pictures import data_uri, draw_regions
from cfvqa.evaluation.report import Picture
from cfvqa.sources.image_files import read_image
from cfvqa.sources.paths import safe_path
from cfvqa.sources.tables import Tables
from cfvqa.vocabulary.regions import REGIONS

PAIR = (("reference", "reference image, the earlier study"), ("main", "main image, the later study"))
"""Which images of a pair are shown, and their captions: the earlier study first, as one reads them."""

_NAMED = 3  # regions that carry their names in a picture


class Radiographs:
    """Looks up images and draws them.

    Args:
        read: where they lie.
    """

    def __init__(self, read: Tables) -> None:
        self.root = read.root
        self.paths = dict(read.images.select("image_id", "path").iter_rows())

    def picture(
        self,
        image_id: str,
        caption: str,
        *,
        side: int,
        boxes: np.ndarray | None = None,
        weight: Sequence[float] | None = None,
        heaviest: float | None = None,
    ) -> Picture:
        """Draw an image.

        Args:
            image_id: of it.
            caption: below it.
            side: in pixels.
            boxes: (R, 4) of the regions, in pixels of the image; None draws none.
            weight: R shares of all attention, or None.
            heaviest: that the strongest colour stands for.
        """
        image = read_image(safe_path(self.root, self.paths[image_id]))
        regions = np.zeros((len(REGIONS), 4)) if boxes is None else boxes
        shares = None if weight is None else np.asarray(weight)
        drawing = draw_regions(image, regions, weight=shares, side=side, named=_NAMED, heaviest=heaviest)
        most = f"; most attention to {', '.join(drawing.legend)}" if drawing.legend else ""
        return Picture(caption, f"Chest radiograph, {caption}{most}", data_uri(drawing.picture), drawing.legend)
