"""Numbers of escnn itself: small networks, inputs and outputs. Made once where escnn 1.0.11 is installed:

python record_escnn.py ../../keras_equivariant/transfer/escnn_writer.py escnn_1_0_11.npz
"""

import importlib.util
import json
import sys

import numpy as np


def networks():
    """`(name, module, size of space)` of each network."""
    from escnn import group, gspaces, nn

    def typed(space, *fields):
        return nn.FieldType(space, list(fields))

    g = gspaces.rot2dOnR2(8)
    image, regular = typed(g, *[g.trivial_repr] * 2), typed(g, *[g.regular_repr] * 2)
    mixed = typed(g, g.quotient_repr(2), g.quotient_repr(2), g.irrep(1), g.regular_repr)
    yield (
        "C8 regular",
        nn.SequentialModule(
            nn.R2Conv(image, regular, 5, padding=2),
            nn.InnerBatchNorm(regular),
            nn.ReLU(regular),
            nn.IdentityModule(regular),
            nn.R2Conv(regular, regular, 3, padding=1),
            nn.ELU(regular, alpha=0.7),
            nn.PointwiseDropout(regular, 0.2),
            nn.GroupPooling(regular),
            nn.PointwiseAdaptiveAvgPool2D(typed(g, *[g.trivial_repr] * 2), 1),
        ),
        9,
    )
    yield "C8 mixed fields", nn.R2Conv(regular, mixed, 5), 9

    g = gspaces.flipRot2dOnR2(6)
    image = typed(g, g.trivial_repr)
    mixed = typed(g, g.regular_repr, g.irrep(1, 2), g.irrep(1, 1))
    irreps = typed(g, g.irrep(1, 0), g.irrep(0, 3), g.irrep(1, 3), g.irrep(1, 1), g.irrep(1, 2))
    yield (
        "D6 irreps",
        nn.SequentialModule(
            nn.R2Conv(image, mixed, 5, padding=2),
            nn.R2Conv(mixed, irreps, 3, padding=2, dilation=2),
            nn.NormNonLinearity(irreps),
            nn.NormPool(irreps),
        ),
        9,
    )
    g = gspaces.flipRot2dOnR2(4, axis=np.pi / 8)
    image, regular = typed(g, g.trivial_repr), typed(g, g.regular_repr)
    irreps = typed(g, g.irrep(1, 1), g.trivial_repr)
    yield "D4 tilted axis", nn.SequentialModule(nn.R2Conv(image, regular, 5), nn.R2Conv(regular, irreps, 5)), 11

    g = gspaces.flip2dOnR2(axis=0.0)
    image, regular = typed(g, g.trivial_repr), typed(g, *[g.regular_repr] * 2)
    yield (
        "flips top and bottom",
        nn.SequentialModule(
            nn.R2Conv(image, regular, 3, padding=1, padding_mode="circular"),
            nn.LeakyReLU(regular),
            nn.R2Conv(regular, typed(g, g.trivial_repr, g.irrep(1)), 3, padding=1, padding_mode="replicate"),
        ),
        7,
    )
    g = gspaces.rot2dOnR2(-1, maximum_frequency=3)
    image = typed(g, g.trivial_repr)
    fields = [g.trivial_repr, g.irrep(1), g.irrep(1), g.irrep(2)]
    gated, out = typed(g, *[g.trivial_repr] * 4, *fields), typed(g, *fields)
    yield (
        "SO2 gated",
        nn.SequentialModule(
            nn.R2Conv(image, gated, 5, padding=2),
            nn.IIDBatchNorm2d(gated),
            nn.GatedNonLinearity1(gated),
            nn.R2Conv(out, out, 5, padding=2, stride=2),
            nn.NormNonLinearity(out, "n_softplus"),
            nn.NormMaxPool(out, 5),
            nn.NormPool(out),
        ),
        9,
    )
    vectors = typed(g, g.irrep(1), g.irrep(2), g.irrep(1))
    yield (
        "SO2 norms",
        nn.SequentialModule(
            nn.R2Conv(image, vectors, 5),
            nn.NormBatchNorm(vectors),
            nn.NormNonLinearity(vectors, "squash", bias=False),
            nn.FieldDropout(vectors),
            nn.R2Upsampling(vectors, 2),
        ),
        7,
    )
    g = gspaces.flipRot2dOnR2(-1, maximum_frequency=3)
    image, before = typed(g, g.trivial_repr), typed(g, g.trivial_repr, g.irrep(1, 1), g.irrep(1, 2))
    after = typed(g, g.trivial_repr, g.irrep(1, 0), g.irrep(1, 1), g.irrep(1, 2))
    yield (
        "O2 transposed",
        nn.SequentialModule(
            nn.R2Conv(image, before, 5),
            nn.R2ConvTransposed(before, after, 4, stride=2, padding=1),
            nn.NormNonLinearity(after, "n_sigmoid"),
        ),
        7,
    )
    spectral = g.fibergroup.spectral_regular_representation((0, 0), (1, 1), (1, 2))
    yield "O2 spectral fields", nn.R2Conv(image, typed(g, spectral, spectral), 5), 7

    g = gspaces.rot2dOnR2(4)
    image, regular, many = (typed(g, g.trivial_repr), *(typed(g, *[g.regular_repr] * n) for n in (2, 4)))
    yield (
        "C4 pooling and own rings",
        nn.SequentialModule(
            nn.R2Conv(image, regular, 3, padding=1, rings=[0.0, 1.0], sigma=[0.3, 0.7], frequencies_cutoff=1.0),
            nn.PointwiseMaxPool2D(regular, 2),
            nn.R2Conv(regular, regular, 1),
            nn.PointwiseAvgPool2D(regular, 2),
            nn.PointwiseNonLinearity(regular, "p_tanh"),
        ),
        8,
    )
    yield "C4 grouped", nn.R2Conv(many, many, 3, groups=2), 5
    yield "C4 even kernel", nn.R2Conv(regular, regular, 4), 6

    g = gspaces.octaOnR3()
    image, regular = typed(g, g.trivial_repr), typed(g, g.regular_repr)
    yield (
        "O regular",
        nn.SequentialModule(
            nn.R3Conv(image, regular, 3),
            nn.InnerBatchNorm(regular),
            nn.ReLU(regular),
            nn.R3Conv(regular, typed(g, g.irrep(1), g.trivial_repr), 3),
        ),
        5,
    )
    g = gspaces.rot3dOnR3(maximum_frequency=2)
    image, fields = typed(g, g.trivial_repr), [g.trivial_repr, g.irrep(1), g.irrep(2)]
    gated, out = typed(g, *[g.trivial_repr] * 3, *fields), typed(g, *fields)
    yield (
        "SO3 gated",
        nn.SequentialModule(
            nn.R3Conv(image, gated, 5, padding=2),
            nn.GatedNonLinearity1(gated),
            nn.R3Conv(out, out, 3),
            nn.NormPool(out),
        ),
        5,
    )
    g = gspaces.no_base_space(group.so3_group(2))
    vector, vectors = typed(g, g.irrep(1)), typed(g, g.irrep(1), g.irrep(1))
    yield "SO3 without space", nn.SequentialModule(nn.Linear(vectors, vector), nn.Linear(vector, vectors)), None
    g = gspaces.no_base_space(group.dihedral_group(5))
    vector, regular = typed(g, g.irrep(1, 1)), typed(g, *[g.regular_repr] * 2)
    out = typed(g, g.irrep(1, 1), g.irrep(0, 0))
    yield (
        "D5 without space",
        nn.SequentialModule(nn.Linear(vector, regular), nn.ReLU(regular), nn.Linear(regular, out)),
        None,
    )


def randomized(module):
    """The module with random weights and statistics, in evaluation mode."""
    import torch

    torch.manual_seed(0)
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            low, high = (0.5, 1.5) if name.endswith("weight") else (-1.0, 1.0)
            torch.nn.init.uniform_(parameter, low, high)
    for name, buffer in module.named_buffers():
        if "running_var" in name:
            buffer.data.uniform_(0.5, 2.0)
        elif "running_mean" in name:
            buffer.data.normal_(std=0.3)
    for part in module.modules():
        if type(part).__name__.startswith("IID"):  # means only along what no element moves
            for field in set(part.in_type.representations):
                stem = field.name.replace(".", "^")
                if hasattr(part, f"{stem}_running_mean"):
                    mean = getattr(part, f"{stem}_running_mean")
                    mean.data = mean @ getattr(part, f"{stem}_avg").T
    return module.eval()


def answers(module, size):
    """`(x, y)`: a random input, channels first, and what the module makes of it."""
    import torch

    field_type = module.in_type
    x = torch.randn(2, field_type.size, *[size] * field_type.gspace.dimensionality)
    return x.numpy(), module(field_type(x)).tensor.detach().numpy()


def main(writer, path):
    spec = importlib.util.spec_from_file_location("escnn_writer", writer)
    escnn_writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(escnn_writer)
    found = {}
    for name, module, size in networks():
        x, y = answers(randomized(module), size)
        record, arrays = escnn_writer.describe(module)
        found |= {f"{name}/record": np.array(json.dumps(record)), f"{name}/x": x, f"{name}/y": y}
        for key, array in arrays.items():
            # Rounded, matrices of permutations take few bytes.
            found[f"{name}/{key}"] = np.round(array, 12) if key.startswith(("rho.", "group.")) else array
    np.savez_compressed(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
