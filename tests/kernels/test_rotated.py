import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.groups import grid
from keras_equivariant.kernels import BASES, band_limited, rotated_basis

MOVED = BASES[2:]  # all but auto and exact


@pytest.mark.parametrize("name", ["C4", "D4", "C8", "D8", "C3", "C16"])
@pytest.mark.parametrize("basis", MOVED)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pixel_permutations_move_every_basis_exactly(name, basis, size):
    group, functions = groups.get(name), rotated_basis(name, (size, size), basis).basis
    planes = functions.reshape(*functions.shape[:2], size, size)
    for element in group.grid_elements:
        moved = grid.permute_pixels(planes, group.matrices[element], first_axis=2).reshape(functions.shape)
        np.testing.assert_array_equal(functions[group.cayley[element]], moved)


@pytest.mark.parametrize("basis", MOVED)
@pytest.mark.parametrize("name", ["C4", "C8", "D6"])
def test_constant_features_keep_their_scale(basis, name):
    functions = rotated_basis(name, (5, 5), basis).basis
    assert np.mean(np.sum(np.sum(functions, axis=2) ** 2, axis=1)) == pytest.approx(functions.shape[1])


def test_steerable_basis_rotates_by_its_own_frequencies():
    functions = rotated_basis("C8", (5, 5), "steerable").basis
    assert functions.shape == (8, 11, 25)
    # Rotating by 45 degrees mixes the pair (cos m phi, sin m phi) by the angle m 45 degrees.
    points = grid.centered_points((5, 5))
    raw = band_limited.moved_functions(groups.get("C8").matrices, (5, 5))
    cosine, sine = raw[0, 2], raw[0, 3]  # ring of radius 1, m = 1
    np.testing.assert_allclose(raw[1, 2], np.cos(np.pi / 4) * cosine + np.sin(np.pi / 4) * sine, atol=1e-12)
    assert np.allclose(raw[:, 2:, (points == 0).all(axis=1)][:, [0, 1, 2, 3]], 0)


def test_number_of_steerable_functions():
    assert [rotated_basis("C8", (k, k), "steerable").size for k in (1, 3, 5, 7, 9)] == [1, 6, 11, 18, 31]


def test_auto_is_exact_where_that_exists():
    assert rotated_basis("D4", (3, 3), "auto").name == "exact"
    assert rotated_basis("C8", (3, 3), "auto").name == "steerable"
    assert rotated_basis("C8", (1, 1), "auto").name == "exact"
    assert rotated_basis("D2", (3, 5), "auto").size == 15


def test_same_bits_in_another_process():
    code = (
        "import hashlib; from keras_equivariant.kernels import rotated_basis, fourier_basis\n"
        "parts = [rotated_basis('D8', (5, 5), b).basis for b in ('bilinear', 'gaussian', 'steerable')]\n"
        "parts.append(fourier_basis('D8').forward)\n"
        "print(hashlib.sha256(b''.join(p.tobytes() for p in parts)).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == hashlib.sha256().digest_size * 2


def test_built_in_milliseconds():
    rotated_basis("C16", (7, 7), "steerable")
    start = time.process_time()
    rotated_basis("D16", (9, 9), "steerable")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("C8", (3, 3), "exact"), 'use basis="steerable"'),
        (("C4", (3, 5), "auto"), "use \\(5, 5\\), or a group without quarter turns"),
        (("D4", (3, 3), "wavelet"), "`basis` must be one of"),
        (("D4", (3, 3, 3), "auto"), "as many axes as the space"),
    ],
)
def test_errors_name_the_alternative(arguments, message):
    with pytest.raises(ValueError, match=message):
        rotated_basis(*arguments)
