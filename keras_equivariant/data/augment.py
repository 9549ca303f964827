"""Random rotations, reflections and shifts of a batch, as one resampling with stateless random numbers.

Keras's RandomRotation, RandomFlip and RandomTranslation carry hidden generator state, so a resumed run would see
other images than an uninterrupted one, and each resamples the image again. Here every batch has its own seed.
"""

import math
from dataclasses import dataclass

from keras_equivariant.data.vectors import rotated
from keras_equivariant.data.volume_augment import draw_motion, move_volumes

FLIPS = {None: (False, False), "horizontal": (True, False), "vertical": (False, True), "both": (True, True)}


@dataclass(frozen=True)
class Augment:
    """Random transformation of each image, or volume, of a batch.

    Args:
        rotate: Largest rotation either way, in degrees: uniform in [-rotate, rotate]; 180 is the full circle. Volumes
            turn about an axis that is drawn uniformly, too.
        quarter_turns: Whether to turn by 0, 90, 180 or 270 degrees, besides, for square images; cubes by one of their
            24 rotations.
        flip: None, "horizontal" (left-right), "vertical" (top-bottom) or "both"; each with probability 1/2. Of volumes
            the first axis and the last.
        translate: Largest shift either way, in whole pixels along each axis.
        fill: What lies outside the image: "reflect" or "constant" (zero).

    Rotations interpolate bilinearly; without `rotate` every output pixel is an input pixel. Masks take the nearest
    pixel of the same transformation as their image.
    """

    rotate: float = 0.0
    flip: str | None = None
    translate: int = 0
    fill: str | None = None
    quarter_turns: bool = False

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

    def __bool__(self):
        return bool(self.rotate or self.flip or self.translate or self.quarter_turns)

    def __call__(self, images, seed, masks=None, part=None):
        """Transform float images `(B, H, W, C)` by random numbers that depend only on the integer pair `seed`.

        With `masks` `(B, *space, 1)` returns both, moved alike. `part` is `(first, of)` where the images are those from
        number `first` on of a batch of `of`: they are moved as they would be in the whole batch.
        """
        moved, move_masks, _ = self._motion(images, seed, part)
        return moved if masks is None else (moved, move_masks(masks))

    def with_targets(self, images, targets, seed, part=None, target_type=""):
        """Images, and their targets as they are afterwards: masks move with the pixels, vectors of `target_type` rotate
        `(B, n)`, vector fields `(B, *space, n)` do both; everything else stays."""
        moved, move_masks, matrices = self._motion(images, seed, part)
        if targets.shape.rank == images.shape.rank:
            targets = move_masks(targets)
        return moved, rotated(targets, target_type, matrices) if target_type else targets

    def _motion(self, images, seed, part):
        """The images moved, a function that moves masks alike, and the orthogonal matrices `(B, d, d)`, x to the right
        and y up in the plane, the order of the axes in space."""
        import tensorflow as tf

        if len(images.shape) == 5:
            self._check_sides(images.shape[1:4], "cubes")
            mirrors = FLIPS[self.flip]
            matrices, shifts = draw_motion(
                tf.shape(images)[0], seed, self.rotate, mirrors, self.translate, self.quarter_turns, part
            )
            motion = (matrices, shifts, self.fill)
            return (
                move_volumes(images, *motion),
                lambda m: _nearest(m, lambda x: move_volumes(x, *motion, True)),
                matrices,
            )
        count = tf.shape(images)[0]
        first, of = part or (0, count)
        draws = tf.random.stateless_uniform((6 if self.quarter_turns else 5, of), seed=seed)[:, first : first + count]
        angles = (2 * draws[0] - 1) * self.rotate
        mirror = [tf.where((draws[i + 1] < 0.5) & on, -1.0, 1.0) for i, on in enumerate(FLIPS[self.flip])]
        shifts = [tf.floor(draws[i] * (2 * self.translate + 1)) - self.translate for i in (3, 4)]
        quarters = self._quarters(images, draws[5]) if self.quarter_turns else None
        motion = (angles, *mirror, *shifts, self.fill, quarters)
        turn = angles if quarters is None else angles + 90.0 * tf.cast(quarters, "float32")
        cos, sin = tf.cos(turn * (math.pi / 180)), tf.sin(turn * (math.pi / 180))
        rows = [mirror[0][:, None] * tf.stack([cos, -sin], axis=1), mirror[1][:, None] * tf.stack([sin, cos], axis=1)]
        move_masks = lambda masks: _nearest(masks, lambda x: transform(x, *motion, interpolation="NEAREST"))  # noqa: E731
        return transform(images, *motion), move_masks, tf.stack(rows, axis=1)

    def _quarters(self, images, draw):
        import tensorflow as tf

        self._check_sides(images.shape[1:3], "square images")
        return tf.cast(tf.floor(4 * draw), "int32")

    def _check_sides(self, sizes, wanted):
        if self.quarter_turns and len(set(sizes)) > 1:
            raise ValueError(
                f"`quarter_turns` needs {wanted}. Received: images of {'x'.join(map(str, sizes))}. Cut or pad them to "
                "one size, or use rotate=180."
            )


def _nearest(masks, move):
    """Masks moved as floats, in their own dtype."""
    import tensorflow as tf

    return tf.cast(move(tf.cast(masks, "float32")), masks.dtype)


def transform(
    images, degrees, mirror_x, mirror_y, shift_x, shift_y, fill="constant", quarters=None, interpolation="BILINEAR"
):
    """Rotate counter-clockwise about the image center, then mirror (-1) or not (1), then shift right and down.

    Angles, mirrors and shifts are float tensors `(B,)`; `quarters` are further quarter turns, integers `(B,)`, done
    without rounding. Output pixels are looked up at the inverse transformation.
    """
    import tensorflow as tf

    height, width = tf.shape(images)[1], tf.shape(images)[2]
    center_x, center_y = (tf.cast(width, "float32") - 1) / 2, (tf.cast(height, "float32") - 1) / 2
    theta = degrees * (math.pi / 180)
    cos, sin = tf.cos(theta), tf.sin(theta)
    if quarters is not None:
        # Cosine and sine of a quarter turn are 0 and ±1 exactly, those of a rounded pi / 2 are not.
        turns = tf.stack([cos, -sin, -cos, sin]), tf.stack([sin, cos, -sin, -cos])
        pick = tf.stack([quarters, tf.range(tf.size(quarters))], axis=1)
        cos, sin = (tf.gather_nd(values, pick) for values in turns)
    # With y pointing down, source = R (mirror (output - center - shift)) + center, R = [[cos, -sin], [sin, cos]].
    a, b = cos * mirror_x, -sin * mirror_y
    d, e = sin * mirror_x, cos * mirror_y
    c = center_x - a * (center_x + shift_x) - b * (center_y + shift_y)
    f = center_y - d * (center_x + shift_x) - e * (center_y + shift_y)
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode=fill.upper(),
    )
