"""MLServer started on a folder, on free ports of this machine, and asked over REST and gRPC."""

import contextlib
import http.client
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

GUIDE = (pathlib.Path(__file__).parents[2] / "tutorials/guides/deploying.md").read_text()
DEADLINE = 180  # seconds


def readme_command(start):
    """The arguments of the line of the guide that starts with these words."""
    return shlex.split(next(line for line in GUIDE.splitlines() if line.startswith(start)))


def free_ports(count):
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


class Server:
    """A process that serves a folder; use it in a `with` statement."""

    def __init__(self, folder, command=None, cwd=None, **settings):
        self.folder, self.cwd, self.settings = pathlib.Path(folder), cwd, settings
        program, *arguments = command or ("mlserver", "start", str(folder))
        self.command = [str(pathlib.Path(sys.executable).with_name(program)), *arguments]
        self.rest, self.grpc, self.metrics = free_ports(3)

    def __enter__(self):
        path = self.folder / "settings.json"
        ports = {"http_port": self.rest, "grpc_port": self.grpc, "metrics_port": self.metrics}
        settings = json.loads(path.read_text()) if path.exists() else {"host": "127.0.0.1", "parallel_workers": 0}
        path.write_text(json.dumps({**settings, **ports, **self.settings}))
        self.log = open(self.folder / "server.log", "wb+")
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env=environment, stdout=self.log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + DEADLINE
        while self.get("/v2/health/ready")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError((self.folder / "server.log").read_text()[-3000:])
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def get(self, path):
        return self._ask(urllib.request.Request(f"http://127.0.0.1:{self.rest}{path}"))

    def post(self, path, body):
        """`(status, decoded answer)`; `body` is bytes, or what is to be sent as JSON."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.rest}{path}"
        return self._ask(urllib.request.Request(url, body, {"Content-Type": "application/json"}))

    def ask(self, method, path, body=b"", headers=None):
        """`(status, decoded answer)` of a request with these headers; the status is None where none came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                return None, None
        try:
            return answer.status, json.loads(content or b"null")
        except ValueError:
            return answer.status, content

    def send(self, path, size, chunked=False, **headers):
        """`(status, decoded answer)` to a body of `size` zeros, sent by and by, with its length or in chunks."""
        part = bytes(2**20)
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
        connection = http.client.HTTPConnection("127.0.0.1", self.rest, timeout=60)
        with contextlib.closing(connection):
            parts = (part for _ in range(size // len(part)))
            connection.request("POST", path, parts, {**length, **headers}, encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    @contextlib.contextmanager
    def memory(self):
        """A list that gets the bytes by which the memory of the process grew at its peak within."""
        folder, growth = pathlib.Path("/proc", str(self.process.pid)), []

        def kilobytes(name):
            return next(int(line.split()[1]) for line in (folder / "status").open() if line.startswith(name))

        (folder / "clear_refs").write_text("5")  # the peak begins anew
        before = kilobytes("VmRSS")
        yield growth
        growth.append(1024 * (kilobytes("VmHWM") - before))

    def _ask(self, request):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except OSError:
            return None, None


def tensor(name, array, /, **changes):
    """One input of a request of the V2 protocol."""
    data = {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}
    return {**data, **changes}
