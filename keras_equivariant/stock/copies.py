"""Copies of stock Keras layers for a folded model: frozen, of one dtype, and without what only training needs."""

FLOATS = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
TRAINING_ONLY = ("_regularizer", "_constraint")


def copy(layer, name, dtype, **overrides):
    """An unbuilt, frozen copy of a stock layer.

    Raises:
        ValueError: where the layer, or something in its config, is not part of Keras itself.
    """
    config = {**_for_inference(layer.get_config(), dtype), **overrides}
    foreign = _first_foreign(config)
    if foreign is not None:
        raise ValueError(
            f"A folded model consists of what Keras itself defines. Received: {describe(layer)} "
            f"with {foreign}. Use a stock layer or activation in its place, or give the layer a method "
            "`fold(input_shape) -> [(stock_layer, weights), ...]`."
        )
    return type(layer).from_config({**config, "name": name, "dtype": dtype, "trainable": False})


def check_shapes(layer, weights):
    """ValueError unless the weights are those of a built copy of a layer."""
    wanted, found = ([tuple(w.shape) for w in some] for some in (layer.weights, weights))
    if wanted != found:
        raise ValueError(
            "A layer is folded with the weights that its configuration describes. Received: "
            f"{describe(layer)} with weights of shapes {found}, where a layer of its configuration has "
            f"{[(w.name, tuple(w.shape)) for w in layer.weights]}. Use a layer whose configuration is complete"
        )


def is_stock(operation):
    return type(operation).__module__.split(".")[0] == "keras"


def describe(layer):
    return f'layer "{layer.name}" of class {type(layer).__module__}.{type(layer).__name__}'


def _for_inference(config, dtype):
    if isinstance(config, dict):
        return {
            key: _setting(str(key), value, dtype)
            for key, value in config.items()
            if not str(key).endswith(TRAINING_ONLY)
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_for_inference(value, dtype) for value in config)
    return config


def _setting(key, value, dtype):
    if key == "dtype":
        return _dtype(value, dtype)
    # The weights come from the unfolded layer; zeros are the cheapest to begin with.
    return "zeros" if key.endswith("_initializer") and value else _for_inference(value, dtype)


def _dtype(value, dtype):
    if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
        return dtype
    return dtype if value in FLOATS else value


def _first_foreign(config):
    """The name of the first thing in a serialized object that Keras does not define, or None."""
    if isinstance(config, dict):
        if config.get("class_name") == "__lambda__" or set(config) == {"value"}:
            return "a Python lambda"
        if config.get("class_name") == "function":
            return f"the function {config['config']!r}"
        if "class_name" in config and "module" in config:
            if (config["module"] or "").split(".")[0] != "keras":
                return config.get("registered_name") or config["class_name"]
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        return next((found for found in map(_first_foreign, config) if found is not None), None)
    return None
