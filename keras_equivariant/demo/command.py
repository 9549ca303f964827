"""The command `demo`."""

import logging

log = logging.getLogger("keras_equivariant")


def add_demo(commands):
    """Adds the command to the parser's."""
    demo = commands.add_parser(
        "demo",
        help="a page with networks that read a turning digit in the browser",
        description="Serve a page on 127.0.0.1: draw a digit or pick one and turn it; an equivariant and a plain "
        "network run in the browser. LiteRT.js comes from npm: npm install @litertjs/core@2.5.3",
    )
    demo.set_defaults(command=_demo)
    demo.add_argument("--port", type=int, default=8000, metavar="N", help="0 for any free one (default: 8000)")
    demo.add_argument("--assets", default=".", metavar="DIR", help="where npm installed LiteRT.js (default: here)")


def _demo(arguments):
    from keras_equivariant.demo.server import DemoServer, find_assets

    if not 0 <= arguments.port <= 65535:
        raise ValueError(f"A port is a number from 0 to 65535. Received: --port {arguments.port}")
    assets = find_assets(arguments.assets)
    from keras_equivariant.demo.networks import networks

    log.info("Exporting the networks ...")
    with DemoServer(networks(), assets, arguments.port) as server:
        log.info("Open %s in a browser; Ctrl-C ends it.", server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
