"""Numbers of escnn itself: small networks, inputs and outputs. Made once where escnn 1.0.11 is installed:

python record_escnn.py ../../keras_equivariant/transfer escnn_1_0_11.npz
"""

import json
import sys

import escnn_examples
import escnn_functions
import escnn_types_changed
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
    yield from branched()
    for part in (escnn_types_changed, escnn_functions, escnn_examples):
        yield from part.networks()


def branched():
    """Networks whose modules do not follow each other, masks, and sizes that are given."""
    import torch
    from escnn import gspaces, nn

    def typed(space, *fields):
        return nn.FieldType(space, list(fields))

    class Residual(nn.EquivariantModule):
        """Two convolutions beside the identity or a third, as in the wide residual networks of escnn's examples."""

        def __init__(self, before, after, stride=1):
            super().__init__()
            self.in_type, self.out_type = before, after
            self.norm, self.relu = nn.InnerBatchNorm(before), nn.ReLU(before, inplace=True)
            self.conv1 = nn.R2Conv(before, after, 3, padding=1, stride=stride, bias=False)
            self.norm2, self.relu2 = nn.InnerBatchNorm(after), nn.ReLU(after, inplace=True)
            self.conv2 = nn.R2Conv(after, after, 3, padding=1, bias=False)
            same = before == after and stride == 1
            self.shortcut = None if same else nn.R2Conv(before, after, 1, stride=stride, bias=False)

        def forward(self, x):
            first = self.relu(self.norm(x))
            y = self.conv2(self.relu2(self.norm2(self.conv1(first))))
            if self.shortcut is None:
                y += x
            else:
                y = y + self.shortcut(first)
            return y

        def evaluate_output_shape(self, input_shape):
            return input_shape

    class Wide(torch.nn.Module):
        def __init__(self):
            super().__init__()
            g = gspaces.flipRot2dOnR2(4)
            self.input_type = typed(g, g.trivial_repr)
            few, many = typed(g, *[g.regular_repr] * 2), typed(g, *[g.regular_repr] * 3)
            self.mask = nn.MaskModule(self.input_type, 9, margin=10)
            self.stem = nn.R2Conv(self.input_type, few, 3, padding=1)
            self.blocks = nn.SequentialModule(Residual(few, few), Residual(few, many, 2))
            self.pool = nn.GroupPooling(many)
            self.head = torch.nn.Sequential(
                torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ELU(), torch.nn.Linear(4, 2)
            )

        def forward(self, x):
            y = self.pool(self.blocks(self.stem(self.mask(self.input_type(x)))))
            y = torch.nn.functional.avg_pool2d(y.tensor, y.tensor.shape[-1])
            return self.head(y.view(len(y), -1))

    yield "D4 wide residual with a head", Wide(), 9

    class UNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            g = gspaces.rot2dOnR2(4)
            self.in_type = typed(g, g.trivial_repr, g.trivial_repr)
            self.regular = typed(g, *[g.regular_repr] * 2)
            mixed = typed(g, g.regular_repr, g.irrep(1))
            self.out_type = typed(g, g.irrep(1), g.trivial_repr)
            self.down = nn.SequentialModule(nn.R2Conv(self.in_type, self.regular, 3, padding=1), nn.ReLU(self.regular))
            self.pool = nn.PointwiseAdaptiveAvgPool2D(self.regular, 4)
            self.deep = nn.R2Conv(self.regular, mixed, 3, padding=1)
            self.up = nn.R2Upsampling(mixed, size=7, mode="bilinear", align_corners=True)
            self.last = nn.R2Conv(mixed + self.regular, self.out_type, 3, padding=1)

        def forward(self, x):
            fine = self.down(x)
            coarse = self.up(self.deep(self.pool(fine)))
            return self.last(nn.tensor_directsum([coarse, fine]))

    yield "C4 u-net", UNet(), 7

    g = gspaces.rot2dOnR2(8)
    image, regular = typed(g, g.trivial_repr), typed(g, *[g.regular_repr] * 2)
    mixed = typed(g, g.irrep(1), g.regular_repr, g.irrep(1), g.regular_repr)
    labels = ["norm", "relu", "norm", "relu"]
    parts = mixed.group_by_labels(labels)
    yield (
        "C8 branches by labels",
        nn.SequentialModule(
            nn.R2Conv(image, mixed, 5),
            nn.MultipleModule(
                mixed,
                labels,
                [(nn.ReLU(parts["relu"]), "relu"), (nn.NormNonLinearity(parts["norm"], "n_sigmoid"), "norm")],
                reshuffle=1,
            ),
        ),
        7,
    )
    yield (
        "C8 vector fields",
        nn.SequentialModule(
            nn.R2Conv(image, regular, 5),
            nn.PointwiseAdaptiveMaxPool2D(regular, 2),
            nn.VectorFieldNonLinearity(regular),
            nn.R2Upsampling(typed(g, *[g.irrep(1)] * 2), 1.5),
        ),
        9,
    )
    g = gspaces.octaOnR3()
    image = typed(g, g.trivial_repr)
    yield (
        "O mask and sizes",
        nn.SequentialModule(
            nn.MaskModule(image, 5, sigma=1.0),
            nn.PointwiseAdaptiveAvgPool3D(image, 3),
            nn.R3Upsampling(image, 2, mode="trilinear", align_corners=True),
        ),
        5,
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

    field_type = _type(module)
    x = torch.randn(2, field_type.size, *shape(module, size))
    try:
        y = module(field_type(x))
    except (AssertionError, AttributeError, TypeError):  # it gives plain tensors their type itself
        y = module(x)
    return x.numpy(), getattr(y, "tensor", y).detach().numpy()


def shape(module, size):
    """The sizes of space."""
    return [size] * _type(module).gspace.dimensionality


def _type(module):
    return module.in_type if hasattr(module, "in_type") else module.input_type


def modules():
    """The names of the classes of modules that `escnn.nn` has."""
    import torch
    from escnn import nn

    classes = [one for one in vars(nn).values() if isinstance(one, type) and issubclass(one, torch.nn.Module)]
    return sorted({one.__name__ for one in classes})


def main(folder, path):
    sys.path.append(folder)  # as where the two files of the writer are copied to
    import escnn_writer

    found = {}
    for name, module, size in networks():
        x, y = answers(randomized(module), size)
        record, arrays = escnn_writer.describe(module, shape(module, size))
        found |= {f"{name}/record": np.array(json.dumps(record)), f"{name}/x": x, f"{name}/y": y}
        for key, array in arrays.items():
            # Rounded, matrices of permutations take few bytes.
            found[f"{name}/{key}"] = np.round(array, 12) if key.startswith(("rho.", "group.")) else array
    np.savez_compressed(path, modules=np.array(json.dumps(modules())), **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
