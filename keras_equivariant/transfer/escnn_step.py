"""One module of a record of `escnn_writer`, as the functions take it that make layers of it."""

import dataclasses

ACTIVATIONS = {"relu": "relu", "relu_": "relu", "elu": "elu", "elu_": "elu", "sigmoid": "sigmoid", "tanh": "tanh",
               "softplus": "softplus", "<lambda>": "softsign"}  # fmt: skip


class NotHere(ValueError):
    """A module, or an option of it, that computes what no layer of ours does."""


@dataclasses.dataclass
class Step:
    """One module of a record.

    Attributes:
        name, kind: its name, and its class's.
        options: dict of its plain attributes.
        arrays: dict of its arrays.
        before, after: `(FieldType, change of basis, whether fields are single ones)`.
        dims: the dimensions of escnn's input fields.
        strict: of the layers.
        shapes: of the input tensors here, with the batch axis.
        parts: for each input tensor what `before` is for the first.
        part_dims: for each input tensor what `dims` is for the first.
    """

    name: str
    kind: str
    options: dict
    arrays: dict
    before: tuple
    after: tuple
    dims: list
    strict: bool
    shapes: tuple = ()
    parts: tuple = ()
    part_dims: tuple = ()

    @property
    def type(self):
        return self.before[0]

    @property
    def rank(self):
        return self.type.group.dimension

    @property
    def space(self):
        """Whether the features lie over space."""
        return len(self.shapes[0]) > 2

    @property
    def layer_name(self):
        return self.name.replace("/", "_").replace(".", "_")

    @property
    def fields(self):
        """The number of escnn's input fields."""
        return len(self.dims)

    @property
    def function(self):
        """The name of the module's nonlinearity here."""
        name = self.options.get("function", "sigmoid")
        if name not in ACTIVATIONS:
            raise NotHere(
                f"has one of the functions {', '.join(sorted(set(ACTIVATIONS.values())))}. Received: {name} of the "
                f'module "{self.name}" ({self.kind}); write this module in Keras, and bring over what lies before and '
                "behind it"
            )
        return ACTIVATIONS[name]

    def given(self, **options):
        return {"name": self.layer_name, "strict": self.strict, **options}

    def single(self):
        """NotHere unless escnn's fields are fields of ours: what is done to a whole field needs that."""
        if not self.before[2]:
            raise NotHere(
                "acts on whole fields that are sums of several here. Received: the module "
                f'"{self.name}" ({self.kind}) on "{self.type}"; build it on irreps, regular or quotient fields'
            )

    def plain(self, **wanted):
        """NotHere unless these options have these values."""
        for key, value in wanted.items():
            found = self.options.get(key, value)
            if found not in (value, [value] * self.rank):
                raise NotHere(f'has {key}={value} only. Received: {key}={found} of the module "{self.name}"')


def axes(value, rank):
    """One value for each axis of space."""
    return list(value) if isinstance(value, list) else [value] * rank


def nothing():
    """Sets no weights; 0 is lost."""
    return 0.0
