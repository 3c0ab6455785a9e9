"""The least a proxy in Python can do with the standard library: it hands bytes on and looks at none of them.

What it costs is the floor that the gateway's own figures stand on. It is not a gateway: no keys, no money, no errors.
"""

import http.client
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

UPSTREAM = urlsplit(os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:9/v1"))


class Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    upstreams = threading.local()

    def do_GET(self) -> None:
        self._start(200, "application/json", "content-length", "2")
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        upstream = self._upstream()
        headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
        upstream.request("POST", self.path, body, headers)
        response = upstream.getresponse()
        content_type = response.headers["content-type"]
        if response.chunked:
            self._start(response.status, content_type, "transfer-encoding", "chunked")
            self._relay(response)
        else:
            whole = response.read()
            self._start(response.status, content_type, "content-length", str(len(whole)))
            self.wfile.write(whole)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: printing is not relaying."""

    def _upstream(self) -> http.client.HTTPConnection:
        if not hasattr(self.upstreams, "connection"):
            self.upstreams.connection = http.client.HTTPConnection(str(UPSTREAM.hostname), UPSTREAM.port)
        connection: http.client.HTTPConnection = self.upstreams.connection
        return connection

    def _start(self, status: int, content_type: str, framing: str, value: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header(framing, value)
        self.end_headers()

    def _relay(self, response: http.client.HTTPResponse) -> None:
        while piece := response.read1(65_536):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Relay).serve_forever()
