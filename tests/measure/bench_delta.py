"""`make bench-delta`: real software, from one version to the next, by delta: bytes beside what the field has, CPU and memory on the gateway beside a
full install, all in the same run.

Each pair is an app as `gwe --build-app` makes it. What peers are given is what serves them best: the tar streams for xdelta3, bsdiff and zstd, which
have no way to read an unpacked folder as their base; the folders for casync; tar streams again for zchunk, whose chunks are counted as it counts them.
"""

import argparse
import filecmp
import gzip
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from .bench import over_the_air, spent
from .gateway import TOP, Cloud, Gateway, Scratch
from .table import Table

CACHE = TOP / "target/bench-delta"
TOOL = TOP / "target/release/gwe"
AGENT = TOP / "target/footprint/tls-openssl/gwe"
ROUNDS = 3
CPU_LIMIT = 1.2
PEAK_LIMIT = 1_000_000
SCRIPT = "#!/bin/sh\nexit 0\n"


def main():
    options = argparse.ArgumentParser(prog="make bench-delta", description=__doc__.split("\n")[0])
    options.add_argument("--json", action="store_true", help="as JSON")
    options.add_argument("--agents", nargs=2, type=Path, help="two builds of the agent")
    options.add_argument("--before", default="HEAD~20", help="the commit of the older build")
    options.add_argument("--only", help="only this pair")
    options = options.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    table = Table("Updates by delta")
    # Name, versions, how it is fetched, and the limit in bytes.
    pairs = [
        ("nodered", "4.0.5", "4.0.7", node_red, 40_000),
        ("ruff", "0.8.0", "0.8.1", ruff, 4_000_000),
        ("pyapp", "3.0.2", "3.0.3", python_app, None),
        ("gwe", "1", "2", agents(options), None),
    ]
    for app, old, new, fetch, limit in pairs:
        if options.only not in (None, app):
            continue
        try:
            folders = [fetch(version, CACHE / f"{app}-{version}") for version in (old, new)]
        except (OSError, subprocess.SubprocessError) as error:
            table.skip(f"{app} {old} to {new}", f"cannot be fetched: {error}")
            continue
        tarballs = [build(app, version, folder) for version, folder in zip((old, new), folders)]
        delta = make_delta(app, *tarballs)
        compare(table, f"{app} {old} to {new}", tarballs, delta, limit)
        # The agent's own update is no install that ends within one check-in.
        if app != "gwe":
            on_the_gateway(table, app, (old, new), tarballs, delta)
    table.show(options.json)


def done_once(folder, fetch):
    """Fetches into a folder that appears only when it is whole."""
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        fetch(part)
        part.rename(folder)
    return folder


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=3600, **more)


def node_red(version, folder):
    def fetch(part):
        run("npm", "install", f"node-red@{version}", "--ignore-scripts", "--no-audit", "--no-fund", cwd=part)

    return done_once(folder, fetch)


def ruff(version, folder):
    def fetch(part):
        wheel = part / "wheel"
        place = ["--platform", "manylinux2014_x86_64", "--only-binary=:all:", "--no-deps"]
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", wheel, *place, f"ruff=={version}")
        shutil.move(wheel / "bin/ruff", part / "ruff")
        shutil.rmtree(wheel)

    return done_once(folder, fetch)


def python_app(version, folder):
    """Flask with all that it brings."""

    def fetch(part):
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", part / "lib", f"flask=={version}")

    return done_once(folder, fetch)


def agents(options):
    def fetch(version, folder):
        def build_it(part):
            shutil.copy(options.agents[int(version) - 1] if options.agents else agent_of(version, options.before), part / "gwe")

        return done_once(folder, build_it)

    return fetch


def agent_of(version, before):
    if version == "2":
        return AGENT
    tree = CACHE / "before"
    if not tree.is_dir():
        run("git", "worktree", "add", "--detach", tree, before, cwd=TOP)
    try:
        run("make", "footprint-build-tls-openssl", cwd=tree)
        built = CACHE / "gwe-before"
        shutil.copy(tree / "target/footprint/tls-openssl/gwe", built)
    finally:
        run("git", "worktree", "remove", "--force", tree, cwd=TOP)
    return built


def build(app, version, folder):
    tarball = folder / f"{app}.v{version}.tar.gz"
    if not tarball.is_file():
        script = folder / "install.sh"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        files = sorted(entry.name for entry in folder.iterdir() if entry.suffix not in (".gz", ".delta") and entry.name != "build.json")
        (folder / "build.json").write_text(json.dumps({"name": app, "version": version, "includes": files}))
        run(TOOL, "--build-app", "build.json", cwd=folder)
    return tarball


def make_delta(app, old, new):
    done = subprocess.run(["/usr/bin/time", "-f", "%M", TOOL, "--build-delta", old, new], cwd=CACHE, capture_output=True, text=True, check=True, timeout=3600)
    return Path(done.stdout.strip()), int(done.stderr.split()[-1]) * 1024


def compare(table, what, tarballs, delta, limit):
    path, memory = delta
    full = tarballs[1].stat().st_size
    size = path.stat().st_size
    table.row(f"{what}: the delta", size / 1000, "kB", limit and limit / 1000, f"tarball {full / 1000:,.0f} kB: {100 * size / full:.2f} %; made in {memory / 1e6:,.0f} MB")
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        scratch = Path(scratch)
        streams, trees = [], []
        for name, tarball in zip(("old", "new"), tarballs):
            streams.append(scratch / f"{name}.tar")
            streams[-1].write_bytes(gzip.decompress(tarball.read_bytes()))
            trees.append(scratch / name)
            with tarfile.open(streams[-1]) as archive:
                archive.extractall(trees[-1], filter="tar")
        for name, needs, measure in PEERS:
            if needs and shutil.which(needs) is None:
                table.skip(f"{what}: {name}", f"{needs} is not installed")
                continue
            bytes_ = measure(scratch, streams, trees)
            table.row(f"{what}: {name}", bytes_ / 1000, "kB", None, f"{100 * bytes_ / full:.2f} %")


def changed_files(scratch, streams, trees):
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w|") as archive:
        for path in sorted(trees[1].rglob("*")):
            before = trees[0] / path.relative_to(trees[1])
            if path.is_file() and not path.is_symlink() and not (before.is_file() and filecmp.cmp(before, path, shallow=False)):
                archive.add(path, str(path.relative_to(trees[1])))
    return len(out.getvalue())


def xdelta3(scratch, streams, trees):
    out = scratch / "xdelta"
    run("xdelta3", "-e", "-9", "-S", "lzma", "-B", str(1 << 28), "-f", "-s", *streams, out)
    return out.stat().st_size


def bsdiff(scratch, streams, trees):
    out = scratch / "bsdiff"
    run("bsdiff", *streams, out)
    return out.stat().st_size


def zstd(scratch, streams, trees):
    out = scratch / "zstd"
    run("zstd", "-19", "--long=28", f"--patch-from={streams[0]}", streams[1], "-f", "-o", out)
    return out.stat().st_size


def zchunk(scratch, streams, trees):
    for stream in streams:
        run("zck", stream, "-o", f"{stream}.zck")
    chunks = [dict(zck_chunks(f"{stream}.zck")) for stream in streams]
    head = sum(1 for _ in chunks[1]) * 40
    return head + sum(size for digest, size in chunks[1].items() if digest not in chunks[0])


def zck_chunks(path):
    """Each chunk's digest and size, as `zck_read_header --show-chunks` lists them."""
    for line in run("zck_read_header", "-c", path).stdout.decode().splitlines():
        words = line.split()
        if len(words) >= 5 and words[0].isdigit():
            yield words[1], int(words[3])


def casync(scratch, streams, trees):
    stores = []
    for name, tree in zip(("old", "new"), trees):
        run("casync", "make", "--without=all", f"--store={scratch}/{name}.castr", scratch / f"{name}.caidx", tree)
        stores.append({path.name: path.stat().st_size for path in (scratch / f"{name}.castr").rglob("*.cacnk")})
    index = (scratch / "new.caidx").stat().st_size
    return index + sum(size for name, size in stores[1].items() if name not in stores[0])


PEERS = (
    ("changed files, gzipped", None, changed_files),
    ("zchunk, chunks that are new", "zck", zchunk),
    ("casync, chunks that are new", "casync", casync),
    ("xdelta3 -9, lzma", "xdelta3", xdelta3),
    ("bsdiff", "bsdiff", bsdiff),
    ("zstd -19 --patch-from", "zstd", zstd),
)


def on_the_gateway(table, app, versions, tarballs, delta):
    """Full install and delta take turns, from the same old version."""
    old, new = (f"{app}.v{version}.tar.gz" for version in versions)
    ratios, more, fulls, deltas, peaks = [], [], [], [], []
    with Scratch() as scratch, Cloud(scratch) as cloud:
        for tarball, name in zip(tarballs, (old, new)):
            cloud.run("content", "upload", tarball, name)
        cloud.run("content", "upload", delta[0], delta[0].name)
        for turn in range(ROUNDS):
            full = update(scratch, cloud, f"full-{turn}", old, new, "")
            by_delta = update(scratch, cloud, f"delta-{turn}", old, new, f', "delta_from": ["{versions[0]}"]')
            fulls.append(full[0])
            deltas.append(by_delta[0])
            ratios.append(by_delta[0] / full[0])
            more.append(by_delta[1] - full[1])
            peaks.append(by_delta[1])
    cpu = f"full {statistics.median(fulls):.2f} s, delta {statistics.median(deltas):.2f} s"
    table.row(f"{app}: CPU against a full install", statistics.median(ratios), "", CPU_LIMIT, cpu)
    table.row(f"{app}: peak RSS beyond a full install", statistics.median(more) / 1e6, "MB", PEAK_LIMIT / 1e6, f"{max(peaks) / 1e6:.1f} MB in all")


def update(scratch, cloud, name, old, new, more):
    gateway = Gateway(scratch, name, AGENT, cloud.url)
    gateway.once()
    cloud.run("product", "device", "write", gateway.serial, "engine_fetch", f'{{"install": [{{"name": "{old}"}}]}}')
    gateway.once()
    cloud.run("product", "device", "write", gateway.serial, "engine_fetch", f'{{"install": [{{"name": "{new}"{more}}}]}}')
    peak = []
    cpu = spent(lambda: peak.append(over_the_air(gateway)))
    status = cloud.run("product", "device", "read", gateway.serial, "fetch_status")
    if f"installed {new.split('.v')[0]} v" not in status or "not used" in status or (bool(more) != ("delta" in status)):
        raise RuntimeError(f"not as asked for: {status}")
    shutil.rmtree(gateway.root)
    return cpu, peak[0]


if __name__ == "__main__":
    main()
