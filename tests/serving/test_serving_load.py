"""Requests per second and latency of a folded equivariant network behind MLServer, beside the plain CNN of its width.

Run by hand: `pytest -n 0 -m benchmark -s tests/serving`.
"""

import statistics
import threading
import time

import keras
import numpy as np
import pytest
from keras import layers
from model_server import Server

import keras_equivariant as ke

pytestmark = [pytest.mark.benchmark, pytest.mark.tensorflow]
ROUNDS, REQUESTS, CLIENTS = 12, 25, 4


def equivariant(fields=8):
    x = inputs = keras.Input((28, 28, 1), name="image")
    x = ke.layers.LiftingConv2D(fields, 3, "C4", padding="same", use_bias=False)(x)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    for _ in range(3):
        x = ke.layers.GroupConv2D(fields, 3, "C4", padding="same", use_bias=False)(x)
        x = ke.layers.BatchNormalization(activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(ke.layers.GroupPooling("max")(x))
    return keras.Model(inputs, layers.Dense(10)(x), name="equivariant")


def plain(channels=32):
    x = inputs = keras.Input((28, 28, 1), name="image")
    for _ in range(4):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = keras.ops.max(layers.Reshape((28, 28, 4, channels // 4))(x), axis=-2)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)), name="plain")


@pytest.fixture(scope="module")
def asks(tmp_path_factory):
    """For each of the networks, both behind one server, a function that asks it over gRPC for one image."""
    import grpc
    from mlserver.grpc import dataplane_pb2 as messages
    from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

    folder = tmp_path_factory.mktemp("load")
    for model in (equivariant(), plain()):
        ke.export(model, folder, ["saved_model"], server="mlserver", verify=False)
    image = np.random.default_rng(0).normal(size=(1, 28, 28, 1)).astype("float32")

    def ask(service, name):
        request = messages.ModelInferRequest(model_name=name, raw_input_contents=[image.tobytes()])
        request.inputs.add(name="image", datatype="FP32", shape=image.shape)
        return lambda: service.ModelInfer(request, timeout=60)

    with Server(folder) as server, grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        service = GRPCInferenceServiceStub(channel)
        yield {name: ask(service, name) for name in ("equivariant", "plain")}


def burst(ask):
    """`(requests a second, seconds of each)` of several clients at once."""
    seconds = []

    def client():
        for _ in range(REQUESTS):
            start = time.perf_counter()
            ask()
            seconds.append(time.perf_counter() - start)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    start = time.perf_counter()
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    return CLIENTS * REQUESTS / (time.perf_counter() - start), seconds


def test_requests_per_second_and_latency(asks):
    for ask in asks.values():
        burst(ask)
    rates, seconds = {name: [] for name in asks}, {name: [] for name in asks}
    for round_ in range(ROUNDS):
        for name in sorted(asks, reverse=round_ % 2 == 1):
            rate, found = burst(asks[name])
            rates[name].append(rate)
            seconds[name] += found
    for name in asks:
        middle, slow = (1e3 * q for q in np.quantile(seconds[name], (0.5, 0.95)))
        print(f"\n{name}: {statistics.median(rates[name]):.0f} requests/s, {middle:.1f} ms (95 %: {slow:.1f} ms)")
    ratio = statistics.median(a / b for a, b in zip(rates["equivariant"], rates["plain"], strict=True))
    print(f"requests per second, equivariant against plain, {CLIENTS} clients: ratio {ratio:.2f}")
    assert len(seconds["equivariant"]) == ROUNDS * CLIENTS * REQUESTS
    assert ratio > 0.8
