"""refit_head(): the last layer of a trained classifier, computed anew as Fisher's linear discriminant."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant.graphs.reading import functional
from keras_equivariant.training.prediction import predict
from keras_equivariant.utils.optional import require


def refit_head(model: keras.Model, images: ArrayLike, labels: ArrayLike) -> keras.Model:
    """Set the last Dense layer of a classifier to the linear discriminant of the features before it.

    logits_k = x·S⁻¹m_k − m_k·S⁻¹m_k / 2 + log p_k, with the share p_k of each class, its mean m_k and the
    features x both less the mean of all, and the covariance S within classes, shrunk by the rule of Ledoit and Wolf.
    Features that differ within a class count for less: those that move with an object's place between the pixels,
    say, which also move as it rotates by angles that the grid does not have. Once all examples of the training set are
    known, gradient descent has no reason left to tell such features from others. All other weights stay.

    Args:
        model: a built functional or sequential `keras.Model` that ends in a Dense layer; changed in place.
        images: array `(B, *space, channels)` to learn from, as `model` takes them.
        labels: integers `(B,)`, from 0; each class occurs.

    Returns:
        `model`.

    Equivariance: that of `model`; where its features are invariant, the new logits are, too.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if it is subclassed, not built or ends in another layer, or a class is missing.
        ImportError: without scikit-learn, which `keras-equivariant[train]` installs.

    Example:
        >>> import keras
        >>> import keras_equivariant as ke
        >>> digits = ke.data.load("digits")
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input(digits.x_train.shape[1:]),
        ...         ke.layers.LiftingConv2D(8, 3, group="C4", activation="relu"),
        ...         ke.layers.GroupPooling("mean"),
        ...         keras.layers.GlobalAveragePooling2D(),
        ...         keras.layers.Dense(10),
        ...     ]
        ... )
        >>> model = ke.refit_head(model, digits.x_train[:200], digits.y_train[:200])

    Reference: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, equation 4.10; Ledoit & Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices, 2004, equation 14.
    """
    dense = check_head(model, labels)
    discriminants = require("sklearn.discriminant_analysis", "Refitting the head of a classifier")
    graph = functional(model, "refit", opened=False)
    features = keras.Model(graph.input, graph.outputs[0]._keras_history.operation.input)
    x = predict(features, images).astype("float64")
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    found = discriminants.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit((x - mean) / scale, labels)
    kernel, bias = found.coef_.T / scale[:, None], found.intercept_
    if dense.units == 2:  # one logit, that of the second class less that of the first
        kernel, bias = kernel * (0.0, 1.0), bias * (0.0, 1.0)
    dense.kernel.assign(kernel.astype("float32"))
    dense.bias.assign((bias - mean @ kernel).astype("float32"))
    return model


def check_head(model, labels):
    """The last layer of a model whose head can be refit with these labels; else a ValueError."""
    graph = functional(model, "refit", opened=False)
    head = graph.outputs[0]._keras_history.operation
    dense = isinstance(head, keras.layers.Dense) and head.use_bias and len(head.input.shape) == 2
    if len(graph.outputs) > 1 or not dense or head.units < 2 or head.activation is not keras.activations.linear:
        raise ValueError(
            "A head is refit where a model ends in one Dense layer with bias and without activation, of two classes or "
            f"more, on features (B, C). Received: a model that ends in {type(head).__name__} with outputs "
            f"{[tuple(output.shape) for output in graph.outputs]}. Add Dense(classes), or leave the head as trained."
        )
    labels = np.asarray(labels)
    if labels.ndim != 1 or sorted(set(labels.tolist())) != list(range(head.units)) or len(labels) <= head.units:
        raise ValueError(
            f"Labels to refit a head are integers (B,), all classes from 0 to {head.units - 1} among them and one more "
            f"than once. Received: shape {labels.shape}, values {np.unique(labels)[:12].tolist()}. Use more examples, "
            "or leave the head as trained."
        )
    return head
