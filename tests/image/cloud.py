"""The platform: murano, the tests' own server, over TLS with a CA of its own."""

import json
import pathlib
import re
import subprocess

# It stops by itself after this many seconds, whatever happens to the test.
LIFETIME = 3600


class Cloud:
    def __init__(self, murano, folder, product):
        self.murano = murano
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(
            [murano, "serve", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--data", str(folder), "--product", product, "--for", str(LIFETIME)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        addresses = [re.search(r"listening on (https?)://[^:]+:(\d+)", self.process.stdout.readline()) for _ in range(2)]
        ports = {found[1]: int(found[2]) for found in addresses}
        self.url = f"http://127.0.0.1:{ports['http']}"
        self.tls_port = ports["https"]
        self.ca = self.folder / "tls/ca.pem"

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def do(self, *arguments):
        done = subprocess.run([self.murano, *arguments, "--url", self.url], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"murano {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def points(self, serial, alias):
        """Every point of an alias in the order in which they came: [[unix time, value, how], …]."""
        return json.loads(self.do("state", "--json"))["data"].get(serial, {}).get(alias, [])

    def requested(self):
        """The endpoints of all requests since the last deploy."""
        return [request["endpoint"] for request in json.loads(self.do("requests", "--json"))["log"]]

    def cik(self, serial):
        devices = json.loads(self.do("state", "--json"))["devices"]
        return next((cik for cik, owner in devices.items() if owner == serial), None)

    def deploy(self, serial, *tarballs, force=False):
        for tarball in tarballs:
            self.do("content", "upload", str(tarball), tarball.name)
        self.do("requests", "clear")
        names = [{"name": tarball.name, **({"force": True} if force else {})} for tarball in tarballs]
        self.do("product", "device", "write", serial, "engine_fetch", json.dumps({"install": names}))
