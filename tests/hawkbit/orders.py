"""Stories of what an operator orders, on a gateway without apps of its own that run."""

import datetime
import threading

from gateway import MARK, PRODUCT, Gateway, expect, wait_for

WINDOW = {"duration": "00:30:00", "timezone": "+00:00"}
A_DAY = 86400


def two_apps(server, gateway):
    action = server.order(gateway.name, server.module("one", "1", MARK), server.module("two", "1", MARK))
    expect("the check-in completes", gateway.check_in() == 0)
    server.tell(gateway.name, action)
    expect("two apps of one set are installed", sorted(gateway.marks()) == ["one", "two"])
    expect("hawkBit says finished, code 0", server.last(gateway.name, action) == ("finished", 0))
    gateway.check_in()
    expect("the attributes tell the versions", server.attributes(gateway.name).get("app.two") == "1")
    before = len(server.history(gateway.name, action))
    expect("quiet polls write nothing more", [gateway.check_in() for _ in range(3)] == [0] * 3 and len(server.history(gateway.name, action)) == before)


def an_update_that_fails(server, gateway):
    action = server.order(gateway.name, server.module("one", "2", "echo '<b>why</b>'; exit 3"))
    gateway.check_in()
    server.tell(gateway.name, action)
    expect("hawkBit says error, code 1, markup or not", server.last(gateway.name, action) == ("error", 1))


def download_only(server, gateway):
    module = server.module("later", "1", MARK)
    action = server.order(gateway.name, module, type="downloadonly")
    gateway.check_in()
    expect("downloaded, and not installed", server.last(gateway.name, action)[0] == "downloaded" and "later" not in gateway.marks())
    action = server.order(gateway.name, module, server.module("other", "1", MARK))
    gateway.check_in()
    loads = [message for message in server.messages(gateway.name, action) if "later.v1" in message and "downloads" in message]
    expect("another set of the module installs it without another download", "later" in gateway.marks() and not loads)


def a_window_that_is_closed_and_a_cancel_in_time(server, gateway):
    window = {**WINDOW, "schedule": "0 0 3 1 1 ? 2090"}
    action = server.order(gateway.name, server.module("windowed", "1", MARK), maintenanceWindow=window)
    for _ in range(5):
        gateway.check_in()
    kinds = [entry["type"] for entry in server.history(gateway.name, action)]
    expect("downloaded once, looked at only where its link has changed", kinds.count("downloaded") == 1 and kinds.count("retrieved") <= 2)
    expect("it is not installed before its window", "windowed" not in gateway.marks())
    server.cancel(gateway.name, action)
    gateway.check_in()
    expect("a cancel in time is confirmed", server.last(gateway.name, action)[0] == "canceled")
    expect("and nothing of it was begun", gateway.check_in() == 0 and "windowed" not in gateway.marks())


def a_window_that_opens(server, gateway):
    opens = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=20)
    window = {**WINDOW, "schedule": opens.strftime("%S %M %H %d %m ? %Y")}
    action = server.order(gateway.name, server.module("opened", "1", MARK), maintenanceWindow=window)
    gateway.check_in()
    expect("it is here before its window", "downloaded" in [entry["type"] for entry in server.history(gateway.name, action)])
    expect("and not installed", "opened" not in gateway.marks())
    wait_for("its window opens", lambda: gateway.check_in() == 0 and "opened" in gateway.marks(), 60)
    server.tell(gateway.name, action)
    loads = [message for message in server.messages(gateway.name, action) if "opened.v1" in message and "downloads" in message]
    expect("it was downloaded once, and its end is told", len(loads) == 1 and server.last(gateway.name, action) == ("finished", 0))


def a_cancel_in_the_install(server, gateway):
    begun, go_on = gateway.root / "begun", gateway.root / "go-on"
    script = f"touch {begun}; for i in $(seq 300); do [ -e {go_on} ] && break; sleep 0.2; done; {MARK}"
    action = server.order(gateway.name, server.module("slow", "1", script))
    check_in = threading.Thread(target=gateway.check_in)
    check_in.start()
    wait_for("install.sh runs", begun.exists)
    server.cancel(gateway.name, action)
    go_on.touch()
    check_in.join()
    server.tell(gateway.name, action)
    expect("the install goes on to its end", gateway.marks().count("slow") == 1)
    expect("and that is what hawkBit says", server.last(gateway.name, action)[0] == "finished")
    expect("the next order comes", is_served(server, gateway, "after-slow"))


def a_cancel_of_what_is_done_in_part(server, gateway, relay):
    both = {"part-a", "part-b"}
    action = server.order(gateway.name, *(server.module(app, "1", MARK) for app in sorted(both)))
    # The modules come in an order of hawkBit's own: the second one is not to be had, whichever it is.
    asked = set()

    def is_the_second(line):
        asked.update(app for app in both if f"/artifacts/{app}" in line)
        return asked == both

    relay.break_when(is_the_second, "asked")
    expect("the line breaks after the first of two apps", gateway.check_in() == 1 and relay.broken)
    expect("which is installed", len(both.intersection(gateway.marks())) == 1)
    server.cancel(gateway.name, action)
    relay.mend()
    gateway.check_in()
    server.tell(gateway.name, action)
    said = server.messages(gateway.name, action)
    expect("it is too late to cancel, and the gateway says so", any("too late" in message for message in said))
    for _ in range(3):
        gateway.check_in()
    expect("the real end follows", server.last(gateway.name, action) == ("finished", 0))
    expect("and each app was installed once", [gateway.marks().count(app) for app in sorted(both)] == [1, 1])
    expect("the next order comes", is_served(server, gateway, "after-part"))


def is_served(server, gateway, app):
    """Whether the gateway is free for the next order: hawkBit gives none while one is in its way."""
    action = server.order(gateway.name, server.module(app, "1", MARK))
    gateway.check_in()
    return server.last(gateway.name, action) == ("finished", 0) and gateway.marks().count(app) == 1


def a_soft_order(server, gateway):
    action = server.order(gateway.name, server.module("soft", "1", MARK), type="soft")
    gateway.check_in()
    expect("a soft order is installed like a forced one", server.last(gateway.name, action) == ("finished", 0))


def consent(server, gateway):
    server.set("user.confirmation.flow.enabled", True)
    action = server.order(gateway.name, server.module("agreed", "1", MARK))
    gateway.check_in()
    expect("without consent nothing is begun", "agreed" not in gateway.marks())
    gateway.run("--set-ddi-confirm", "auto")
    gateway.check_in()
    expect("with it, it is installed", server.last(gateway.name, action) == ("finished", 0) and "agreed" in gateway.marks())
    gateway.run("--set-ddi-confirm", "no")
    server.set("user.confirmation.flow.enabled", False)


def the_polling_time(server, gateway):
    for told, seconds in (("00:07:30", 450), ("P1D", A_DAY), ("00:05:00", 300)):
        server.set("pollingTime", told)
        gateway.check_in()
        known = (gateway.root / "run/gwe/ddi_interval").read_text()
        expect(f"a polling time of {told} is {seconds} s", known == str(seconds))


def tokens(server, gwe, folder):
    gateway = Gateway(gwe, server, folder, "product-1:9999", "gw-token", "gateway")
    expect("by the gateway token, an unknown gateway registers itself by its first poll", gateway.check_in() == 0)
    expect("with its attributes", server.attributes(gateway.name).get("product") == PRODUCT)
    expect("a wrong token is refused", Gateway(gwe, server, folder, "product-1:9999", "wrong", "gateway").check_in() == 1)
    expect("a stranger with a token of its own is refused", Gateway(gwe, server, folder, "stranger", "t").check_in() == 1)
