"""The weights of a layer on a learned basis, and which basis it was; not a layer of its own."""

import numpy as np

from keras_equivariant.layers.core.windowed_conv import WindowedConv

KEY = "basis"  # beside the numbers of the variables


class StoredBasis(WindowedConv):
    """A convolution whose coefficients mean nothing but on the basis that they were trained on.

    A learned basis lies in a file of its own, which may be another one when the saved weights are loaded. So they are
    saved with a fingerprint of it. Subclasses have `_basis`, a RotatedBasis, and `basis`, its name.
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        if self._stored is not None:
            store[KEY] = np.frombuffer(self._stored, dtype="uint8")

    def load_own_variables(self, store):
        saved = {key: store[key] for key in store.keys()}  # noqa: SIM118 (Keras's stores are no dicts)
        fingerprint = saved.pop(KEY, None)
        if fingerprint is not None and bytes(np.asarray(fingerprint, dtype="uint8")) != self._stored:
            raise ValueError(
                "Weights must be loaded with the learned basis that they were saved with. Received: the layer "
                f'"{self.name}" with basis="{self.basis}", a file that holds another one by now; put back the one that '
                "it was, or train the layer anew"
            )
        super().load_own_variables(saved)

    @property
    def _stored(self):
        """The fingerprint of a learned basis; None where it is computed, or trained and so among the variables."""
        return None if getattr(self, "trainable_basis", False) else self._basis.fingerprint
