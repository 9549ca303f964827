"""DICOM files as images or volumes, in the units that the scanner states, as they are displayed."""

from keras_equivariant.utils.optional import require

_OWNERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
_PLACE = "ImagePositionPatient"


def read(path, mask=False):
    """`(array (*space, C), whether that is an image, edges of a voxel or None)` of one file.

    Gray is float32 in the units of the modality (Hounsfield units of a CT); gray that counts from white is turned
    over, palettes and luminance become red, green and blue. Several frames are a volume `(D, H, W, C)`. The numbers of
    a mask stay.

    Raises:
        ValueError: a file without pixels, or in a compression that cannot be decoded.
    """
    pydicom = require("pydicom", "Reading DICOM files", "medical")
    dataset = pydicom.dcmread(path)
    if "PixelData" not in dataset:
        raise ValueError(f"it holds no pixels but {dataset.get('Modality', 'something else')}")
    array, frames = _decoded(dataset), int(dataset.get("NumberOfFrames") or 1)
    if not mask:
        array = _as_seen(require("pydicom.pixels", "Reading DICOM files", "medical"), dataset, array)
    colors = dataset.SamplesPerPixel > 1 or (not mask and dataset.PhotometricInterpretation == "PALETTE COLOR")
    return array if colors else array[..., None], frames == 1, _voxel(dataset) if frames > 1 else None


def headers(paths):
    """What each file says of whom and of what it is; nothing for one that is damaged: `read` says why."""
    return [_header(path) for path in paths]


def patients(headers):
    """What each file belongs to: its patient, else its study or series, by the first of these that tells files apart;
    None for all where none does, and for a file that does not say it."""
    for tag in _OWNERS:
        found = [str(header.get(tag) or "") or None for header in headers]
        if len(set(found) - {None}) > 1:
            return found
    return [None] * len(headers)


def slices(headers):
    """`{series: how many files}` of the series whose files lie at several places, as the slices of a volume do."""
    places = {}
    for header in headers:
        series, place = header.get("SeriesInstanceUID"), header.get(_PLACE)
        if series and place:
            places.setdefault(str(series), []).append(tuple(map(float, place)))
    return {series: len(found) for series, found in places.items() if len(set(found)) > 1}


def _header(path):
    pydicom = require("pydicom", "Reading DICOM files", "medical")
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*_OWNERS, _PLACE])
    except Exception:  # what is raised on damaged files has no common base
        return {}


def _decoded(dataset):
    try:
        return dataset.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        kind = dataset.file_meta.TransferSyntaxUID.name
        raise ValueError(
            f"its pixels, {kind}, cannot be decoded here: `pip install pylibjpeg[all]` reads more kinds"
        ) from error


def _as_seen(pixels, dataset, array):
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        return pixels.apply_color_lut(array, dataset)
    if dataset.SamplesPerPixel > 1:  # luminance is red, green and blue by now
        return array
    if kind == "MONOCHROME1":
        array = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - array.astype("int64")
    return pixels.apply_modality_lut(array, dataset).astype("float32")


def _voxel(dataset):
    """The edges of a voxel in millimeters, where the file says them."""
    shared = dataset.get("SharedFunctionalGroupsSequence")
    measures = shared[0].get("PixelMeasuresSequence") if shared else None
    where = measures[0] if measures else dataset
    depth = where.get("SpacingBetweenSlices") or where.get("SliceThickness")
    if not depth or not where.get("PixelSpacing"):
        return None
    return tuple(round(float(edge), 6) for edge in (depth, *where.PixelSpacing))
