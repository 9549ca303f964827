"""NIfTI volumes, with the axes of the file, and the sides of the body to which these lead."""

import numpy as np

from keras_equivariant.utils.optional import require


def read(path, mask=False):
    """`(array (x, y, z) or (x, y, z, C), False: no image with channels, edges of a voxel)` of one file."""
    volume = _load(path)
    return np.asarray(volume.dataobj), False, tuple(float(round(z, 6)) for z in volume.header.get_zooms()[:3])


def sides(path):
    """Where the axes of a file lead, such as "RAS" (right, front, up); None where it does not say."""
    volume = _load(path)
    if not volume.header["sform_code"] and not volume.header["qform_code"]:
        return None
    letters = require("nibabel", "Reading NIfTI volumes", "medical").aff2axcodes(volume.affine)
    return "".join(letter or "?" for letter in letters)


def _load(path):
    return require("nibabel", "Reading NIfTI volumes", "medical").load(path)
