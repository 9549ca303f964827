"""The server of the page: fixed files from memory and LiteRT.js from a folder, to this computer only."""

import http.server
import json
import pathlib
import sys
import threading
import urllib.parse

HOST = "127.0.0.1"
SECONDS, CONNECTIONS = 30, 64  # until an idle connection is closed; at once
PACKAGE = "@litertjs/core@2.5.3"
MODULES = "node_modules/@litertjs"
_PAGE = pathlib.Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
}
# The browser itself refuses whatever is not served here.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; "
    "style-src 'self'; worker-src 'self' blob:; connect-src 'self' data: blob:; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def find_assets(folder="."):
    """The folder `node_modules/@litertjs` with LiteRT.js.

    Args:
        folder: where npm installed it, or its `node_modules`.

    Raises:
        FileNotFoundError: it is not there; the message says how to get it.
    """
    folder = pathlib.Path(folder).expanduser()
    for place in (folder / MODULES, folder / "@litertjs"):
        if (place / "core" / "wasm").is_dir() and (place / "wasm-utils").is_dir():
            return place.resolve()
    raise FileNotFoundError(
        f"The page needs LiteRT.js, which npm installs. Received: {folder}, without {MODULES}/core. "
        f"Run npm install --prefix {folder} {PACKAGE}, or name the folder with --assets"
    )


class DemoServer(http.server.ThreadingHTTPServer):
    """Serves the page, the networks and LiteRT.js on 127.0.0.1.

    Args:
        networks: the networks of the page, see `networks()`.
        assets: what `find_assets` gives.
        port: 0 for any free one; `url` says which.
    """

    daemon_threads = True

    def __init__(self, networks, assets, port=8000):
        self.assets = pathlib.Path(assets)
        described = [{"name": n.name, "title": n.title, "about": n.about} for n in networks]
        self.files = {f"/{path.name}": path.read_bytes() for path in _PAGE.iterdir() if path.suffix in _TYPES}
        self.files["/"] = self.files["/index.html"]
        self.files["/networks.json"] = json.dumps(described).encode()
        self.files |= {f"/networks/{network.name}.tflite": network.content for network in networks}
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((HOST, port), _Handler)

    def process_request(self, request, client_address):
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), OSError):  # a client that went away is no fault of the server's
            super().handle_error(request, client_address)

    @property
    def url(self):
        return f"http://{HOST}:{self.server_address[1]}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "keras-equivariant", ""
    timeout = SECONDS  # of a socket on which nothing comes or nothing is taken

    def do_GET(self):
        content = self._content()
        if content is None:
            self.send_error(404)
            return
        self._head(content)
        self.wfile.write(content)

    def do_HEAD(self):
        content = self._content()
        if content is None:
            self.send_error(404)
        else:
            self._head(content)

    def _content(self):
        path = self.path.partition("?")[0]
        if not self._asked_for_here():
            return None
        if path.startswith("/litertjs/"):
            return self._asset(path.removeprefix("/litertjs/"))
        return self.server.files.get(path)

    def _head(self, content):
        path = self.path.partition("?")[0]
        self.send_response(200)
        kind = "text/html; charset=utf-8" if path == "/" else _TYPES[pathlib.PurePosixPath(path).suffix]
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()

    def end_headers(self):
        for name, value in _HEADERS.items():  # of errors, too
            self.send_header(name, value)
        super().end_headers()

    def _asked_for_here(self):
        """Whether the request names this computer: other pages cannot reach it under a name of their own."""
        hosts = [self.headers.get("Host", "")]
        if "Origin" in self.headers:
            hosts.append(urllib.parse.urlsplit(self.headers["Origin"]).netloc)
        return all(host.partition(":")[0] in (HOST, "localhost") for host in hosts)

    def _asset(self, name):
        try:
            path = (self.server.assets / name).resolve()
            inside = path.is_relative_to(self.server.assets) and path.suffix in _TYPES and path.is_file()
            return path.read_bytes() if inside else None
        except (OSError, ValueError):  # a name too long for the file system, or with a null character
            return None

    def log_message(self, format, *args):
        pass
