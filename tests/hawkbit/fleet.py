"""Stories of many gateways: roll-outs in groups, and what new gateways get by themselves."""

from gateway import MARK, Gateway, expect, wait_for

FLEET = 12


def a_roll_out_that_is_stopped(server, gwe, folder):
    gateways = []
    for index in range(FLEET):
        name = f"fleet-{index:02}"
        server.target(name, "t")
        gateways.append(Gateway(gwe, server, folder, name, "t"))
    roll_out = server.roll_out(server.set_of(server.module("fleet", "1", f"{MARK}; exit 1")), "controllerId==fleet-*", 2)
    wait_for("its first group is asked", lambda: server.roll_out_stands(roll_out) == ("running", ["running", "scheduled"]))
    for gateway in gateways:
        gateway.check_in()
    wait_for("its failures stop it", lambda: server.roll_out_stands(roll_out)[0] == "paused")
    print("   ", server.roll_out_stands(roll_out))
    for gateway in gateways:
        gateway.check_in()
    tried = [gateway.name for gateway in gateways if gateway.marks()]
    expect(f"the second group was never asked: {len(tried)} of {FLEET} have tried it", len(tried) == FLEET // 2)


def a_roll_out_that_goes_through(server, gwe, folder):
    gateways = [Gateway(gwe, server, folder, f"fleet-{index:02}", "t") for index in range(FLEET)]
    roll_out = server.roll_out(server.set_of(server.module("mended", "1", MARK)), "controllerId==fleet-*", 2)
    begun = lambda: [group for group in server.roll_out_stands(roll_out)[1] if group == "running"]
    for group in (1, 2):
        wait_for(f"group {group} is asked", begun)
        for gateway in gateways:
            gateway.check_in()
        done = [gateway for gateway in gateways if "mended" in gateway.marks()]
        expect(f"group {group}: {len(done)} of {FLEET} have it", len(done) == group * FLEET // 2)
        wait_for(f"group {group} is over", lambda: server.roll_out_stands(roll_out)[1].count("finished") == group)
    wait_for("the roll-out is over", lambda: server.roll_out_stands(roll_out)[0] == "finished")


def auto_assignment(server, gwe, folder):
    number = server.ask("POST", "/targetfilters", {"name": "new ones", "query": "controllerId==new-*"})["id"]
    software = server.set_of(server.module("basis", "1", MARK))
    server.ask("POST", f"/targetfilters/{number}/autoAssignDS", {"id": software, "type": "forced"})
    gateway = Gateway(gwe, server, folder, "new-1", "gw-token", "gateway")
    expect("a gateway that was never seen registers", gateway.check_in() == 0)
    wait_for("gets its software without being named", lambda: gateway.check_in() == 0 and gateway.marks() == ["basis"], 60)
    installed = server.ask("GET", "/targets/new-1/installedDS")
    expect("and hawkBit knows that it has it", installed is not None and installed["id"] == software)
