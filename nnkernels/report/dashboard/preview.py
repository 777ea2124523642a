"""A web server for a built site that only this machine can reach."""

from __future__ import annotations

import errno
import os
import threading
import webbrowser
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from nnkernels.errors import ConfigurationError, ResultsError

LOOPBACK = "127.0.0.1"


class SiteServer(ThreadingHTTPServer):
    """A server of the files of one folder, on the loopback interface.

    Parameters
    ----------
    folder : Path
        The folder, which contains ``index.html``.
    port : int, default: 0
        The port; 0 for any free one.

    Raises
    ------
    ResultsError
        If the folder contains no ``index.html``.
    ConfigurationError
        If the port cannot be used.
    """

    # On Windows, the option would permit a second server on a port that is in use.
    allow_reuse_address = os.name == "posix"

    def __init__(self, folder: Path, port: int = 0) -> None:
        if not (folder / "index.html").is_file():
            raise ResultsError(f"{folder} contains no index.html; build a site there with nnkernels publish --out")
        try:
            super().__init__((LOOPBACK, port), partial(_SiteHandler, directory=str(folder.resolve())))
        except OverflowError:
            raise ConfigurationError(f"{port} is no port; choose one between 1 and 65535") from None
        except OSError as error:
            problem = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise ConfigurationError(
                f"port {port} {problem}; choose another one with --port, or leave the option out for a free one"
            ) from error

    @property
    def url(self) -> str:
        """The address of the site."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _SiteHandler(SimpleHTTPRequestHandler):
    # The tables of the system are not used: on some machines, scripts are text/plain, which browsers do not run.
    extensions_map = {  # noqa: RUF012  (declared without ClassVar in the base class)
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".csv": "text/csv; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".ico": "image/x-icon",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".md": "text/markdown; charset=utf-8",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".xml": "application/xml",
    }

    def send_head(self) -> BytesIO | BinaryIO | None:
        # Another page in the browser could reach this server under a name of its own that leads to 127.0.0.1.
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        if not Path(self.translate_path(self.path)).resolve().is_relative_to(self.directory):
            self.send_error(HTTPStatus.NOT_FOUND)  # a link out of the folder
            return None
        return super().send_head()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")  # a site that is built anew is seen after reloading
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (named by the base class)
        """Print nothing."""


def serve(server: SiteServer, open_browser: bool) -> None:
    """Serve a site until Ctrl-C.

    Parameters
    ----------
    server : SiteServer
        The server. It is closed at the end.
    open_browser : bool
        Whether to open the site in the user's browser.
    """
    with server:
        if open_browser:
            # In a thread, because a browser in the terminal returns only when it ends.
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
