"""A server on this machine that gives files, or misbehaves in one of several ways."""

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.miniatures import tar_bytes


class BadServer(ThreadingHTTPServer):
    """Serves `files` by the last part of their path; `fault` says how archives arrive."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], fault: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.fault = files, fault
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request, client_address) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: BadServer

    def do_GET(self) -> None:
        name = self.path.split("?")[0].rpartition("/")[2]
        contents = self.server.files.get(name)
        # What describes a package always arrives, so that a program comes to ask for its archive.
        match self.server.fault if name.endswith("gz") else "":
            case "HTML":
                self._answer(200, b"<html><body>Please log in to the network.</body></html>")
            case "silent":
                self.server.closing.wait(30)
            case "reset half-way":
                self._answer(200, contents, sent=len(contents) // 2)
                self._reset()
            case _ if contents is None:
                self._answer(404, b"no such file")
            case _:
                self._answer(200, contents)

    def _answer(self, status: int, contents: bytes, sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(contents)))
        self.end_headers()
        self.wfile.write(contents[:sent])
        self.wfile.flush()

    def _reset(self) -> None:
        """Close with a reset instead of an end, once the client has read what was sent."""
        time.sleep(0.05)
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes], fault: str = "") -> Iterator[BadServer]:
    with BadServer(files, fault) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def closed_port() -> str:
    """The address of a server that is gone."""
    with BadServer({}) as server:
        return server.url


def add_npm_package(server: BadServer, name: str, files: dict[str, bytes]) -> None:
    """Serve a package as a registry does: its archive, and the description that names it."""
    contents = tar_bytes([(f"package/{file}", data) for file, data in files.items()], "w:gz")
    archive = f"{name}-1.0.0.tgz"
    server.files[archive] = contents
    digest = hashlib.sha1(contents).hexdigest()
    dist = {"tarball": server.url + archive, "shasum": digest}
    version = {"name": name, "version": "1.0.0", "dist": dist}
    listing = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    server.files[name] = json.dumps(listing).encode()
