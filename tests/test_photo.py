"""Pictures of digits in various formats and conditions are converted to images like those of MNIST."""

import os
import threading

import numpy as np
import pytest

from nnkernels.errors import DataError
from nnkernels.transforms import digit_from_pixels, image_files, read_digit

Image = pytest.importorskip("PIL.Image")

FIRST, FURTHER = slice(0, 20), slice(20, 60)  # each picture takes about a thirtieth of a second


@pytest.fixture(scope="module")
def classifier(digits):
    """A quickly trained model that does not depend on nnkernels."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression(max_iter=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore")
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(digits.X_train[:1000] / 255, digits.y_train[:1000])
    return model


def save(image, path, how):
    """Save a 28 x 28 image, light on dark, as the given kind of picture."""
    big = np.asarray(Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BICUBIC), float)
    rng = np.random.default_rng(0)
    if how == "as it is":
        Image.fromarray(image).save(path)
    elif how == "dark on light":
        Image.fromarray(big.astype(np.uint8)).save(path, compress_level=1)
    elif how == "in colour on transparency":
        ink = np.zeros((280, 280, 4), np.uint8)
        ink[..., 2] = 120
        ink[..., 3] = 255 - big
        Image.fromarray(ink).save(path)
    elif how == "in a corner of a large sheet":
        sheet = np.full((900, 1400), 235.0)
        sheet[40:320, 60:340] = 40 + big * (195 / 255)
        Image.fromarray(sheet.astype(np.uint8)).save(path, compress_level=1)
    else:  # uneven light and noise
        light = np.linspace(0.6, 1, 280) * np.linspace(0.85, 1, 280)[:, np.newaxis]
        photo = 215 * light * (0.2 + 0.8 * big / 255) + rng.normal(0, 3, big.shape)
        Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8)).save(path, compress_level=1)


@pytest.mark.parametrize("which", [FIRST, pytest.param(FURTHER, marks=pytest.mark.slow)], ids=["first", "further"])
@pytest.mark.parametrize(
    "how", ["as it is", "dark on light", "in colour on transparency", "in a corner of a large sheet", "a photo"]
)
def test_pictures_are_recognised_about_as_well_as_original_digits(how, which, digits, classifier, tmp_path):
    X, y = digits.X_test[which], digits.y_test[which]
    seen = []
    for image in X:
        save(image.reshape(28, 28), tmp_path / "digit.png", how)
        seen.append(read_digit(tmp_path / "digit.png").pixels)
    plain = np.mean(classifier.predict(X / 255) == y)
    assert plain > 0.75
    assert np.mean(classifier.predict(np.array(seen) / 255) == y) >= plain - 0.05


def test_dark_on_light_digit_is_inverted(digits, tmp_path):
    image = digits.X_test[0].reshape(28, 28)
    assert not digit_from_pixels(image).inverted
    assert digit_from_pixels(255 - image).inverted


def test_digit_is_scaled_and_centred_as_in_mnist(digits):
    for image in digits.X_test[:40]:
        big = np.asarray(Image.fromarray(image.reshape(28, 28)).resize((200, 100)))
        pixels = digit_from_pixels(big).pixels.reshape(28, 28)
        rows, columns = np.nonzero(pixels)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        assert pixels.max() >= 250
        mass = pixels / pixels.sum()
        assert abs((mass.sum(axis=1) * np.arange(28)).sum() - 14) <= 1.01
        assert abs((mass.sum(axis=0) * np.arange(28)).sum() - 14) <= 1.01


def test_exif_orientation_is_applied(digits, tmp_path):
    big = Image.fromarray(255 - digits.X_test[0].reshape(28, 28)).resize((280, 280))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees clockwise for display
    big.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    big.save(tmp_path / "upright.jpg", quality=95)
    turned, upright = (read_digit(tmp_path / f"{name}.jpg").pixels.astype(int) for name in ("turned", "upright"))
    assert np.abs(turned - upright).mean() < 2


def test_16_bit_picture_is_read(digits, tmp_path):
    image = digits.X_test[0].reshape(28, 28)
    Image.fromarray(image.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_digit(tmp_path / "deep.png").pixels, digit_from_pixels(image).pixels)


@pytest.mark.parametrize("what", ["nothing", "folder", "text", "half", "blank", "noise"])
def test_unreadable_file_or_picture_without_digit_raises_error_naming_file(what, digits, tmp_path):
    path = tmp_path / "picture.png"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("a seven")
    elif what == "half":
        Image.fromarray(digits.X_test[0].reshape(28, 28)).resize((200, 200)).save(path)
        path.write_bytes(path.read_bytes()[:300])
    elif what == "blank":
        Image.new("L", (100, 100), 255).save(path)
    elif what == "noise":
        grey = np.random.default_rng(1).normal(128, 1, (64, 64))
        Image.fromarray(grey.astype(np.uint8)).save(path)
    with pytest.raises(DataError, match=r"picture\.png"):
        read_digit(path)


def test_white_ink_on_transparency_is_the_same_digit_as_dark_ink(digits, tmp_path):
    image = digits.X_test[0].reshape(28, 28)
    big = np.asarray(Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC))
    seen = {}
    for name, ink in (("white", 255), ("black", 0)):
        Image.fromarray(np.dstack([np.full_like(big, ink)] * 3 + [big])).save(tmp_path / f"{name}.png")
        seen[name] = read_digit(tmp_path / f"{name}.png")
    assert (seen["white"].inverted, seen["black"].inverted) == (False, True)
    assert np.abs(seen["white"].pixels.astype(int) - seen["black"].pixels).max() <= 1


def test_transparent_corners_of_a_light_sheet_become_white(digits, tmp_path):
    sheet = np.full((300, 300, 4), 255, np.uint8)
    sheet[10:290, 10:290, :3] -= np.asarray(Image.fromarray(digits.X_test[0].reshape(28, 28)).resize((280, 280)))[
        ..., None
    ]
    Image.fromarray(sheet).save(tmp_path / "whole.png")
    sheet[:8, :8, 3] = 0
    Image.fromarray(sheet).save(tmp_path / "cut.png")
    whole, cut = (read_digit(tmp_path / f"{name}.png").pixels for name in ("whole", "cut"))
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_large_picture_is_reduced_within_bounded_memory(suffix, digits, tmp_path, monkeypatch):
    from nnkernels.transforms import image_files

    image = Image.fromarray(255 - digits.X_test[0].reshape(28, 28))
    image.resize((1120, 1680)).save(tmp_path / f"large.{suffix}")
    whole = read_digit(tmp_path / f"large.{suffix}")
    monkeypatch.setattr(image_files, "MAX_SIDE", 500)
    reduced = read_digit(tmp_path / f"large.{suffix}")
    assert whole.picture.shape == (1680, 1120)
    assert 250 < max(reduced.picture.shape) <= 500
    assert np.abs(whole.pixels.astype(int) - reduced.pixels).mean() < 3


def test_pipe_is_read(digits, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    Image.fromarray(digits.X_test[0].reshape(28, 28)).save(tmp_path / "digit.png")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=((tmp_path / "digit.png").read_bytes(),))
    writer.start()
    seen = read_digit(tmp_path / "pipe").pixels
    writer.join()
    np.testing.assert_array_equal(seen, read_digit(tmp_path / "digit.png").pixels)


def test_picture_with_too_many_pixels_is_rejected(tmp_path, monkeypatch):
    from nnkernels.transforms import image_files

    monkeypatch.setattr(image_files, "MAX_PIXELS", 99)
    Image.new("L", (10, 10)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match="10 x 10 pixels"):
        read_digit(tmp_path / "large.png")


@pytest.mark.parametrize("picture", [np.zeros((0, 5), np.uint8), np.zeros(784, np.uint8), np.zeros((28, 28))])
def test_arrays_of_other_shape_or_dtype_are_rejected(picture):
    with pytest.raises(DataError, match="expected uint8"):
        digit_from_pixels(picture)


def test_any_error_of_a_decoder_names_the_file(tmp_path, monkeypatch):
    def fail(_image):
        raise RuntimeError("the decoder gave up")

    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    monkeypatch.setattr(image_files, "_grayscale", fail)
    with pytest.raises(DataError, match=r"a\.png is a damaged image \(RuntimeError: the decoder gave up\)"):
        read_digit(tmp_path / "a.png")
