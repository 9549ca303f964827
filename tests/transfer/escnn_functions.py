"""Modules of escnn on functions and products of fields, with blurs and without numbers of their own."""


def networks():
    """`(name, module, size of space)` of each network."""
    from escnn import group, gspaces, nn

    g = gspaces.rot2dOnR2(-1, maximum_frequency=2)
    circle, grid = [(0,), (1,), (2,)], {"type": "regular", "N": 16}
    for function in ("p_relu", "p_elu"):
        module = nn.FourierPointwise(g, 2, circle, function=function, inplace=False, **grid)
        yield f"SO2 Fourier {function}", module, 2
    g = gspaces.flipRot2dOnR2(-1, maximum_frequency=2)
    yield "O2 Fourier", nn.FourierELU(g, 2, g.fibergroup.bl_irreps(2), type="regular", N=8), 2
    g = gspaces.rot2dOnR2(4)
    yield "C4 Fourier", nn.FourierELU(g, 2, circle, type="regular", N=4), 2
    g = gspaces.rot3dOnR3(maximum_frequency=2)
    so3 = g.fibergroup
    yield "SO3 Fourier", nn.FourierELU(g, 2, so3.bl_irreps(1), type="thomson_cube", N=1), 1
    sphere = {"grid": so3.sphere_grid(type="thomson_cube", N=1), "irreps": so3.bl_irreps(2)}
    yield "SO3 sphere to scalars", nn.QuotientFourierELU(g, (False, -1), 2, out_irreps=so3.bl_irreps(0), **sphere), 1
    fields = nn.FieldType(g, [g.irrep(1), g.trivial_repr])
    yield "SO3 blur", nn.PointwiseAvgPoolAntialiased3D(fields, 0.33, 2, 1), 5

    g = gspaces.flipRot2dOnR2(6)
    twice = group.directsum([g.irrep(1, 1), g.irrep(1, 1), g.irrep(0, 3)], name="twice")
    yield "D6 products", nn.TensorProductModule(g.type(twice, twice), g.type(g.irrep(1, 2), g.irrep(1, 2))), 2
    regular = g.type(g.regular_repr)
    yield "D6 blurred maxima", nn.PointwiseMaxPoolAntialiased2D(regular, kernel_size=3, stride=2), 7
