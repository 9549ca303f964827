"""How vectors move with their image: by the representation of a field type, on arrays and in the input pipeline."""

import numpy as np

from keras_equivariant import groups


def type_of(text, dimension):
    """The `FieldType` of vectors, on O(2) in the plane and on SO(3) in space.

    Args:
        text: such as "1x1", or "1x2" for axes.
        dimension: of the images, 2 or 3.

    Raises:
        ValueError: no field type of irreps by frequency.
    """
    field_type = groups.FieldType.parse(text, "SO2" if dimension == 2 else "SO3")
    if not all(name.isdigit() for _, name in field_type.terms):
        raise ValueError(
            f'Vectors of a data set have a frequency each. Received: target_type="{text}". Use such as "1x1"'
        )
    return field_type


def moved(vectors, text, matrix):
    """Vectors `(..., n)` moved by an orthogonal matrix `(d, d)`, as float32."""
    matrix = np.asarray(matrix, "float64")
    field_type = type_of(text, len(matrix))
    if len(matrix) == 3:
        return field_type.transform(np.asarray(vectors, "float32"), matrix)
    return np.concatenate(
        [
            _block(vectors[..., start:stop], int(name), count, matrix).astype("float32")
            for start, stop, count, name in _blocks(field_type)
        ],
        axis=-1,
    )


def rotated(vectors, text, matrices):
    """Vectors `(B, n)` or `(B, *space, n)`, each moved by its own orthogonal matrix of `matrices (B, d, d)`.

    In space a mirror acts on degree l as on a tensor of that rank, by (-1)^l times the rotation behind it.
    """
    dimension = matrices.shape[-1]
    field_type, parts = type_of(text, dimension), []
    signs = np.sign(np.linalg.det(matrices))
    for (start, stop, count, name), block in zip(_blocks(field_type), field_type.blocks, strict=True):
        part, degree = vectors[..., start:stop], int(name)
        if degree == 0:
            parts.append(part)
            continue
        if dimension == 2:
            rho = _planar(matrices, degree)
        else:
            rho = signs[:, None, None] ** degree * block.representation.rho(signs[:, None, None] * matrices)
        fields = part.reshape(len(part), -1, rho.shape[-1], count)
        parts.append(np.einsum("bij,bpjc->bpic", rho, fields).reshape(part.shape).astype(vectors.dtype))
    return np.concatenate(parts, axis=-1)


def _blocks(field_type):
    start = 0
    for (count, name), block in zip(field_type.terms, field_type.blocks, strict=True):
        yield start, start + count * block.dim, count, name
        start += count * block.dim


def _block(part, frequency, count, matrix):
    if frequency == 0:
        return np.asarray(part)
    fields = np.reshape(part, (*np.shape(part)[:-1], 2, count))
    return np.reshape(_planar(matrix[None], frequency)[0] @ fields, np.shape(part))


def _planar(matrices, frequency):
    """The matrices of a frequency: rotations by so many times the angle, after the mirror if there is one."""
    a, b, c, d = (matrices[:, i, j] for i in (0, 1) for j in (0, 1))
    angle, det = frequency * np.arctan2(c, a), a * d - b * c
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin * det], axis=1), np.stack([sin, cos * det], axis=1)], axis=1)


def directions(degrees, frequency=1):
    """Angles in degrees, counted counter-clockwise from the right, as vectors `(B, 2)` of a frequency."""
    radians = frequency * np.deg2rad(np.asarray(degrees, "float64").reshape(-1))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype("float32")


def degrees_of(vectors, frequency=1):
    """The angles of vectors `(..., 2)`, from 0 to 360 / frequency degrees."""
    return np.rad2deg(np.arctan2(vectors[..., 1], vectors[..., 0])) / frequency % (360 / frequency)


def angles_between(first, second, frequency=1):
    """Degrees between vectors `(..., n)` of any length: of the plane divided by their frequency."""
    cos = (_unit(first) * _unit(second)).sum(axis=-1)
    return np.rad2deg(np.arccos(np.clip(cos, -1, 1))) / max(1, frequency)


def _unit(vectors):
    """Vectors of length 1, those of no length as they are."""
    vectors = np.asarray(vectors, "float64")
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def have_direction(vectors):
    """Which vectors `(..., n)` have a direction: those that are not next to nothing beside the longest."""
    length = np.linalg.norm(np.asarray(vectors, "float64"), axis=-1)
    return length > 1e-6 * length.max(initial=0.0)
