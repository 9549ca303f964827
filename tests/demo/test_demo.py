"""The demo's server, and its page in headless Chromium: both networks answer, only one of them whatever the angle."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.demo import DemoServer, find_assets
from keras_equivariant.demo.networks import Network, networks, with_vectors
from keras_equivariant.demo.server import CONNECTIONS, PACKAGE

pytestmark = pytest.mark.tensorflow
PLAYWRIGHT = "playwright-core@1.65.1"


def serving(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def exported():
    return networks()


@pytest.fixture
def small(tmp_path):
    """A server with small files in the place of the networks and of LiteRT.js."""
    assets = tmp_path / "node_modules" / "@litertjs"
    for name, content in {"core/wasm/a.wasm": "w", "core/dist/index.js": "j", "wasm-utils/b.js": "u"}.items():
        (assets / name).parent.mkdir(parents=True, exist_ok=True)
        (assets / name).write_text(content)
    (tmp_path / "node_modules" / "secret.js").write_text("secret")
    with DemoServer([Network("net", "A net", "small", b"tfl3")], find_assets(tmp_path), port=0) as server:
        yield serving(server)
        server.shutdown()


def get(server, path, **headers):
    request = urllib.request.Request(server.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, b""


def test_server_gives_what_the_page_needs_and_nothing_else(small):
    assert small.server_address[0] == "127.0.0.1"
    status, headers, body = get(small, "")
    assert status == 200 and b"demo.js" in body and "connect-src 'self'" in headers["Content-Security-Policy"]
    assert json.loads(get(small, "networks.json")[2]) == [{"name": "net", "title": "A net", "about": "small"}]
    assert get(small, "networks/net.tflite")[2] == b"tfl3"
    assert get(small, "litertjs/core/wasm/a.wasm")[1]["Content-Type"] == "application/wasm"
    for path in (
        "litertjs/../secret.js",
        "litertjs/%2e%2e/secret.js",
        "server.py",
        "networks/other.tflite",
        "litertjs",
    ):
        assert get(small, path)[0] == 404
    assert get(small, "networks.json", Host="elsewhere.example")[0] == 404


def asked(server, request):
    """The first bytes of the answer to raw bytes; none where the connection is closed."""
    with socket.create_connection(server.server_address[:2], timeout=30) as client:
        client.sendall(request)
        return client.recv(10_000)


HOST = b"Host: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "name", [b"a%00b", b"a\0b", b"x" * 5000, b"core/" * 2000, b"\xff\xfe", b"%2e%2e/%2e%2e/passwd"]
)
def test_hostile_names_are_not_found(small, name):
    answer = asked(small, b"GET /litertjs/" + name + b".js HTTP/1.1\r\n" + HOST)
    assert answer.split()[1] == b"404"
    assert get(small, "networks.json")[0] == 200


def test_head(small):
    answer = asked(small, b"HEAD /networks.json HTTP/1.0\r\n" + HOST)
    assert answer.startswith(b"HTTP/1.0 200") and answer.endswith(b"\r\n\r\n") and b"Content-Length" in answer
    assert asked(small, b"HEAD /nothing HTTP/1.0\r\n" + HOST).split()[1] == b"404"


def test_only_this_computer_and_no_frame(small):
    for status, given in ((404, {"Origin": "https://evil.example"}), (404, {"Host": "evil.example"}), (200, {})):
        found, headers, _ = get(small, "networks.json", **given)
        assert found == status
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_idle_connections_end_and_are_bounded(small, monkeypatch):
    monkeypatch.setattr(small.RequestHandlerClass, "timeout", 1)
    assert asked(small, b"GET /") == b""
    monkeypatch.setattr(small.RequestHandlerClass, "timeout", 20)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(small.server_address[:2]))
        eventually(lambda: small._free._value == 0)
        with contextlib.suppress(ConnectionError):
            assert asked(small, b"GET / HTTP/1.1\r\n" + HOST) == b""
    eventually(lambda: small._free._value == CONNECTIONS)
    assert get(small, "networks.json")[0] == 200


def eventually(holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_missing_is_said_in_one_line(tmp_path, capsys):
    assert main(["demo", "--assets", str(tmp_path)]) == 2
    assert f"npm install --prefix {tmp_path} {PACKAGE}" in capsys.readouterr().err
    assert main(["demo", "--port", "99999"]) == 2
    assert "from 0 to 65535" in capsys.readouterr().err


def stroke():
    image = np.zeros((1, 28, 28, 1), "float32")
    image[0, 5:23, 13:16] = image[0, 5:8, 8:16] = 255.0
    return image


def test_networks_answer_and_one_rotates_its_vectors(exported, tmp_path):
    from keras_equivariant.export.formats.tflite import details, load

    change = {}
    for network in exported:
        file = tmp_path / f"{network.name}.tflite"
        file.write_bytes(network.content)
        (name,) = details(file)["inputs"]
        run, found = load(file), []
        for quarter in range(4):
            logits, vectors = sorted(run({name: np.rot90(stroke(), quarter, (1, 2))}).values(), key=np.size)
            assert logits.shape == (1, 10) and vectors.shape[-1] == 2
            rotated = np.rot90(vectors, -quarter, (1, 2))
            for _ in range(quarter):
                rotated = np.stack([rotated[..., 1], -rotated[..., 0]], axis=-1)  # (x, y) rotated back
            found.append((logits, rotated))
        for part in (0, 1):
            scale = np.abs(found[0][part]).max()
            change[network.name, part] = max(np.abs(f[part] - found[0][part]).max() for f in found) / scale
    assert change["equivariant", 0] <= 1e-4 and change["equivariant", 1] <= 1e-4
    assert change["plain", 0] > 0.05 and change["plain", 1] > 0.05


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory):
    """LiteRT.js and playwright-core: the folder KERAS_EQUIVARIANT_NODE_MODULES, or from npm."""
    given = os.environ.get("KERAS_EQUIVARIANT_NODE_MODULES")
    if given:
        return pathlib.Path(given)
    if not shutil.which("npm"):
        pytest.skip("npm is not installed (Debian: apt-get install npm)")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--no-fund", "--no-audit", "--prefix", folder, PACKAGE, PLAYWRIGHT]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if result.returncode:
        pytest.skip(f"npm cannot provide {PACKAGE} and {PLAYWRIGHT}: {result.stderr.strip()[:200]}")
    return folder / "node_modules"


@pytest.fixture(scope="module")
def readings(exported, node_modules):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or shutil.which("node") is None:
        pytest.skip("Chromium and node are not installed (Debian: apt-get install chromium nodejs)")
    with DemoServer(exported, find_assets(node_modules), port=0) as server:
        serving(server)
        script = pathlib.Path(__file__).with_name("browser.mjs")
        command = ["node", script, server.url, node_modules.resolve(), chromium]
        command += [path] if (path := os.environ.get("KERAS_EQUIVARIANT_SCREENSHOT")) else []
        result = subprocess.run(command, capture_output=True, text=True, timeout=400)
        server.shutdown()
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["failed"] is None
    return {**found, "url": server.url}


def test_page_loads_and_fetches_nothing_from_outside(readings):
    fetched = [url for url in readings["requests"] if not url.startswith(("data:", "blob:"))]
    assert all(url.startswith(readings["url"]) for url in fetched)
    assert any(url.endswith(".wasm") for url in fetched) and sum(url.endswith(".tflite") for url in fetched) == 2
    assert readings["outside"] == "refused"
    assert all(answer in map(str, range(10)) for answer in readings["drawn"])


def test_only_the_equivariant_network_is_steady_over_quarter_turns(readings):
    spread, answers = {}, {}
    for name in ("equivariant", "plain"):
        for digit in (2, 4, 7):
            rows = [r[name] for r in readings["readings"] if r["digit"] == digit and r["angle"] % 90 == 0]
            logits = np.array([row["logits"] for row in rows])
            spread.setdefault(name, []).append(np.abs(logits - logits[0]).max() / np.abs(logits).max())
            answers.setdefault(name, []).append([row["digit"] for row in rows])
            moved = [np.linalg.norm(row - logits[0]) / np.linalg.norm(logits[0]) for row in logits]
            np.testing.assert_allclose([row["moved"] for row in rows], moved, atol=1e-4)
            assert all(np.isclose(sum(row["probabilities"]), 1, atol=1e-5) for row in rows)
    assert max(spread["equivariant"]) <= 1e-4 and min(spread["plain"]) > 1e-2
    assert all(len(set(found)) == 1 for found in answers["equivariant"])
    assert sum(found[0] == digit for found, digit in zip(answers["equivariant"], (2, 4, 7), strict=True)) >= 2


def test_vectors_of_a_group_convolutional_network_rotate():
    """What the page would show of `p4_cnn_rotated_mnist`."""
    keras.utils.set_random_seed(0)
    model = ke.fold(with_vectors(ke.build_from_spec("p4_cnn"), 2))
    x = np.random.default_rng(0).random((1, 28, 28, 1), "float32")
    vectors, moved = (np.asarray(model(image)[1]) for image in (x, np.rot90(x, 1, (1, 2))))
    rotated = np.rot90(vectors, 1, (1, 2))
    rotated = np.stack([-rotated[..., 1], rotated[..., 0]], axis=-1)
    np.testing.assert_allclose(moved, rotated, atol=1e-5 * np.abs(vectors).max())
    assert np.abs(moved - np.rot90(vectors, 1, (1, 2))).max() > 1e-2 * np.abs(vectors).max()
