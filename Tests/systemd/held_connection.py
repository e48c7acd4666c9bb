"""A client that keeps one connection across the death of the runtime.

usage: held_connection.py SOCKET READY GO: lists, makes the file READY, waits for the file GO, lists again on the same
connection, and fails unless both answers are alike.
"""
import json
import os
import socket
import sys
import time


def call(connection):
    connection.sendall(b'{"method":"io.opsd.Registry.List","parameters":{}}\0')
    received = b""
    while not received.endswith(b"\0"):
        chunk = connection.recv(65536)
        if not chunk:
            sys.exit("the daemon closed the connection")
        received += chunk
    reply = json.loads(received[:-1])
    if "error" in reply:
        sys.exit(f"refused: {reply}")
    return reply["parameters"]


path, ready, go = sys.argv[1:]
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(30)
connection.connect(path)
before = call(connection)
open(ready, "w").close()
deadline = time.monotonic() + 60
while not os.path.exists(go):
    if time.monotonic() > deadline:
        sys.exit("nobody said go")
    time.sleep(0.05)
after = call(connection)
if before != after:
    sys.exit(f"before {before}\nafter  {after}")
