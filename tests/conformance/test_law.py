"""Every layer commutes with every element that maps the pixel grid onto itself, and a wrong action is noticed."""

import keras
import numpy as np
from catalogue import act, outputs


def answers(model, x, case):
    """The outputs for x, and those for x moved by each element, all in one batch."""
    group = case.finite_group
    moved = [act(x, group, element, case.into) for element in group.grid_elements]
    return np.split(outputs(model, np.concatenate([x, *moved])), 1 + len(moved))


def error(y, moved, case, out):
    """The largest of all elements."""
    group = case.finite_group
    expected = [act(y, group, element, out) for element in group.grid_elements]
    return max(map(np.linalg.norm, map(np.subtract, moved, expected))) / np.linalg.norm(y)


def test_exact_in_float64(case, network, sample):
    y, *moved = answers(network(case, dtype="float64"), sample(case, dtype="float64"), case)
    assert error(y, moved, case, case.out) <= 1e-12
    if len(moved) > 1:  # negative control: an output that is said not to move
        assert error(y, moved, case, "invariant") > 1e-2


def test_float32_close(case, network, sample):
    y, *moved = answers(network(case), sample(case), case)
    assert error(y, moved, case, case.out) <= 1e-5


def test_symbolic_shape_is_the_real_one(case, network, sample):
    model = network(case)
    y = model(sample(case, batch=3))
    assert tuple(model.output_shape[1:]) == tuple(y.shape[1:])
    if not callable(case.out):  # else more than the layer is in the model
        layer = model.layers[-1]
        shapes = keras.tree.map_structure(lambda tensor: (3, *tensor.shape[1:]), layer.input)
        assert tuple(layer.compute_output_shape(shapes)) == tuple(y.shape)
