"""Every layer commutes with every element that maps the pixel grid onto itself, and a wrong action is noticed."""

import numpy as np
from catalogue import act, outputs


def errors(function, x, case, group, out):
    y = function(x)
    scale = np.linalg.norm(y)
    return [
        np.linalg.norm(function(act(x, group, e, case.into)) - act(y, group, e, out)) / scale
        for e in group.grid_elements
    ]


def test_exact_in_float64(case, network, sample):
    model, group = network(case, dtype="float64"), case.finite_group
    x = sample(case, dtype="float64")

    def function(x):
        return outputs(model, x)

    assert max(errors(function, x, case, group, case.out)) <= 1e-12
    if len(group.grid_elements) > 1:  # negative control: an output that is said not to move
        assert max(errors(function, x, case, group, "invariant")) > 1e-2


def test_float32_close(case, network, sample):
    model, group = network(case), case.finite_group

    def function(x):
        return outputs(model, x)

    assert max(errors(function, sample(case), case, group, case.out)) <= 1e-5


def test_symbolic_shape_is_the_real_one(case, network, sample):
    model = network(case)
    y = model(sample(case, batch=3))
    assert tuple(model.output_shape[1:]) == tuple(y.shape[1:])
    if not callable(case.out):  # else more than the layer is in the model
        assert tuple(model.layers[-1].compute_output_shape((3, *case.shape))) == tuple(y.shape)
