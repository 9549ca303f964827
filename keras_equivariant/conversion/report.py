"""What became of each layer of a network, and why."""

import dataclasses

from keras_equivariant.utils.text import table

_COLUMNS = ("layer", "was", "became", "output", "why")


@dataclasses.dataclass(frozen=True)
class ConvertedLayer:
    """One layer of the original.

    Attributes:
        name: its name.
        was: its class.
        became: the classes of the layers in its place, one after the other; empty where another layer does its work.
        shape: of its output in the new network, the batch axis left out.
        why: what was changed, and the reason.
    """

    name: str
    was: str
    became: tuple
    shape: tuple
    why: str


@dataclasses.dataclass(frozen=True)
class Conversion:
    """How a network became an equivariant one; `print(conversion)` shows a table.

    Attributes:
        group: name of the symmetry.
        match: what the new network has as much of as the original.
        width: fields for each channel of the original.
        before, after: trainable parameters of the original and of the new network.
        layers: a ConvertedLayer for each layer of the original.
        lost: dict from layer names to the share of their kernels that weights="project" could not keep.
    """

    group: str
    match: str | float
    width: float
    before: int
    after: int
    layers: tuple
    lost: dict = dataclasses.field(default_factory=dict)

    @property
    def changed(self):
        """The layers whose window was replaced by one that is symmetric, or kept although it is not."""
        return tuple(layer for layer in self.layers if layer.why)

    def __str__(self):
        rows = [
            (one.name, one.was, " + ".join(one.became) or "-", " x ".join(map(str, one.shape)), one.why or "-")
            for one in self.layers
        ]
        totals = (
            f"On {self.group}, {self.width:.3g} fields for each channel (match={self.match!r}): {self.after:,} "
            f"trainable parameters, {self.after / max(self.before, 1):.2f} of the {self.before:,} of the original."
        )
        return "\n".join([*table(_COLUMNS, rows), "", totals])


def conversion_table(model):
    """The table of what became of each layer of the network that `equivariant` made a model of.

    Args:
        model: what `keras_equivariant.equivariant` returned, in the same process.

    Returns:
        A text.

    Raises:
        ValueError: for any other model.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> stock = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(8, 3), keras.layers.Dense(2)])
        >>> "LiftingConv2D" in ke.conversion_table(ke.equivariant(stock, "C4"))
        True
    """
    found = getattr(model, "conversion", None)
    if not isinstance(found, Conversion):
        raise ValueError(
            f"The table belongs to what keras_equivariant.equivariant(...) returned. Received: {model!r}; a model that "
            "was saved and loaded has lost it, convert the original again"
        )
    return str(found)
