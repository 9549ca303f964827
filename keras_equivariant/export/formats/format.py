"""What one file format is to `export`: each format's own file declares it, and nothing else names it."""

import dataclasses
from collections.abc import Callable

from keras_equivariant.export.folding.block_rule import BlockRule
from keras_equivariant.utils.optional import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file that `export` writes, loads back and verifies.

    `ke.export.register_format` makes one of your own known by its name.

    Args:
        name: str, one of the `formats` of `export`.
        file: str, the file or folder that it writes, below the folder of the export: `"{name}.onnx"`. `{name}` is the
            model's name, `{version}` its version number.
        write: function of `(source, path)` that writes `source.model`, a `Source`, as `path`.
        load: function of `(path, source)` that opens what was written in the runtime that will execute it: a function
            from a dict of arrays by input name to a dict of arrays by output name.
        purpose: str, what executes it, for tables. Default: empty.
        extra: str or None, the extra of this package (`pip install "keras-equivariant[...]"`) that brings the modules.
        writes_with, runs_with: tuples of str, the optional modules that `write` needs, and those that verification
            needs as well. They are imported before anything is written.
        backend: str or None, the Keras backend that it is written on. Default: None, any.
        tolerance: float, the largest difference from the Keras model, relative to its largest output, that passes.
            Default: 1e-5.
        symmetry: float, the symmetry error that its own rounding may add. Default: 1e-5.
        typed_symmetry: float or None, the same for features with field types, whose kernels are no copies of each
            other. Default: None, as `symmetry`.
        needs_data: bool, whether it asks for `representative_data`. Default: False.
        refuses: function of a folded Keras model: a text that says why the format cannot hold it, what was received and
            what to do, or None. Default: it holds every folded model.
        explains: function of `path`: a text that says why answers differ by more than the tolerance, or None. Default:
            nothing is known.
        pointwise: the measured `BlockRule` by which group convolutions are written in blocks. Default: None, they stay
            dense.
        operations: function of `path`: names of the operations in the file, in order. Default: none are listed.
        foreign: tuple of str, how the names of operations begin that its runtime does not have. Default: empty.
        signature: function of `path`: names, shapes and dtypes of its inputs and outputs as a dict. Default: empty.

    Example:
        >>> import keras, tempfile
        >>> import numpy as np
        >>> import keras_equivariant as ke
        >>> def write(source, path):
        ...     np.savez(path, *source.model.get_weights())
        >>> def load(path, source):
        ...     with np.load(path) as saved:
        ...         source.model.set_weights([saved[name] for name in saved.files])
        ...     return source.run
        >>> weights = ke.export.Format(name="weights", file="{name}.weights.npz", write=write, load=load)
        >>> _ = ke.export.register_format(weights)
        >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3)], name="tiny")
        >>> report = ke.export(model, tempfile.mkdtemp(), "weights", group="C1")
        >>> report.passed, report.artifacts[0].path
        (True, 'tiny.weights.npz')
    """

    name: str
    file: str
    write: Callable
    load: Callable
    purpose: str = ""
    extra: str | None = None
    writes_with: tuple = ()
    runs_with: tuple = ()
    backend: str | None = None
    tolerance: float = 1e-5
    symmetry: float = 1e-5
    typed_symmetry: float | None = None
    needs_data: bool = False
    refuses: Callable | None = None
    explains: Callable = lambda path: None
    pointwise: BlockRule | None = None
    operations: Callable = lambda path: ()
    foreign: tuple = ()
    signature: Callable = lambda path: {}

    def check_installed(self, verify):
        """ImportError, with the way to install them, where a module is missing that writes or verifies it."""
        for modules, purpose in ((self.writes_with, "Writing"), (self.runs_with if verify else (), "Verifying")):
            for module in modules:
                require(module, f'{purpose} the format "{self.name}"', self.extra or "train")

    def check_model(self, model):
        """ValueError where the format cannot hold a folded model."""
        refused = self.refuses and self.refuses(model)
        if refused:
            raise ValueError(refused)

    def symmetry_lost(self, typed):
        """The symmetry error that the format may add, for a model with or without field types."""
        return self.typed_symmetry if typed and self.typed_symmetry is not None else self.symmetry

    def path(self, name, version):
        """Where it is written, relative to the folder of the export."""
        return self.file.format(name=name, version=version)
