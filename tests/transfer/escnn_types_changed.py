"""Networks of escnn that change the types of features: subgroups, other bases, other orders, gates, branches."""


def networks():
    """`(name, module, size of space)` of each network."""
    from escnn import group, gspaces, nn

    def typed(space, *fields):
        return nn.FieldType(space, list(fields))

    g = gspaces.flipRot2dOnR2(4)
    image, regular = typed(g, g.trivial_repr), typed(g, g.regular_repr, g.regular_repr)
    for label, subgroup in {"C4": (None, 4), "D2": (0, 2), "another mirror": (1, 1), "nothing": (None, 1)}.items():
        restricted = nn.RestrictionModule(regular, subgroup)
        apart = nn.DisentangleModule(restricted.out_type)
        h = apart.out_type.gspace
        after = nn.R2Conv(apart.out_type, typed(h, h.regular_repr, h.trivial_repr), 3)
        yield (
            f"D4 restricted to {label}",
            nn.SequentialModule(nn.R2Conv(image, regular, 3), restricted, apart, after),
            5,
        )
    mixed = typed(g, g.regular_repr, g.irrep(1, 1), g.irrep(0, 2), g.regular_repr, g.irrep(1, 1))
    restricted = nn.RestrictionModule(mixed, (0, 2))
    yield "D4 mixed fields restricted", nn.SequentialModule(nn.R2Conv(image, mixed, 3), restricted), 5
    shuffled = nn.ReshuffleModule(mixed, [3, 1, 0, 4, 2])
    yield "D4 reshuffled", nn.SequentialModule(nn.R2Conv(image, mixed, 3), shuffled), 5
    signs = typed(g, g.irrep(1, 2), g.trivial_repr, g.regular_repr, g.quotient_repr((0, 2)), g.irrep(1, 2))
    for function in ("c_relu", "c_tanh"):
        doubled = nn.ConcatenatedNonLinearity(signs, function)
        network = nn.SequentialModule(nn.R2Conv(image, signs, 3), doubled, nn.R2Conv(doubled.out_type, image, 1))
        yield f"D4 concatenated {function}", network, 5
    g = gspaces.flipRot2dOnR2(6)
    signs = typed(g, g.trivial_repr, g.irrep(0, 3), g.irrep(1, 0), g.irrep(1, 3))
    yield "D6 signs", nn.SequentialModule(nn.R2Conv(signs, signs, 1), nn.ConcatenatedNonLinearity(signs)), 2
    fields = typed(g, g.irrep(1, 1), g.trivial_repr, g.irrep(1, 1))
    yield "D6 normalized irreps", nn.GNormBatchNorm(fields), 2
    yield "D6 normalized inside a field", nn.GNormBatchNorm(typed(g, g.regular_repr)), 2

    g = gspaces.rot2dOnR2(-1, maximum_frequency=2)
    image, scalar, vector, second = typed(g, g.trivial_repr), g.trivial_repr, g.irrep(1), g.irrep(2)
    fields = typed(g, vector, scalar, second)
    restricted = nn.RestrictionModule(fields, 8)
    apart = nn.DisentangleModule(restricted.out_type)
    h = apart.out_type.gspace
    after = nn.R2Conv(apart.out_type, typed(h, h.regular_repr), 3)
    yield "SO2 restricted to C8", nn.SequentialModule(nn.R2Conv(image, fields, 5), restricted, apart, after), 7
    order = typed(g, second, scalar, scalar, vector, scalar, scalar, vector, scalar)
    gates = ["gated", "gate", "gated", "gated", "gate", "gate", "gated", "gate"]
    network = nn.SequentialModule(nn.R2Conv(image, order, 5), nn.GatedNonLinearity1(order, gates=gates))
    yield "SO2 gates in any order", network, 5
    both = group.directsum([vector, second], name="both")
    sums = typed(g, scalar, scalar, scalar, both, vector, both)
    yield "SO2 gated sums", nn.SequentialModule(nn.R2Conv(image, sums, 5), nn.GatedNonLinearity1(sums)), 5
    within = group.directsum([scalar] * 4 + [vector, second], name="within")
    uniform = typed(g, within, within)
    yield "SO2 gates within", nn.SequentialModule(nn.R2Conv(image, uniform, 5), nn.GatedNonLinearityUniform(uniform)), 5
    yield "SO2 branches", branches(image, typed(g, scalar, scalar, scalar, vector, vector, second)), 5

    g = gspaces.no_base_space(group.so3_group(2))
    vectors = typed(g, g.irrep(1), g.irrep(1))
    network = nn.SequentialModule(nn.Linear(vectors, vectors + vectors), nn.IIDBatchNorm1d(vectors + vectors))
    yield "SO3 normalized without space", network, None


def branches(before, after):
    """Gates and fields apart, as the two inputs of MergeModule's part; fields taken out, scaled and subtracted."""
    from escnn import nn

    class Branches(nn.EquivariantModule):
        def __init__(self):
            super().__init__()
            self.in_type = before
            self.conv = nn.R2Conv(before, after, 5)
            self.split = nn.BranchingModule(after, ["gates", "gates", "rest", "rest", "fields", "fields"])
            parts = self.split.out_type
            gated = nn.GatedNonLinearity2((parts["gates"], parts["fields"]))
            self.merge = nn.MergeModule([(nn.IdentityModule(parts["rest"]), "rest"), (gated, ["gates", "fields"])])
            self.out_type = self.merge.out_type

        def forward(self, x):
            y = self.conv(x)
            return self.merge(self.split(y)) * 0.5 - y.split([2])[1]

        def evaluate_output_shape(self, input_shape):
            return input_shape

    return Branches()
