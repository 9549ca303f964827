"""What the layers on harmonic features (B, H, W, M+1, 2, C) share; not a layer of its own."""

from keras_equivariant import groups
from keras_equivariant.groups.layouts import Harmonic, WrongFeatures, received

# The quarter turns: the rotations that the pixel grid knows. The other angles hold approximately.
GRID_GROUP = groups.get("C4")


class OnHarmonic:
    """A layer that takes harmonic features and makes such; mixed into one."""

    def check_features(self, layout, shapes):
        if not isinstance(layout, Harmonic):
            raise WrongFeatures(
                f"takes harmonic features. {received(layout, shapes[0])}", "an image becomes that by HarmonicConv2D"
            )

    def expected_layout(self, shape):
        return Harmonic(shape[3]) if len(shape) == 6 else None


def orders_and_fields(name, input_shape):
    """(M + 1, C) of harmonic features; ValueError for every other shape."""
    shape = tuple(input_shape)
    if len(shape) != 6 or shape[4] != 2 or None in (shape[3], shape[5]):
        raise ValueError(
            f"{name} takes harmonic features (B, H, W, M+1, 2, C): orders 0..M, real and imaginary part, channels. "
            f"Received: input_shape={shape}; an image becomes that by HarmonicConv2D"
        )
    return shape[3], shape[5]
