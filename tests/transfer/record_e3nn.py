"""What e3nn's FullyConnectedTensorProduct computes, and its spherical harmonics. Made where e3nn 0.6 is importable:

python record_e3nn.py e3nn.npz
"""

import sys

import numpy as np

TYPES = "2x0e + 1x1o + 1x2e", "1x0e + 2x1o + 1x2e", "3x0e + 2x1o + 1x1e + 1x2e + 1x3o"


def main(path):
    import torch
    from e3nn import o3

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    product = o3.FullyConnectedTensorProduct(*TYPES)
    weights = torch.randn(product.weight_numel)
    x, y = (torch.randn(3, o3.Irreps(one).dim) for one in TYPES[:2])
    points = torch.randn(20, 3)
    found = {"x": x, "y": y, "weights": weights, "result": product(x, y, weights), "points": points}
    for degree in range(4):
        found[f"harmonics {degree}"] = o3.spherical_harmonics(degree, points, normalize=True, normalization="norm")
    paths = [(one.i_in1, one.i_in2, one.i_out) for one in product.instructions]
    np.savez_compressed(path, paths=np.array(paths), **{key: value.numpy() for key, value in found.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
