"""Filters of e2cnn's R2Diffop: its partial differential operators. Made once where e2cnn 0.2.3 and RBF are importable:

python record_e2cnn.py e2cnn.npz

RBF (github.com/treverhines/RBF) of today has no `set_symbolic_to_numeric_method`, which e2cnn imports; a function of
that name that does nothing stands in for it.
"""

import sys

import numpy as np


def operators():
    """`(name, group, options)` of each operator, from scalars to regular fields or irreps."""
    yield "C8 differences", "C8", {"kernel_size": 5, "maximum_order": 4}
    yield "C8 differences of order 2", "C8", {"kernel_size": 5, "maximum_order": 2}
    yield "C8 differences of accuracy 2", "C8", {"maximum_order": 2, "accuracy": 2}
    yield "SO2 differences", "SO2", {"kernel_size": 5, "maximum_order": 4}
    yield "D4 differences", "D4", {"kernel_size": 3, "maximum_order": 2}
    yield "C8 Gaussian", "C8", {"kernel_size": 5, "maximum_order": 4, "smoothing": 1.25}
    yield "SO2 Gaussian", "SO2", {"kernel_size": 5, "maximum_order": 2, "smoothing": 1.3}
    yield "C8 RBF-FD", "C8", {"kernel_size": 3, "maximum_order": 2, "rbffd": True}


def spaces():
    from e2cnn import gspaces

    return {
        "C8": gspaces.Rot2dOnR2(8),
        "D4": gspaces.FlipRot2dOnR2(4),
        "SO2": gspaces.Rot2dOnR2(-1, maximum_frequency=3),
    }


def main(path):
    import torch
    from e2cnn import nn
    from e2cnn.nn.modules.r2_conv import basisexpansion_singleblock

    torch.manual_seed(0)
    found = {}
    for name, group, options in operators():
        basisexpansion_singleblock._stored_filters.clear()  # it does not tell discretizations apart
        space = spaces()[group]
        fields = [space.trivial_repr, space.irrep(1), space.irrep(2)] if group == "SO2" else [space.regular_repr]
        before, after = nn.FieldType(space, [space.trivial_repr]), nn.FieldType(space, fields)
        module = nn.R2Diffop(before, after, bias=False, initialize=False, **options)
        module.weights.data.normal_()
        module.eval()
        found[f"{name}/filter"] = module.filter.detach().numpy()
        found[f"{name}/weights"] = np.array(module.weights.numel())
        x = nn.GeometricTensor(torch.randn(1, 1, 9, 9), before)
        moved = [(module(x.transform(e)), module(x).transform(e)) for e in space.testing_elements]
        if group != "SO2":  # whose angles move pixels between pixels
            turns = [e for e in range(len(moved)) if group == "D4" or e % 2 == 0]
            errors = [float((moved[e][0].tensor - moved[e][1].tensor).abs().max()) for e in turns]
            found[f"{name}/errors"] = np.array(errors)
    np.savez_compressed(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
