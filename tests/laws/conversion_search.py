"""Random networks of stock layers and operations, made equivariant: exact and folded alike, or refused by name."""

import collections
import warnings

import keras
import numpy as np
from keras import layers, ops

import keras_equivariant as ke
from keras_equivariant.conversion.problems import NoCounterpart

GROUPS = ("C4", "D4", "D2", "C2")
EXACT, ROUNDING = 1e-12, 1e-5


def _leaky(x):
    """An activation that Keras does not find by its name."""
    return ops.where(x > 0, x, 0.1 * x)


class Drawn:
    """A network under construction: `x` are its features, `kept` earlier ones of the same size."""

    def __init__(self, rng):
        self.rng = rng
        size = int(rng.integers(9, 17))
        self.image = keras.Input((size, size, int(rng.integers(1, 4))))
        self.x = self.image

    def pick(self, *values):
        return values[int(self.rng.integers(len(values)))]

    @property
    def channels(self):
        return self.x.shape[-1]

    def convolution(self):
        options = {"padding": self.pick("same", "valid"), "strides": self.pick(1, 1, 2)}
        kind = self.pick(layers.Conv2D, layers.Conv2D, layers.SeparableConv2D, layers.DepthwiseConv2D)
        count = () if kind is layers.DepthwiseConv2D else (self.pick(4, 6, 8),)
        self.x = kind(*count, self.pick(1, 2, 3), activation=self.pick(None, "relu", "gelu", _leaky), **options)(self.x)

    def transposed(self):
        self.x = layers.Conv2DTranspose(4, self.pick(2, 3, 4), strides=self.pick(1, 2), padding="same")(self.x)

    def pooling(self):
        kind = self.pick(layers.MaxPooling2D, layers.AveragePooling2D)
        self.x = kind(self.pick(2, 3), self.pick(1, 2), padding=self.pick("same", "valid"))(self.x)

    def normalization(self):
        kind = self.pick(layers.BatchNormalization, layers.LayerNormalization, lambda: layers.GroupNormalization(1))
        slopes = layers.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2])
        self.x = self.pick(*map(layers.Activation, ("relu", "swish", "tanh", _leaky)), slopes)(kind()(self.x))

    def residual(self):
        y = layers.Conv2D(self.channels, 3, padding="same")(self.x)
        self.x = self.pick(lambda: layers.Add()([self.x, y]), lambda: self.x + y, lambda: ops.maximum(self.x, y))()

    def branches(self):
        sides = [layers.Conv2D(self.pick(2, 4), k, padding="same")(self.x) for k in (1, 3)]
        self.x = self.pick(layers.Concatenate(), lambda tensors: ops.concatenate(tensors, axis=-1))(sides)

    def gate(self):
        y = layers.Conv2D(8, 3, padding="same")(self.x)
        value, gate = self.pick(lambda: ops.split(y, 2, axis=-1), lambda: (y[..., :4], y[..., 4:]))()
        self.x = value * ops.sigmoid(gate)

    def excitation(self):
        of_space = [lambda x, reduce=reduce: reduce(x, axis=(1, 2)) for reduce in (ops.mean, ops.sum, ops.var, ops.min)]
        pooled = self.pick(layers.GlobalAveragePooling2D(), *of_space)(self.x)
        scale = layers.Dense(self.channels, "sigmoid")(layers.Dense(3, "relu")(pooled))
        wide = self.pick(layers.Reshape((1, 1, self.channels)), lambda s: s[:, None, None], _expanded)(scale)
        self.x = self.pick(layers.Multiply(), lambda pair: pair[0] * pair[1])([self.x, wide])

    def attention(self):
        seen = [ops.mean(self.x, axis=-1, keepdims=True), ops.max(self.x, axis=-1, keepdims=True)]
        mask = layers.Conv2D(1, self.pick(3, 5), padding="same", activation="sigmoid")(layers.Concatenate()(seen))
        self.x = self.x * mask

    def border(self):
        self.x = self.pick(
            layers.ZeroPadding2D(1),
            lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
            layers.Cropping2D(1),
            lambda x: x[:, 1:-1, 1:-1],
            layers.Cropping2D(((1, 0), (1, 0))),
        )(self.x)

    def size(self):
        wanted = self.pick(6, 8, 9)
        self.x = self.pick(
            layers.UpSampling2D(2, interpolation=self.pick("nearest", "bilinear")),
            layers.Resizing(wanted, wanted),
            layers.CenterCrop(wanted, wanted),
            lambda x: ops.image.resize(x, (wanted, wanted)),
        )(self.x)

    def shuffle(self):
        """The channels in another order, by way of several axes."""
        height, width, channels = self.x.shape[1:]
        if channels % 2:
            return
        sizes = self.pick((2, channels // 2), (channels // 2, 2))
        if self.pick(True, False):
            y = layers.Reshape((height, width, *sizes))(self.x)
            y = self.pick(layers.Activation("tanh"), layers.Dropout(0.1), lambda y: y)(y)
            self.x = layers.Reshape((height, width, channels))(layers.Permute((1, 2, 4, 3))(y))
        else:
            y = ops.transpose(ops.reshape(self.x, (-1, height, width, *sizes)), (0, 1, 2, 4, 3))
            self.x = ops.reshape(y, (-1, height, width, channels))

    def detections(self, x):
        """Predictions of each pixel on other axes, as a detector gives them."""
        height, width, _ = x.shape[1:]
        kernel = self.pick(1, 3)
        y = layers.Conv2D(6, kernel, padding="same", activation=self.pick(None, "sigmoid"))(x)
        shape = self.pick((height * width, 6), (height * width * 2, 3), (height, width, 2, 3), (-1, 3))
        y = self.pick(layers.Reshape(shape), lambda y: ops.reshape(y, (-1, *shape)))(y)
        rank = len(y.shape)
        return self.pick(
            lambda y: y,
            layers.Softmax(),
            lambda y: ops.softmax(y, axis=-1),
            layers.Dense(4, activation="tanh"),
            lambda y: ops.concatenate([ops.sigmoid(y[..., :1]), ops.exp(y[..., 1:])], axis=-1),
            lambda y: ops.split(y, [1], axis=-1)[1] * 2.0,
            layers.Permute((*range(1, rank - 2), rank - 1, rank - 2)) if rank == 5 else layers.BatchNormalization(),
            layers.GlobalAveragePooling1D() if rank == 3 else layers.LayerNormalization(),
            layers.PReLU(alpha_initializer="random_normal", shared_axes=self.pick(None, list(range(1, rank - 1)))),
            layers.Rescaling(self.rng.normal(size=(y.shape[1], *(1,) * (rank - 2)))),
            layers.Flatten(),
        )(y)

    def tokens(self, x):
        """Features of each pixel as a sequence without places, and attention between them."""
        height, width, channels = x.shape[1:]
        y = layers.Reshape((height * width, channels))(x)
        y = self.pick(layers.LayerNormalization(), layers.Dense(5, activation="gelu"), layers.UnitNormalization())(y)
        y = self.pick(layers.MultiHeadAttention(2, 3), layers.MultiHeadAttention(1, 4, output_shape=6))(y, y)
        weights = self.pick(lambda y: ops.softmax(layers.Dense(1)(y), axis=1), lambda y: layers.Dense(1)(y))(y)
        y = self.pick(lambda: y * weights, lambda: layers.Multiply()([weights, y]), lambda: y)()
        return self.pick(
            lambda y: ops.sum(y, axis=1), lambda y: ops.max(y, axis=-2), layers.GlobalMaxPooling1D(), lambda y: y
        )(y)

    def scales(self):
        """The predictions of two maps, one behind the other."""
        parts = [self.x, layers.AveragePooling2D(2, padding="same")(self.x)]
        parts = [layers.Conv2D(4, 1)(x) for x in parts]
        parts = [layers.Reshape((-1, self.pick(2, 2)))(x) for x in parts]
        join = self.pick(layers.Concatenate(axis=1), lambda tensors: ops.concatenate(tensors, axis=1))
        return self.pick(layers.Softmax(), layers.Dense(3), lambda x: x)(join(parts))

    def head(self):
        x = self.pick(layers.GlobalAveragePooling2D(), layers.GlobalMaxPooling2D(), layers.Flatten())(self.x)
        x = layers.Dense(4, activation="relu")(x)
        behind = self.pick(None, lambda x: layers.LSTM(3)(layers.Reshape((2, 2))(x)), lambda x: x[:, ::-1])
        return layers.Dense(2)(behind(x) if behind else x)


def _expanded(tensor):
    return ops.expand_dims(tensor, (1, 2))


_OTHERS = ("__init__", "pick", "head", "detections", "scales", "tokens")
STEPS = [name for name, step in vars(Drawn).items() if callable(step) and name not in _OTHERS]


def draw(seed):
    """`(network, steps, group)`; a network of which a step failed is None."""
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    drawn = Drawn(rng)
    steps = ["convolution", *map(str, rng.choice(STEPS, 4))]
    try:
        for step in steps:
            getattr(drawn, step)()
        kind = rng.random()
        outputs = drawn.head() if kind < 0.6 else drawn.detections(drawn.x) if kind < 0.8 else drawn.x
        outputs = drawn.scales() if kind > 0.95 else drawn.tokens(drawn.x) if kind > 0.9 else outputs
        if min(drawn.x.shape[1:3]) < 1:
            return None, steps, None
        return keras.Model(drawn.image, outputs), steps, str(rng.choice(GROUPS))
    except ValueError:  # maps that became too small
        return None, steps, None


def search(seeds):
    """`(counts, wrong)` of: converted, refused, undrawn; what is wrong is not exact, or folds to something else."""
    found, wrong = collections.Counter(), []
    for seed in seeds:
        stock, steps, group = draw(seed)
        if stock is None:
            found["undrawn"] += 1
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                twin = ke.equivariant(stock, group, match="channels")
        except NoCounterpart:
            found["refused"] += 1
            continue
        found["converted"] += 1
        problem = problem_of(stock, twin, group, seed)
        if problem:
            wrong.append((seed, group, steps, problem))
    return found, wrong


def problem_of(stock, twin, group, seed):
    """What is wrong with a twin, or None."""
    rng = np.random.default_rng(seed)
    for weight in twin.weights:
        if not weight.path.endswith("seed_generator_state"):
            weight.assign(np.abs(rng.normal(size=weight.shape)) if "variance" in weight.path else weight + 0.05)
    report = ke.certify(twin, group, layers=False, dtypes=["float64"])
    if report.verdict not in ("exact", "vacuous"):
        return f"{report.verdict}: {report.max_error:.2g}"
    x = rng.normal(size=(2, *stock.input_shape[1:])).astype("float32")
    wanted = answer(twin, x)
    error = np.abs(answer(ke.fold(twin), x) - wanted).max() / max(np.abs(wanted).max(), 1e-6)
    if not error <= ROUNDING:
        return f"folds to another function: {error:.2g}"
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project", strict=False)
    wanted = answer(stock, x)
    error = np.abs(answer(same, x) - wanted).max() / max(np.abs(wanted).max(), 1e-6)
    return None if error <= ROUNDING else f"on Z2 another function: {error:.2g}"


def answer(model, x):
    """At inference, said aloud: behind Resizing and CenterCrop Keras takes a call that says nothing for training."""
    return ops.convert_to_numpy(model(x, training=False))
