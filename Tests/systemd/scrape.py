#!/usr/bin/python3
"""usage: scrape.py SOCKET: prints what a scraper gets there over HTTP, and fails unless it is OpenMetrics."""
import http.client
import socket
import sys


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.host)


connection = UnixConnection(sys.argv[1])
connection.request("GET", "/metrics", headers={"Host": "localhost"})
answer = connection.getresponse()
text = answer.read().decode()
print(text, end="")
if answer.status != 200 or "openmetrics-text" not in answer.getheader("Content-Type") or not text.endswith("# EOF\n"):
    sys.exit(1)
