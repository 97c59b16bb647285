#!/usr/bin/env python3
"""Run a test program beside a Firestore of its own: with_firestore.py emulator|stub PROGRAM ARGUMENT…

"emulator" is Google's: the one that runs at FIRESTORE_EMULATOR_HOST, or the jar of Debian's
google-cloud-cli-firestore-emulator or of gcloud (THEO_FIRESTORE_EMULATOR names another), with Java.
"stub" is tests/peers/firestore.js, which is stricter (it wants declared indexes) and can be told to
fail. A peer that is missing is a visible skip. The program finds the address in
FIRESTORE_EMULATOR_HOST, and for the stub in THEO_FIRESTORE_STUB too."""
import os
import pathlib
import shutil
import subprocess
import sys

import peer

root = pathlib.Path(__file__).resolve().parents[3]
jar_name = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"


def emulator_jar():
    named = os.environ.get("THEO_FIRESTORE_EMULATOR")
    if named:
        return pathlib.Path(named)
    places = [pathlib.Path("/usr/lib/google-cloud-sdk")]
    gcloud = shutil.which("gcloud")
    if gcloud:
        places.insert(0, pathlib.Path(gcloud).resolve().parents[1])
    for place in places:
        if (place / jar_name).exists():
            return place / jar_name
    peer.skip("the Firestore emulator is not installed: gcloud components install cloud-firestore-emulator")


def emulator_command(port):
    jar = emulator_jar()
    if not shutil.which("java"):
        peer.skip("java is not installed: the Firestore emulator needs it")
    return ["java", "-Xmx512m", "-Duser.language=en", "-cp", str(jar),
            "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start",
            "--host=127.0.0.1", f"--port={port}"]


def stub_command(port):
    if not shutil.which("node"):
        peer.skip("node is not installed: the strict Firestore stub needs it")
    return ["node", str(root / "tests/peers/firestore.js"), str(port),
            str(root / "deploy/firestore/firestore.indexes.json")]


def run(host, stub):
    env = dict(os.environ, FIRESTORE_EMULATOR_HOST=host)
    if stub:
        env["THEO_FIRESTORE_STUB"] = host
    return subprocess.run(sys.argv[2:], env=env).returncode


def main():
    stub = sys.argv[1] == "stub"
    if not stub and os.environ.get("FIRESTORE_EMULATOR_HOST"):
        sys.exit(run(os.environ["FIRESTORE_EMULATOR_HOST"], False))
    with peer.running(stub_command if stub else emulator_command) as port:
        sys.exit(run(f"127.0.0.1:{port}", stub))


main()
