"""Networks that learn how a system moves: by its energy, or by its time derivative outright."""

import keras
import numpy as np
from keras import ops

from keras_equivariant.dynamics.integrators import leapfrog, rk4
from keras_equivariant.layers.core.base import register
from keras_equivariant.ops.gradient import gradient
from keras_equivariant.ops.loops import repeated


class _Dynamics(keras.Model):
    def __init__(self, network, steps=4, dt=0.05, substeps=1, integrator="rk4", **kwargs):
        super().__init__(**kwargs)
        for name, value in (("steps", steps), ("substeps", substeps)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
        if integrator not in self.integrators:
            raise ValueError(
                f"`integrator` must be one of {self.integrators} for {type(self).__name__}. "
                f"Received: integrator={integrator!r}"
            )
        self.network, self.steps, self.dt = network, steps, float(dt)
        self.substeps, self.integrator = substeps, integrator

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        state, parameters = map(ops.convert_to_tensor, inputs)  # NumPy's on JAX, where no step is compiled
        states = []
        for _ in range(self.steps):
            state = self.advance(state, parameters)
            states.append(state)
        return ops.stack(states, axis=1)

    def advance(self, state, parameters):
        """The state after the time `dt`, by `substeps` steps."""
        return repeated(lambda z: self.step(z, parameters, self.dt / self.substeps), self.substeps, state)

    def step(self, state, parameters, dt):
        """The state after the time `dt`, by one step of the integrator."""
        return rk4(lambda z: self.derivative(z, parameters), state, dt)

    def rollout(self, state, parameters, steps):
        """The motion from states `(B, 2, N, d)`: `(B, steps + 1, 2, N, d)`, the first state included."""
        if not isinstance(steps, int | np.integer) or steps < 0:
            raise ValueError(f"`steps` must be a whole number from 0. Received: steps={steps!r}")
        states = [np.asarray(state, self.variable_dtype)[:, None]]
        for _ in range(-(-steps // self.steps)):
            states.append(self.predict_on_batch([states[-1][:, -1], parameters]))
        return np.concatenate(states, axis=1)[:, : steps + 1]

    def compute_output_shape(self, input_shape):
        state = input_shape[0]
        return (state[0], self.steps, *state[1:])

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "steps": self.steps,
            "dt": self.dt,
            "substeps": self.substeps,
            "integrator": self.integrator,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})


@register
class HamiltonianNetwork(_Dynamics):
    """The motion of particles whose potential energy is a network: H(q, p) = sum |p|^2 / 2 m + V(q).

    dq/dt = p / m,  dp/dt = -dV/dq

    with the exact gradient of V. What leaves V alone is conserved: with V on T(n) the total momentum, on SO(2) or SO(3)
    the angular momentum.

    Args:
        network: V, a Keras model of (positions `(B, N, d)`, parameters `(B, N, P)`, mask `(B, N)`), such as the spec
            `hlieconv_springs`; or of one flat vector of positions and parameters, such as `hfc_springs`. Its output is
            `(B, 1)`; it must be smooth, so use "swish" or "softplus" as activations, and no batch normalization.
        steps: how many states `call` gives after the first.
        dt: time between them.
        substeps: steps of the integrator between two states.
        integrator: `"rk4"` or `"leapfrog"`, which is symplectic.
        center: whether V sees positions about their mean: then every V conserves the momentum, whatever its group.
        **kwargs: those of `keras.Model`.

    Example:
        >>> import keras_equivariant as ke
        >>> motion = ke.dynamics.springs(4, duration=1.0, seed=0)
        >>> network = ke.build_from_spec("hlieconv_springs", width=16, layers=1)
        >>> model = ke.dynamics.HamiltonianNetwork(network, steps=3)
        >>> (states, parameters), targets = motion.chunks(3)
        >>> model([states, parameters]).shape
        TensorShape([4, 3, 2, 6, 2])

    Reference: Greydanus et al., arXiv 1906.01563; Finzi et al., arXiv 2002.12880, section 6.3.
    """

    integrators = ("rk4", "leapfrog")
    untraceable = (
        "takes the gradient of its network. Use the network, model.network, which gives the potential energy, and put "
        "ke.dynamics.HamiltonianNetwork around what comes of it"
    )

    def __init__(self, network, steps=4, dt=0.05, substeps=1, integrator="rk4", center=False, **kwargs):
        super().__init__(network, steps, dt, substeps, integrator, **kwargs)
        self.center = bool(center)

    def around(self, network, name):
        """The same around another network, in its precision."""
        settings = {key: getattr(self, key) for key in ("steps", "dt", "substeps", "integrator", "center")}
        return HamiltonianNetwork(network, **settings, name=name, dtype=network.outputs[0].dtype)

    def potential(self, q, parameters):
        """V of positions `(B, N, d)`, `(B, 1)`."""
        if self.center:
            q = q - ops.mean(q, axis=1, keepdims=True)
        if len(self.network.inputs) == 3:
            return self.network([q, parameters, ops.ones_like(q[..., 0]) > 0])
        return self.network(ops.concatenate([_flat(q), _flat(parameters)], axis=-1))

    def force(self, q, parameters):
        """-dV/dq."""
        return -gradient(lambda q: self.potential(q, parameters), q)

    def derivative(self, state, parameters):
        """The time derivative of states `(B, 2, N, d)`."""
        q, p = state[:, 0], state[:, 1]
        return ops.stack([p / parameters[..., :1], self.force(q, parameters)], axis=1)

    def step(self, state, parameters, dt):
        if self.integrator == "rk4":
            return super().step(state, parameters, dt)
        moved = leapfrog(
            lambda q: self.force(q, parameters), lambda p: p / parameters[..., :1], state[:, 0], state[:, 1], dt
        )
        return ops.stack(moved, axis=1)

    def advance(self, state, parameters):
        if self.integrator == "rk4" or self.substeps == 1:
            return super().advance(state, parameters)
        dt = self.dt / self.substeps

        def step(moving):  # leapfrog, with the force at the end of a step for the beginning of the next
            q, p, force = moving
            p = p + dt / 2 * force
            q = q + dt * p / parameters[..., :1]
            force = self.force(q, parameters)
            return q, p + dt / 2 * force, force

        q, p = state[:, 0], state[:, 1]
        q, p, _ = repeated(step, self.substeps, (q, p, self.force(q, parameters)))
        return ops.stack([q, p], axis=1)

    def get_config(self):
        return {**super().get_config(), "center": self.center}


@register
class DynamicsNetwork(_Dynamics):
    """The motion of particles whose time derivative is a network, without any structure: a baseline.

    d(q, p)/dt = f(q, p, parameters)

    Args:
        network: f, a Keras model of one flat vector `(B, 2 N d + N P)` that gives `(B, 2 N d)`, such as `fc_springs`.
        steps, dt, substeps, integrator: as in `HamiltonianNetwork`; the integrator is `"rk4"`.
        **kwargs: those of `keras.Model`.

    Example:
        >>> import keras_equivariant as ke
        >>> motion = ke.dynamics.springs(4, duration=1.0, seed=0)
        >>> model = ke.dynamics.DynamicsNetwork(ke.build_from_spec("fc_springs", width=16), steps=3)
        >>> (states, parameters), targets = motion.chunks(3)
        >>> model([states, parameters]).shape
        TensorShape([4, 3, 2, 6, 2])

    Reference: the FC baseline of Finzi et al., arXiv 2002.12880, section 6.3.
    """

    integrators = ("rk4",)

    def derivative(self, state, parameters):
        """The time derivative of states `(B, 2, N, d)`."""
        flat = self.network(ops.concatenate([_flat(state), _flat(parameters)], axis=-1))
        return ops.reshape(flat, ops.shape(state))


def _flat(x):
    return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))
