"""Whether what was measured is still what the specs and the code say."""

from __future__ import annotations

import keras
import numpy as np

from keras_equivariant.compiler import build_from_spec, load_spec

SIGNATURE_TOLERANCE = 1e-2


def built(row):
    """(network, spec) of a row, with weights of a fixed seed; None where it has no packaged spec."""
    spec = row.fields["spec"]
    if not isinstance(spec, dict) or "name" not in spec:
        return None
    resolved = load_spec(spec["name"], **(spec.get("params") or {}))
    keras.utils.set_random_seed(0)
    return build_from_spec(resolved), resolved


def parameters(model):
    """The number of trainable parameters."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def signature(model):
    """Four digits of the mean and the deviation of what a network answers to fixed noise.

    With weights of a fixed seed it changes where the code computes something else, and only there. None for a network
    of several inputs or of unknown sizes.
    """
    if len(model.inputs) != 1 or None in model.inputs[0].shape[1:]:
        return None
    noise = np.random.default_rng(0).normal(size=(2, *model.inputs[0].shape[1:])).astype("float32")
    answer = keras.ops.convert_to_numpy(model(noise, training=False)).astype("float64")
    return [float(f"{value:.4g}") for value in (answer.mean(), answer.std())]


def stale(row, network=None):
    """Why a row may no longer hold: "" where spec and code are as measured, else what changed or is not known.

    Args:
        row: a `Row`.
        network: (model, spec) where it is built already.
    """
    network = network or built(row)
    if network is None:
        return ""
    model, spec = network
    expected = row.fields["spec"].get("sha256")
    if expected in (None, "unknown"):
        return "recorded by an earlier version"
    if expected != spec.digest:
        return "the spec changed since"
    before, now = row.fields.get("signature"), signature(model)
    if before and now and not np.allclose(before, now, rtol=SIGNATURE_TOLERANCE, atol=1e-6):
        return "the code changed since"
    return ""


def stale_rows(experiment, networks=None):
    """`{row name: why}` of the rows of an experiment that may no longer hold."""
    found = {name: stale(row, (networks or {}).get(name)) for name, row in experiment.rows.items()}
    return {name: why for name, why in found.items() if why}
