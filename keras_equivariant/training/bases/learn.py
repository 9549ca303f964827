"""Learning a basis of kernels whose rotated copies are as good as images let them be."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant import groups
from keras_equivariant.data import Dataset, load, training_pipeline
from keras_equivariant.data.pipeline import evaluation_pipeline
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.dead_leaves import dead_leaves
from keras_equivariant.groups.group import Group
from keras_equivariant.kernels import LearnedBasis
from keras_equivariant.kernels.learned import SUFFIX, VARIANTS
from keras_equivariant.training.bases.autoencoder import BasisAutoEncoder
from keras_equivariant.training.run_folder import versions
from keras_equivariant.training.seeding import set_seed
from keras_equivariant.utils.checks import check_number, not_negative

IMAGES, IMAGE_SIZE = 1500, 32  # of the generated ones, and the size that others are cropped to
LARGEST_KERNEL = 11

log = logging.getLogger("keras_equivariant.training")


def learn_basis(
    group: str | Group,
    kernel_size: int,
    images: str | ArrayLike | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    variant: Literal["partial", "full"] = "partial",
    size: int | None = None,
    sigma: float = 0.5,
    equivariance_weight: float = 30.0,
    orthogonality_weight: float = 1.0,
    scales: Sequence[float] = (1.0,),
    learning_rate: float = 0.003,
    epochs: int = 10,
    batch_size: int = 16,
    validation: float = 0.1,
    seed: int = 0,
    verbose: int = 1,
) -> LearnedBasis:
    """Learns D kernels B^d and their copies B_s^d for every element s of a group, from images without labels.

    The copies are no interpolation of B^d: they are found such that a code, rotated, is the code of the rotated image,

        L = |D(A, t) - R_g y| + equivariance_weight |A - E(R_g y, t)| + orthogonality_weight |k^2 B_s B_s^T - 1|

    where E(y, s)_d = y ⋆ B_s^d, D is its adjoint, R_s moves an image, A = R_g E(y, g^-1 t), and y are moved images.
    `LiftingConv2D` and `GroupConv2D` take the result as `basis=path`.

    Args:
        group: `"C8"`, `"D6"`, ...: any group of rotations of the plane, with or without mirrors.
        kernel_size: odd number of rows and columns.
        images: array (B, H, W) or (B, H, W, C), at least 16x16; the name of a data set; or None for generated images
            with the statistics of natural ones. Channels are averaged, larger images cropped to 32x32, values of uint8
            images divided by 255.
        path: .npz file to write.
        variant: `"partial"`: flips and quarter turns permute the pixels, so that layers are exactly C4- or
            D4-equivariant; needs quarter turns in the group. `"full"`: every element is learned.
        size: number D of functions, by default kernel_size^2 (complete); more is over-complete.
        sigma: of the Gaussian interpolation by which images move, in pixels.
        equivariance_weight, orthogonality_weight: of the loss.
        scales: factors, such as `(1, 1.5)`: the basis then also grows, and its elements are (scale, element).
        learning_rate, epochs, batch_size: of Adam; the learning rate falls to 0 as a half cosine.
        validation: fraction of the images on which the losses are measured and not learned.
        seed: of the initial functions and of everything drawn.
        verbose: 0 silent, 1 progress bar, 2 one line an epoch.

    Returns:
        A `LearnedBasis`; its `provenance` holds the settings, the losses on held-out images and their history.

    Raises:
        ValueError: a group without quarter turns for `"partial"`, sizes, scales or images that cannot be used.

    Equivariance: with `"partial"` exact for flips and quarter turns; else approximate, as the held-out equivariance
    loss says: the mean over pixels and functions of |A - E(R_g y, t)|, for images from 0 to 1.

    Example:
        >>> import keras_equivariant as ke
        >>> basis = ke.learn_basis("C8", 3, ke.data.dead_leaves(64), epochs=1, batch_size=16, verbose=0)
        >>> basis.basis.shape                 # scales, representatives, functions, rows, columns
        (1, 2, 9, 3, 3)

    Reference: Diaconu & Worrall, Learning to Convolve, arXiv 1905.04663, section 4.
    """
    group, scales = groups.orthogonal_group(group), tuple(float(scale) for scale in scales)
    size = kernel_size**2 if size is None and isinstance(kernel_size, int) else size
    _check(group, kernel_size, variant, size, scales, epochs, batch_size, validation)
    if path is not None and Path(path).suffix != SUFFIX:
        raise ValueError(f'The name of a basis file must end with "{SUFFIX}". Received: path={str(path)!r}')
    path = None if path is None else Path(path).expanduser()
    sigma = check_number(sigma, "sigma", 0, math.inf, "a positive number of pixels, such as 0.5")
    learning_rate = check_number(learning_rate, "learning_rate", 0, math.inf, "a positive number, such as 0.003")
    weights = (
        not_negative(equivariance_weight, "equivariance_weight"),
        not_negative(orthogonality_weight, "orthogonality_weight"),
    )
    description, images = _images(images, kernel_size)
    held_out = max(1, round(validation * len(images)))
    if len(images) - held_out < batch_size:
        raise ValueError(
            "There must be at least one batch of images besides those held out. Received: "
            f"{len(images)} images, {held_out} of them held out, batch_size={batch_size}; use a smaller batch_size"
        )
    set_seed(seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    model = BasisAutoEncoder(group, kernel_size, variant, size, sigma, *weights, scales, images.shape[1], seed)
    batches, steps = training_pipeline(images[:-held_out], np.zeros(len(images) - held_out, "int32"), batch_size, seed)
    unseen = evaluation_pipeline(images[-held_out:], batch_size=min(batch_size, held_out), fixed=True)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps * epochs)))
    history = model.fit(
        batches.map(lambda x, _: x),
        steps_per_epoch=steps,
        epochs=epochs,
        validation_data=unseen,
        shuffle=False,  # the pipeline has shuffled
        callbacks=[keras.callbacks.TerminateOnNaN()],
        verbose=verbose,
    ).history
    functions = keras.ops.convert_to_numpy(model.functions)
    if not np.isfinite(functions).all():
        raise FloatingPointError(
            f"Learning needs a finite loss. Received: learning_rate={learning_rate}; use a smaller one"
        )
    settings = {
        "size": size,
        "sigma": sigma,
        "equivariance_weight": weights[0],
        "orthogonality_weight": weights[1],
        "learning_rate": learning_rate,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
    }
    provenance = {
        "images": f"{description}; {len(images) - held_out} learned from, {held_out} held out",
        "settings": settings,
        "held_out_losses": {key[4:]: float(f"{v[-1]:.5g}") for key, v in history.items() if key.startswith("val_")},
        "history": {key: [float(f"{v:.5g}") for v in values] for key, values in history.items()},
        "versions": {key: versions()[key] for key in ("keras_equivariant", "keras", "backend", "numpy")},
    }
    functions = functions.reshape(len(scales), -1, size, kernel_size, kernel_size)
    basis = LearnedBasis(group, variant, functions, scales, provenance)
    log.info("%s", describe(basis))
    if path is not None:
        basis.save(path)
    return basis


def describe(basis):
    """One line on a learned basis: what it is and its losses on held-out images."""
    losses = basis.provenance.get("held_out_losses", {})
    shown = ", ".join(f"{name} {losses[name]:.4f}" for name in sorted(losses) if name != "loss")
    grown = f" on scales {', '.join(f'{s:g}' for s in basis.scales)}" if len(basis.scales) > 1 else ""
    rows, columns = basis.kernel_size
    return (
        f"{basis.variant.capitalize()} basis of {basis.size} kernels of {rows}x{columns} on {basis.group.name}{grown}; "
        f"losses a pixel on held-out images: {shown}."
    )


def _check(group, kernel_size, variant, size, scales, epochs, batch_size, validation):
    if not group.is_finite or group.dimension != 2:
        raise ValueError(
            f'A basis is learned for finitely many elements. Received: group "{group.name}"; use "C8" or "D8", say'
        )
    if variant not in VARIANTS:
        raise ValueError(f"`variant` must be one of {VARIANTS}. Received: variant={variant!r}")
    quarter_turns = any(abs(group.matrices[e][0, 0]) < 0.5 for e in group.grid_elements)
    if variant == "partial" and not quarter_turns:
        raise ValueError(
            'variant="partial" makes quarter turns exact, so n of C_n or D_n must be a multiple of 4. '
            f'Received: group "{group.name}"; use variant="full"'
        )
    if not isinstance(kernel_size, int) or kernel_size % 2 == 0 or not 3 <= kernel_size <= LARGEST_KERNEL:
        raise ValueError(
            f"`kernel_size` must be an odd number from 3 to {LARGEST_KERNEL}, the same for rows and columns. "
            f"Received: kernel_size={kernel_size!r}"
        )
    if not isinstance(size, int) or not kernel_size**2 <= size <= 10 * kernel_size**2:
        raise ValueError(
            f"`size` must be a whole number from kernel_size^2 = {kernel_size**2}, a complete basis, to ten times "
            f"that. Received: size={size!r}"
        )
    ratios = np.divide(scales[1:], scales[:-1])
    if not scales or scales[0] != 1.0 or not (ratios > 1).all() or not np.allclose(ratios, ratios[:1]):
        raise ValueError(
            f"`scales` must begin with 1 and grow by one factor, such as (1, 1.5, 2.25). Received: scales={scales}"
        )
    counts = {"epochs": epochs, "batch_size": batch_size}
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    if not 0 < validation < 1:
        raise ValueError(f"`validation` must be a fraction between 0 and 1. Received: validation={validation!r}")


def _images(images, kernel_size):
    """A description, and gray images `(B, n, n, 1)` from 0 to 1."""
    if images is None:
        return f"generated dead leaves, {IMAGE_SIZE}x{IMAGE_SIZE} (seed 0)", dead_leaves(IMAGES, IMAGE_SIZE)
    description = "images given as an array"
    if isinstance(images, (str, Path)):
        images = load(str(images))
    if isinstance(images, Dataset):
        description, images = f"training images of {images.description}", images.x_train
    if isinstance(images, Rows):
        raise ValueError(
            f"A basis is learned from pictures. Received: {description}, which have {', '.join(images.arrays)}; "
            "name a data set of images"
        )
    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.dtype.kind not in "buif" or 0 in images.shape:
        raise ValueError(
            "`images` must be an array of numbers (B, H, W) or (B, H, W, C), or the name of a data set. "
            f"Received: shape {images.shape}, type {images.dtype}"
        )
    scale = 255.0 if images.dtype.kind == "u" else 1.0
    images = images.reshape(*images.shape[:3], -1).astype("float32").mean(axis=-1, keepdims=True) / scale
    if not np.isfinite(images).all() or np.ptp(images) == 0:
        raise ValueError("`images` must be finite and show something. Received: NaN, infinite, or all equal values")
    side = min(*images.shape[1:3], IMAGE_SIZE)
    if side < 2 * kernel_size + 10:
        raise ValueError(
            f"Images must be large enough to rotate: {2 * kernel_size + 10} pixels or more for kernels of "
            f"{kernel_size}. Received: images of shape {images.shape[1:3]}; use larger ones, or a smaller kernel_size"
        )
    top, left = ((n - side) // 2 for n in images.shape[1:3])
    return description, images[:, top : top + side, left : left + side]
