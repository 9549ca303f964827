"""What other libraries have, what it is here, and how that is known: the rows of the page on other libraries.

Every row that says "same" names a test that compares numbers; `tests/transfer/test_peers.py` holds the rows to it.
"""

from keras_equivariant.transfer import peers_of_escnn
from keras_equivariant.transfer.peer_row import AFTER, MISSING, OTHER, SAME, VERDICTS, Row

__all__ = ["AFTER", "MISSING", "OTHER", "ROWS", "SAME", "VERDICTS", "Row", "escnn_row"]

ROWS = (
    *peers_of_escnn.ROWS,
    Row(
        "sesn",
        ("scale-equivariant bases",),
        "`learn_basis` on groups with scales",
        OTHER,
        "approximate, with the error of the law as a loss",
    ),
    Row(
        "pytorch",
        ("relaxed group convolutions", "residual pathway priors"),
        "`ke.relax`, `layers.Relaxed`, `ke.project`",
        OTHER,
        "with the certificate of what was kept, and the way back",
    ),
    Row(
        "GrouPy",
        ("P4ConvZ2", "P4ConvP4", "P4MConvZ2", "P4MConvP4M"),
        "`LiftingConv2D`, `GroupConv2D`",
        SAME,
        "",
        "tests/transfer/test_import_filters.py::test_groupy",
    ),
    Row(
        "keras-gcnn",
        ("GConv2D",),
        "`LiftingConv2D`, `GroupConv2D`",
        SAME,
        "",
        "tests/transfer/test_import_filters.py::test_groupy",
    ),
    Row(
        "keras-gcnn",
        ("features",),
        "channels `(elements, fields)`",
        AFTER,
        "there the fields are slow and the elements fast",
        "tests/transfer/test_import_filters.py::test_layout_of_keras_gcnn",
    ),
    Row(
        "keras-gcnn",
        ("GroupPool",),
        '`GroupPooling("mean")`',
        SAME,
        "",
        "tests/transfer/test_import_filters.py::test_layout_of_keras_gcnn",
    ),
    Row(
        "keras-gcnn",
        ("GBatchNorm",),
        "`BatchNormalization`",
        OTHER,
        "in training every channel has statistics of its own there",
    ),
    Row(
        "GrouPy",
        ("gconv3d on O, Oh, C4h, D4h",),
        "`LiftingConv3D`, `GroupConv3D`",
        SAME,
        "its C4h, rotations of a bar along the first axis, is none of our groups and comes with the import",
        "tests/transfer/test_import_volumes_and_rings.py::test_groupy_of_volumes",
    ),
    Row(
        "se3cnn",
        ("SE3Kernel", "SE3Convolution"),
        "`SteerableConv3D` on SO3",
        SAME,
        "channels are component-major here, degrees about the second axis",
        "tests/transfer/test_import_volumes_and_rings.py::test_se3cnn",
    ),
    Row(
        "se3cnn",
        ("SE3BatchNorm", "GatedBlock"),
        "`SteerableBatchNormalization`, `GatedActivation`",
        OTHER,
        'norms there are sums over components, here means; `reduction="max"` is its `reduce="max"`; no gradient flows '
        "through statistics there",
    ),
    Row(
        "se3cnn",
        ("border_dist",),
        "`ring_radii`, `frequency_cutoff`",
        AFTER,
        "the radii themselves, linspace(0, k // 2 - border_dist, k // 2 + 1), with the highest degree of each: "
        '`"compromise"` is `[0, 3, 5, ...]` there whatever the radii',
        "tests/transfer/test_import_volumes_and_rings.py::test_border_dist_of_se3cnn",
    ),
    Row(
        "Harmonic Networks",
        ("conv2d", "get_filters"),
        "`HarmonicConv2D`",
        AFTER,
        "features are complex conjugates, magnitudes the same; rings outside the window are lost, and the loss is said",
        "tests/transfer/test_import_volumes_and_rings.py::test_harmonic_networks",
    ),
    Row(
        "e3nn",
        ("Irreps",),
        '`ke.FieldType.parse("8x0e + 4x1o", "O3")`',
        AFTER,
        "channels are component-major here, and the components of degree l those of `ke.groups.spherical_harmonics`: "
        "a least-squares fit between both libraries' harmonics is the orthogonal change of basis",
        "tests/transfer/test_products_of_e3nn.py::test_same_up_to_signs_of_paths",
    ),
    Row(
        "e3nn",
        ("FullyConnectedTensorProduct",),
        "`SteerableTensorProduct`",
        AFTER,
        "weights (u, v, w) of each path as they are, ordered by the blocks of the output first, there by those of the "
        "inputs; up to degree 3 the paths (1, 2, 1), (2, 2, 1) and (2, 2, 2) that are compared have the other sign",
        "tests/transfer/test_products_of_e3nn.py::test_same_up_to_signs_of_paths",
    ),
    Row(
        "e3nn",
        ("degrees above 11",),
        "irreps of SO3 and O3 up to degree 20",
        AFTER,
        "there to 11: against exact values of sympy, and orthogonality",
        "tests/groups/test_spherical.py::test_degree_20",
    ),
    Row(
        "LieConv",
        ("SQ", "RxSQ", "subgroups by generators"),
        '`LieConv(group="SQ")`, `"RxSQ"`; `groups.axis_scalings` for others of scalings along the axes, '
        "`groups.LieGroup(exp=, log=, lift=)` for any",
        OTHER,
        "everywhere, there on the positive quadrant; the distance of two points counts both scales alike",
    ),
)


def escnn_row(kind):
    """The row of a class of escnn, or None."""
    return next((row for row in ROWS if row.library == "escnn" and kind in row.theirs), None)
