#!/usr/bin/env python3
"""Run a test program beside a PostgreSQL server of its own: with_postgres.py direct|pgbouncer PROGRAM ARGUMENT…

A missing server is a visible skip. The program finds, in its environment,
  TEST_POSTGRES         HOST:PORT to connect to: the server, or a PgBouncer in transaction mode before it
  TEST_POSTGRES_CREATE  a program that makes the database theo_$1 for the role theo, password "secret"
  TEST_POSTGRES_CTL     a program that runs pg_ctl: stop, start, restart with its options
  TEST_POSTGRES_SQL     a program that runs the SQL $2 in the database $1 as the superuser
A "@" alone in THEO_TEST_STORE stands for USER:PASSWORD@HOST:PORT."""
import glob
import os
import pathlib
import pwd
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import peer


def find_program(name, more=()):
    folders = [*more, "/usr/sbin", "/usr/local/sbin"]
    found = shutil.which(name) or shutil.which(name, path=":".join(folders))
    if not found:
        peer.skip(f"{name} is not installed")
    return found


def server_program(name):
    return find_program(name, sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))


def unprivileged():
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    for user in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            continue
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    peer.skip("there is no unprivileged user to run PostgreSQL as")


def script(folder, name, body):
    path = folder / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return str(path)


class Server:
    def __init__(self, folder, settings="-c shared_buffers=64MB -c fsync=off"):
        self.folder, self.port, self.prefix = folder, peer.free_port(), unprivileged()
        self.data = folder / "data"
        run = shlex.join([*self.prefix])
        if self.prefix:
            shutil.chown(folder, *[int(p.split("=")[1]) for p in self.prefix[1:3]])
        initdb, pg_ctl, psql = (server_program(p) for p in ("initdb", "pg_ctl", "psql"))
        subprocess.run([*self.prefix, initdb, "-D", self.data, "-U", "postgres", "-E", "UTF8", "--locale=C",
                        "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        options = (f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
                   f"-c max_connections=200 {settings}")
        self.ctl = script(folder, "ctl", f"cd / && exec {run} {pg_ctl} -D {self.data} -s -w -t 60 "
                          f"-l {folder}/server.log -o {shlex.quote(options)} \"$@\"\n")
        self.sql = script(folder, "sql", f"cd / && exec {psql} -X -q -v ON_ERROR_STOP=1 -h {folder} "
                          f"-p {self.port} -U postgres -At -d \"$1\" -c \"$2\"\n")
        self.create = script(folder, "create", f"{self.sql} postgres \"create database theo_$1 owner theo\"\n")
        subprocess.run([self.ctl, "start"], check=True)
        self.execute("create role theo login password 'secret'")

    def execute(self, statement):
        subprocess.run([self.sql, "postgres", statement], check=True)

    def stop(self):
        subprocess.run([self.ctl, "stop", "-m", "immediate"], check=False)


class PgBouncer:
    def __init__(self, folder, server):
        program, self.port = find_program("pgbouncer"), peer.free_port()
        (folder / "users").write_text('"theo" "secret"\n')
        (folder / "pgbouncer.ini").write_text(f"""[databases]
* = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
logfile = {folder}/pgbouncer.log
""")
        if server.prefix:
            shutil.chown(folder / "users", *[int(p.split("=")[1]) for p in server.prefix[1:3]])
        self.process = subprocess.Popen([*server.prefix, program, "-q", str(folder / "pgbouncer.ini")], cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("pgbouncer does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    with tempfile.TemporaryDirectory(prefix="theo-postgres-") as name:
        folder = pathlib.Path(name)
        peers = [Server(folder)]
        try:
            if sys.argv[1] == "pgbouncer":
                peers.append(PgBouncer(folder, peers[0]))
            address = f"127.0.0.1:{peers[-1].port}"
            env = dict(os.environ, TEST_POSTGRES=address, TEST_POSTGRES_CREATE=peers[0].create,
                       TEST_POSTGRES_CTL=peers[0].ctl, TEST_POSTGRES_SQL=peers[0].sql)
            if "THEO_TEST_STORE" in env:
                env["THEO_TEST_STORE"] = env["THEO_TEST_STORE"].replace("//@", f"//theo:secret@{address}")
            status = subprocess.run(sys.argv[2:], env=env).returncode
            if os.environ.get("TEST_POSTGRES_LOG"):
                sys.stderr.write((folder / "server.log").read_text())
        finally:
            for one in reversed(peers):
                one.stop()
        sys.exit(status)


if __name__ == "__main__":
    main()
