"""What the gateway tells the outside world on a console of its own, before any power cut can take it back.

A line each: `BOOT`; `BEGIN app.version` and `END app.version` of an install.sh; `START` of the recorder; `ACK <unix time>=<value>` for a
point that gmq said is safe.
"""

import re


class Witness:
    def __init__(self, path):
        self.path = path
        path.write_bytes(b"")

    def text(self, since=0):
        return self.path.read_bytes()[since:].decode(errors="replace")

    def size(self):
        return self.path.stat().st_size

    def acknowledged(self):
        """What the app on board was told is safe: {value: unix time}."""
        # A line that a power cut tore may be the beginning of another; what stands at its end is whole.
        return {value: int(at) for at, value in re.findall(r"ACK (\d+)=([0-9a-f]+\.\d+)\r?$", self.text(), re.M)}

    def installs(self, since=0):
        """Every install.sh that came to its end, in order."""
        return re.findall(r"END ([a-z]+\.\d+)\r?$", self.text(since), re.M)

    def begun(self, since=0):
        """Every install.sh that was begun, in order."""
        return re.findall(r"BEGIN ([a-z]+\.\d+)\r?$", self.text(since), re.M)

    def stage_of_boot(self, since):
        """How far a gateway came since it was powered on."""
        text = self.text(since)
        if "START" in text:
            return "apps running"
        return "starting supervisord" if "BOOT" in text else "in the kernel"
