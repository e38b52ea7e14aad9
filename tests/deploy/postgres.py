"""A PostgreSQL of our own in a temporary folder, on a socket that only this test knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.needs import lacking
from tests.processes import MARK

SCHEMA = Path(__file__).resolve().parents[2] / "deploy" / "receiver" / "schema.sql"
_TRUSTED = "postgres"
_UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to be root."""


class Postgres:
    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not programs:
            lacking("no PostgreSQL", "sudo apt-get install postgresql")
        self._programs = programs[-1].parent
        # Not in pytest's folder, which nobody else may enter.
        self.folder = Path(
            tempfile.mkdtemp(prefix=f"{os.environ.get(MARK, 'tensormask')}-postgres-")
        )
        if os.geteuid() == 0:
            shutil.chown(self.folder, _UNPRIVILEGED)
        self._run("initdb", "--no-sync", "--auth=trust", f"--username={_TRUSTED}")
        self.start()

    def start(self) -> None:
        settings = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "start", "-w", f"--log={self.folder}/log", f"--options={settings}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "fast")

    def close(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, f"--pgdata={self.folder}/data", *arguments],
            user=_UNPRIVILEGED if os.geteuid() == 0 else None,
            cwd="/",
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def environment(self, database: str) -> dict[str, str]:
        """What libpq wants to know."""
        return {"PGHOST": str(self.folder), "PGDATABASE": database, "PGUSER": _TRUSTED}

    def connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), dbname=database, user=_TRUSTED, autocommit=True
        )

    def create(self, database: str) -> psycopg.Connection:
        """Return a connection to a new database with the receiver's tables."""
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        connection = self.connect(database)
        connection.execute(SCHEMA.read_bytes())
        return connection
