"""Starts MLServer on its folder, or on the one that is given, for clients that may be strangers.

`export(..., server="mlserver")` puts a copy of this file beside the version folders of a model:
`python <folder>/mlserver_start.py`. `mlserver start` lets any client, any web page too, unload the model, and reads
bodies of any size for any time. Here only what asks for predictions is served, to requests that name this host, with
bounds on the bytes, the seconds and the number of requests at once. The bounds stand in settings.json.
"""

import asyncio
import json
import pathlib
import sys
from urllib.parse import urlsplit

from mlserver import MLServer
from mlserver.cli.serve import load_settings
from mlserver.errors import MLServerError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from uvicorn.protocols.http.auto import AutoHTTPProtocol

MODEL = "/v2/models/{model_name}"
VERSION = f"{MODEL}/versions/{{model_version}}"
SERVED = (
    *("/v2", "/v2/health/live", "/v2/health/ready"),
    *(f"{model}{action}" for model in (MODEL, VERSION) for action in ("", "/ready", "/infer")),
)
# What settings.json may say otherwise.
BOUNDS = {
    "allowed_hosts": ["127.0.0.1", "localhost", "[::1]"],  # names by which clients may ask; ["*"] for any
    "largest_body": 2**25,  # bytes of one request; `grpc_max_message_length` is the same bound of gRPC
    "largest_bodies": 2**26,  # bytes of all requests at once
    "body_seconds": 30,  # until the whole body of a request must have come
    "head_seconds": 10,  # until the head of a request must have come on a connection
    "answer_seconds": 120,  # until an answer must have been computed and taken
    "most_requests": 32,  # at once
}


class Guard:
    """ASGI middleware: the application gets a request when it may be asked for and its whole body has been read.

    Args:
        app: the ASGI application.
        bounds: dict with the keys of `BOUNDS`.
    """

    def __init__(self, app, bounds):
        self._app, self._bounds = app, bounds
        self._bytes = self._requests = 0  # of all requests that are being read or answered

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        elif refused := self._refused(scope):
            await _refuse(*refused, scope, receive, send)
        elif scope["method"] != "POST":
            await self._answer(scope, receive, send)
        elif self._requests >= self._bounds["most_requests"]:
            text = f"At most {self._bounds['most_requests']} requests are answered at once. Ask again later."
            await _refuse(503, text, scope, receive, send)
        else:
            self._requests += 1
            try:
                await self._with_body(scope, receive, send)
            finally:
                self._requests -= 1

    def _refused(self, scope):
        """`(status, text)` of a request that is none for this server; None of one that is."""
        headers = Headers(scope=scope)
        for name in ("host", "origin"):
            asked = headers.get(name)
            if asked is not None and not self._allowed(asked if name == "host" else urlsplit(asked).netloc):
                return 403, f'Requests must name this server, by "allowed_hosts" of settings.json. Received: {name}.'
        if "content-encoding" in headers:
            return 415, f'A body must not be compressed. Received: Content-Encoding "{headers["content-encoding"]}".'
        return None

    def _allowed(self, netloc):
        host = netloc.rpartition(":")[0] if netloc.rpartition(":")[2].isdigit() else netloc
        return "*" in self._bounds["allowed_hosts"] or host in self._bounds["allowed_hosts"]

    async def _with_body(self, scope, receive, send):
        body, self_bytes = bytearray(), 0
        try:
            async with asyncio.timeout(self._bounds["body_seconds"]):
                size, whole = int(Headers(scope=scope).get("content-length", 0)), False
                while size <= self._bounds["largest_body"] and not whole:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    part = message.get("body", b"")
                    if self._bytes + len(part) > self._bounds["largest_bodies"]:
                        await _refuse(503, "Too many bodies at once. Ask again later.", scope, receive, send)
                        return
                    body += part
                    self._bytes, self_bytes = self._bytes + len(part), self_bytes + len(part)
                    size, whole = max(size, len(body)), not message.get("more_body", False)
            if size > self._bounds["largest_body"]:
                text = (
                    f"A body holds at most {self._bounds['largest_body']} bytes. Received: {size} or more. Send parts, "
                )
                await _refuse(413, text + "or ask over gRPC.", scope, receive, send)
                return
            whole, body = bytes(body), None
            await self._answer(scope, _replay(whole, receive), send)
        except TimeoutError:
            text = f"A body must come within {self._bounds['body_seconds']} seconds."
            await _refuse(408, text, scope, receive, send)
        finally:
            self._bytes -= self_bytes

    async def _answer(self, scope, receive, send):
        started = False

        async def sent(message):
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self._bounds["answer_seconds"]):
                await self._app(scope, receive, sent)
        except TimeoutError:
            if started:  # by a client that does not take it: the server closes the connection
                raise ConnectionAbortedError("An answer was not taken in time.") from None
            await _refuse(503, "The answer took too long. Ask again later.", scope, receive, send)


def _replay(body, receive):
    """`receive` of a body that has been read: it comes in one message, and what follows from the connection."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay():
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(status, text, scope, receive, send):
    headers = {408: {"Connection": "close"}, 503: {"Retry-After": "1"}}.get(status)
    await JSONResponse({"error": text}, status, headers)(scope, receive, send)


def impatient(seconds):
    """The protocol of uvicorn that closes connections on which the head of a request does not come in time."""

    class Impatient(AutoHTTPProtocol):
        _waiting = None

        def connection_made(self, transport):
            super().connection_made(transport)
            self._waiting = self.loop.call_later(seconds, self._late)

        def data_received(self, data):
            super().data_received(data)
            if self._between_requests() and self._waiting is None:
                self._waiting = self.loop.call_later(seconds, self._late)

        def connection_lost(self, exc):
            if self._waiting is not None:
                self._waiting.cancel()
            super().connection_lost(exc)

        def _between_requests(self):
            return self.cycle is None or self.cycle.response_complete

        def _late(self):
            self._waiting = None
            if self._between_requests():
                self.transport.close()

    return Impatient


class FixedRepository:
    """In the place of MLServer's handlers that list, load and unload models at a client's word: they refuse."""

    async def index(self, payload):
        raise MLServerError("The models of this server are fixed", 403)

    async def load(self, name):
        raise MLServerError("The models of this server are fixed", 403)

    async def unload(self, name):
        raise MLServerError("The models of this server are fixed", 403)


def bounds_of(folder):
    """`BOUNDS` with what settings.json says otherwise."""
    path = pathlib.Path(folder) / "settings.json"
    given = json.loads(path.read_text()) if path.exists() else {}
    return BOUNDS | {"largest_body": given.get("grpc_max_message_length") or BOUNDS["largest_body"]} | given


async def serve(folder):
    """Serves the models of a folder until the process is told to end."""
    settings, models = await load_settings(str(folder))
    bounds = bounds_of(folder)
    settings._custom_rest_server_settings = {"http": impatient(bounds["head_seconds"]), "ws": "none"}
    server = MLServer(settings)
    # MLServer has no settings for these (its issue 444) and keeps its applications to itself. Should that change, this
    # raises: no server is better than one without bounds.
    app = server._rest_server._app
    app.router.routes[:] = [route for route in app.router.routes if route.path in SERVED]
    app.add_middleware(Guard, bounds=bounds)
    server._grpc_server._model_repository_handlers = FixedRepository()
    await server.start(models)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent))
