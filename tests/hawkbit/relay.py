"""A line to the server that breaks at a chosen request: for outages that no server has on demand."""

import socket
import threading

MAX_HEAD = 64 * 1024
LIMIT = 60
# Of an answer that breaks off: enough for its head, and less than any tarball of the stories.
HALF = 700


class Relay:
    """Listens on loopback and passes each connection on, until it breaks."""

    def __init__(self, server):
        self.target, self.broken, self.fault = ("127.0.0.1", server.port), False, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def break_at(self, words, how):
        """The line is down from the first request on that has these words in its first line: before it is passed on ("asked"), before its
        answer ("answered"), or within that ("half")."""
        self.break_when(lambda line: all(word in line for word in words.split()), how)

    def break_when(self, is_it, how):
        self.fault, self.broken = (is_it, how), False

    def mend(self):
        self.fault, self.broken = None, False

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            connection.settimeout(LIMIT)
            try:
                if not self.broken:
                    self.pass_on(connection)
            except OSError:
                pass

    def pass_on(self, connection):
        request = b""
        while b"\r\n\r\n" not in request and len(request) < MAX_HEAD:
            more = connection.recv(MAX_HEAD)
            if not more:
                return
            request += more
        line = request.split(b"\r\n", 1)[0].decode(errors="replace")
        how = None
        if self.fault and self.fault[0](line):
            how, self.broken = self.fault[1], True
        if how == "asked":
            return
        with socket.create_connection(self.target, timeout=LIMIT) as server:
            # The rest of a body follows its head.
            length = [part for part in request.split(b"\r\n") if part.lower().startswith(b"content-length:")]
            body = request.split(b"\r\n\r\n", 1)[1]
            while length and len(body) < int(length[0].split(b":")[1]):
                more = connection.recv(MAX_HEAD)
                if not more:
                    return
                request, body = request + more, body + more
            head, rest = request.split(b"\r\n", 1)
            # One request a connection: what is passed on ends where the server closes.
            server.sendall(head + b"\r\nConnection: close\r\n" + rest)
            passed = 0
            while more := server.recv(MAX_HEAD):
                if how == "answered":
                    continue
                if how == "half" and passed + len(more) > HALF:
                    connection.sendall(more[: HALF - passed])
                    return
                passed += len(more)
                connection.sendall(more)
