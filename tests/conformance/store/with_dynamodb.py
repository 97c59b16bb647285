#!/usr/bin/env python3
"""Run a test program beside a DynamoDB of its own: with_dynamodb.py local|dynalite PROGRAM ARGUMENT…

"local" is Amazon's DynamoDB Local: Java 17 or newer and the folder THEO_DYNAMODB_LOCAL (default
tests/peers/dynamodb-local/lib, filled by script/bootstrap --test). "dynalite" comes with tests/e2e. A peer
that is missing is a visible skip. The program finds the address in THEO_DYNAMODB_ENDPOINT."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

root = pathlib.Path(__file__).resolve().parents[3]


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def local_command(port):
    jars = pathlib.Path(os.environ.get("THEO_DYNAMODB_LOCAL", root / "tests/peers/dynamodb-local/lib"))
    if not shutil.which("java"):
        skip("java is not installed: DynamoDB Local needs it")
    if not list(jars.glob("DynamoDBLocal-*.jar")):
        skip("DynamoDB Local is not there: script/bootstrap --test fetches it where maven is installed")
    return ["java", "-Xmx512m", f"-Djava.library.path={jars}", "-cp", f"{jars}/*",
            "com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory",
            "-disableTelemetry", "-port", str(port)]


def dynalite_command(port):
    program = root / "tests/e2e/node_modules/dynalite/cli.js"
    if not shutil.which("node") or not program.exists():
        skip("dynalite is not installed: run script/bootstrap --test")
    return ["node", str(program), "--port", str(port), "--createTableMs", "0"]


def wait_for(port, peer):
    for _ in range(300):
        if peer.poll() is not None:
            skip(f"the peer ended at once with status {peer.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
    peer.terminate()
    skip("the peer does not answer")


def main():
    port = free_port()
    command = local_command(port) if sys.argv[1] == "local" else dynalite_command(port)
    peer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        wait_for(port, peer)
        env = dict(os.environ, THEO_DYNAMODB_ENDPOINT=f"http://127.0.0.1:{port}",
                   AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret")
        env.pop("AWS_SESSION_TOKEN", None)
        sys.exit(subprocess.run(sys.argv[2:], env=env).returncode)
    finally:
        peer.terminate()
        peer.wait()


main()
