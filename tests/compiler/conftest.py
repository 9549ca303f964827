import pytest

from keras_equivariant.compiler import SpecError, build_from_spec

NETWORK = """\
spec: 1
name: net
params: {filters: 4, table: {Z2: 1, D4: 2}, group: D4, flag: true, words: text}
input: {shape: [8, 8, 1]}
defaults:
  LiftingConv2D: {group: D4, padding: same}
  GroupConv2D: {group: D4, padding: same}
blocks:
  unit:
    params: {filters: null, kernel_size: 3}
    body:
      - GroupConv2D: {filters: "${filters}", kernel_size: "${kernel_size}"}
layers:
  - LiftingConv2D: {filters: "${filters}", kernel_size: 3}
@@
  - GroupPooling: max
  - GlobalAveragePooling2D
"""


@pytest.fixture
def write(tmp_path):
    """Writes a spec and returns its path."""

    def write(text, name="net.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def in_network():
    """A D4 network around the given entries, invariant unless `pooled` is False; they begin in line 15 of its text."""

    def in_network(entries, pooled=True):
        text = NETWORK if pooled else NETWORK[: NETWORK.index("  - GroupPooling")]
        return text.replace("@@", "\n".join("  " + line for line in entries.splitlines()))

    return in_network


@pytest.fixture
def error_of(write):
    """The text of the SpecError that a spec raises when it is built."""

    def error_of(text, **params):
        with pytest.raises(SpecError) as caught:
            build_from_spec(write(text), **params)
        return str(caught.value)

    return error_of
