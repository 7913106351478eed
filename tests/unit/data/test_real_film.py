"""Reading real films: formats, greys, and one clear line for what is no film."""

import sys

import numpy as np
import pytest
from PIL import Image

from course_utils.data.radiology import make_chest_films, read_film


@pytest.fixture
def grey():
    """A film of 96 x 128 pixels, brighter to the right, 0 to 255."""
    ramp = np.linspace(0, 255, 128)[None].repeat(96, 0)
    return ramp.astype(np.uint8)


def saved(picture, path, **options):
    Image.fromarray(picture).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["film.png", "film.jpg"])
def test_a_grey_picture(grey, tmp_path, name):
    film = read_film(saved(grey, tmp_path / name))
    assert film.shape == (1, 64, 64)
    assert film.dtype == np.float32
    assert film.min() >= 0
    assert film.max() <= 1
    assert (np.diff(film[0, 10]) >= -0.02).all()
    assert film[0, 0, 0] == pytest.approx(0.12, abs=0.03), "the middle square, not the whole width"


def test_16_bit_grey_colour_and_inverted_give_the_same_film(grey, tmp_path):
    film = read_film(saved(grey, tmp_path / "a.png"))
    deep = read_film(saved(grey.astype(np.uint16) * 200, tmp_path / "b.png"))
    three = read_film(saved(np.stack([grey] * 3, -1), tmp_path / "c.png"))
    turned = read_film(saved(255 - grey, tmp_path / "d.png"), inverted=True)
    for other in (deep, three, turned):
        assert np.allclose(film, other, atol=0.01)


def test_a_drawn_film_comes_back(tmp_path):
    image = make_chest_films(1, image_size=128, random_state=0).images[0, 0]
    film = read_film(saved((image * 255).astype(np.uint8), tmp_path / "drawn.png"), image_size=128)
    assert np.corrcoef(film.ravel(), image.ravel())[0, 1] > 0.99


def test_upright_as_the_file_says(grey, tmp_path):
    picture = Image.fromarray(grey)
    exif = picture.getexif()
    exif[0x0112] = 3  # turned by 180 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    film = read_film(tmp_path / "turned.jpg")
    assert film[0, 0, 0] > film[0, 0, -1]


def colour(grey):
    return np.stack([grey, grey // 2, grey], -1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (colour, "in colour"),
        (lambda grey: grey[:40], "too few"),
        (lambda grey: np.zeros_like(grey), "one grey value"),
    ],
)
def test_what_is_no_film(grey, tmp_path, change, words):
    path = saved(change(grey), tmp_path / "film.png")
    with pytest.raises(ValueError, match=words) as caught:
        read_film(path)
    assert len(str(caught.value).splitlines()) == 1
    assert "film.png" in str(caught.value)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_film(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match="not a picture"):
        read_film(tmp_path / "text.png")


def test_dicom_without_pydicom(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (tmp_path / "film.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(ImportError, match="pip install pydicom"):
        read_film(tmp_path / "film.dcm")


class Header(dict):
    """What a DICOM file says, as far as `read_film` asks."""

    def __init__(self, pixels, **says):
        super().__init__({"PhotometricInterpretation": "MONOCHROME2", **says})
        self.pixel_array = pixels


@pytest.fixture
def dicom(grey, tmp_path, monkeypatch):
    """Read a DICOM file whose header says this."""

    def read(**says):
        stands_in = type(sys)("pydicom")
        stands_in.dcmread = lambda path: Header(says.pop("pixels", grey), **says)
        monkeypatch.setitem(sys.modules, "pydicom", stands_in)
        path = tmp_path / "film.dcm"
        path.write_bytes(b"\0" * 128 + b"DICM")
        return read_film(path)

    return read


def test_dicom_says_how_it_is_to_be_shown(dicom):
    film = dicom()
    assert film[0, 0, 0] < film[0, 0, -1]
    assert np.allclose(dicom(PhotometricInterpretation="MONOCHROME1"), 1 - film, atol=0.01)
    assert np.allclose(dicom(PatientOrientation=["R", "F"]), film[..., ::-1], atol=0.01)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"PhotometricInterpretation": "RGB"}, "grey is wanted"),
        ({"ViewPosition": "LL"}, "a frontal one"),
        ({"pixels": np.zeros((3, 80, 80))}, "3 frames"),
    ],
)
def test_dicom_that_is_no_frontal_film(dicom, says, words):
    with pytest.raises(ValueError, match=words):
        dicom(**says)
