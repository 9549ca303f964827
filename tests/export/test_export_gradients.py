"""What answers with a gradient, in files: forces beside energies, motions; gradients as other runtimes have them."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.ops.gradient import gradient
from keras_equivariant.ops.portable_gradient import portable_gradients

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="written by TensorFlow")
FORMATS = ("saved_model", "tflite", "onnx")
SIZES = {
    "tfn_molecules": {"scalars": 3, "vectors": 2, "layers": 1},
    "lieconv_molecules": {"width": 6, "layers": 1, "neighbors": 3},
}


def randomized(model, seed=0):
    generator = np.random.default_rng(seed)
    model.set_weights([w + 0.2 * generator.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("spec", SIZES)
def test_energies_and_forces_are_exported(spec, tmp_path):
    network = randomized(ke.build_from_spec(spec, points=5, **SIZES[spec]))
    model = ke.dynamics.EnergyAndForces(network, name="molecule")
    report = ke.export(model, tmp_path, FORMATS)
    assert report.passed and [a.format for a in report.artifacts] == [*FORMATS]
    assert all(a.equivariance and max(a.equivariance.values()) < 1e-5 for a in report.artifacts)
    # Central differences of the energy that the file answers with are its forces.
    rng, h = np.random.default_rng(1), 1e-2
    positions, values = rng.normal(size=(1, 5, 3)).astype("float32"), rng.normal(size=(1, 5, 15)).astype("float32")
    run = tf.saved_model.load(str(tmp_path / "molecule/1")).signatures["serving_default"]
    names = [x.name for x in network.inputs]

    def answer(x):
        return run(**dict(zip(names, map(tf.constant, (x, values, np.ones((1, 5), bool))), strict=True)))

    forces = answer(positions)["forces"].numpy()
    assert np.abs(forces).max() > 1e-3
    for i in range(3):
        step = np.zeros_like(positions)
        step[0, 2, i] = h
        change = answer(positions + step)["energy"].numpy() - answer(positions - step)["energy"].numpy()
        np.testing.assert_allclose(-change.item() / (2 * h), forces[0, 2, i], atol=2e-2 * np.abs(forces).max())


def test_a_file_of_stock_layers_has_no_gradient(tmp_path):
    network = ke.build_from_spec("lieconv_molecules", points=5, **SIZES["lieconv_molecules"])
    model = ke.dynamics.EnergyAndForces(network)
    with pytest.raises(ValueError, match=r'none of them takes a gradient.*"saved_model", "tflite" or "onnx"'):
        ke.export(model, tmp_path, "keras")
    folded = ke.fold(model)  # verified against the model
    assert not any(type(layer).__module__.startswith("keras_equivariant") for layer in folded.layers[-1].network.layers)
    model.save(tmp_path / "model.keras")
    assert isinstance(ke.from_preset(tmp_path / "model.keras"), ke.dynamics.EnergyAndForces)


@pytest.mark.parametrize(("integrator", "substeps", "formats"), [("rk4", 1, FORMATS), ("leapfrog", 2, FORMATS[:2])])
def test_motions_are_exported(integrator, substeps, formats, tmp_path):
    network = randomized(ke.build_from_spec("hfc_springs", width=6))
    motion = ke.dynamics.HamiltonianNetwork(network, steps=2, substeps=substeps, integrator=integrator, name="motion")
    (states, parameters), _ = ke.dynamics.springs(4, duration=1.0, seed=0).chunks(2)
    assert np.abs(np.asarray(motion([states, parameters])) - states[:, None]).max() > 1e-2
    report = ke.export(motion, tmp_path, formats, representative_data=[states, parameters])
    assert report.passed


def test_a_trained_network_is_exported_with_its_forces(tmp_path):
    options = {"params": SIZES["tfn_molecules"], "epochs": 1, "angle_step": 180, "verbose": 0}
    data = {"data": "clusters", "data_options": {"count": 30, "atoms": 4}}
    found = ke.train("tfn_molecules", run_dir=tmp_path / "run", export_formats=("tflite",), **data, **options)
    assert (tmp_path / "run" / found.summary["served"][0]["path"]).exists() or found.summary["export"]
    from keras_equivariant.training.saved import load_trained

    served = load_trained(tmp_path / "run").served
    assert set(served.compute_output_shape(served.network.input_shape)) == {"energy", "forces"}
    data["data_options"]["target"] = "energy"
    ke.train("tfn_molecules", run_dir=tmp_path / "energies", export_formats=(), **data, **options)
    trained = load_trained(tmp_path / "energies")
    assert trained.served is trained.model


RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(1, 4)).astype("float32"), RNG.normal(size=(3, 1)).astype("float32")
M = RNG.normal(size=(4, 5)).astype("float32")
FUNCTIONS = {
    "broadcast": lambda x: (x * A + B) / (2.5 + tf.square(A)) - A * B * x,
    "both sides": lambda x: x[..., None, :] * x[..., :, None] / (1 + x[..., None, :] ** 2),
    "added axes": lambda x: tf.constant(B)[:, 0] * x[:, :, 0] + x[:, 0, :3],
    "maximum": lambda x: tf.maximum(x, A) + tf.minimum(x[..., :1], x),
    "power": lambda x: tf.pow(tf.abs(x) + 0.1, 1.5) + tf.pow(tf.constant(1.5), x),
    "choice": lambda x: tf.where(x > 0, x * x, A),
    "product": lambda x: tf.matmul(x, M) @ tf.transpose(tf.matmul(x, M), (0, 2, 1)),
    "product transposed": lambda x: tf.matmul(x, x, transpose_a=True) @ tf.matmul(M[None], M[None], transpose_b=True),
    "product broadcast": lambda x: tf.matmul(x[:, None], tf.constant(np.stack([M, -2 * M]))[None]),
    "product with a transpose": lambda x: tf.matmul(x, tf.constant(M.T)[None], transpose_b=True),
    "mean": lambda x: tf.reduce_mean(x * x, axis=1, keepdims=True) + tf.reduce_sum(x * A, axis=-1, keepdims=True),
    "sum of all": lambda x: tf.reduce_sum(x * x) * tf.reduce_sum(x, axis=[-1, 1]),
    "mean of all": lambda x: tf.reduce_mean(x * x),
    "joined": lambda x: tf.concat([x, 2 * x[:, :2], x * x], axis=1) ** 2,
    "broadcast to": lambda x: tf.broadcast_to(x[:, :, :1], tf.shape(x)) * x,
    "slices": lambda x: x[:, 1:] * x[:, :-1] + x[:, -1][:, None] * x[:, 0, 2][:, None, None],
    "steps": lambda x: x[:, ::2] * x[:, ::-1][:, :2],
    "dots": lambda x: x[..., 1, :, None] * x[:, None, 0, 1:][..., None, 0, :],
    "activations": lambda x: tf.nn.relu(x) + tf.sigmoid(x) * tf.tanh(x) + tf.nn.softplus(x) + tf.nn.silu(x),
    "roots": lambda x: tf.sqrt(tf.abs(x) + 0.1) + tf.math.rsqrt(tf.abs(x) + 0.2),
    "angles": lambda x: tf.atan2(x, A + 3.0) + tf.math.squared_difference(x, B),
    "gathered": lambda x: tf.gather(x * x, tf.constant([[2, 0], [1, 1]]), axis=1, batch_dims=1),
    "not at all": lambda x: tf.stop_gradient(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_portable_gradients_are_the_gradients(name):
    """The same numbers as TensorFlow's own, also where the size of the batch is not known."""
    function, x = FUNCTIONS[name], tf.constant(RNG.normal(size=(2, 3, 4)).astype("float32"))
    expected = gradient(function, x)

    @tf.function(input_signature=[tf.TensorSpec((None, 3, 4), tf.float32)], autograph=False)
    def portable(x):
        with portable_gradients():
            return gradient(function, x)

    np.testing.assert_allclose(portable(x), expected, atol=1e-5)
    kinds = {op.type for op in portable.get_concrete_function().graph.get_operations()}
    foreign = {"BroadcastGradientArgs", "StridedSliceGrad", "ReluGrad", "SqrtGrad", "RsqrtGrad", "DynamicStitch"}
    assert not kinds & (foreign - {"StridedSliceGrad"} if name == "steps" else foreign)
