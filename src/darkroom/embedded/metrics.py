"""``/metrics`` on a loopback port of its own, without a key: for a Prometheus on the same machine."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from darkroom.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable


def serve_metrics(port: int, exposition: Callable[[], tuple[bytes, str]]) -> ThreadingHTTPServer:
    """Answer ``GET /metrics`` from a thread until this process ends. Raises ``BadConfiguration``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name the library calls
            if self.path != "/metrics":
                self.send_error(404, "there is only /metrics here")
                return
            body, content_type = exposition()
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are not written down."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        msg = f"DARKROOM_METRICS_PORT: 127.0.0.1:{port} cannot be listened on ({error.strerror})"
        raise BadConfiguration(msg) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
