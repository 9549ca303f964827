"""The auto-encoder that learns a basis of kernels: three losses on images rotated two ways."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_equivariant.groups import grid
from keras_equivariant.kernels import permuting, representatives
from keras_equivariant.kernels.rotated import pixel_permutation


class BasisAutoEncoder(keras.Model):
    """Encodes an image by a basis at one element and decodes it at another, after rotating the code.

    An image x is moved by an element i, and then by g. With y = R_i x, E(y, s)_d = y ⋆ B_s^d and its adjoint D,

        A = R_g E(y, g^-1 t)        which should be E(R_g y, t)
        L = mean |D(A, t) - R_g y| + w_e mean |A - E(R_g y, t)| + w_o mean_s mean |k^2 B_s B_s^T - 1|

    and i, g, t are drawn anew for each image. All R interpolate with Gaussian weights on 3x3 pixels. Means are over a
    disc that no rotated border reaches. What differs from the paper, and why:

    - R_g y is R_gi x there, interpolated once where A is interpolated twice. The losses then ask the basis to blur, and
      in a long training it grows instead of settling.
    - Windows of k^2 pixels overlap k^2 times, so D(E(x)) = x needs B B^T = 1 / k^2; the paper asks for 1.
    - Functions begin as an orthogonal basis and its bilinear copies, there as noise of 1/45, which ends in a basis
      that hardly knows more than averages and slopes.

    Args:
        group: FiniteGroup of the plane.
        kernel_size: odd number of rows and columns.
        variant: `"partial"` or `"full"`.
        size: number D of functions.
        sigma: of the interpolation, in pixels.
        equivariance_weight, orthogonality_weight: w_e, w_o.
        scales: tuple of factors, ascending from 1, each the same multiple of the one before it.
        image_size: rows and columns of the images.
        seed: of the initial functions and of what is drawn.
    """

    def __init__(
        self,
        group,
        kernel_size,
        variant,
        size,
        sigma,
        equivariance_weight,
        orthogonality_weight,
        scales,
        image_size,
        seed,
    ):
        super().__init__(name="basis_autoencoder")
        self.kernel_size, self.size, self.scales = kernel_size, size, len(scales)
        self.weights_of_losses = (1.0, equivariance_weight, orthogonality_weight)
        self._seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._cosets(group, variant)
        moves = [scale * matrix for scale in scales for matrix in group.matrices]
        self._taps = [_gaussian_taps(move, image_size, sigma) for move in moves]
        self._taps = tuple(np.stack(part) for part in zip(*self._taps, strict=True))
        self._draws = _draws(group, self.scales)
        radius = image_size / 2 - 0.5 - 0.75 * kernel_size
        distance = np.linalg.norm(grid.centered_points((image_size, image_size)), axis=1)
        self._disc = (distance <= radius).astype("float32") / np.sum(distance <= radius)
        taps = np.eye(kernel_size**2, dtype="float32").reshape(kernel_size, kernel_size, 1, -1)
        self._gather, self._scatter = taps, np.flip(taps, (0, 1)).transpose(0, 1, 3, 2).copy()
        self.functions = self.add_weight(
            name="functions",
            shape=(self.scales * self._representatives, size, kernel_size**2),
            initializer=self._initial,
        )
        self.trackers = [keras.metrics.Mean(name) for name in ("reconstruction", "equivariance", "orthogonality")]

    def _cosets(self, group, variant):
        elements, shape = representatives(group, variant), (self.kernel_size,) * 2
        self._matrices = group.matrices[list(elements)]
        self._representatives = len(elements)
        source, permuted = np.zeros(group.order, "int32"), np.zeros((group.order, self.kernel_size**2), "int32")
        for number, t in enumerate(elements):
            for e in permuting(group, variant):
                moved = group.product(e, t)
                source[moved], permuted[moved] = number, pixel_permutation(group.matrices[e], shape)
        sources = np.concatenate([source + j * len(elements) for j in range(self.scales)])
        pixels = self.kernel_size**2
        # One flat index: pixel q of element s is a pixel of its representative.
        self._index = (sources[:, None] * pixels + np.tile(permuted, (self.scales, 1))).astype("int32")

    def _initial(self, shape, dtype=None):
        """An orthogonal basis and its bilinear copies."""
        first = keras.initializers.Orthogonal(seed=self._seed)(shape[1:])
        first = keras.ops.convert_to_numpy(first) / self.kernel_size
        copies = []
        for matrix in self._matrices:
            indices, weights = grid.sampling(matrix, (self.kernel_size,) * 2, "linear")
            copies.append(np.sum(first[:, indices] * weights, axis=2))
        return ops.convert_to_tensor(np.tile(copies, (self.scales, 1, 1)), dtype=dtype)

    def basis(self):
        """All functions, `(elements, D, pixels)`."""
        flat = ops.reshape(ops.transpose(self.functions, (0, 2, 1)), (-1, self.size))
        moved = ops.take(flat, self._index.ravel(), axis=0)
        return ops.transpose(ops.reshape(moved, (*self._index.shape, self.size)), (0, 2, 1))

    def call(self, images):
        basis, batch = self.basis(), ops.shape(images)[0]
        draw = keras.random.randint((batch,), 0, len(self._draws), seed=self.seed_generator)
        draw = ops.take(self._draws, draw, axis=0)
        first, between, before, after = (draw[:, column] for column in range(4))
        flat = ops.reshape(images, (batch, -1, 1))
        source = self._move(flat, first)
        target = self._move(source, between)
        moved = self._move(self._patches(source, images), between)
        code = moved @ ops.transpose(ops.take(basis, before, axis=0), (0, 2, 1))
        encoder = ops.take(basis, after, axis=0)
        wanted = self._patches(target, images) @ ops.transpose(encoder, (0, 2, 1))
        decoded = self._overlap(code @ encoder, images)
        gram = self.kernel_size**2 * basis @ ops.transpose(basis, (0, 2, 1))
        losses = (
            self._mean(ops.abs(decoded - target)),
            self._mean(ops.abs(code - ops.stop_gradient(wanted))),
            ops.mean(ops.abs(gram - ops.eye(self.size))),
        )
        for loss, weight, tracker in zip(losses, self.weights_of_losses, self.trackers, strict=True):
            self.add_loss(weight * loss)
            tracker.update_state(loss)
        return decoded

    def _patches(self, flat, images):
        """What each pixel's window sees, `(B, pixels, taps)`."""
        planes = ops.conv(
            ops.reshape(flat, ops.shape(images)), self._gather, padding="same", data_format="channels_last"
        )
        return ops.reshape(planes, (ops.shape(images)[0], -1, self.kernel_size**2))

    def _overlap(self, patches, images):
        """The adjoint of `_patches`."""
        batch, rows, columns, _ = ops.shape(images)
        planes = ops.reshape(patches, (batch, rows, columns, self.kernel_size**2))
        whole = ops.conv(planes, self._scatter, padding="same", data_format="channels_last")
        return ops.reshape(whole, (batch, rows * columns, 1))

    def _move(self, flat, elements):
        """Planes `(B, pixels, C)`, each moved by its element."""
        batch, pixels, channels = ops.shape(flat)
        indices, weights = (ops.take(table, elements, axis=0) for table in self._taps)
        rows = ops.reshape(flat, (-1, channels))
        start = ops.expand_dims(ops.arange(batch, dtype="int32") * pixels, 1)
        moved = 0.0
        for tap in range(indices.shape[-1]):
            found = ops.take(rows, ops.reshape(indices[..., tap] + start, (-1,)), axis=0)
            moved += ops.reshape(found, (batch, pixels, channels)) * weights[..., tap, None]
        return moved

    def _mean(self, values):
        """Over the disc, all images and all functions."""
        return ops.mean(ops.sum(values * self._disc[:, None], axis=1))


def _draws(group, scales):
    """All (i, g, g^-1 t, t) with t = i but for its scale, as element numbers, `(draws, 4)`."""
    rows = []
    for i, g in itertools.product(range(group.order), repeat=2):
        before = group.product(group.inverse(g), i)
        for grown, by, seen in itertools.product(range(scales), repeat=3):
            if grown + by < scales and by <= seen:
                numbers = (i, grown), (g, by), (before, seen - by), (i, seen)
                rows.append([element + scale * group.order for element, scale in numbers])
    return np.array(rows, "int32")


def _gaussian_taps(matrix, size, sigma):
    """Where each pixel of a moved image takes its value from, `(pixels, 9)` indices and weights."""
    points = grid.centered_points((size, size))
    source = points @ np.linalg.inv(grid.index_matrix(matrix)).T + (size - 1) / 2
    offsets = grid.centered_points((3, 3))
    taps = np.round(source)[:, None] + offsets
    weights = np.exp(-np.sum((source[:, None] - taps) ** 2, axis=2) / (2 * sigma**2))
    weights = weights / weights.sum(axis=1, keepdims=True) * ((taps >= 0) & (taps < size)).all(axis=2)
    indices = np.ravel_multi_index(np.clip(taps, 0, size - 1).astype(int).transpose(2, 0, 1), (size, size))
    return indices.astype("int32"), weights.astype("float32")
