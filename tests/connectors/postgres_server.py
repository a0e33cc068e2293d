"""A PostgreSQL server of the test's own: another user where the test runs as root."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "s3cret"


def binaries() -> Path:
    """The folder of the newest server programs; skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.skip("PostgreSQL's server programs are not installed (Debian: postgresql)")
    return Path(on_path).parent


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server and stop it; its URL with user and password."""
    programs = binaries()
    account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="jl-postgres-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "password").write_text(PASSWORD)
    shutil.chown(folder, account.pw_uid, account.pw_gid)
    shutil.chown(folder / "password", account.pw_uid, account.pw_gid)

    def run(*command: str) -> None:
        subprocess.run(
            [str(programs / command[0]), *command[1:]],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)},
            **({"user": account.pw_uid, "group": account.pw_gid} if os.getuid() == 0 else {}),
        )

    data = str(folder / "data")
    run(
        *("initdb", "-D", data, "-U", "owner", "--auth=scram-sha-256", "--no-sync"),
        *("--encoding=UTF8", f"--pwfile={folder / 'password'}"),
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -k {folder}"
    run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)
