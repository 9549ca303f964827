"""EnergyAndForces: a network that is an energy of points, with the forces that follow from it."""

import keras

from keras_equivariant.layers.core.base import register
from keras_equivariant.ops.gradient import gradient
from keras_equivariant.utils.periodic import space_of


@register
class EnergyAndForces(keras.Model):
    """The energy E of points and the forces on them, F_i = -dE/dx_i, exactly.

    What leaves E alone is kept: with E on T(3) or SE(3) the forces sum to zero, and rotate with the points where E is
    invariant. Training the forces takes second derivatives, so that E must be smooth: "swish", not "relu".

    Args:
        network: E, a Keras model of (positions `(B, N, d)`, values `(B, N, C)`, mask `(B, N)`) that gives `(B, 1)`. In
            a periodic cell positions are `(B, N, d + d d)`, with the lattice vectors behind the coordinates.
        **kwargs: those of `keras.Model`.

    Returns:
        A dict of `energy` `(B, 1)` and `forces` `(B, N, d)`, 0 where there is no point.

    Example:
        >>> import numpy as np
        >>> import keras_equivariant as ke
        >>> network = ke.build_from_spec("lieconv_molecules", points=5, width=8, layers=1, neighbors=4)
        >>> points = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
        >>> molecules = [points, np.ones((2, 5, 15), "float32"), np.ones((2, 5), bool)]
        >>> found = ke.dynamics.EnergyAndForces(network)(molecules)
        >>> found["forces"].shape
        TensorShape([2, 5, 3])
    """

    untraceable = (
        "takes the gradient of its network. Use the network, model.network, which gives the energy, and put "
        "ke.dynamics.EnergyAndForces around what comes of it"
    )

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def build(self, input_shape):
        self.built = True

    def call(self, inputs, training=None):
        positions, values, mask = inputs
        # One pass for the energy and one for its gradient, so that the energy's own layers keep their state once.
        energy = self.network([positions, values, mask], training=training)
        slope = gradient(lambda x: self.network([x, values, mask], training=training), positions)
        there = keras.ops.cast(mask, slope.dtype)[..., None]
        return {"energy": energy, "forces": -slope[..., : space_of(slope.shape[-1])] * there}

    def compute_output_spec(self, inputs, training=None):
        # Symbols have no gradient.
        found = self.compute_output_shape([x.shape for x in inputs])
        return {name: keras.KerasTensor(shape, self.compute_dtype) for name, shape in found.items()}

    @property
    def symbolic_inputs(self):
        """What the network takes, for whoever calls it on symbols."""
        return self.network.input

    def around(self, network, name):
        """The same around another network, in its precision."""
        return EnergyAndForces(network, name=name, dtype=network.outputs[0].dtype)

    def compute_output_shape(self, input_shape):
        return {"energy": (input_shape[0][0], 1), "forces": (*input_shape[0][:-1], space_of(input_shape[0][-1]))}

    def get_config(self):
        return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})
