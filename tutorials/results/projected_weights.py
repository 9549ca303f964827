"""What weights="project" is worth: a twin trained from a stock network's weights, and from random ones.

A stock network is trained on the upright digits; its twin on C4 learns the same digits, each rotated by a random
quarter turn. Prints the loss and the share of right answers after every epoch, means over the seeds.

    python tutorials/results/projected_weights.py
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_equivariant as ke

SEEDS, EPOCHS, BATCH = (0, 1), 5, 32


def stock(shape):
    image = x = keras.Input(shape)
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
    x = layers.Conv2D(48, 3, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)), name="digits")


def batches(images, labels, seed=None):
    found = tf.data.Dataset.from_tensor_slices((images, labels))
    found = found if seed is None else found.shuffle(len(images), seed=seed)
    options = tf.data.Options()
    options.autotune.enabled = False
    return found.batch(BATCH).with_options(options)


def fit(model, train, test, epochs, seed):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return model.fit(batches(*train, seed), validation_data=batches(*test), epochs=epochs, verbose=0).history


def rotated(images, seed):
    random = np.random.default_rng(seed)
    return np.stack([np.rot90(image, random.integers(4)) for image in images])


def main():
    digits = ke.data.load("digits")
    train, test = (digits.x_train, digits.y_train), (digits.x_test, digits.y_test)
    keras.utils.set_random_seed(0)
    plain = stock(digits.x_train.shape[1:])
    fit(plain, train, test, 6, 0)
    train, test = (rotated(train[0], 0), train[1]), (rotated(test[0], 1), test[1])
    for weights in (None, "project"):
        found = []
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            twin = ke.equivariant(plain, "C4", weights=weights)
            found.append(fit(twin, train, test, EPOCHS, seed))
        means = {key: np.mean([one[key] for one in found], axis=0).round(3).tolist() for key in ("loss", "val_loss")}
        print(f"weights={weights}: {twin.count_params()} parameters, {means}", flush=True)


if __name__ == "__main__":
    main()
