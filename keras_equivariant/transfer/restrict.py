"""restrict(): a trained network as one with less symmetry, the same function to begin with."""

from __future__ import annotations

import keras

from keras_equivariant import groups
from keras_equivariant.graphs.reading import functional
from keras_equivariant.graphs.rewriting import Rewriter
from keras_equivariant.groups.group import Group
from keras_equivariant.transfer.rules import apply_rule


def restrict(model: keras.Model, subgroup: str | Group, name: str | None = None) -> keras.Model:
    """The same function as a network on a subgroup, whose layers can be trained to have the subgroup's symmetry only.

    f_H(x) = f(x); the weights of f_H are those of f, written out for every coset of the subgroup

    Convolutions, dense layers and batch normalizations become those of the subgroup: a kernel that was shared by all
    of D4 is shared by the four elements of C4, in two copies that training may change apart. Regular features
    (B, H, W, |G|, C) become (B, H, W, |H|, C |G| / |H|), features of a field type those of its restriction (see
    `groups.restriction`). A normalization or softmax of all fields becomes that of the fields of a coset, for which
    sizes must be known. Pooling over the group still pools over all of the large one, and nonlinearities and other
    normalizations of fields that fall apart stay as they are, between two changes of basis, `Unrestrict` and
    `Restrict`. What has no group axis and is added to features, or multiplied with them, acts on all that a field
    becomes. Layers whose group the subgroup contains stay what they are; Lambda layers and functions of your own are
    followed.

    Args:
        model: a built `keras.Model`; nested and shared models and layers made of layers are fine. A subclassed model
            is followed once on symbolic tensors; what it does where `training` is None is what counts.
        subgroup: name of a group that is contained in those of the model's layers, such as `"C4"` of `"D4"` or `"C8"`,
            `"C1"` for no symmetry but translations.
        name: name of the new model; by default that of `model`.

    Returns:
        A functional `keras.Model` with the inputs of `model`, not compiled. An output with a group axis or a field type
        is in the order of the subgroup, all others are the same numbers.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if it is not built, if the calls inside a subclassed model cannot be followed, if the subgroup is
            not contained in the group of a layer or restricts none, and for layers without a restriction, which names
            what to use instead.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((9, 9, 1))
        >>> x = ke.layers.LiftingConv2D(4, 3, group="D4", activation="relu")(image)
        >>> relaxed = ke.restrict(keras.Model(image, ke.layers.GroupPooling("max")(x)), "C4")
        >>> relaxed.layers[1].output.shape, relaxed.output.shape
        ((None, 7, 7, 4, 8), (None, 7, 7, 4))

    Equivariance: that of `model` under the elements of the subgroup, whatever it is trained to afterwards.

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.7.
    """
    walk = _Restriction(groups.orthogonal_group(subgroup))
    restricted = walk.run(functional(model, "restricted", functions=True), name or model.name)
    if not walk.restricted:
        raise ValueError(
            f"`subgroup` must be smaller than the group of some layer. Received: {walk.subgroup.name} for the model "
            f'"{model.name}", none of whose layers has more symmetry'
        )
    return restricted


class _Restriction(Rewriter):
    """One walk through the graph: the new layers, and in which form their features are.

    Attributes:
        subgroup: the group to restrict to.
        restricted: whether any layer has been.
    """

    purpose = "restricted"

    def __init__(self, subgroup):
        super().__init__()
        self.subgroup = subgroup
        self.restricted = False
        self._forms = {}
        self._made = {}

    def call(self, operation, args, kwargs):
        return apply_rule(self, operation, args, kwargs)

    def form(self, tensor):
        """The form of a new tensor: Split, the FieldType it restricts, or None for what is as it was."""
        return self._forms.get(id(tensor), (None, None))[1]

    def mark(self, tensor, form):
        if form is not None:
            self._forms[id(tensor)] = tensor, form  # kept, so that no other tensor gets its id
        return tensor

    def affects(self, layer, group=None):
        """Whether a layer, or its output on another group, must be restricted; ValueError where it cannot be."""
        group = group or layer.group
        if groups.contains(self.subgroup, group):
            return False
        if not groups.contains(group, self.subgroup):
            raise ValueError(
                f"The subgroup must be contained in the group of every layer, or contain it. Received: "
                f'{self.subgroup.name} for the layer "{layer.name}" on {group.name}; use a group that both contain'
            )
        self.restricted = True
        return True

    def make(self, source, role, build):
        """The new layer for one of the model and a role, made once: shared layers stay shared.

        Args:
            source: the layer of the model that is restricted.
            role: what tells several new layers for one apart; tuples.
            build: function from a name to the new layer.
        """
        key = (id(source), role)
        if key not in self._made:
            self._made[key] = source, build(self.own_name(source.name))
        return self._made[key][1]
