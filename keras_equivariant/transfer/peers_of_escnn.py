"""What escnn and e2cnn have, and what it is here."""

from keras_equivariant.transfer.peer_row import AFTER, OTHER, SAME, Row

RECORDED = "tests/transfer/test_from_escnn.py::test_same_numbers_as_escnn"


def _escnn(theirs, ours, verdict, note="", checked=RECORDED):
    return Row("escnn", tuple(theirs.split()), ours, verdict, note, checked if verdict in (SAME, AFTER) else "")


ROWS = (
    _escnn(
        "R2Conv R3Conv",
        "`SteerableConv2D`, `SteerableConv3D`",
        AFTER,
        'its default rings are `ring_radii="escnn"`; grouped, dilated, with zeros around or modes that keep the size',
    ),
    _escnn(
        "R2ConvTransposed R3ConvTransposed",
        "`SteerableConv2DTranspose`, `SteerableConv3DTranspose`",
        AFTER,
        'with `padding="valid"` and `Cropping2D(padding)` behind',
    ),
    _escnn("Linear", "`SteerableDense`", SAME, 'fields that nothing reaches are kept by `unreached="zeros"`'),
    _escnn("ReLU PointwiseNonLinearity", "`PointwiseActivation`", SAME),
    _escnn("ELU LeakyReLU", "`keras.layers.ELU`, `keras.layers.LeakyReLU` on regular and quotient fields", SAME),
    _escnn(
        "NormNonLinearity",
        "`NormActivation`",
        AFTER,
        'with `scalars="norm"`, the bias −exp(log_bias), `epsilon=1e-20`; its squash, v / (1 + norm), is "softsign"',
    ),
    _escnn(
        "GatedNonLinearity1",
        "`GatedActivation`",
        AFTER,
        'with `scalars="gate"`, `use_bias=True` and the bias negated: it gates scalars, too, and the gates come first; '
        "`SelectFields` puts them there",
    ),
    _escnn(
        "GatedNonLinearity2",
        "`keras.layers.Concatenate` and `GatedActivation`",
        AFTER,
        "gates and fields are two inputs there, joined here",
    ),
    _escnn(
        "GatedNonLinearityUniform",
        "`SelectFields` and `GatedActivation`",
        AFTER,
        "its gates lie in each field, here in front of all",
    ),
    _escnn("InnerBatchNorm", "`SteerableBatchNormalization`, `BatchNormalization`", AFTER, "with `epsilon=1e-5`"),
    _escnn(
        "IIDBatchNorm1d IIDBatchNorm2d IIDBatchNorm3d NormBatchNorm",
        "`SteerableBatchNormalization`",
        AFTER,
        "with `epsilon=1e-5`, at inference; the statistics of a batch are others in training",
    ),
    _escnn(
        "GNormBatchNorm",
        "`SteerableBatchNormalization` on irreps; on other fields, of which it scales each irrep, `SteerableDense`",
        AFTER,
        "with `epsilon=1e-5`, at inference: the dense layer normalizes nothing in training",
    ),
    _escnn("GroupPooling", "`FieldPooling`, on group features `GroupPooling`", SAME),
    _escnn("NormPool", "`NormPooling`", AFTER, 'with `scalars="norm"`'),
    _escnn("PointwiseMaxPool2D PointwiseMaxPool3D", "`MaxPooling2D`, `MaxPooling3D`", SAME, "without padding"),
    _escnn("PointwiseAvgPool2D PointwiseAvgPool3D", "`AveragePooling2D`, `AveragePooling3D`", SAME, "without padding"),
    _escnn("NormMaxPool", "`NormMaxPooling2D`", SAME, "where one pixel of the window is the longest"),
    _escnn(
        "PointwiseAdaptiveAvgPool2D PointwiseAdaptiveAvgPool3D PointwiseAdaptiveMaxPool2D PointwiseAdaptiveMaxPool3D",
        "`GlobalAveragePooling2D(keepdims=True)` and its kin",
        SAME,
        "to a size `AdaptiveAveragePooling2D`, `AdaptiveMaxPooling2D` and their kin",
    ),
    _escnn(
        "PointwiseAvgPoolAntialiased2D PointwiseAvgPoolAntialiased3D PointwiseMaxPoolAntialiased2D "
        "PointwiseMaxPoolAntialiased3D",
        "`GaussianBlur2D(sigma, strides=…)`, `GaussianBlur3D`; before it `MaxPooling2D(size, strides=1)`",
        SAME,
        "`antialias=True` of our poolings is another blur, a binomial one",
    ),
    _escnn(
        "R2Upsampling R3Upsampling",
        "`UpSampling2D`, `UpSampling3D`; by any factor or to a size `Resizing2D`, `Resizing3D`",
        SAME,
        "linear but for whole factors, to whole sizes: else one end is treated otherwise than the other",
    ),
    _escnn("PointwiseDropout FieldDropout", "`FieldDropout`", AFTER, "whole fields are dropped, not components"),
    _escnn("IdentityModule SequentialModule EquivariantModule", "a functional model", SAME),
    _escnn(
        "FourierPointwise FourierELU QuotientFourierPointwise QuotientFourierELU",
        "`SampledActivation`, with their own samples and way back, also to other frequencies (`out_irreps`)",
        SAME,
        "on images samples that quarter turns do not permute, as the grids `thomson` and `regular` of 6, are refused: "
        "build the module with `thomson_cube`, `cube` or a multiple of 4, on which no weight depends",
    ),
    Row(
        "escnn",
        ("FourierPointwise by FourierActivation",),
        '`FourierActivation(grid="C16")` between `keras.layers.Rescaling(c)` and `Rescaling(1 / c)`',
        AFTER,
        "c = 1 / sqrt(coefficients of one function); for `normalize=False` 1, and for relu any: it is homogeneous",
        "tests/transfer/test_from_escnn.py::test_fourier_activation_is_that_of_escnn_after_a_scale",
    ),
    _escnn(
        "TensorProductModule",
        "`TensorProductActivation` and `SteerableDense`",
        AFTER,
        "the dense layer has zeros between fields, of which escnn lets each have a matrix of its own",
    ),
    _escnn(
        "ConcatenatedNonLinearity",
        '`ConcatenatedReLU`, also with `activation="sigmoid"` or `"tanh"`',
        AFTER,
        "in the order of orbits, which the type names; a fixed `SteerableDense` gives the order there",
    ),
    _escnn(
        "RestrictionModule",
        "`Restrict`",
        AFTER,
        "fields become orbits and irreps of the subgroup at once; a fixed `SteerableDense` where the types of the two "
        "libraries differ. Of a whole model: `ke.restrict`",
    ),
    _escnn(
        "DisentangleModule ReshuffleModule",
        "`SelectFields`, or a `SteerableDense` that is not trained",
        SAME,
        "nothing where the fields lie so already",
    ),
    _escnn("VectorFieldNonLinearity", "`VectorFieldActivation`", SAME, "where one orientation is the strongest"),
    _escnn("MaskModule", "`RadialMask2D`, `RadialMask3D`", AFTER, "with the margin as a part of 1, not in percent"),
    _escnn(
        "MultipleModule BranchingModule MergeModule",
        "`SelectFields` for each label, and `keras.layers.Concatenate` behind the branches",
        SAME,
    ),
    _escnn(
        "InducedNormNonLinearity InducedNormPool InducedGatedNonLinearity1 InducedNormBatchNorm",
        "`NormActivation`, `NormPooling`, `GatedActivation`, `SteerableBatchNormalization` on irreps",
        OTHER,
        "they take the norm of each part of an induced field, which the group permutes; layers here take that of whole "
        "fields",
    ),
    _escnn(
        "HarmonicPolynomialR3",
        "`SteerablePointConv`",
        OTHER,
        "a function of the points that come in, before any layer: its polynomials are in the kernels of point "
        "convolutions here",
    ),
    _escnn(
        "R3IcoConv R3IcoConvTransposed",
        '`SteerableConv3D(group="I")`',
        OTHER,
        "its kernels are bells on the vertices, edges and faces of icosahedra, here harmonics on shells",
    ),
    _escnn(
        "MaxPoolChannels",
        '`FieldPooling`, on group features `GroupPooling("max")`',
        OTHER,
        "what `export()` makes of GroupPooling, without types: bring over the network before it is exported",
    ),
    Row(
        "escnn",
        ("forward of one's own", "tensor_directsum", "restrict", "split", "scaling by a number"),
        "a functional model with `keras.layers.Add`, `keras.layers.Concatenate`, `Restrict` and `SelectFields`",
        SAME,
        "residual networks, U-Nets and plain layers of torch behind them; run once on zeros to be read",
        RECORDED,
    ),
    _escnn(
        "R2PointConv R3PointConv",
        "`SteerablePointConv`",
        OTHER,
        "neighbors are found here, within a smooth cutoff, and radial functions are a network",
    ),
    Row(
        "escnn",
        ("integer padding",),
        '`keras.layers.ZeroPadding2D(p)` before `padding="valid"`, which `from_escnn` writes',
        AFTER,
        'where the size is kept `padding="same"`',
        RECORDED,
    ),
    Row(
        "escnn",
        ("deltaorthonormal_init",),
        "`ke.delta_orthogonal`",
        OTHER,
        "other random numbers; orthogonal on all fields of a kind, and norms are kept",
    ),
    Row(
        "escnn",
        ("basis filters and cut-offs as functions",),
        "`frequency_cutoff`, `ring_radii`, `ring_width`",
        OTHER,
        "names, a number, or one number a ring: functions could be neither saved nor written in a spec",
    ),
    Row(
        "escnn",
        ("rot2dOnR3", "conicalOnR3", "cylindricalOnR3", "dihedralOnR3", "fullCylindricalOnR3"),
        '`group="Cinfz"`, `"Cinfv"`, `"Cinfh"`, `"Dinfz"`, `"Dinfh"`',
        OTHER,
        "about the last axis of a volume here, about the first there, unless it has an adjoint. Law and completeness: "
        "`tests/groups/test_axial_groups.py`, `tests/kernels/test_axial_kernels.py`",
    ),
    Row(
        "escnn",
        ("bl_regular_representation", "bl_sphere_representation", "bl_induced_representation"),
        "the types `regular(2)`, `quotient(Cinfz,2)`, `induced(Cinfz,1,2)` up to a frequency",
        OTHER,
        "irreps in blocks here; not compared. Functions on the cosets move as they do: "
        "`tests/groups/test_band_limited_types.py`",
    ),
    Row(
        "escnn",
        ("direct_product", "double_group", "no_base_space"),
        '`group="D4xC2"`, `"D4xD4"`, `ke.groups.direct_product`, with `SteerableDense`',
        OTHER,
        "of finite groups, on features without space; not compared. Law and irreps: "
        "`tests/groups/test_direct_products.py`",
    ),
    Row(
        "e2cnn",
        ("R2Diffop by finite differences",),
        '`SteerableConv2D(basis="pdo")`, also in space and for group convolutions; `ke.import_filters(…, "escnn")`',
        SAME,
        "`kernel_size`, `maximum_order`, `accuracy` as there, all operators of an order, on groups of rotations; "
        "escnn has no R2Diffop",
        "tests/transfer/test_operators_of_e2cnn.py::test_same_operators",
    ),
    Row(
        "e2cnn",
        ("R2Diffop(smoothing=s)",),
        '`SteerableConv2D(basis="pdo", discretization="gauss", smoothing=…)`',
        AFTER,
        "with `smoothing` s² / √2: that is the deviation of the Gaussian there",
        "tests/transfer/test_operators_of_e2cnn.py::test_same_operators",
    ),
    Row(
        "e2cnn",
        ("R2Diffop(rbffd=True)",),
        '`SteerableConv2D(basis="pdo")`',
        OTHER,
        "RBF-FD is not built; its stencils are other ones than those of finite differences",
    ),
    Row(
        "e2cnn",
        ("R2Diffop on groups with mirrors",),
        '`SteerableConv2D(basis="pdo")` on D_n and O2',
        OTHER,
        "exact here; there they commute with the rotations, but not with the library's own mirrors",
    ),
    Row(
        "escnn",
        ("padding_mode", "replicate"),
        '`padding_mode="replicate"`',
        SAME,
        "",
        RECORDED,
    ),
    Row(
        "escnn",
        ("rings", "sigma", "frequencies_cutoff"),
        "`ring_radii`, `ring_width`, `frequency_cutoff`",
        SAME,
        "one number a ring",
        RECORDED,
    ),
)
