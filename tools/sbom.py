#!/usr/bin/env python3
"""What is built in: the crates of one set of features as a CycloneDX 1.6 bill of materials, or the texts of their licences.

Usage: sbom.py bill none|tls-openssl|tls-rustls [TARGET]    one line of JSON; TARGET is a Rust triple
       sbom.py licences                                     the texts, of every set together: what LICENSE-CRATES is

Asks cargo, with the lock file as it is, and nothing else: no network, no packages. A bill has what is compiled into the program or writes code
of it (normal dependencies, procedural macros among them), not what only helps to build. SOURCE_DATE_EPOCH is its time, else the commit's;
the same source makes the same bytes.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

TOP = pathlib.Path(__file__).resolve().parents[1]
FEATURE_SETS = ("none", "tls-openssl", "tls-rustls")
# Every target that the agent is for builds the same crates; a test holds that.
TARGET = "x86_64-unknown-linux-gnu"
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.I)
RULE = "=" * 100


def run(*command):
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:2])}: {done.stderr.strip()}")
    return done.stdout


def edges(features, target):
    """(name, version) of each crate in the build, the agent's own first → those it depends on, in order."""
    chosen = [] if features == "none" else ["--features", features]
    lines = run("cargo", "tree", "--locked", "--no-default-features", *chosen, "--edges", "normal", "--target", target, "--prefix", "depth",
                "--format", " {p}").splitlines()
    found, path = {}, []
    for line in lines:
        depth, name, version = line.split()[:3]
        crate = (name, version.removeprefix("v"))
        del path[int(depth):]
        if path and crate not in found[path[-1]]:
            found[path[-1]].append(crate)
        found.setdefault(crate, [])
        path.append(crate)
    return found


def packages():
    """(name, version) → what cargo knows of it, with the lock file's checksum."""
    known = json.loads(run("cargo", "metadata", "--locked", "--all-features", "--format-version", "1"))["packages"]
    sums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in tomllib.loads((TOP / "Cargo.lock").read_text())["package"]}
    return {(package["name"], package["version"]): {**package, "checksum": sums[package["name"], package["version"]]} for package in known}


def expression(package):
    """The SPDX expression; older manifests write a stroke for OR."""
    return package["license"].replace("/", " OR ")


def purl(crate):
    return f"pkg:cargo/{crate[0]}@{crate[1]}"


def component(package):
    crate = (package["name"], package["version"])
    described = {"type": "library", "bom-ref": purl(crate), "name": crate[0], "version": crate[1]}
    if package["description"]:
        described["description"] = " ".join(package["description"].split())
    described |= {"scope": "required", "hashes": [{"alg": "SHA-256", "content": package["checksum"]}],
                  "licenses": [{"expression": expression(package), "acknowledgement": "declared"}], "purl": purl(crate)}
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def epoch():
    """Seconds since 1970 of what is described, or None outside a checkout."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=TOP, capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def bill(features, target=TARGET):
    graph, known = edges(features, target), packages()
    own, *crates = graph
    version = own[1]
    own_purl = f"pkg:generic/exosite/gateway-engine@{version}"
    names = {crate: purl(crate) for crate in crates} | {own: own_purl}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {"type": "application", "bom-ref": own_purl, "name": "gwe", "version": version, "description": known[own]["description"],
                          "licenses": [{"expression": known[own]["license"], "acknowledgement": "declared"}],
                          "cpe": f"cpe:2.3:a:exosite:gateway_engine:{version}:*:*:*:*:*:*:*", "purl": own_purl,
                          "properties": [{"name": "gwe:features", "value": features}]},
        },
        "components": [component(known[crate]) for crate in sorted(crates)],
        "dependencies": [{"ref": names[crate], "dependsOn": sorted(names[other] for other in graph[crate])} for crate in [own, *sorted(crates)]],
    }
    if (seconds := epoch()) is not None:
        import datetime
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        document["metadata"]["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    # A number of its own for each content.
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))}"
    return document


def texts(package):
    """The licence files of a crate: name and text."""
    folder = pathlib.Path(package["manifest_path"]).parent
    return [(path.name, path.read_text(errors="replace").strip()) for path in sorted(folder.iterdir()) if path.is_file() and LICENCE_FILE.match(path.name)]


def licences():
    """Every crate with its licence, then each text once, with whom it is of."""
    known = packages()
    built = sorted({crate for features in FEATURE_SETS for crate in list(edges(features, TARGET))[1:]})
    heads, owners, words = [], {}, {}
    for crate in built:
        package = known[crate]
        found = texts(package)
        note = "" if found else "  (the crate brings no text of its own: see the crates of the same authors)"
        authors = ", ".join(re.sub(r" *<[^>]*>", "", author) for author in package["authors"])
        heads.append(f"{crate[0]} {crate[1]}: {expression(package)}{'; ' + authors if authors else ''}{note}")
        for name, text in found:
            key = " ".join(text.split())
            owners.setdefault(key, []).append(f"{crate[0]} ({name})")
            words.setdefault(key, text)
    parts = ["Gateway Engine is built from these crates; which of them are in a program, its bill of materials says.\n"
             "Made by tools/sbom.py licences.\n\n" + "\n".join(heads)]
    parts += [f"{RULE}\n{', '.join(owners[key])}\n{RULE}\n\n" + "\n".join(line.rstrip() for line in words[key].splitlines()) for key in words]
    return "\n\n".join(parts) + "\n"


def main(arguments):
    match arguments:
        case ["bill", features, *target] if features in FEATURE_SETS and len(target) < 2:
            print(json.dumps(bill(features, *target), ensure_ascii=False, indent=1))
        case ["licences"]:
            print(licences(), end="")
        case _:
            sys.exit(__doc__.split("\n\n")[1])


if __name__ == "__main__":
    main(sys.argv[1:])
