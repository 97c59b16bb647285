"""What the scripts have in common that start a peer for a test."""
import contextlib
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def free_port():
    """Below the ports that the system gives to outgoing connections, so that none takes it meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def answers(port, peer, seconds):
    end = time.monotonic() + seconds
    while peer.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
    return False


@contextlib.contextmanager
def running(command_for, seconds=60):
    """The port of a peer that was started by command_for(port) and answers HTTP."""
    for _ in range(3):
        port = free_port()
        peer = subprocess.Popen(command_for(port), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if answers(port, peer, seconds):
                yield port
                return
            ended = peer.poll()
        finally:
            peer.terminate()
            peer.wait()
        if ended is None:
            print("Bail out! the peer is installed but does not answer")
            sys.exit(1)
    skip(f"the peer ended at once with status {ended}")
