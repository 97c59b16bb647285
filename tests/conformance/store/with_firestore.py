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
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

root = pathlib.Path(__file__).resolve().parents[3]
jar_name = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
    skip("the Firestore emulator is not installed: gcloud components install cloud-firestore-emulator")


def emulator_command(port):
    jar = emulator_jar()
    if not shutil.which("java"):
        skip("java is not installed: the Firestore emulator needs it")
    return ["java", "-Xmx512m", "-Duser.language=en", "-cp", str(jar),
            "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start",
            "--host=127.0.0.1", f"--port={port}"]


def stub_command(port):
    if not shutil.which("node"):
        skip("node is not installed: the strict Firestore stub needs it")
    return ["node", str(root / "tests/peers/firestore.js"), str(port),
            str(root / "deploy/firestore/firestore.indexes.json")]


def wait_for(port, peer):
    for _ in range(600):
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


def run(host, stub):
    env = dict(os.environ, FIRESTORE_EMULATOR_HOST=host)
    if stub:
        env["THEO_FIRESTORE_STUB"] = host
    return subprocess.run(sys.argv[2:], env=env).returncode


def main():
    stub = sys.argv[1] == "stub"
    if not stub and os.environ.get("FIRESTORE_EMULATOR_HOST"):
        sys.exit(run(os.environ["FIRESTORE_EMULATOR_HOST"], False))
    port = free_port()
    peer = subprocess.Popen(stub_command(port) if stub else emulator_command(port),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        wait_for(port, peer)
        sys.exit(run(f"127.0.0.1:{port}", stub))
    finally:
        peer.terminate()
        peer.wait()


main()
