"""Filters of Harmonic Networks: complex filters of each order as radial profiles and phases of ours.

`get_filters` of that library gives for each order m the real and the imaginary part of

    W_m = e^{-i beta} sum_j R_j sum_n e^{-2 pi i m n / N} w_jn

(k, k, C_in, C_out): rings rotate the other way there, so that its features are the complex conjugates of ours, and
their magnitudes the same. Either way round is taken. Of filters of order 0 between complex features it keeps the real
part alone.
"""

import numpy as np
from keras import ops


def set_filters(layer, filters):
    """Sets profiles and phases of a built HarmonicConv2D from filters `(orders, 2, k, k, C_in, C_out)`.

    Returns:
        The norm of what its rings do not hold, relative to that of the filters.
    """
    basis, size = layer.basis, layer.kernel_size[0]
    fields, outputs = layer.kernel.shape[1:]
    shape = (len(basis.orders), 2, size, size, fields, outputs)
    if filters.shape != shape:
        raise ValueError(
            f"The filters must have the shape {shape}, (orders 0.., real and imaginary part, k, k, C_in, C_out), for "
            f'the layer "{layer.name}" with filters of the orders {basis.orders}. Received: shape {filters.shape}'
        )
    wanted = (filters[:, 0] + 1j * filters[:, 1]).reshape(len(basis.orders), size**2, fields, outputs)
    if layer.input_spec.ndim == 6:
        wanted[0] = wanted[0].real
    found = [_fitted(basis, given) for given in (wanted, wanted.conj())]
    profiles, phases, loss = min(found, key=lambda one: one[2])
    if layer.phase is None and np.abs(np.sin(phases)).max() > 1e-6:
        raise ValueError(f'Filters with phases need a layer with them. Received: "{layer.name}"; use use_phase=True')
    if layer.phase is None:
        profiles = profiles * np.cos(phases)[np.repeat(np.arange(len(phases)), _rings(basis))]
    else:
        layer.phase.assign(phases)
    layer.kernel.assign(ops.convert_to_tensor(profiles, dtype=layer.kernel.dtype))
    return loss


def _rings(basis):
    return [len(radii) for radii in basis.radii]


def _fitted(basis, wanted):
    """The real profiles and the common phase of each pair of channels that come nearest, and what is lost."""
    profiles = np.zeros((basis.size, *wanted.shape[2:]))
    phases = np.zeros((len(basis.orders), *wanted.shape[2:]))
    missing, start = 0.0, 0
    for i, rings in enumerate(_rings(basis)):
        stop = start + rings
        functions = basis.basis[i, 0, :, start:stop] + 1j * basis.basis[i, 1, :, start:stop]
        flat = wanted[i].reshape(len(functions), -1)
        numbers = np.linalg.lstsq(functions, flat, rcond=None)[0]
        phase = np.angle((numbers**2).sum(axis=0)) / 2
        real = (numbers * np.exp(-1j * phase)).real
        missing += np.linalg.norm(flat - functions @ (real * np.exp(1j * phase))) ** 2
        profiles[start:stop], phases[i] = real.reshape(rings, *wanted.shape[2:]), phase.reshape(wanted.shape[2:])
        start = stop
    return profiles, phases, float(np.sqrt(missing) / max(np.linalg.norm(wanted), 1e-30))
