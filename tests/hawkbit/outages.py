"""Stories of lines that break in every phase of an order, and of a kill of all."""

import os

from gateway import MARK, expect, packed

# Where the line breaks: at a request with these words in its first line, and when.
PHASES = [
    ("GET controller/v1/", "asked"),
    ("GET controller/v1/", "half"),
    ("GET deploymentBase", "asked"),
    ("GET deploymentBase", "half"),
    ("GET artifacts/", "asked"),
    ("GET artifacts/", "half"),
    # The first feedback is a courtesy, whichever it is: the end follows it, and is what counts.
    ("POST feedback", "asked"),
    ("POST feedback", "answered"),
    ("PUT configData", "asked"),
    ("PUT configData", "answered"),
]
MOST_CHECK_INS = 6


def an_outage_in_every_phase(server, gateway, relay):
    for number, (request, how) in enumerate(PHASES):
        app = f"cut{number}"
        files = {f"{app}.v1.tar.gz": packed({"install.sh": f"#!/bin/sh\n{MARK}\n", "data": os.urandom(5000)})}
        action = server.order(gateway.name, server.module(app, "1", files=files))
        relay.break_at(request, how)
        for _ in range(2):
            gateway.check_in()
        expect(f"the line broke at {request} ({how})", relay.broken)
        relay.mend()
        check_ins = 0
        while server.last(gateway.name, action)[0] != "finished" and check_ins < MOST_CHECK_INS:
            gateway.check_in()
            check_ins += 1
        ends = [entry["type"] for entry in server.history(gateway.name, action)].count("finished")
        expect(f"then it is installed once, and told once, at {check_ins} check-ins", gateway.marks().count(app) == 1 and ends == 1)
        gateway.check_in()
        expect("and the attributes tell it", server.attributes(gateway.name).get(f"app.{app}") == "1")


def an_end_that_is_not_heard(server, gateway, relay):
    """hawkbit#381: the install is over, and its end does not arrive; or it does, and the answer is lost."""
    for number, how in enumerate(("asked", "answered")):
        app = f"end{number}"
        # From install.sh on, which begins after the last courtesy, the next feedback is the end.
        action = server.order(gateway.name, server.module(app, "1", f"touch $GWE_ROOT/{app}; sleep 1; {MARK}"))
        relay.break_when(lambda line, app=app: "POST" in line and (gateway.root / app).exists(), how)
        gateway.check_in()
        expect(f"the end is lost ({how})", relay.broken and gateway.marks().count(app) == 1)
        gateway.check_in()
        relay.mend()
        gateway.check_in()
        ends = [entry["type"] for entry in server.history(gateway.name, action)].count("finished")
        expect("it is told again until hawkBit has it, and nothing is installed twice", ends == 1 and gateway.marks().count(app) == 1)


def a_kill_of_all(server, gateway):
    """Server and agent at once in the middle of an install, as a power cut has it."""
    once = f"[ -e $GWE_ROOT/cut ] || {{ touch $GWE_ROOT/cut; kill -9 $(cat {server.folder}/pid) $PPID; sleep 1; exit 1; }}"
    action = server.order(gateway.name, server.module("cut", "1", f"{once}; {MARK}"))
    gateway.check_in()
    server.process.wait()
    expect("all are dead in the install", (gateway.root / "cut").exists() and "cut" not in gateway.marks())
    expect("the gateway comes back first, and waits", gateway.check_in() == 1)
    server.start()
    gateway.check_in()
    server.tell(gateway.name, action)
    expect("when the server is back it has the end", server.last(gateway.name, action) == ("finished", 0))
    gateway.check_in()
    expect("and it was installed once", gateway.marks().count("cut") == 1)
