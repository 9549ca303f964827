"""Mechanics: exact motions, Hamiltonian networks and what they conserve."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import dynamics


def scale(states):
    return np.abs(states[:, 0, 1]).sum(axis=(1, 2))


def test_springs_conserve_energy_and_momenta():
    motion = dynamics.springs(5, duration=2.0, seed=1)
    total = dynamics.energy(
        motion.states, motion.parameters[:, None, :, 0], lambda q: motion.potential(q, motion.parameters)
    )
    assert dynamics.drift(total, total[:, 0]).max() < 1e-5  # of states in float32
    assert dynamics.drift(dynamics.linear_momentum(motion.states), scale(motion.states)).max() < 1e-6
    assert dynamics.drift(dynamics.angular_momentum(motion.states), scale(motion.states)).max() < 1e-5
    assert np.abs(dynamics.linear_momentum(motion.states)).max() < 1e-5  # of each system, not of all together
    assert np.abs(motion.states[:, -1] - motion.states[:, 0]).max() > 0.1
    np.testing.assert_array_equal(dynamics.springs(5, duration=2.0, seed=1).states, motion.states)


def test_springs_follow_their_own_equation():
    motion = dynamics.springs(1, particles=3, duration=0.002, dt=1e-4)
    q, p = (motion.states[0, :, i].astype("float64") for i in (0, 1))
    mass, k = motion.parameters[0].astype("float64").T
    pairs = np.outer(k, k) * (1 - np.eye(3))
    force = -2 * (pairs.sum(axis=1)[:, None] * q[10] - pairs @ q[10])
    np.testing.assert_allclose((p[20] - p[0]) / 2e-3, force, rtol=2e-2, atol=2e-2)
    np.testing.assert_allclose((q[20] - q[0]) / 2e-3, p[10] / mass[:, None], rtol=2e-2, atol=2e-2)


def test_pendulums_conserve_energy():
    motion = dynamics.pendulums(3, duration=3.0)
    total = dynamics.energy(
        motion.states, motion.parameters[:, None, :, 0], lambda q: motion.potential(q, motion.parameters)
    )
    assert dynamics.drift(total, np.ones(3)).max() < 1e-5
    free = dynamics.energy(motion.states, motion.parameters[:, None, :, 0], lambda q: 0.0)
    assert dynamics.drift(free, np.ones(3)).max() > 1e-2  # the kinetic energy alone is not conserved


def test_charges_follow_coulombs_law():
    motion = dynamics.charged(40, duration=0.2, dt=0.01, seed=1)
    offsets = motion.states[:, :, 0, :, None] - motion.states[:, :, 0, None]
    apart = (np.linalg.norm(offsets, axis=-1) + 9 * np.eye(5)).min(axis=(1, 2, 3)) > 0.3  # where no force is bounded
    assert 10 < apart.sum() < 40
    momentum = dynamics.drift(dynamics.linear_momentum(motion.states), scale(motion.states))
    assert momentum[apart].max() < 1e-6
    total = dynamics.energy(
        motion.states, motion.parameters[:, None, :, 0], lambda q: motion.potential(q, motion.parameters)
    )
    drift = dynamics.drift(total, np.ones(40))
    assert drift[apart].max() < 1e-2
    assert dynamics.drift(dynamics.energy(motion.states, 1.0, lambda q: 0.0), np.ones(40)).max() > 0.1
    np.testing.assert_array_equal(dynamics.charged(40, duration=0.2, dt=0.01, seed=1).states, motion.states)


def test_charged_particles_as_a_data_set():
    dataset = ke.data.load("nbody", systems=12, test=4, start=0.3, duration=0.2)
    motion = dynamics.charged(12, duration=0.5)
    np.testing.assert_array_equal(dataset.x_train.arrays["state"], motion.states[:8, 3])
    np.testing.assert_array_equal(dataset.y_test.arrays["positions"], motion.states[8:, 5:6, 0])
    assert dataset.options["dt"] == 0.2
    with pytest.raises(ValueError, match="Leave systems to train on"):
        ke.data.load("nbody", systems=4, test=4)


@pytest.mark.parametrize("integrator", ["rk4", "leapfrog"])
def test_substeps_in_a_loop_are_those_one_by_one(integrator):
    motion = dynamics.charged(3, duration=0.1)
    network = ke.build_from_spec("hamiltonian_nbody")
    network.trainable_weights[-1].assign(network.trainable_weights[-1] * 100)  # forces that bend the motion
    inputs = [motion.states[:, 0], motion.parameters]
    at_once = np.asarray(dynamics.HamiltonianNetwork(network, 1, 0.5, 6, integrator)(inputs))[:, 0]
    one = dynamics.HamiltonianNetwork(network, 6, 0.5 / 6, 1, integrator)(inputs)
    np.testing.assert_allclose(at_once, np.asarray(one)[:, -1], rtol=1e-4, atol=1e-5)
    assert np.abs(at_once[:, 1] - motion.states[:, 0, 1]).max() > 1e-2


def test_predicted_motions_move_with_the_particles():
    motion = dynamics.charged(3, duration=0.1)
    network = ke.build_from_spec("hamiltonian_nbody")
    network.trainable_weights[-1].assign(network.trainable_weights[-1] * 30)
    model = dynamics.HamiltonianNetwork(network, 1, 0.5, 6, "leapfrog")
    turn, shift = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0], np.array([1.0, -2.0, 0.5])
    moved = motion.states[:, 0] @ turn.T
    moved[:, 0] += shift
    found = np.asarray(model([moved.astype("float32"), motion.parameters]))[:, 0]
    wanted = np.asarray(model([motion.states[:, 0], motion.parameters]))[:, 0] @ turn.T
    np.testing.assert_allclose(found[:, 0], wanted[:, 0] + shift, atol=1e-4)
    np.testing.assert_allclose(found[:, 1], wanted[:, 1], atol=1e-4)
    assert np.abs(found[:, 1] - wanted[:, 1] @ turn).max() > 0.1, "not turned back it is another motion"


def test_integrators_have_their_orders():
    """An oscillator: errors fall by 2^4 and 2^2 where the step is halved."""

    def error(method, n):
        z = np.array([1.0, 0.0])
        for _ in range(n):
            if method == "rk4":
                z = dynamics.rk4(lambda z: np.array([z[1], -z[0]]), z, 1 / n)
            else:
                z = np.array(dynamics.leapfrog(lambda q: -q, lambda p: p, *z, 1 / n))
        return np.linalg.norm(z - [np.cos(1), -np.sin(1)])

    assert 14 < error("rk4", 10) / error("rk4", 20) < 18
    assert 3.7 < error("leapfrog", 10) / error("leapfrog", 20) < 4.3


def rolled(group, integrator, spec="hlieconv_springs", steps=20, **options):
    motion = dynamics.springs(3, duration=0.4, dt=0.02, seed=2)
    params = {"width": 8, "layers": 1, **({"group": group} if group else {})}
    model = dynamics.HamiltonianNetwork(ke.build_from_spec(spec, **params), 5, 0.02, 1, integrator, **options)
    for weight in model.trainable_weights:  # forces that bend the motion, also where a bias starts at 0
        weight.assign(weight + 0.3 * np.random.default_rng(0).normal(size=weight.shape))
    states = model.rollout(motion.states[:, 0], motion.parameters, steps)
    assert states.shape == (3, steps + 1, 2, 6, 2)
    straight = motion.states[:, 0, 1]
    assert np.abs(states[:, -1, 1] - straight).max() > 1e-3
    return states


@pytest.mark.tensorflow
@pytest.mark.parametrize("integrator", ["rk4", "leapfrog"])
def test_translations_conserve_momentum(integrator):
    states = rolled("T2", integrator)
    assert dynamics.drift(dynamics.linear_momentum(states), scale(states)).max() < 1e-6
    states = rolled("SO2", integrator)  # negative control: no translations, and no centring
    assert dynamics.drift(dynamics.linear_momentum(states), scale(states)).max() > 1e-4
    states = rolled("SO2", integrator, center=True)
    assert dynamics.drift(dynamics.linear_momentum(states), scale(states)).max() < 1e-6


@pytest.mark.tensorflow
def test_rotations_conserve_angular_momentum():
    states = rolled("SO2", "leapfrog")
    assert dynamics.drift(dynamics.angular_momentum(states), scale(states)).max() < 2e-6
    states = rolled("T2", "leapfrog")
    assert dynamics.drift(dynamics.angular_momentum(states), scale(states)).max() > 1e-4


def test_forces_are_the_gradient():
    model = dynamics.HamiltonianNetwork(ke.build_from_spec("hfc_springs", width=8, layers=2))
    motion = dynamics.springs(2, duration=0.1)
    q, parameters = motion.states[:, 0, 0], motion.parameters
    force = ops.convert_to_numpy(model.force(ops.convert_to_tensor(q), ops.convert_to_tensor(parameters)))
    step = np.zeros_like(q)
    step[:, 2, 1] = 1e-2
    up, down = (ops.convert_to_numpy(model.potential(q + s, parameters)) for s in (step, -step))
    np.testing.assert_allclose(force[:, 2, 1], -(up - down)[:, 0] / 2e-2, rtol=2e-2, atol=1e-4)


@pytest.mark.tensorflow
def test_networks_train_and_survive_saving(tmp_path):
    motion = dynamics.springs(8, duration=0.4, dt=0.02)
    (states, parameters), targets = motion.chunks(1)
    for kind, spec in ((dynamics.HamiltonianNetwork, "hfc_springs"), (dynamics.DynamicsNetwork, "fc_springs")):
        model = kind(ke.build_from_spec(spec, width=16, layers=1), steps=1, dt=0.02)
        model.compile(keras.optimizers.Adam(1e-2), "mse", jit_compile=False)
        losses = [float(model.train_on_batch([states, parameters], targets)) for _ in range(15)]
        assert losses[-1] < losses[0]
        model.save(tmp_path / f"{spec}.keras")
        loaded = keras.models.load_model(tmp_path / f"{spec}.keras")
        np.testing.assert_array_equal(
            loaded.predict_on_batch([states, parameters]), model.predict_on_batch([states, parameters])
        )


def test_bad_arguments():
    network = ke.build_from_spec("fc_springs", width=4, layers=1)
    with pytest.raises(ValueError, match="integrator"):
        dynamics.DynamicsNetwork(network, integrator="leapfrog")
    with pytest.raises(ValueError, match="steps"):
        dynamics.DynamicsNetwork(network, steps=0)
    with pytest.raises(ValueError, match="steps"):
        dynamics.springs(2, duration=0.1).chunks(50)
    with pytest.raises(ValueError, match="dimensions"):
        dynamics.angular_momentum(np.zeros((1, 2, 3, 1)))


def test_a_motion_in_float64_begins_where_it_was_told():
    inputs = [keras.Input((3, 2)), keras.Input((3, 2)), keras.Input((3,), dtype="bool")]
    energy = keras.Model(inputs, keras.ops.sum(inputs[0] ** 2, axis=(1, 2), keepdims=True)[:, 0])
    state, masses = np.random.default_rng(0).normal(size=(1, 2, 3, 2)), np.ones((1, 3, 2))
    for dtype in ("float64", "float32"):
        path = ke.dynamics.HamiltonianNetwork(energy, steps=1, dtype=dtype).rollout(state, masses, 2)
        assert path.shape == (1, 3, 2, 3, 2) and path.dtype == dtype
        assert (path[:, 0] == state.astype(dtype)).all()
    for steps in (-1, 2.5):
        with pytest.raises(ValueError, match="`steps` must be a whole number from 0"):
            ke.dynamics.HamiltonianNetwork(energy).rollout(state, masses, steps)
