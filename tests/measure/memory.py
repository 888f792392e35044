"""Resident memory and wakeups of a process, from /proc."""

import os
import re
import shutil
import subprocess
from pathlib import Path

# What every process of an image shares: the C library and its loader.
SHARED_BY_ALL = ("ld-linux", "libc.so")


def private_copy(binary, folder):
    """The binary and the libraries that only it uses, copied: what else runs on this machine shares no page of them. The pages are
    written back, because a page that is still to be written counts as dirty."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / Path(binary).name
    shutil.copy2(binary, copy)
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    for path in re.findall(r"=> (/\S+)", linked):
        if not any(name in path for name in SHARED_BY_ALL):
            shutil.copy2(path, folder)
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return copy


def memory(pid):
    """Pss, Private_Dirty and Rss in MB (10^6 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1)) * 1024 / 1e6 for key in ("Pss", "Private_Dirty", "Rss")}


def peak(pid):
    """The most that the process and each of its descendants had resident, in bytes; those that have gone count as nothing."""
    most = 0
    for one in family(pid):
        try:
            found = re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{one}/status").read_text(), re.M)
        except OSError:
            continue
        most = max(most, int(found.group(1)) * 1024 if found else 0)
    return most


def family(pid):
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def wakeups(pid):
    """How often any of its threads was put on a CPU so far, or None where it has gone."""
    try:
        return sum(int((task / "schedstat").read_text().split()[2]) for task in Path(f"/proc/{pid}/task").iterdir())
    except (OSError, IndexError):
        return None


def written(pid):
    """Bytes that it caused to be written to a disk."""
    return int(re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M).group(1))
