import numpy as np
import pytest

from keras_equivariant.kernels import fourier_basis, spectral_pays


@pytest.mark.parametrize("name", ["C1", "C4", "C5", "C8", "D3", "D4", "D8"])
def test_transform_is_invertible_and_conditioned(name):
    basis = fourier_basis(name)
    np.testing.assert_allclose(basis.inverse @ basis.forward, np.eye(len(basis.forward)), atol=1e-12)
    assert np.linalg.cond(basis.forward) < 2


def test_products_saved():
    assert fourier_basis("D4").products == 12  # of 64
    assert fourier_basis("C4").products == 6  # of 16


def test_rule_prefers_dense_for_few_fields():
    assert spectral_pays("D4", 128, 128)
    assert not spectral_pays("D4", 64, 64) and spectral_pays("D4", 32, 32, fused=True)
    assert not spectral_pays("D4", 16, 16, fused=True) and spectral_pays("O", 32, 32, fused=True)
    assert not spectral_pays("C1", 4096, 4096) and not spectral_pays("C1", 4096, 4096, fused=True)
    assert not spectral_pays("Ih", 512, 512)
    assert not spectral_pays("D4", 128, 128, fused=True, dtype="bfloat16")
