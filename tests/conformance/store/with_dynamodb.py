#!/usr/bin/env python3
"""Run a test program beside a DynamoDB of its own: with_dynamodb.py local|dynalite PROGRAM ARGUMENT…

"local" is Amazon's DynamoDB Local: Java 17 or newer and the folder THEO_DYNAMODB_LOCAL (default
tests/peers/dynamodb-local/lib, filled by script/bootstrap --test). "dynalite" comes with tests/e2e. A peer
that is missing is a visible skip. The program finds the address in THEO_DYNAMODB_ENDPOINT."""
import os
import pathlib
import shutil
import subprocess
import sys

import peer

root = pathlib.Path(__file__).resolve().parents[3]


def local_command(port):
    jars = pathlib.Path(os.environ.get("THEO_DYNAMODB_LOCAL", root / "tests/peers/dynamodb-local/lib"))
    if not shutil.which("java"):
        peer.skip("java is not installed: DynamoDB Local needs it")
    if not list(jars.glob("DynamoDBLocal-*.jar")):
        peer.skip("DynamoDB Local is not there: script/bootstrap --test fetches it where maven is installed")
    return ["java", "-Xmx512m", f"-Djava.library.path={jars}", "-cp", f"{jars}/*",
            "com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory",
            "-disableTelemetry", "-port", str(port)]


def dynalite_command(port):
    program = root / "tests/e2e/node_modules/dynalite/cli.js"
    if not shutil.which("node") or not program.exists():
        peer.skip("dynalite is not installed: run script/bootstrap --test")
    return ["node", str(program), "--port", str(port), "--createTableMs", "0"]


def main():
    with peer.running(local_command if sys.argv[1] == "local" else dynalite_command) as port:
        env = dict(os.environ, THEO_DYNAMODB_ENDPOINT=f"http://127.0.0.1:{port}",
                   AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret")
        env.pop("AWS_SESSION_TOKEN", None)
        sys.exit(subprocess.run(sys.argv[2:], env=env).returncode)


main()
