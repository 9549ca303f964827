"""Starts MLServer on its folder, or on the one that is given, with requests of bounded size.

`export(..., server="mlserver")` puts a copy of this file beside the version folders of a model:
`python <folder>/mlserver_start.py`. `mlserver start` bounds the messages of gRPC, by `grpc_max_message_length` in
settings.json, but reads bodies of REST requests whole, whatever their size. Here the same bound holds for both.
"""

import asyncio
import pathlib
import sys

from mlserver import MLServer
from mlserver.cli.serve import load_settings
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

LARGEST_BODY = 2**25  # bytes, unless settings.json says otherwise


class BoundedBodies:
    """ASGI middleware: the application gets a request when its whole body has been read and is not too large.

    Args:
        app: the ASGI application.
        limit: bytes of the largest body; of a larger one nothing is kept, and the server discards what follows.
    """

    def __init__(self, app, limit):
        self._app, self._limit = app, limit

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "content-encoding" in headers:
            text = f'A body must not be compressed. Received: Content-Encoding "{headers["content-encoding"]}".'
            await _refuse(415, text, scope, receive, send)
            return
        body = bytearray()
        size = int(headers.get("content-length", 0))
        while size <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            size = max(size, len(body))
            if size <= self._limit and not message.get("more_body", False):
                await self._app(scope, _replay(bytes(body), receive), send)
                return
        text = f"A body holds at most {self._limit} bytes. Received: {size} or more. Send parts, or ask over gRPC."
        await _refuse(413, text, scope, receive, send)


def _replay(body, receive):
    """`receive` of a body that has been read: it comes in one message, and what follows from the connection."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay():
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(status, text, scope, receive, send):
    await JSONResponse({"error": text}, status)(scope, receive, send)


async def serve(folder):
    """Serves the models of a folder until the process is told to end."""
    settings, models = await load_settings(str(folder))
    server = MLServer(settings)
    # MLServer has no setting for this (its issue 444) and keeps its application to itself. Should that change, this
    # raises: no server is better than one without a bound.
    server._rest_server._app.add_middleware(BoundedBodies, limit=settings.grpc_max_message_length or LARGEST_BODY)
    await server.start(models)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent))
