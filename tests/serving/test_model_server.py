"""A packaged spec behind a real model server: the guide's commands, REST and gRPC, and requests that are wrong."""

import json
import sys

import keras
import numpy as np
import pytest
from model_server import Server, readme_command, tensor

import keras_equivariant as ke
from keras_equivariant.cli import main

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="MLServer is not to be had for this version of Python"),
]
INFER = "/v2/models/p4_cnn/infer"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The server that the guide's commands start on a trained run, the network in Keras, and its input's name."""
    work = tmp_path_factory.mktemp("serving")
    keras.utils.set_random_seed(0)
    model = ke.build_from_spec("p4_cnn", filters=2)
    run = work / "runs" / "p4_cnn-digits-seed0"
    run.mkdir(parents=True)
    model.save(run / "model.keras")
    (run / "config.json").write_text(json.dumps({"settings": {"network": "p4_cnn", "recipe": {"preprocess": []}}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        assert main(readme_command("keras-equivariant export runs/")[1:]) == 0
    with Server(work / "out" / "p4_cnn", readme_command("python out/"), cwd=work) as server:
        yield server, model, server.get("/v2/models/p4_cnn")[1]["inputs"][0]["name"]


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype("float32")


def test_it_tells_what_it_takes(served):
    server, _, name = served
    status, metadata = server.get("/v2/models/p4_cnn")
    assert status == 200
    assert metadata["inputs"] == [{"name": name, "datatype": "FP32", "shape": [-1, 28, 28, 1]}]
    assert metadata["outputs"] == [{"name": "output_0", "datatype": "FP32", "shape": [-1, 10]}]


@pytest.mark.parametrize("batch", [1, 3])
def test_rest_answers_with_the_numbers_of_keras(served, images, batch):
    server, model, name = served
    status, answer = server.post(INFER, {"inputs": [tensor(name, images[:batch])]})
    assert status == 200 and [output["name"] for output in answer["outputs"]] == ["output_0"]
    found = np.reshape(answer["outputs"][0]["data"], answer["outputs"][0]["shape"])
    expected = keras.ops.convert_to_numpy(model(images[:batch]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    rotated = server.post(INFER, {"inputs": [tensor(name, np.rot90(images[:batch], axes=(1, 2)))]})[1]
    np.testing.assert_allclose(rotated["outputs"][0]["data"], found.ravel(), atol=1e-5 * np.abs(expected).max())
    mirrored = server.post(INFER, {"inputs": [tensor(name, images[:batch, :, ::-1])]})[1]
    assert np.abs(mirrored["outputs"][0]["data"] - found.ravel()).max() > 1e-2 * np.abs(expected).max()


def test_a_request_may_name_the_version_that_is_served(served, images):
    server, _, name = served
    request = {"inputs": [tensor(name, images)]}
    status, answer = server.post("/v2/models/p4_cnn/versions/1/infer", request)
    assert status == 200 and answer["model_version"] == "1"
    assert server.post(INFER, request)[1]["outputs"] == answer["outputs"]
    assert server.get("/v2/models/p4_cnn/versions/1/ready")[0] == 200
    assert server.get("/v2/models/p4_cnn/versions/1")[0] == 200
    assert server.post("/v2/models/p4_cnn/versions/2/infer", request)[0] == 404


@pytest.fixture(scope="module")
def ask(served):
    """A function that asks over gRPC: of an array, with changes to the request, to the array of answers."""
    import grpc
    from mlserver.grpc import dataplane_pb2 as messages
    from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

    server, _, name = served
    channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc}", [("grpc.max_send_message_length", -1)])
    service = GRPCInferenceServiceStub(channel)

    def infer(array, raw=True, **changes):
        request = messages.ModelInferRequest(model_name="p4_cnn")
        given = request.inputs.add(**{"name": name, "datatype": "FP32", "shape": array.shape, **changes})
        if raw:
            request.raw_input_contents.append(array.tobytes())
        else:
            given.contents.fp32_contents.extend(array.ravel())
        answer = service.ModelInfer(request, timeout=60)
        (output,) = answer.outputs
        if answer.raw_output_contents:
            return np.frombuffer(answer.raw_output_contents[0], "float32").reshape(output.shape)
        return np.reshape(output.contents.fp32_contents, output.shape)

    yield infer
    channel.close()


@pytest.mark.parametrize("raw", [True, False])
def test_grpc_answers_with_the_numbers_of_keras(served, ask, images, raw):
    expected = keras.ops.convert_to_numpy(served[1](images))
    np.testing.assert_allclose(ask(images, raw), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


IMAGE = np.zeros((1, 28, 28, 1), "float32")
WRONG = {
    "not JSON": (422, b'{"inputs": ['),
    "empty": (422, b""),
    "deep": (422, b"[" * 200_000),
    "large": (422, b"x" * 8_000_000),
    "without inputs": (422, {}),
    "unknown type": (422, {"datatype": "FOO"}),
    "wrong type": (400, {"datatype": "INT64"}),
    "too few axes": (400, {"shape": [28, 28, 1]}),
    "wrong size": (400, {"shape": [1, 28, 28, 2]}),
    "inferred size": (400, {"shape": [-1, 28, 28, 1]}),
    "too few numbers": (400, {"shape": [2, 28, 28, 1]}),
    "texts": (400, {"data": ["a"] * 784}),
    "nothing for a number": (400, {"data": [None] * 784}),
    "wrong name": (400, {"name": "picture"}),
    "too many examples": (413, {"shape": [257, 28, 28, 1], "data": [0] * 257 * 784}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_request_gets_an_error_and_the_server_lives(served, images, what):
    server, model, name = served
    status, body = WRONG[what]
    if body and not isinstance(body, bytes):
        body = {"inputs": [tensor(name, IMAGE, **body)]}
    found, answer = server.post(INFER, body)
    assert found == status
    if status != 422:  # ours, which names what was received
        assert "Received: " in answer["error"]
    assert server.post("/v2/models/other/infer", {"inputs": [tensor(name, IMAGE)]})[0] == 404
    status, answer = server.post(INFER, {"inputs": [tensor(name, images)], "outputs": [{"name": "output_0"}]})
    assert status == 200 and len(answer["outputs"][0]["data"]) == 30
    assert server.process.poll() is None


@pytest.mark.parametrize(("chunked", "kept"), [(False, 0), (True, 2**25)])
def test_an_oversized_request_is_refused_unread_and_the_server_lives(served, images, chunked, kept):
    server, _, name = served
    with server.memory() as growth:
        status, answer = server.send(INFER, 2**28, chunked)
    assert status == 413 and "at most 33554432 bytes. Received: " in answer["error"]
    assert growth[0] < 1.25 * kept + 2**23, f"{growth[0]:,} bytes for a body of {2**28:,}"
    assert server.post(INFER, {"inputs": [tensor(name, images)]})[0] == 200


def test_a_compressed_request_is_refused(served):
    status, answer = served[0].send(INFER, 2**20, **{"Content-Encoding": "gzip"})
    assert status == 415 and 'Received: Content-Encoding "gzip"' in answer["error"]


def test_a_wrong_request_over_grpc_gets_an_error_and_the_server_lives(ask, images):
    import grpc

    codes = grpc.StatusCode
    for code, array, changes in (
        (codes.INVALID_ARGUMENT, images, {"shape": [3, 28, 28]}),
        (codes.INTERNAL, images, {"shape": [1, 28, 28, 1]}),
        (codes.INVALID_ARGUMENT, images.astype("float64"), {"datatype": "FP64"}),
        (codes.INVALID_ARGUMENT, images * np.nan, {}),
        (codes.RESOURCE_EXHAUSTED, np.zeros((11_000, 28, 28, 1), "float32"), {}),
    ):
        with pytest.raises(grpc.RpcError) as error:
            ask(array, **changes)
        assert error.value.code() is code
        assert ask(images).shape == (3, 10)


def test_export_keeps_settings_that_were_edited(tmp_path):
    model = ke.build_from_spec("p4_cnn", filters=1)
    options = {"formats": ["saved_model"], "server": "mlserver", "verify": False}
    ke.export(model, tmp_path, **options)
    settings = tmp_path / "p4_cnn" / "settings.json"
    assert json.loads(settings.read_text())["host"] == "127.0.0.1"
    settings.write_text("{}")
    ke.export(model, tmp_path, version=2, **options)
    assert settings.read_text() == "{}" and (tmp_path / "p4_cnn" / "2").is_dir()
    ke.export(model, tmp_path, version=2, overwrite=True, **options)
    assert "host" in settings.read_text()
    with pytest.raises(ValueError, match="None or \"mlserver\". Received: server='triton'"):
        ke.export(model, tmp_path, formats=["saved_model"], server="triton")
    with pytest.raises(ValueError, match='reads the format "saved_model"; add it'):
        ke.export(model, tmp_path, formats=["tflite"], server="mlserver")
