"""Whether what was measured is still what the specs and the code say."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from keras_equivariant.compiler import build_from_spec, load_spec

SIGNATURE_TOLERANCE = 1e-2


def resolved(row):
    """The `Spec` of a row with its parameters; None where it has no packaged one."""
    spec = row.fields["spec"]
    if not isinstance(spec, dict) or "name" not in spec:
        return None
    return load_spec(spec["name"], **(spec.get("params") or {}))


def built(spec):
    """The network of a spec, with weights of a fixed seed."""
    keras.utils.set_random_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is only approximately equivariant
        return build_from_spec(spec)


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


def stale(row):
    """Why a row may no longer hold: "" where spec and code are as they were measured.

    A row without a hash of its spec is about no training and is never stale; one whose hash is "unknown" always is. The
    network is built and its signature compared where the row has one.
    """
    spec = resolved(row)
    expected = row.fields["spec"].get("sha256") if spec else None
    if expected is None:
        return ""
    if expected == "unknown":
        return "earlier version"
    if expected != spec.digest:
        return "spec changed since"
    before = row.fields.get("signature")
    if before and not np.allclose(before, signature(built(spec)), rtol=SIGNATURE_TOLERANCE, atol=1e-6):
        return "code changed since"
    return ""


def stale_rows(experiment):
    """`{row name: why}` of the rows of an experiment that may no longer hold."""
    found = {name: stale(row) for name, row in experiment.rows.items()}
    return {name: why for name, why in found.items() if why}
