"""A loopback HTTP server whose paths behave as a test says, and clips to serve from it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

Answer = Callable[[BaseHTTPRequestHandler], None]


class Loopback:
    """Paths and their answers; `asked` lists the paths in the order of the requests, `headers` what came with each."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()
        self.base = ""
        self.host = ""

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Answers a path with a body; returns its address."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            own = {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in ({"Content-Length": str(len(body))} | own).items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)

        return self.on(path, answer)

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        return self.serve(path, b"", status, Location=target)

    def on(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return self.base + path


@contextmanager
def loopback() -> Iterator[Loopback]:
    served = Loopback()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append(self.path)
            served.headers.append(dict(self.headers))
            self.close_connection = True
            try:
                if answer := served.answers.get(self.path.partition("?")[0]):
                    answer(self)
                else:
                    self.send_error(404)
            except (ConnectionError, ValueError):
                pass  # the client had enough

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.host = f"127.0.0.1:{server.server_port}"
    served.base = f"http://{served.host}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.closing.set()
        server.shutdown()
        server.server_close()


def write_clip(path: Path, frames: int = 25, fps: int = 25, shade: int = 0, codec: str = "libx264") -> Path:
    """Writes a 64 x 48 clip; frame n is a grey of 2 n + `shade`, so that a frame tells its number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            image = np.full((48, 64, 3), min(2 * number + shade, 255), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def greys(path: Path) -> list[int]:
    """Returns the mean grey of each frame."""
    with av.open(str(path)) as container:
        return [round(float(frame.to_ndarray(format="rgb24").mean())) for frame in container.decode(video=0)]
