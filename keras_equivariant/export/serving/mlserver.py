"""Files beside a SavedModel that let a model server start on its folder without further code."""

import json
import pathlib

SERVERS = ("mlserver",)
RUNTIME, START = "mlserver_runtime", "mlserver_start"
# On this machine only, one process, requests of at most 32 MiB; for its user to edit. `mlserver_start.py` has further
# bounds, `BOUNDS`, which may be set here, too.
SETTINGS = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, "grpc_max_message_length": 2**25}
LARGEST_BATCH = 256


def check(server, formats):
    """Raises ValueError where there is no such server, or nothing that it serves is exported."""
    if server is not None and server not in SERVERS:
        raise ValueError(
            f'`server` must be None or "mlserver". Received: server={server!r}. TensorFlow Serving needs none'
        )
    if server is not None and "saved_model" not in formats:
        raise ValueError(
            'A model server reads the format "saved_model"; add it. '
            f"Received: server={server!r}, formats={list(formats)}"
        )


def write(folder, name):
    """Writes settings.json, model-settings.json, the runtime and the script that starts a server on `folder`.

    Returns:
        The paths. They do not depend on the version of the model: the highest in the folder is served.
    """
    parameters = {"extra": {"largest_batch": LARGEST_BATCH}}
    model = {"name": name, "implementation": f"{RUNTIME}.SavedModel", "parameters": parameters}
    contents = {"settings.json": _json(SETTINGS), "model-settings.json": _json(model)}
    for module in (RUNTIME, START):
        contents[f"{module}.py"] = pathlib.Path(__file__).with_name(f"{module}.py").read_text()
    folder.mkdir()
    for file, content in contents.items():
        (folder / file).write_text(content)
    return [folder / file for file in contents]


def _json(content):
    return json.dumps(content, indent=2) + "\n"
