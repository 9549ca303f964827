"""Clients that mean harm, or that are slow: what they ask for is refused, and everyone else goes on being answered."""

import concurrent.futures
import contextlib
import json
import socket
import sys
import time

import keras
import numpy as np
import pytest
from model_server import Server, tensor

import keras_equivariant as ke

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="MLServer is not to be had for this version of Python"),
]
INFER = "/v2/models/tiny/infer"
IMAGE = np.random.default_rng(0).normal(size=(1, 9, 9, 1)).astype("float32")
BOUNDS = {"head_seconds": 2, "body_seconds": 3, "largest_body": 2**20, "largest_bodies": 2**22, "most_requests": 8}


def export_tiny(folder):
    image = keras.Input((9, 9, 1), name="image")
    x = ke.layers.GroupPooling("max")(ke.layers.LiftingConv2D(4, 3, group="C4")(image))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x), name="tiny")
    ke.export(model, folder, ["saved_model"], server="mlserver", verify=False)
    return model


def start(folder, **bounds):
    command = ("python", str(folder / "tiny" / "mlserver_start.py"))
    return Server(folder / "tiny", command, **bounds)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    model = export_tiny(folder)
    with start(folder, **BOUNDS) as server:
        yield server, keras.ops.convert_to_numpy(model(IMAGE)).ravel()


def request(**changes):
    return json.dumps({"inputs": [tensor("image", IMAGE)], **changes}).encode()


def alive(served):
    """Whether a whole request is answered right."""
    server, expected = served
    status, answer = server.ask("POST", INFER, request())
    return status == 200 and np.allclose(answer["outputs"][0]["data"], expected, atol=1e-5)


@pytest.mark.parametrize("action", ["index", "models/tiny/load", "models/tiny/unload"])
def test_nobody_unloads_the_model(served, action):
    assert served[0].ask("POST", f"/v2/repository/{action}", b"{}")[0] == 404
    assert alive(served)


@pytest.mark.parametrize("action", ["RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"])
@pytest.mark.parametrize("service", ["GRPCInferenceService", "ModelRepositoryService"])
def test_nobody_unloads_the_model_over_grpc(served, service, action):
    import grpc
    from mlserver.grpc import dataplane_pb2 as own
    from mlserver.grpc import model_repository_pb2 as other

    messages = own if service == "GRPCInferenceService" else other
    name = {"GRPCInferenceService": "inference", "ModelRepositoryService": "inference.model_repository"}[service]
    given = getattr(messages, f"{action}Request")(**({} if "Index" in action else {"model_name": "tiny"}))
    with grpc.insecure_channel(f"127.0.0.1:{served[0].grpc}") as channel:
        call = channel.unary_unary(
            f"/{name}.{service}/{action}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=getattr(messages, f"{action}Response").FromString,
        )
        with pytest.raises(grpc.RpcError, match="fixed"):
            call(given, timeout=30)
    assert alive(served)


@pytest.mark.parametrize("path", ["/v2/docs", "/v2/models/tiny/docs", "/openapi.json", "/docs", "/redoc"])
def test_no_page_that_loads_scripts_from_elsewhere(served, path):
    assert served[0].ask("GET", path)[0] == 404


def test_only_requests_that_name_this_host(served):
    server = served[0]
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{server.rest}"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
    ):
        assert server.ask("POST", INFER, request(), headers)[0] == 403
    for headers in ({"Host": f"localhost:{server.rest}"}, {"Origin": "http://127.0.0.1:3000"}):
        assert server.ask("POST", INFER, request(), headers)[0] == 200


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: b=c", "a\0b", "é", "x" * 70_000, "a b", "\ud800"])
def test_an_id_that_is_no_header(served, name):
    status, answer = served[0].ask("POST", INFER, request(id=name))
    assert status in (400, 422), answer
    assert alive(served)


def test_an_id_comes_back(served):
    assert served[0].ask("POST", INFER, request(id="a-1"))[1]["id"] == "a-1"
    assert served[0].ask("POST", INFER, request(id=""))[0] == 200


@contextlib.contextmanager
def connections(server, count):
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(("127.0.0.1", server.rest))) for _ in range(count)]
        for each in made:
            each.settimeout(30)
        yield made


HEAD = f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("start", [b"", HEAD.encode()[:40]])
def test_a_head_that_does_not_come(served, start):
    with connections(served[0], 1) as (client,):
        client.sendall(start)
        begin = time.monotonic()
        client.recv(1000)
        assert time.monotonic() - begin < BOUNDS["head_seconds"] + 10
    assert alive(served)


def test_half_sent_bodies_are_bounded_together(served):
    """Forty bodies of a mebibyte that lack their last byte: few are kept, no one for long."""
    server = served[0]
    head = f"{HEAD}Content-Length: {2**20}\r\n\r\n".encode()
    with server.memory() as growth, connections(server, 40) as clients:
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(head + bytes(2**20 - 1))
        answers = []
        for client in clients:
            with contextlib.suppress(OSError):
                answers.append(client.recv(100).split()[1])
    assert set(answers) <= {b"503", b"408"} and {b"503", b"408"} <= set(answers)
    assert growth[0] < 2**25, f"{growth[0]:,} bytes"
    assert alive(served)


def test_requests_in_flight_are_bounded(served):
    server = served[0]
    with connections(server, BOUNDS["most_requests"]) as clients:
        for client in clients:
            client.sendall(f"{HEAD}Content-Length: 10\r\n\r\n1".encode())
        time.sleep(0.5)
        status, answer = server.ask("POST", INFER, request())
        assert status == 503 and "at once" in answer["error"]
        assert server.ask("GET", "/v2/health/ready")[0] == 200
    time.sleep(0.5)
    assert alive(served)


def soak(server, expected, seconds, clients):
    """Clients that ask, abort and send nonsense for some time: `(seconds of whole requests, wrong answers)`."""
    end = time.monotonic() + seconds

    def client(seed):
        rng, took, wrong = np.random.default_rng(seed), [], []
        while time.monotonic() < end:
            kind = rng.random()
            if kind < 0.7:
                begin = time.perf_counter()
                status, answer = server.ask("POST", INFER, request(id=f"c{seed}"))
                if status == 200 and np.allclose(answer["outputs"][0]["data"], expected, atol=1e-5):
                    took.append(time.perf_counter() - begin)
                elif status != 503:
                    wrong.append((status, answer))
            elif kind < 0.85:
                size = int(rng.integers(1, 2000))
                with connections(server, 1) as (made,), contextlib.suppress(OSError):
                    made.sendall((f"{HEAD}Content-Length: {size + 5}\r\n\r\n" + "x" * size).encode())
            else:
                with connections(server, 1) as (made,), contextlib.suppress(OSError):
                    made.sendall(rng.bytes(int(rng.integers(1, 3000))))
                    made.recv(100)
        return took, wrong

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(client, range(clients)))
    return [t for took, _ in found for t in took], [w for _, wrong in found for w in wrong]


def test_many_clients_with_aborts_for_a_while(served):
    took, wrong = soak(*served, seconds=4, clients=6)
    assert not wrong and len(took) > 20
    assert alive(served)


@pytest.mark.slow
def test_sixty_four_clients_for_ten_minutes(tmp_path):
    model = export_tiny(tmp_path)
    expected = keras.ops.convert_to_numpy(model(IMAGE)).ravel()
    with start(tmp_path, most_requests=128) as server:
        soak(server, expected, 60, 64)  # warm
        with server.memory() as growth:
            took, wrong = soak(server, expected, 600, 64)
        listed = {q: f"{1e3 * np.quantile(took, q):.0f} ms" for q in (0.5, 0.95, 0.99, 1.0)}
        print(
            f"{len(took):,} whole requests, {len(wrong)} wrong, latency {listed}, memory +{growth[0] / 2**20:.0f} MiB"
        )
        assert not wrong
        assert growth[0] < 2**26, "memory is not flat"
