"""What has no equivariant counterpart, and what to use instead."""

import keras

RULE = "Every layer must have an equivariant counterpart."


class NoCounterpart(ValueError):
    """A layer of the original has no counterpart.

    Args:
        reason: why; a sentence about the layer without its subject.
        remedy: what to do.
    """

    def __init__(self, reason, remedy):
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason, self.remedy = reason, remedy


def describe(operation):
    """A layer with its name and class, an operation of keras.ops with its class, and the layer that it is inside."""
    kind = type(operation).__name__
    if isinstance(operation, keras.layers.Layer):
        return f'"{operation.name}" ({kind})'
    return f'keras.ops {kind} inside "{operation.inside}"' if hasattr(operation, "inside") else f"keras.ops {kind}"


_OWN = (
    "build it from stock layers, or say what stands in its place: "
    "replacements={{{name}: lambda layer: ...}} with a layer on (B, *space, |G|, C)"
)


ATTENTION = (
    "use keras.layers.MultiHeadAttention with attention_axes=(1, 2) (of volumes (1, 2, 3)) on the map (B, H, W, C)"
)


SHUFFLED = (
    "moves channels to other pixels",
    "in place of it and the convolution before it use keras.layers.Conv2DTranspose with strides of as many pixels and "
    "a kernel as many times as large, which computes the same",
)


STILL = (
    "makes a map of numbers that do not move with the image, behind a Flatten or a pooling over all pixels, so that it "
    "cannot rotate with the image",
    "keep a map all the way, with convolutions and strides in place of Flatten and Dense, or make the trained model "
    "exact as it is with ke.symmetrize",
)


def unknown(operation):
    """The error of a layer of which nothing is known."""
    name = type(operation).__name__
    if isinstance(operation, keras.layers.Lambda):
        return NoCounterpart("runs Python code that nothing is known of", "use stock layers or operations of keras.ops")
    if isinstance(operation, keras.layers.RNN) or hasattr(operation, "return_sequences"):
        return NoCounterpart(
            "reads a sequence, which has no symmetry of space",
            "convert the part before it, which sees one frame, and call that in keras.layers.TimeDistributed",
        )
    if name == "DepthToSpace":
        return NoCounterpart(*SHUFFLED)
    if name == "SpaceToDepth":
        return NoCounterpart("moves pixels to channels", "use a convolution or a mean with strides of as many pixels")
    if isinstance(operation, keras.layers.Attention | keras.layers.AdditiveAttention):
        return NoCounterpart("attends over a sequence", ATTENTION)
    if not isinstance(operation, keras.layers.Layer):
        return NoCounterpart("is no operation that is known to commute with a group", "use layers, or convert without")
    if not type(operation).__module__.startswith("keras."):
        return NoCounterpart("is a layer of your own, of which nothing is known", _OWN.format(name=name))
    return NoCounterpart("has no equivariant counterpart", _OWN.format(name=f"keras.layers.{name}"))
