import numpy as np
import pytest
from PIL import Image

from cfvqa.errors import InputError
from cfvqa.sources.image_files import check_image, read_image
from cfvqa.sources.paths import existing_root, safe_path


def gradient(high, dtype):
    return np.linspace(0, high, 64 * 48).reshape(48, 64).astype(dtype)


def test_eight_and_sixteen_bits_show_the_same(tmp_path):
    Image.fromarray(gradient(255, np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(gradient(65535, np.uint16)).save(tmp_path / "b.png")
    Image.fromarray(gradient(4095, np.uint16)).save(tmp_path / "c.png")
    eight = read_image(tmp_path / "a.png")
    assert eight.shape == (48, 64)
    assert eight.dtype == np.float32
    for name in ("b.png", "c.png"):
        assert np.allclose(read_image(tmp_path / name), eight, atol=0.01)


def test_transparent_pixels_are_black(tmp_path):
    pixels = np.full((40, 40, 4), 200, dtype=np.uint8)
    pixels[:20, :, 3] = 0
    pixels[20:, :, 3] = 255
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image[5, 5] == 0
    assert image[30, 30] == pytest.approx(200 / 255, abs=0.01)


def test_bad_images_are_named(tmp_path):
    good = tmp_path / "good.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(good)
    cut = tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    tiny = tmp_path / "tiny.png"
    Image.new("L", (1, 1)).save(tiny)
    flat = tmp_path / "flat.png"
    Image.new("L", (64, 64), 7).save(flat)
    text = tmp_path / "text.png"
    text.write_text("no image")
    for path in (cut, tiny, flat, text, tmp_path / "absent.png"):
        with pytest.raises(InputError, match=path.name):
            read_image(path)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_cut_in_the_middle_is_named_though_its_end_mark_is_there(tmp_path, mode):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "cut.jpg"
    Image.fromarray(noise).convert(mode).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3] + b"\xff\xd9")
    check_image(path)  # header and end are whole
    with pytest.raises(InputError, match=r"cut\.jpg cannot be read \(its data end before its last rows"):
        read_image(path)


def test_a_jpeg_with_a_grey_frame_is_whole(tmp_path):
    pixels = np.full((64, 64), 128, dtype=np.uint8)
    pixels[16:48, 16:48] = 250
    Image.fromarray(pixels).save(tmp_path / "framed.jpg", quality=95)
    assert read_image(tmp_path / "framed.jpg").max() > 0.9


def test_paths_stay_in_the_data_folder(tmp_path):
    outside = tmp_path / "outside.png"
    outside.write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.png").symlink_to(outside)
    assert safe_path(root, "a/b.png") == root / "a" / "b.png"
    for path in ("../outside.png", "/etc/passwd", "a/../../x.png", "link.png"):
        with pytest.raises(InputError, match="leaves the data folder"):
            safe_path(root, path)


def test_links_that_lead_to_themselves_and_what_is_no_path_are_named(tmp_path):
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "p10").symlink_to("p11")
    (tmp_path / "p11").symlink_to("p10")
    for path in ("loop.png", "p10/a.png"):
        with pytest.raises(InputError, match=rf"{path} cannot be followed, it may be a link to itself"):
            safe_path(tmp_path, path)
    with pytest.raises(InputError, match=r"path 'a\\x00\.png' holds a NUL character, which no path does"):
        safe_path(tmp_path, "a\0.png")


def test_a_home_folder_of_nobody_is_named():
    with pytest.raises(InputError, match=r"source\.root: no home folder '~nobody-is-called-so/data'"):
        existing_root("~nobody-is-called-so/data")
