"""The square frame that networks see, and the way of a box between it and the original image."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Frame:
    """A letterbox: the image is scaled to fit a square and centred on zero padding.

    Attributes:
        scale: frame pixels per original pixel.
        left, top: padding in frame pixels.
        size: side of the frame in pixels.
    """

    scale: float
    left: int
    top: int
    size: int

    def to_frame(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes (..., 4) x1, y1, x2, y2 from original pixels to frame pixels."""
        return (boxes * self.scale + self._offset()).astype(np.float32)

    def to_original(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes (..., 4) from frame pixels to original pixels."""
        return ((boxes - self._offset()) / self.scale).astype(np.float32)

    def _offset(self) -> np.ndarray:
        return np.array([self.left, self.top, self.left, self.top], dtype=np.float32)


def frame_of(width: int, height: int, size: int) -> Frame:
    """Return the frame that an image of `width` x `height` pixels gets in a square of `size` pixels."""
    scale = size / max(width, height)
    inner_width, inner_height = _inner(width, height, scale)
    return Frame(scale=scale, left=(size - inner_width) // 2, top=(size - inner_height) // 2, size=size)


def letterbox(image: np.ndarray, size: int) -> np.ndarray:
    """Scale an image (H, W), float in [0, 1], into its frame.

    Returns:
        (size, size) uint8, zero where the image does not reach. Eight bits are what the published JPEGs have.
    """
    height, width = image.shape
    frame = frame_of(width, height, size)
    inner = _inner(width, height, frame.scale)
    scaled = Image.fromarray(np.rint(image * 255).astype(np.uint8))
    if inner != (width, height):
        scaled = scaled.resize(inner, Image.Resampling.BILINEAR, reducing_gap=3.0)
    canvas = np.zeros((size, size), dtype=np.uint8)
    canvas[frame.top : frame.top + inner[1], frame.left : frame.left + inner[0]] = np.asarray(scaled)
    return canvas


def _inner(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
