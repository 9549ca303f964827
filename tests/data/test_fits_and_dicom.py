"""Files of telescopes and scanners: the numbers that their headers state, as they are displayed."""

import numpy as np
import pytest

from keras_equivariant.data import files, load

fits = pytest.importorskip("astropy.io.fits")
pydicom = pytest.importorskip("pydicom")


def write_fits(path, array, **header):
    hdu = fits.PrimaryHDU(array)
    hdu.header.update(header)
    hdu.writeto(path)
    return path


@pytest.mark.parametrize("ending", ["fits", "fits.gz", "fts"])
def test_the_first_row_of_fits_is_shown_below(tmp_path, ending):
    array = np.arange(12.0).reshape(3, 4)
    image, size = files.read(write_fits(tmp_path / f"star.{ending}", array))
    np.testing.assert_array_equal(image[..., 0], array[::-1])
    assert size is None and image.dtype == np.float32


def test_bands_of_fits_are_channels_and_axes_of_one_entry_none(tmp_path):
    bands = np.arange(60).reshape(3, 4, 5).astype("int16")
    image, _ = files.read(write_fits(tmp_path / "bands.fits", bands))
    np.testing.assert_array_equal(image, np.moveaxis(bands, 0, -1)[::-1])
    radio, _ = files.read(write_fits(tmp_path / "radio.fits", bands[:1, None]))
    assert radio.shape == (4, 5, 1)


def test_numbers_of_fits_are_those_that_the_header_scales(tmp_path):
    hdu = fits.PrimaryHDU(np.array([[0.5, 1.0], [2.5, 4.0]]))
    hdu.scale("int16", bscale=0.5, bzero=1.0)
    hdu.writeto(tmp_path / "scaled.fits")
    np.testing.assert_allclose(files.read(tmp_path / "scaled.fits")[0][..., 0], [[2.5, 4.0], [0.5, 1.0]])
    unsigned = np.array([[1, 65535]], "uint16")
    image, _ = files.read(write_fits(tmp_path / "unsigned.fits", unsigned))
    np.testing.assert_array_equal(image[..., 0], unsigned)


def test_the_first_extension_with_an_image_counts_compressed_or_not(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.ones(3))])
    image = np.arange(64, dtype="int32").reshape(8, 8)
    hdus = [fits.PrimaryHDU(), table, fits.CompImageHDU(image), fits.ImageHDU(np.zeros((2, 2)))]
    fits.HDUList(hdus).writeto(tmp_path / "several.fits.fz")
    np.testing.assert_array_equal(files.read(tmp_path / "several.fits.fz")[0][..., 0], image[::-1])


def test_fits_without_an_image_and_blank_pixels_are_refused(tmp_path):
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(ValueError, match=r"must be whole.*empty.fits \(it holds no image\)"):
        files.read(tmp_path / "empty.fits")
    with pytest.raises(ValueError, match="axes are 2x2x2x2"):
        files.read(write_fits(tmp_path / "four.fits", np.ones((2, 2, 2, 2))))
    blank = write_fits(tmp_path / "blank.fits", np.array([[np.nan, 1.0]]))
    with pytest.raises(ValueError, match=r"finite numbers.*blank.fits with 1 NaN.*nan_to_num"):
        files.read(blank)


def test_a_folder_of_fits_is_a_data_set(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("spiral", "elliptical"):
        (tmp_path / name).mkdir()
        for i in range(5):
            kind = "int16" if i % 2 else "float64"
            write_fits(tmp_path / name / f"{i}.fits", (1000 * rng.random((6, 6))).astype(kind))
    dataset = load(tmp_path)
    assert dataset.x_train.shape == (8, 6, 6, 1) and dataset.class_names == ("elliptical", "spiral")


def write_dicom(path, array, **tags):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    frames = array.ndim > 2 and array.shape[-1] != 3
    dataset.Rows, dataset.Columns = array.shape[frames : frames + 2]
    dataset.BitsAllocated = dataset.BitsStored = 8 * array.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(array.dtype.kind == "i")
    dataset.SamplesPerPixel = 3 if array.shape[-1] == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if dataset.SamplesPerPixel == 3 else "MONOCHROME2"
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = len(array)
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    dataset.PixelData = array.tobytes()
    dataset.save_as(path, enforce_file_format=False)
    return path


def test_dicom_is_in_the_units_of_the_scanner(tmp_path):
    stored = np.array([[0, 1000], [2000, 24]], "int16")
    image, size = files.read(write_dicom(tmp_path / "ct.dcm", stored, RescaleSlope="2", RescaleIntercept="-1024"))
    np.testing.assert_array_equal(image[..., 0], 2.0 * stored - 1024)
    assert image.dtype == np.float32 and size is None


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16"])
def test_gray_that_counts_from_white_is_turned_over(tmp_path, kind):
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    stored = np.array([[low, high], [low + 3, high - 5]], kind)
    tags = {"PhotometricInterpretation": "MONOCHROME1"}
    image, _ = files.read(write_dicom(tmp_path / "xray.dcm", stored, **tags))
    np.testing.assert_array_equal(image[..., 0], [[high, low], [high - 3, low + 5]])
    mask, _ = files.read(tmp_path / "xray.dcm", mask=True)
    np.testing.assert_array_equal(mask[..., 0], stored)


def test_frames_of_dicom_are_a_volume_with_voxels_and_colors_stay(tmp_path):
    volume = np.arange(60, dtype="uint16").reshape(3, 4, 5)
    path = write_dicom(tmp_path / "mr.dcm", volume, PixelSpacing=["0.5", "0.25"], SpacingBetweenSlices="2")
    array, size = files.read(path)
    assert array.shape == (3, 4, 5, 1) and size == (2.0, 0.5, 0.25)
    colors = np.arange(36, dtype="uint8").reshape(3, 4, 3)
    image, _ = files.read(write_dicom(tmp_path / "skin.dcm", colors))
    np.testing.assert_array_equal(image, colors)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("CT_small", (128, 128, 1), "float32"),
        ("examples_palette", (350, 800, 3), "uint16"),
        ("examples_ybr_color", (30, 240, 320, 3), "uint8"),
        ("rtdose", (15, 10, 10, 1), "float32"),
    ],
)
def test_files_of_scanners_are_read(name, shape, dtype):
    from pydicom.data import get_testdata_file

    array, _ = files.read(get_testdata_file(f"{name}.dcm", download=False))
    assert array.shape == shape and array.dtype == dtype


@pytest.mark.parametrize(
    "tags",
    [
        lambda k: {"PatientID": f"p{k // 4}"},
        lambda k: {"PatientID": "anonymous", "SeriesInstanceUID": f"1.2.{k // 4}"},
    ],
)
def test_what_belongs_to_a_patient_is_in_one_part(tmp_path, caplog, tags):
    for k in range(24):
        folder = tmp_path / ("ill" if k < 12 else "well")
        folder.mkdir(exist_ok=True)
        write_dicom(folder / f"{k:02}.dcm", np.full((4, 4), 10 * (k // 4) + 1, "uint8"), **tags(k))
    with caplog.at_level("INFO", "keras_equivariant.data"):
        dataset = load(tmp_path)
    trained, tested = (set(x[:, 0, 0, 0].tolist()) for x in (dataset.x_train, dataset.x_test))
    assert tested and not trained & tested and len(dataset.x_test) % 4 == 0
    assert len(dataset.groups) == len(dataset.x_train) and "1 of 6 patients" in caplog.text


def test_a_patient_in_two_parts_is_named_and_files_without_a_patient_stand_alone(tmp_path, caplog):
    for k in range(8):
        folder = tmp_path / ("train", "test")[k % 2] / ("ill", "well")[k // 4]
        folder.mkdir(parents=True, exist_ok=True)
        write_dicom(folder / f"{k}.dcm", np.full((4, 4), k, "uint8"), PatientID=f"p{k // 2}")
    load(tmp_path)
    assert "Files of 4 patients are in several parts" in caplog.text
    caplog.clear()
    for k, (part, name) in enumerate([("train", "a"), ("train", "b"), ("train", "c"), ("train", "d"), ("test", "a")]):
        folder = tmp_path / "one" / part / ("ill", "well")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        uids = {"StudyInstanceUID": f"1.2.{k}", "SeriesInstanceUID": f"1.3.{k}"}
        write_dicom(folder / f"{k}.dcm", np.full((4, 4), k, "uint8"), PatientID=name, **uids)
    load(tmp_path / "one")  # a part of one patient alone is judged beside the others
    assert "Files of 1 patients are in several parts" in caplog.text
    for k in range(10):
        folder = tmp_path / "plain" / ("ill", "well")[k // 5]
        folder.mkdir(parents=True, exist_ok=True)
        write_dicom(folder / f"{k}.dcm", np.full((4, 4), k, "uint8"))
    assert load(tmp_path / "plain").groups is None


def test_dicom_without_pixels_or_in_another_compression_says_so(tmp_path):
    from pydicom.data import get_testdata_file

    with pytest.raises(ValueError, match="it holds no pixels but RTPLAN"):
        files.read(get_testdata_file("rtplan.dcm", download=False))
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000

    unknown = pydicom.dcmread(write_dicom(tmp_path / "unknown.dcm", np.zeros((4, 4), "uint8")))
    unknown.file_meta.TransferSyntaxUID, unknown.PixelData = JPEG2000, encapsulate([b"no such pixels"])
    unknown.save_as(tmp_path / "unknown.dcm", enforce_file_format=False)
    with pytest.raises(ValueError, match="JPEG 2000.*cannot be decoded here.*pylibjpeg"):
        files.read(tmp_path / "unknown.dcm")
    (tmp_path / "torn.dcm").write_bytes(b"DICM")
    with pytest.raises(ValueError, match="must be whole.*torn.dcm"):
        files.read(tmp_path / "torn.dcm")
    for folder in ("ill", "well"):
        for k in range(3):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            write_dicom(tmp_path / "set" / folder / f"{k}.dcm", np.zeros((4, 4), "uint8"), PatientID=f"{folder}{k}")
    (tmp_path / "set" / "ill" / "torn.dcm").write_bytes(b"DICM")
    with pytest.raises(ValueError, match="must be whole.*torn.dcm"):
        load(tmp_path / "set")


def test_slices_of_a_series_are_named(tmp_path, caplog):
    for k in range(12):
        folder, place = tmp_path / "set" / "ab"[k // 6], ["0", "0", str(5 * (k % 3))]
        folder.mkdir(parents=True, exist_ok=True)
        tags = {"SeriesInstanceUID": f"1.2.{k // 3}", "ImagePositionPatient": place}
        write_dicom(folder / f"{k:02}.dcm", np.full((4, 4), k + 1, "uint8"), **tags)
    load(tmp_path / "set")
    assert "12 DICOM files are slices of 4 series" in caplog.text and "dcm2niix" in caplog.text
    caplog.clear()
    for k, path in enumerate(sorted((tmp_path / "set").rglob("*.dcm"))):
        write_dicom(path, np.full((4, 4), k + 1, "uint8"), SeriesInstanceUID=f"1.2.{k // 3}")
    load(tmp_path / "set")
    assert "slices" not in caplog.text
