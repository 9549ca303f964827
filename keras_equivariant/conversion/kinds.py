"""What the tensors of a network are in its twin."""

import dataclasses

from keras_equivariant.conversion.channels import Channels
from keras_equivariant.groups.layouts import Layout

IMAGE, REGULAR, INVARIANT, FLAT, SPLIT, HEAD = "image", "regular", "invariant", "flat", "split", "head"


@dataclasses.dataclass(frozen=True, eq=False)
class Planned:
    """A tensor of the original in the twin.

    Attributes:
        kind: `image` (no group axis), `regular`, `invariant` (no space), `flat` (a map whose pixels are to be
            channels of a dense layer), `split` (a map whose channels lie on several axes) or `head` (predictions of
            each pixel on other axes, which stay as they are).
        channels: its Channels.
        layout: of a head, how the group acts on it.
        split: of split channels the sizes of their axes in the original, in the order they had at first.
        within: of split channels the kind of the map.
    """

    kind: str
    channels: Channels
    layout: Layout | None = None
    split: tuple = ()
    within: str = ""
