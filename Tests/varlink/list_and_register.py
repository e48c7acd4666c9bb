"""Talks to opsd with the varlink package from PyPI, knowing only the socket: lists interfaces, registers, lists.

usage: list_and_register.py SOCKET OBJECT: prints the interfaces and the registration; fails if one is missing.
"""
import base64
import sys

import varlink

socket_path, object_path = sys.argv[1:]
client = varlink.Client.new_with_address(f"unix:{socket_path}")
names = sorted(client.get_interfaces())
print("interfaces:", *names)
expected = {"org.varlink.service", "io.opsd.Registry", "io.opsd.Program", "io.opsd.Map", "io.opsd.Link",
            "io.opsd.Simulation", "io.opsd.Daemon"}
if missing := expected - set(names):
    sys.exit(f"missing interfaces: {missing}")

with client.open("io.opsd.Registry") as registry:
    with open(object_path, "rb") as file:
        image = base64.b64encode(file.read()).decode()
    registered = registry.Register(object=image)["registrations"]
    listed = registry.List()["registrations"]
    print("registered:", registered[0]["ops_name"], "id", registered[0]["id"])
    if registered[0]["id"] not in [entry["id"] for entry in listed]:
        sys.exit(f"{registered} is not in {listed}")
    try:
        registry.Register(object="AAAA")
    except varlink.VarlinkError as error:
        print("refused:", error.error())
    else:
        sys.exit("bytes that are no object were accepted")
