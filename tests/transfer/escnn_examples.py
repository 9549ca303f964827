"""The networks of escnn's own examples, small: model.ipynb, e2wrn.py, se3_3Dcnn.py, mlp.ipynb; and of their kind."""


def networks():
    """`(name, module, size of space)` of each network."""
    from escnn import gspaces

    yield "example: rotated digits", steerable_cnn(), 13
    yield "example: wide residual network", wide_residual(), 9
    yield "example: volumes", volumes(), 5
    yield "example: points of the plane", plane_of_points(), None
    yield "example: points of space", space_of_points(), None
    yield "example: products of points", products_of_points(), None
    yield "example: SO2 with Fourier ELU", fourier_cnn(gspaces.rot2dOnR2(-1, maximum_frequency=2)), 9
    yield "example: O2 with Fourier ELU", fourier_cnn(gspaces.flipRot2dOnR2(-1, maximum_frequency=2)), 9


def steerable_cnn():
    """C8SteerableCNN of model.ipynb."""
    import torch
    from escnn import gspaces, nn

    class C8SteerableCNN(torch.nn.Module):
        def __init__(self):
            super().__init__()
            g = gspaces.rot2dOnR2(N=8)
            self.input_type = before = nn.FieldType(g, [g.trivial_repr])
            few, more = (nn.FieldType(g, n * [g.regular_repr]) for n in (1, 2))

            def block(before, after, size, padding, *first):
                conv = nn.R2Conv(before, after, kernel_size=size, padding=padding, bias=False)
                return nn.SequentialModule(*first, conv, nn.InnerBatchNorm(after), nn.ReLU(after, inplace=True))

            self.block1 = block(before, few, 7, 1, nn.MaskModule(before, 13, margin=1))
            self.block2 = block(few, more, 5, 2)
            self.pool1 = nn.SequentialModule(nn.PointwiseAvgPoolAntialiased(more, sigma=0.66, stride=2))
            self.block3 = block(more, more, 5, 2)
            self.pool3 = nn.PointwiseAvgPoolAntialiased(more, sigma=0.66, stride=1, padding=0)
            self.gpool = nn.GroupPooling(more)
            self.fully_net = torch.nn.Sequential(
                torch.nn.Linear(self.gpool.out_type.size, 3),
                torch.nn.BatchNorm1d(3),
                torch.nn.ELU(inplace=True),
                torch.nn.Linear(3, 2),
            )

        def forward(self, x):
            x = nn.GeometricTensor(x, self.input_type)
            x = self.pool1(self.block2(self.block1(x)))
            x = self.gpool(self.pool3(self.block3(x))).tensor
            return self.fully_net(x.reshape(x.shape[0], -1))

    return C8SteerableCNN()


def wide_residual():
    """Wide_ResNet of e2wrn.py: D4 in the first block, D2 in the second, mirrors in the third."""
    import torch
    import torch.nn.functional as F
    from escnn import gspaces, nn

    def conv(before, after, size, stride=1):
        words = {"sigma": None, "frequencies_cutoff": lambda r: 3 * r, "bias": False}
        return nn.R2Conv(before, after, size, stride=stride, padding=size // 2, **words)

    class WideBasic(nn.EquivariantModule):
        def __init__(self, before, after, stride=1):
            super().__init__()
            inner = nn.FieldType(before.gspace, [before.gspace.regular_repr])
            self.in_type, self.out_type = before, after
            self.bn1, self.relu1 = nn.InnerBatchNorm(before), nn.ReLU(before, inplace=True)
            self.conv1 = conv(before, inner, 3)
            self.bn2, self.relu2 = nn.InnerBatchNorm(inner), nn.ReLU(inner, inplace=True)
            self.dropout = nn.PointwiseDropout(inner, p=0.3)
            self.conv2 = conv(inner, after, 3, stride)
            self.shortcut = conv(before, after, 1, stride) if stride != 1 or before != after else None

        def forward(self, x):
            x_n = self.relu1(self.bn1(x))
            out = self.conv2(self.dropout(self.relu2(self.bn2(self.conv1(x_n)))))
            if self.shortcut is not None:
                out += self.shortcut(x_n)
            else:
                out += x
            return out

        def evaluate_output_shape(self, input_shape):
            return input_shape

    class WideResNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            g = gspaces.flipRot2dOnR2(4)
            self.in_type = nn.FieldType(g, [g.trivial_repr])
            first = nn.FieldType(g, 2 * [g.regular_repr])
            self.conv1 = conv(self.in_type, first, 5)
            self.layer1 = nn.SequentialModule(WideBasic(first, first))
            self.restrict1 = self.restriction(first, (0, 2))
            before = self.restrict1.out_type
            after = nn.FieldType(before.gspace, 2 * [before.gspace.regular_repr])
            self.layer2 = nn.SequentialModule(WideBasic(before, after, 2))
            self.restrict2 = self.restriction(after, (0, 1))
            before = self.restrict2.out_type
            after = nn.FieldType(before.gspace, 3 * [before.gspace.trivial_repr])
            self.layer3 = nn.SequentialModule(WideBasic(before, after, 2))
            self.bn, self.relu = nn.InnerBatchNorm(after, momentum=0.9), nn.ReLU(after, inplace=True)
            self.linear = torch.nn.Linear(after.size, 2)

        def restriction(self, before, subgroup):
            restricted = nn.RestrictionModule(before, subgroup)
            return nn.SequentialModule(restricted, nn.DisentangleModule(restricted.out_type))

        def forward(self, x):
            out = self.layer1(self.conv1(nn.GeometricTensor(x, self.in_type)))
            out = self.layer3(self.restrict2(self.layer2(self.restrict1(out))))
            out = self.relu(self.bn(out)).tensor
            _, _, w, h = out.shape
            out = F.avg_pool2d(out, (w, h))
            return self.linear(out.view(out.size(0), -1))

    return WideResNet()


def volumes():
    """SE3CNN of se3_3Dcnn.py."""
    import torch
    from escnn import nn
    from escnn.group import directsum
    from escnn.gspaces import rot3dOnR3

    class ResBlock(nn.EquivariantModule):
        def __init__(self, before, after):
            super().__init__()
            self.in_type, self.out_type = before, after
            g = before.gspace
            ftelu = nn.FourierELU(g, 1, irreps=g.fibergroup.bl_irreps(1), inplace=True, type="thomson_cube", N=1)
            inner = ftelu.in_type
            self.res_block = nn.SequentialModule(
                nn.R3Conv(before, inner, kernel_size=3, padding=1, bias=False),
                nn.IIDBatchNorm3d(inner, affine=True),
                ftelu,
                nn.R3Conv(inner, after, kernel_size=3, padding=1, stride=2, bias=False),
            )
            self.downsample = nn.PointwiseAvgPoolAntialiased3D(before, 0.33, 2, 1)
            self.skip = nn.R3Conv(before, after, kernel_size=1, padding=0, bias=False)

        def forward(self, x):
            return self.skip(self.downsample(x)) + self.res_block(x)

        def evaluate_output_shape(self, input_shape):
            return input_shape

    class SE3CNN(torch.nn.Module):
        def __init__(self):
            super().__init__()
            g = rot3dOnR3(maximum_frequency=2)
            so3 = g.fibergroup
            self.in_type = nn.FieldType(g, [g.trivial_repr])
            polynomials = [g.trivial_repr, so3.irrep(1), so3.irrep(1).tensor(so3.irrep(1))]
            one, two = (
                nn.FieldType(g, [directsum(polynomials[:n], name=f"polynomial_{n}")] * m) for n, m in ((2, 2), (3, 1))
            )
            pool = nn.QuotientFourierELU(
                g,
                (False, -1),
                3,
                irreps=so3.bl_irreps(2),
                out_irreps=so3.bl_irreps(0),
                grid=so3.sphere_grid(type="thomson_cube", N=1),
            )
            self.blocks = nn.SequentialModule(
                nn.R3Conv(self.in_type, one, kernel_size=5, padding=2, bias=False),
                ResBlock(one, two),
                nn.R3Conv(two, pool.in_type, kernel_size=3, padding=0, bias=False),
                pool,
            )
            self.classifier = torch.nn.Sequential(
                torch.nn.Linear(pool.out_type.size, 3, bias=False),
                torch.nn.BatchNorm1d(3, affine=True),
                torch.nn.ELU(inplace=True),
                torch.nn.Dropout(0.1),
                torch.nn.Linear(3, 2, bias=True),
            )

        def forward(self, x):
            features = self.blocks(nn.GeometricTensor(x, self.in_type))
            shape = features.shape
            return self.classifier(features.tensor.reshape(shape[0], shape[1]))

    return SE3CNN()


def plane_of_points():
    """SO2MLP of mlp.ipynb."""
    from escnn import group, gspaces, nn

    g = gspaces.no_base_space(group.so2_group())
    before = g.type(g.fibergroup.standard_representation())
    irreps = g.fibergroup.bl_regular_representation(L=1).irreps
    activation = nn.FourierELU(g, channels=3, irreps=irreps, inplace=True, type="regular", N=6)
    return nn.SequentialModule(
        nn.Linear(before, activation.in_type),
        nn.IIDBatchNorm1d(activation.in_type),
        activation,
        nn.Linear(activation.out_type, g.type(g.fibergroup.irrep(1))),
    )


def space_of_points():
    """SO3MLP of mlp.ipynb: its grid of 16 points on the sphere has no symmetry."""
    from escnn import group, gspaces, nn

    g = gspaces.no_base_space(group.so3_group())
    so3 = g.fibergroup
    activation = nn.QuotientFourierELU(
        g,
        subgroup_id=(False, -1),
        channels=3,
        irreps=so3.bl_sphere_representation(L=1).irreps,
        grid=so3.sphere_grid(type="thomson", N=16),
        inplace=True,
    )
    return nn.SequentialModule(
        nn.Linear(g.type(so3.standard_representation()), activation.in_type),
        nn.IIDBatchNorm1d(activation.in_type),
        activation,
        nn.Linear(activation.out_type, g.type(so3.irrep(1))),
    )


def products_of_points():
    """SO3MLPtensor of mlp.ipynb, of one field: escnn multiplies several with some versions of torch only."""
    from escnn import group, gspaces, nn

    g = gspaces.no_base_space(group.so3_group())
    so3 = g.fibergroup
    vector, sphere = g.type(so3.standard_representation()), g.type(so3.bl_sphere_representation(L=2))
    first, second = nn.TensorProductModule(vector, sphere), nn.TensorProductModule(sphere, g.type(so3.irrep(2)))
    return nn.SequentialModule(
        nn.IIDBatchNorm1d(vector),
        first,
        nn.Linear(sphere, sphere),
        nn.IIDBatchNorm1d(sphere),
        second,
        nn.Linear(g.type(so3.irrep(2)), g.type(so3.irrep(2))),
    )


def fourier_cnn(g):
    """A steerable network with continuous rotations, as in the Amsterdam course on steerable networks."""
    import torch
    from escnn import nn

    irreps = g.fibergroup.bl_irreps(2)

    class SteerableCNN(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.input_type = nn.FieldType(g, [g.trivial_repr])
            self.mask = nn.MaskModule(self.input_type, 9, margin=1)
            activation = nn.FourierELU(g, 2, irreps=irreps, N=8, type="regular", inplace=True)
            self.block1 = self.block(self.input_type, activation, 5)
            self.block2 = self.block(self.block1.out_type, activation, 5)
            self.pool = nn.PointwiseAvgPoolAntialiased(self.block2.out_type, sigma=0.66, stride=1, padding=0)
            invariant = nn.FieldType(g, 3 * [g.trivial_repr])
            self.invariant_map = nn.R2Conv(self.block2.out_type, invariant, kernel_size=1, bias=False)
            self.fully_net = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.ELU(), torch.nn.Linear(3, 2))

        def block(self, before, activation, size):
            conv = nn.R2Conv(before, activation.in_type, kernel_size=size, padding=1, bias=False)
            return nn.SequentialModule(conv, nn.IIDBatchNorm2d(activation.in_type), activation)

        def forward(self, x):
            x = self.mask(self.input_type(x))
            x = self.invariant_map(self.pool(self.block2(self.block1(x))))
            return self.fully_net(x.tensor.reshape(x.shape[0], -1))

    return SteerableCNN()
