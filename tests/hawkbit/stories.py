#!/usr/bin/env python3
"""The agent against a real hawkBit: each story is told through hawkBit's management API and judged by what hawkBit then says.

    stories.py GWE JAR [STORY…]     GWE: the agent; JAR: hawkbit-update-server-1.0.4.jar (Java 17); all stories, or these

Starts the server on loopback with its data in a folder of its own, and ends it. Python's standard library alone.
"""

import pathlib
import sys
import tempfile

import apps
import fleet
import orders
import outages
from gateway import Gateway
from relay import Relay
from server import Server

# On one gateway, in this order; what is named `relay` has a line that breaks.
ON_ONE = [
    orders.two_apps,
    orders.an_update_that_fails,
    orders.download_only,
    orders.a_window_that_is_closed_and_a_cancel_in_time,
    orders.a_window_that_opens,
    orders.a_cancel_in_the_install,
    orders.a_cancel_of_what_is_done_in_part,
    orders.a_soft_order,
    orders.consent,
    orders.the_polling_time,
    outages.an_outage_in_every_phase,
    outages.an_end_that_is_not_heard,
    apps.a_roll_back,
    apps.a_delta,
    apps.logs,
    apps.a_removal,
    outages.a_kill_of_all,
]
# With gateways of their own.
ON_OTHERS = [
    orders.tokens,
    fleet.a_roll_out_that_is_stopped,
    fleet.a_roll_out_that_goes_through,
    fleet.auto_assignment,
    apps.the_agent_itself,
]


def title(story):
    print(story.__name__.replace("_", " "), flush=True)


def main():
    gwe, jar = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    is_wanted = lambda story: not sys.argv[3:] or story.__name__ in sys.argv[3:]
    with tempfile.TemporaryDirectory(prefix="gwe-hawkbit-") as name:
        folder = pathlib.Path(name)
        server = Server(jar, folder)
        gateway = None
        try:
            server.start()
            server.with_tokens("gw-token")
            server.target("product-1:0011", "t-secret")
            relay = Relay(server)
            gateway = Gateway(gwe, relay, folder, "product-1:0011", "t-secret")
            gateway.host()
            for story in filter(is_wanted, ON_ONE):
                title(story)
                relay.mend()
                takes_relay = "relay" in story.__code__.co_varnames[: story.__code__.co_argcount]
                story(server, gateway, *([relay] if takes_relay else []))
            for story in filter(is_wanted, ON_OTHERS):
                title(story)
                story(server, gwe, folder)
        finally:
            if gateway is not None:
                gateway.stop()
            server.stop()
    print("all stories hold")


if __name__ == "__main__":
    main()
