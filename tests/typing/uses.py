"""What a type checker says of programs that use the library: every wrong line is marked, and `mypy` passes the file.

A mark on a line that is not wrong is an error as well (`warn_unused_ignores`), so each of them is a test.
"""

from typing import assert_type

import numpy as np

import keras_equivariant as ke
from keras_equivariant import groups, layers


def right_uses() -> None:
    layers.LiftingConv2D(16, 3, group="D4", padding="same", activation="relu", kernel_regularizer="l2", name="lift")
    layers.GroupConv2D(16, (3, 3), groups.get("D4"), strides=[2, 2], dtype="float64", strict=False)
    layers.GroupConv2DTranspose(16, 3, "D4", 2, "same", output_padding=1)
    layers.GroupConv3D(16, 3, "O", bias_initializer=lambda shape, dtype=None: np.zeros(shape))
    layers.SteerableConv2D("1x0", "8x0 + 4x1", 5, group="SO2", frequency_cutoff=[0, 1, 2], data_format="channels_last")
    layers.SteerableDense(ke.FieldType.parse("1x0", "SO2"), "8x0 + 4x1")
    layers.SteerableGroupNormalization("8x0", -1, "SO2", gamma_initializer="ones")
    layers.LieConv(8, "SE2", fraction=0.5, kernel_units=[16, 16], activation=None)
    layers.MaxPooling2D(2, strides=None)
    layers.BatchNormalization(activation="relu", momentum=1, synchronized=True)
    assert_type(ke.list_specs(), tuple[str, ...])
    assert_type(ke.certify(lambda x: x, "C4", np.zeros((1, 4, 4, 1)), angles=0), ke.Report)
    assert_type(ke.lint("p4_cnn", filters=8), list[ke.compiler.Problem])
    assert_type(groups.rotation_matrix(90, axis=(0, 0, 1)), np.ndarray)


def wrong_uses() -> None:
    layers.LiftingConv2D(16, 3)  # type: ignore[call-arg]
    layers.LiftingConv2D("16", 3, "D4")  # type: ignore[arg-type]
    layers.LiftingConv2D(16, 3.5, "D4")  # type: ignore[arg-type]
    layers.LiftingConv2D(16, 3, 4)  # type: ignore[arg-type]
    layers.LiftingConv2D(16, 3, "D4", padding="smae")  # type: ignore[arg-type]
    layers.LiftingConv2D(16, 3, "D4", groups="C4")  # type: ignore[arg-type]
    layers.GroupConv2DTranspose(16, 3, "D4", padding_mode="mirror")  # type: ignore[arg-type]
    layers.GroupConv2DTranspose(16)  # type: ignore[call-arg]
    layers.SteerableConv2DTranspose("1x0", "4x1", 3, radial_profile="square")  # type: ignore[arg-type]
    layers.SteerableConv3D("1x0", 8, 3, group="SO3")  # type: ignore[arg-type]
    layers.LieConv(8, "SE2", fraction="half")  # type: ignore[arg-type]
    layers.LieConv(8)  # type: ignore[call-arg]
    layers.GroupPooling("min")  # type: ignore[arg-type]
    layers.BatchNormalization(axis="last")  # type: ignore[arg-type]
    ke.certify(lambda x: x, law="equivariant")  # type: ignore[arg-type]
    ke.fold("model.keras", "folded", "float16")  # type: ignore[arg-type]
    ke.load_spec(3)  # type: ignore[arg-type]
    ke.learn_basis("C8", "5")  # type: ignore[arg-type]
    ke.export()  # type: ignore[call-arg]
    ke.train("p4_cnn", epoch=3)  # type: ignore[call-arg]
    groups.rotate(np.zeros((1, 4, 4, 1)), "90")  # type: ignore[arg-type]
