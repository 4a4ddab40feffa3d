"""A Hub on the loopback address: as much of its API as creating a repository and pushing files to it needs.

Small files arrive inside the commit, large ones (here every safetensors) through git-lfs's batch API.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_loopbackloopbackloopback"


class LoopbackHub(ThreadingHTTPServer):
    """Keeps what arrives.

    Attributes:
        repos: {repository: is it private}.
        files: {repository: {path: bytes}}, as committed.
        requests: (method, path) of everything asked.
        refuse: (part of a path, status): requests to such a path are answered with that status.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.requests: list[tuple[str, str]] = []
        self.refuse: tuple[str, int] | None = None
        self.large: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stays quiet."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub, path = self.server, self.path.split("?")[0]
        hub.requests.append((self.command, path))
        if hub.refuse and hub.refuse[0] in path:
            return self._answer(hub.refuse[1], {"error": "refused by the test"})
        if path.startswith("/large/"):  # as on the Hub, where the address itself carries the permission
            hub.large[path.removeprefix("/large/")] = body
            return self._answer(200, {})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {"error": "Invalid credentials"})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        repo, _, verb = path.removeprefix("/api/models/").partition("/preupload/")
        if verb:
            return self._preupload(json.loads(body))
        repo, _, verb = path.removeprefix("/api/models/").partition("/commit/")
        if verb:
            return self._commit(repo, body)
        if repo in hub.repos:
            return self._answer(200, {"id": repo, "private": hub.repos[repo], "sha": "0" * 40})
        return self._answer(404, {"error": "not found"})

    def _create(self, asked: dict[str, Any]) -> None:
        repo = f"{asked['organization']}/{asked['name']}"
        status = 409 if repo in self.server.repos else 200
        # huggingface_hub 2 says visibility, earlier ones private.
        private = asked.get("visibility") == "private" or asked.get("private", False)
        self.server.repos.setdefault(repo, private)
        self._answer(status, {"url": f"{self.server.address}/{repo}", "name": repo})

    def _preupload(self, asked: dict[str, Any]) -> None:
        mode = {True: "lfs", False: "regular"}
        files = [
            {"path": file["path"], "uploadMode": mode[file["path"].endswith(".safetensors")], "shouldIgnore": False}
            for file in asked["files"]
        ]
        self._answer(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.server.address}/large/{each['oid']}"}}}
            for each in asked["objects"]
        ]
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, repo: str, body: bytes) -> None:
        held = self.server.files.setdefault(repo, {})
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                held[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                data = self.server.large[value["oid"]]
                assert hashlib.sha256(data).hexdigest() == value["oid"]
                held[value["path"]] = data
        oid = hashlib.sha1(body).hexdigest()
        url = f"{self.server.address}/{repo}/commit/{oid}"
        self._answer(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """Serves a Hub for as long as the block runs."""
    with LoopbackHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
