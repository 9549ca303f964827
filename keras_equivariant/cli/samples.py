"""Sample inputs of a network of the user's own, from an .npy or .npz file."""

MOST = 100


def samples(path, model):
    """Float32 arrays in the structure of a model's inputs.

    Of one input the only array of an .npy file, or the first of an .npz file; of several those of their names.
    """
    import keras
    import numpy as np

    from keras_equivariant.graphs.reading import as_functional

    if path is None:
        raise ValueError("tflite_int8 needs sample images. Received: no --data; name an .npy or .npz file of them.")
    found = np.load(path, allow_pickle=False)
    named = {"": found} if isinstance(found, np.ndarray) else dict(found)
    graph = as_functional(model)
    names = [tensor.name for tensor in graph.inputs]
    if len(names) == 1:
        named = dict(zip(names, named.values(), strict=False))
    if any(name not in named for name in names):
        raise ValueError(
            f"The samples of {len(names)} inputs are an .npz file with an array for each, by name. Received: {path} "
            f"with {', '.join(filter(None, named)) or 'one array without a name'}; write it by "
            f"np.savez(path, **{{{', '.join(f'{name!r}: ...' for name in names)}}})"
        )
    for tensor in graph.inputs:
        shape, wanted = named[tensor.name].shape[1:], tuple(tensor.shape[1:])
        if len(shape) != len(wanted) or any(n not in (None, m) for n, m in zip(wanted, shape, strict=True)):
            raise ValueError(
                f'The samples of the input "{tensor.name}" must have the shape (N, {", ".join(map(str, wanted))}). '
                f"Received: {named[tensor.name].shape} in {path}; pass them as the model takes them"
            )
    return keras.tree.pack_sequence_as(graph.input, [named[name][:MOST].astype("float32") for name in names])
