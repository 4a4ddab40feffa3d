"""Images are read as they are shown and fitted into a square; broken and oversized ones are refused."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signvlm.keypoints.images import check_image, letterbox, read_image, read_square


def picture(width: int, height: int) -> np.ndarray:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, np.full_like(down, 90)], axis=-1).astype(np.uint8)


def marked(width: int, height: int, x: int, y: int) -> np.ndarray:
    """A dark image with a bright square of 8 px, whose top left corner is (x, y)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + 8, x : x + 8] = 255
    return image


def centre(image: np.ndarray) -> np.ndarray:
    """The brightness' centre, in continuous pixels."""
    weight = image[..., 0].astype(float)
    rows, columns = np.indices(weight.shape)
    return np.array([((columns + 0.5) * weight).sum(), ((rows + 0.5) * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("shape", [(160, 80), (80, 160), (40, 30), (128, 128)])
def test_a_point_goes_where_its_pixels_go(shape: tuple[int, int]) -> None:
    width, height = shape
    square, fit = letterbox(marked(width, height, 12, 16), 128)
    place = np.array([[16.0, 20.0, 1.0]], np.float32)
    assert square.shape == (128, 128, 3)
    np.testing.assert_allclose(fit.forward(place)[0, :2], centre(square), atol=0.6)
    np.testing.assert_allclose(fit.back(fit.forward(place)), place, atol=1e-4)


def test_a_large_jpeg_is_reduced_while_it_is_read_and_its_points_go_with_it(tmp_path: Path) -> None:
    Image.fromarray(marked(1000, 600, 300, 200).repeat(1, axis=0)).save(tmp_path / "a.jpg", quality=95)
    square, fit = read_square(tmp_path / "a.jpg", 128)
    place = fit.forward(np.array([[304.0, 204.0]], np.float32))
    np.testing.assert_allclose(place[0], centre(np.where(square > 60, square, 0)), atol=0.8)


def test_an_image_that_a_camera_turned_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(picture(60, 40)).save(tmp_path / "a.jpg", exif=exif)
    assert check_image(tmp_path / "a.jpg") == (40, 60)
    assert read_image(tmp_path / "a.jpg").shape == (60, 40, 3)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_every_kind_of_png_becomes_rgb(tmp_path: Path, mode: str) -> None:
    Image.fromarray(picture(20, 20)).convert(mode).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (20, 20, 3)


def test_an_image_of_another_size_than_its_label_says_is_refused(tmp_path: Path) -> None:
    Image.fromarray(picture(60, 40)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="has 60 x 40 pixels, where its label says 40 x 60"):
        check_image(tmp_path / "a.png", (40, 60))


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noisy).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    for read in (check_image, read_image, lambda path: read_square(path, 64)):
        with pytest.raises(ValueError, match="is damaged"):
            read(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"<html>", b"GIF89a" + bytes(20), b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_image_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"is no JPEG or PNG image|cannot be read|is damaged"):
        read_image(tmp_path / "a.png")


def test_a_png_that_claims_to_be_huge_is_refused_before_it_is_made(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    with pytest.raises(ValueError, match=r"more than 50,000,000|cannot be read"):
        check_image(tmp_path / "a.png")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (3000, 1)])
def test_tiny_and_thin_images_are_images(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.fromarray(picture(*size)).save(tmp_path / "a.jpg")
    assert check_image(tmp_path / "a.jpg", size) == size
    assert read_square(tmp_path / "a.jpg", 128)[0].shape == (128, 128, 3)
