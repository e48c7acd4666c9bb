"""A headless Chromium at the other end of two pipes (its DevTools protocol), and PNG pixels. Standard library only."""
import base64
import fcntl
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time
import zlib


class Browser:
    """One page of a Chromium with a profile of its own. What the page complains about is in `complaints`."""

    def __init__(self, width, height, dark=False, mobile=False, deadline=60):
        self.deadline = time.monotonic() + deadline
        self.complaints = []
        self.requests = []
        self.profile = tempfile.mkdtemp(prefix="report-browser-")
        reading, self.commands = os.pipe()
        self.answers, writing = os.pipe()
        command = [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            "--remote-debugging-pipe", "--user-data-dir=" + self.profile, f"--window-size={width},{height}", "about:blank",
        ]
        # Chromium reads commands from descriptor 3 and answers on 4. The copies keep clear of those two.
        inherited = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reading, writing)]
        self.process = subprocess.Popen(
            ["bash", "-c", 'exec 3<&%d 4>&%d; exec "$@"' % tuple(inherited), "bash"] + command, pass_fds=inherited,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.profile))
        for end in [reading, writing] + inherited:
            os.close(end)
        os.set_blocking(self.answers, False)
        self.buffer = b""
        self.number = 0
        self.session = None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(domain + ".enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if mobile else 1,
            mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def receive(self):
        while b"\0" not in self.buffer:
            if time.monotonic() > self.deadline:
                raise TimeoutError("Chromium does not answer")
            try:
                chunk = os.read(self.answers, 1 << 20)
                if not chunk:
                    raise RuntimeError("Chromium has ended")
                self.buffer += chunk
            except BlockingIOError:
                time.sleep(0.005)
        frame, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(frame)
        self.note(message.get("method"), message.get("params", {}))
        return message

    def note(self, event, parameters):
        if event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value")) for a in parameters["args"]))
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def open(self, path):
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def wait(self, condition):
        while not self.evaluate(condition):
            if time.monotonic() > self.deadline:
                raise TimeoutError(f"never true: {condition}; complaints: {self.complaints}")
            time.sleep(0.02)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def drag(self, start, end):
        """Mouse down at one point, up at another."""
        places = [("mouseMoved", start, "none"), ("mousePressed", start, "left")]
        places += [("mouseMoved", ((start[0] + end[0]) / 2, end[1]), "left"), ("mouseMoved", end, "left")]
        places += [("mouseReleased", end, "left")]
        for kind, (x, y), button in places:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def screenshot(self, box):
        """A part of the page, (left, top, width, height), as PNG bytes."""
        clip = dict(zip(["x", "y", "width", "height"], box), scale=1)
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(answer["data"])

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (RuntimeError, TimeoutError, OSError):
            self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)


def pixels(png):
    """Width, height and rows of RGB(A) bytes of a PNG with 8 bits a channel, and the bytes of one pixel."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG"
    offset, data = 8, b""
    while offset < len(png):
        length, kind = struct.unpack(">I4s", png[offset:offset + 8])
        body = png[offset + 8:offset + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and color in (2, 6) and interlace == 0, "an unusual PNG"
        elif kind == b"IDAT":
            data += body
        offset += 12 + length
    size = 4 if color == 6 else 3
    raw = zlib.decompress(data)
    rows, before, stride = [], bytearray(width * size), width * size
    for row in range(height):
        start = row * (stride + 1)
        before = unfilter(raw[start], bytearray(raw[start + 1:start + 1 + stride]), before, size)
        rows.append(before)
    return width, height, rows, size


def unfilter(kind, line, above, size):
    """PNG specification, section 9: filters."""
    if kind == 1:
        for i in range(size, len(line)):
            line[i] = (line[i] + line[i - size]) & 255
    elif kind == 2:
        for i in range(len(line)):
            line[i] = (line[i] + above[i]) & 255
    elif kind == 3:
        for i in range(len(line)):
            left = line[i - size] if i >= size else 0
            line[i] = (line[i] + (left + above[i]) // 2) & 255
    elif kind == 4:
        for i in range(len(line)):
            a, b, c = (line[i - size], above[i], above[i - size]) if i >= size else (0, above[i], 0)
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            line[i] = (line[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
    return line
