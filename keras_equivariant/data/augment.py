"""Random rotations, reflections and shifts of a batch, as one resampling with stateless random numbers.

Keras's RandomRotation, RandomFlip and RandomTranslation carry hidden generator state, so a resumed run would see
other images than an uninterrupted one, and each resamples the image again, bilinearly. Here every batch has its own
seed. NumPy and SciPy do it on all backends, so that each trains on the same pictures.
"""

from dataclasses import dataclass

import numpy as np

from keras_equivariant.data.motion import ORDERS, check_axis, draw_planar, draw_spatial, move
from keras_equivariant.data.vectors import rotated

FLIPS = {None: (False, False), "horizontal": (True, False), "vertical": (False, True), "both": (True, True)}


@dataclass(frozen=True)
class Augment:
    """Random transformation of each image, or volume, of a batch.

    Args:
        rotate: Largest rotation either way, in degrees: uniform in [-rotate, rotate]; 180 is the full circle. Volumes
            and points in space rotate about an axis that is drawn uniformly, too.
        quarter_turns: Whether to rotate by 0, 90, 180 or 270 degrees, besides, for square images; cubes by one of their
            24 rotations, or of the four about `axis`.
        flip: None, "horizontal" (left-right), "vertical" (top-bottom) or "both"; each with probability 1/2. Of volumes
            the first axis and the last.
        translate: Largest shift either way, in whole pixels along each axis.
        fill: What lies outside the image: "reflect" or "constant" (zero).
        axis: The axis of space, 0, 1 or 2, that volumes and points rotate about, where one of the three is upright or
            sampled otherwise than the others; None for any.
        interpolation: Of rotated images: "cubic" (a spline), which does not blur, "linear" or "nearest".

    Without `rotate` every output pixel is an input pixel. Masks take the nearest pixel of the same transformation as
    their image.
    """

    rotate: float = 0.0
    flip: str | None = None
    translate: int = 0
    fill: str | None = None
    quarter_turns: bool = False
    axis: int | None = None
    interpolation: str = "cubic"

    def __post_init__(self):
        if not 0 <= self.rotate <= 180:
            raise ValueError(
                "`rotate` is the largest rotation either way, in degrees from 0 to 180. "
                f"Received: rotate={self.rotate}. Use 180 for the full circle."
            )
        if self.flip not in FLIPS:
            raise ValueError(
                f'`flip` must be None, "horizontal", "vertical" or "both". Received: flip={self.flip!r}. Choose one.'
            )
        if self.translate != int(self.translate) or self.translate < 0:
            raise ValueError(
                f"`translate` counts whole pixels. Received: translate={self.translate}. Use 0 or a positive integer."
            )
        if self.fill is None:
            # Rotated digits leave corners that are background, shifted photographs leave borders that are not.
            object.__setattr__(self, "fill", "constant" if self.rotate else "reflect")
        if self.fill not in ("reflect", "constant"):
            raise ValueError(f'`fill` must be "reflect" or "constant". Received: fill={self.fill!r}. Choose one.')
        if self.axis is not None and not (self.rotate or self.quarter_turns):
            raise ValueError(
                f"`axis` is that of a rotation. Received: axis={self.axis} without one. Use rotate=180 or "
                "quarter_turns=True with it."
            )
        if self.axis not in (None, 0, 1, 2) or isinstance(self.axis, bool | float):
            raise ValueError(f"`axis` is an axis of space: 0, 1 or 2. Received: axis={self.axis!r}. None is for any.")
        if self.interpolation not in ORDERS:
            raise ValueError(
                f"`interpolation` must be one of {', '.join(ORDERS)}. Received: interpolation={self.interpolation!r}. "
                "Choose one."
            )

    def __bool__(self):
        return bool(self.rotate or self.flip or self.translate or self.quarter_turns)

    def __call__(self, images, seed, masks=None, part=None):
        """Transform float images `(B, *space, C)` by random numbers that depend only on the integer pair `seed`.

        With `masks` `(B, *space, 1)` returns both, moved alike. `part` is `(first, of)` where the images are those from
        number `first` on of a batch of `of`: they are moved as they would be in the whole batch.
        """
        moved, move_like, _ = self._motion(np.asarray(images), seed, part)
        return moved if masks is None else (moved, move_like(np.asarray(masks), "nearest"))

    def with_targets(self, images, targets, seed, part=None, target_type=""):
        """Images, and their targets as they are afterwards: masks move with the pixels, vectors of `target_type` rotate
        `(B, n)`, vector fields `(B, *space, n)` do both; everything else stays."""
        moved, move_like, matrices = self._motion(images, seed, part)
        if targets.ndim == images.ndim:
            targets = move_like(targets, self.interpolation if target_type else "nearest")
        return moved, rotated(targets, target_type, matrices) if target_type else targets

    def _motion(self, images, seed, part):
        """The images moved, a function that moves other arrays alike, and the orthogonal matrices `(B, d, d)`, x to the
        right and y up in the plane, the order of the axes in space."""
        first, of = part or (0, len(images))
        volumes = images.ndim == 5
        self.check_sides(images.shape[1:-1])
        own = (self.rotate, FLIPS[self.flip], self.translate, self.quarter_turns)
        draw, own = (draw_spatial, (*own, self.axis)) if volumes else (draw_planar, own)
        matrices, shifts = draw((int(first), len(images), int(of)), seed, *own)

        def move_like(array, interpolation):
            return move(array, matrices, shifts, self.fill, interpolation)

        return move_like(images, self.interpolation), move_like, matrices

    def check_sides(self, sizes):
        """ValueError where images of these sizes cannot be rotated so."""
        check_axis(self.axis, len(sizes))
        rotating = [size for axis, size in enumerate(sizes) if axis != self.axis]
        if self.quarter_turns and len(set(rotating)) > 1:
            wanted = "square images" if len(sizes) == 2 else "cubes" if self.axis is None else "equal sides beside it"
            raise ValueError(
                f"`quarter_turns` needs {wanted}. Received: images of {'x'.join(map(str, sizes))}. Cut or pad them to "
                "one size, or use rotate=180."
            )
