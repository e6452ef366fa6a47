"""How much memory there is, for this program."""

from __future__ import annotations

from pathlib import Path


def machine_memory() -> tuple[int, int]:
    """Free and total bytes, as far as this container or job may use them; zeros where that is not known."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0, 0
    meminfo = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    free, total = meminfo.get("MemAvailable", 0), meminfo.get("MemTotal", 0)
    limit, used = cgroup_limit()
    return (min(free, max(0, limit - used)), min(total, limit)) if limit else (free, total)


def cgroup_limit() -> tuple[int, int]:
    """What a container or job may have, and has, by either version of control groups; zeros without a limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return tuple(int(Path("/sys/fs/cgroup", name).read_text()) for name in (limit, used))  # type: ignore[return-value]
        except (OSError, ValueError):  # There is none of this version, or it says “max”.
            continue
    return 0, 0
