import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cfvqa.evaluation import pictures
from cfvqa.evaluation.pictures import place_labels
from cfvqa.vocabulary.regions import REGIONS, label_text

COUNT = len(REGIONS)
GREY = np.full((80, 60), 0.5, dtype=np.float32)


def draw_regions(*args, **kwargs):
    return pictures.draw_regions(*args, **kwargs).picture


def boxes(seed=0, width=60, height=80):
    corners = np.random.default_rng(seed).uniform(0, 1, (COUNT, 2, 2)) * [width, height]
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)


def one_box(box, row=3):
    placed = np.zeros((COUNT, 4), dtype=np.float32)
    placed[row] = box
    return placed, np.eye(COUNT)[row]


@pytest.mark.parametrize(("shape", "size"), [((80, 60), (150, 200)), ((60, 80), (200, 150)), ((500, 4), (2, 200))])
def test_a_picture_fits_the_square_and_keeps_its_aspect(shape, size):
    picture = draw_regions(np.zeros(shape, dtype=np.float32), boxes(), weight=None, side=200)
    assert (picture.mode, picture.size) == ("RGB", size)


def test_without_boxes_the_radiograph_stays_grey():
    drawn = np.asarray(draw_regions(GREY, np.zeros((COUNT, 4)), weight=np.ones(COUNT), side=80))
    assert (drawn == 128).all()


def test_plain_outlines_have_no_colour_of_attention():
    drawn = np.asarray(draw_regions(GREY, boxes(), weight=None, side=80), dtype=int)
    assert (drawn[..., 0] <= drawn[..., 2]).all()
    assert (drawn != 128).any()


def test_the_heaviest_region_is_coloured_most_and_the_rest_of_the_picture_not_at_all():
    box, weight = one_box((10, 10, 50, 60))
    drawn = np.asarray(draw_regions(GREY, box, weight=weight, side=80, named=0), dtype=int)
    warmth = drawn[..., 0] - drawn[..., 2]
    assert (warmth[12:58, 12:48] > 30).all()
    assert (warmth[62:] == 0).all()


def test_a_heavier_region_is_warmer():
    placed = np.zeros((COUNT, 4))
    placed[0], placed[1] = (0, 0, 60, 30), (0, 40, 60, 70)
    weight = np.zeros(COUNT)
    weight[:2] = 0.3, 0.7
    drawn = np.asarray(draw_regions(GREY, placed, weight=weight, side=80, named=0), dtype=int)
    warmth = drawn[..., 0] - drawn[..., 2]
    assert 0 < warmth[15, 30] < warmth[55, 30]


def test_pictures_to_compare_share_their_strongest_colour():
    box, weight = one_box((10, 10, 50, 60))
    pale, strong = (
        np.asarray(draw_regions(GREY, box, weight=0.2 * weight, side=80, named=0, heaviest=heaviest), dtype=int)
        for heaviest in (0.8, None)
    )
    assert 0 < (pale[30, 30, 0] - pale[30, 30, 2]) < (strong[30, 30, 0] - strong[30, 30, 2])


def test_the_legend_names_the_numbered_regions_with_their_shares():
    weight = np.zeros(COUNT)
    weight[[2, 5, 7]] = 0.2, 0.5, 0.004
    drawn = pictures.draw_regions(GREY, boxes(), weight=weight, side=200)
    assert drawn.legend == (f"{label_text(REGIONS[5])} 50%", f"{label_text(REGIONS[2])} 20%")
    assert pictures.draw_regions(GREY, boxes(), weight=None, side=200).legend == ()


def test_a_number_hides_no_box_where_there_is_room():
    wanted = [(60, 60, 90, 90), (90, 60, 120, 90), (100, 100, 110, 110)]
    places = place_labels([(16, 16)] * 3, wanted, AREA)
    for x, y in places:
        assert all(x + 16 <= x1 or x >= x2 or y + 16 <= y1 or y >= y2 for x1, y1, x2, y2 in wanted)


def test_even_weights_colour_nothing():
    drawn = np.asarray(draw_regions(GREY, boxes(), weight=np.ones(COUNT), side=80, named=0), dtype=int)
    assert (drawn[..., 0] <= drawn[..., 2]).all()


@pytest.mark.parametrize(
    "box", [(5, 5, 40, 6), (5, 5, 6, 40), (5, 5, 5.2, 5.1), (-30, -30, 900, 900), (59, 79, 60, 80)]
)
def test_thin_and_far_boxes_are_drawn(box):
    placed, weight = one_box(box)
    drawn = np.asarray(draw_regions(GREY, placed, weight=weight, side=200, named=1))
    assert (drawn != 128).any()


@pytest.mark.parametrize("box", [(5, 5, 5, 40), (40, 40, 5, 5), (np.nan,) * 4, (70, 90, 80, 99)])
def test_empty_boxes_are_not_drawn(box):
    placed, weight = one_box(box)
    assert (np.asarray(draw_regions(GREY, placed, weight=weight, side=80)) == 128).all()


def test_values_outside_the_range_do_not_wrap():
    image = np.array([[-1.0, 2.0], [np.nan, 1.0]], dtype=np.float32)
    drawn = np.asarray(draw_regions(image, np.zeros((COUNT, 4)), weight=None, side=2))
    assert drawn[..., 0].tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize("side", [1, 8, 40, 90])
def test_small_pictures_do_without_labels(side):
    assert max(draw_regions(GREY, boxes(), weight=np.ones(COUNT), side=side, named=9).size) == side


def test_the_same_input_gives_the_same_picture():
    weight = np.linspace(0, 1, COUNT)
    first, second = (draw_regions(GREY, boxes(), weight=weight, side=240) for _ in range(2))
    assert isinstance(first, Image.Image)
    assert first.tobytes() == second.tobytes()


AREA = (240, 200)
PLACES = st.tuples(*[st.integers(-20, 260)] * 4).map(lambda c: (*map(min, c[:2], c[2:]), *map(max, c[:2], c[2:])))
SIZES = st.tuples(st.integers(1, 300), st.integers(1, 40))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SIZES, PLACES), max_size=6))
def test_labels_stay_inside_and_apart(wanted):
    sizes = [size for size, _ in wanted]
    places = place_labels(sizes, [box for _, box in wanted], AREA)
    drawn = [(x, y, x + w, y + h) for (w, h), place in zip(sizes, places, strict=True) if place for x, y in [place]]
    assert all(min(x1, y1) >= 0 and x2 <= AREA[0] and y2 <= AREA[1] for x1, y1, x2, y2 in drawn)
    for number, one in enumerate(drawn):
        for other in drawn[:number]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_label_that_fits_has_a_place():
    sizes, boxes_ = [(100, 14)] * 3, [(20, 20, 60, 60)] * 3
    assert None not in place_labels(sizes, boxes_, AREA)
    assert place_labels([(300, 14)], [(20, 20, 60, 60)], AREA) == [None]
