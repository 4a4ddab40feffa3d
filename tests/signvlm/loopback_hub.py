"""A Hub on the loopback address: as much of its API as pushing files to a repository and fetching them needs.

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
from urllib.parse import unquote

TOKEN = "hf_loopbackloopbackloopback"
READ_ONLY = "hf_readonlyreadonlyreadonly"


class LoopbackHub(ThreadingHTTPServer):
    """Keeps what arrives.

    Attributes:
        repos: {repository: is it private}; a dataset's name begins with `datasets/`.
        files: {repository: {path: bytes}}, as committed to the main branch; another branch is `repository@branch`.
        requests: (method, path) of everything asked.
        refuse: (part of a path, status): requests to such a path are answered with that status.
        large: {sha256: bytes} of the large files that have arrived whole.
        stall: The sha256 of a large file whose upload stops half-way and never ends.
        stalled: Set once it has stopped, and every other large file of that push has arrived.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.requests: list[tuple[str, str]] = []
        self.refuse: tuple[str, int] | None = None
        self.large: dict[str, bytes] = {}
        self.wanted: set[str] = set()
        self.stall: str | None = None
        self.halfway = False
        self.stalled = threading.Event()
        self.released = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def arrived(self) -> None:
        """Notes that a large file is there, or is half there."""
        if self.halfway and self.wanted <= self.large.keys() | {self.stall}:
            self.stalled.set()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stays quiet."""

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        hub, path = self.server, unquote(self.path.split("?")[0])
        hub.requests.append((self.command, path))
        length = int(self.headers.get("Content-Length") or 0)
        if hub.stall is not None and path == f"/large/{hub.stall}":
            self.rfile.read(length // 2)
            hub.halfway = True
            hub.arrived()
            hub.released.wait()
            self.close_connection = True
            return None
        body = self.rfile.read(length)
        if hub.refuse and hub.refuse[0] in path:
            return self._answer(hub.refuse[1], {"error": "refused by the test"})
        if path.startswith("/large/"):  # as on the Hub, where the address itself carries the permission
            hub.large[path.removeprefix("/large/")] = body
            hub.arrived()
            return self._answer(200, {})
        asked = self.headers.get("Authorization")
        if asked not in (None, f"Bearer {TOKEN}", f"Bearer {READ_ONLY}"):
            return self._answer(401, {"error": "Invalid credentials"})
        if self.command in ("GET", "HEAD"):
            return self._read(path, asked)
        if asked is None:
            return self._answer(401, {"error": "Invalid credentials"})
        if asked != f"Bearer {TOKEN}":
            return self._answer(403, {"error": "You don't have the rights to create a model"})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        name = path.removeprefix("/api/models/").removeprefix("/api/")
        for verb in ("preupload", "commit", "branch"):
            repo, found, branch = name.partition(f"/{verb}/")
            if found:
                return getattr(self, f"_{verb}")(self._key(repo, branch), body)
        return self._answer(404, {"error": "not found"})

    @staticmethod
    def _key(repo: str, branch: str) -> str:
        return repo if branch == "main" else f"{repo}@{branch}"

    def _create(self, asked: dict[str, Any]) -> None:
        kind = "datasets/" if asked.get("type") == "dataset" else ""
        repo = f"{kind}{asked['organization']}/{asked['name']}"
        status = 409 if repo in self.server.repos else 200
        # huggingface_hub 2 says visibility, earlier ones private.
        private = asked.get("visibility") == "private" or asked.get("private", False)
        self.server.repos.setdefault(repo, private)
        self._answer(status, {"url": f"{self.server.address}/{repo}", "name": repo})

    def _branch(self, repo: str, body: bytes) -> None:
        status = 409 if repo in self.server.files else 200
        self.server.files.setdefault(repo, {})
        self._answer(status, {"error": "it exists"} if status == 409 else {})

    def _preupload(self, repo: str, body: bytes) -> None:
        mode = {True: "lfs", False: "regular"}
        files = [
            {"path": file["path"], "uploadMode": mode[file["path"].endswith(".safetensors")], "shouldIgnore": False}
            for file in json.loads(body)["files"]
        ]
        self._answer(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        """Asks for what is not there yet, as git-lfs has it: an object without actions is there already."""
        objects = [
            each
            if each["oid"] in self.server.large
            else {**each, "actions": {"upload": {"href": f"{self.server.address}/large/{each['oid']}"}}}
            for each in asked["objects"]
        ]
        self.server.wanted |= {each["oid"] for each in asked["objects"]}
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

    def _read(self, path: str, token: str | None) -> None:
        hub = self.server
        name = path.removeprefix("/api/models/").removeprefix("/api/").removeprefix("/")
        verb = next((verb for verb in ("revision", "tree", "resolve") if f"/{verb}/" in name), None)
        repo, _, rest = name.partition(f"/{verb}/") if verb else (name, "", "main")
        revision, _, file = rest.partition("/")
        if repo not in hub.repos or (hub.repos[repo] and token is None):
            # As the Hub has it: what you may not see is not there.
            return self._answer(404 if token else 401, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})
        branches = {self._sha(key): key for key in hub.files if key.partition("@")[0] == repo}
        held = hub.files.get(branches.get(revision, self._key(repo, revision)))
        if held is None and verb is not None:
            return self._answer(404, {"error": "not found"}, {"X-Error-Code": "RevisionNotFound"})
        sha = revision if revision in branches else self._sha(self._key(repo, revision))
        if verb == "resolve":
            if held is None or file not in held:
                return self._answer(404, {"error": "not found"}, {"X-Error-Code": "EntryNotFound"})
            etag = hashlib.sha256(held[file]).hexdigest()
            return self._answer(200, held[file], {"ETag": f'"{etag}"', "X-Repo-Commit": sha})
        if verb == "tree":
            files = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in (held or {}).items()
                if not file or name.startswith(f"{file}/")
            ]
            if file and not files:
                return self._answer(404, {"error": "not found"}, {"X-Error-Code": "EntryNotFound"})
            return self._answer(200, files)
        siblings = [{"rfilename": name} for name in held or {}]
        return self._answer(200, {"id": repo, "private": hub.repos[repo], "sha": sha, "siblings": siblings})

    @staticmethod
    def _sha(key: str) -> str:
        return hashlib.sha1(key.encode()).hexdigest()

    def _answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if data is value else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
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
            hub.released.set()
            hub.shutdown()
            thread.join()
