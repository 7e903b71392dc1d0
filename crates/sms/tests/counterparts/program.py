"""The example `send` as a child: a line of JSON in, a line of JSON out; and a server that keeps what it is sent."""

import http.server
import json
import os
import queue
import subprocess
import tempfile
import threading


class Program:
    def __init__(self, route):
        file = tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False)
        file.write(route)
        file.close()
        self.file = file.name
        self.child = subprocess.Popen(
            [os.environ["SEND"], file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **line):
        self.child.stdin.write(json.dumps(line) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        assert answer, "the program ended"
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(10)
        os.unlink(self.file)


class Receiver:
    """A server on this machine; what comes is in `came`, as (method, path, headers, body)."""

    def __init__(self, status=202, answer=b"{}"):
        self.came = came = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def take(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                came.put((self.command, self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = take

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def expect(what, found, wanted):
    assert found == wanted, f"{what}: {found!r}, and not {wanted!r}"
    print(f"  {what}")
