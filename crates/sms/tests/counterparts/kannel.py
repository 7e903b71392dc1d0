"""Kannel, with a centre that is faked: texts arrive, receipts come back, a wrong password is told."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from urllib.parse import unquote_plus

from program import Program, Receiver, expect

ROOT = pathlib.Path(os.environ["KANNEL"])
RECIPE = pathlib.Path(os.environ["RECIPES"], "kannel.toml").read_text()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listening(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on {port}")


admin, boxes, centre, http = free_port(), free_port(), free_port(), free_port()
scratch = pathlib.Path(tempfile.mkdtemp())
(scratch / "kannel.conf").write_text(f"""
group = core
admin-port = {admin}
admin-password = secret
admin-deny-ip = "*.*.*.*"
admin-allow-ip = "127.0.0.1"
smsbox-port = {boxes}
box-allow-ip = "127.0.0.1"
log-file = "{scratch}/bearerbox.log"
log-level = 0

group = smsc
smsc = fake
smsc-id = centre
host = 127.0.0.1
port = {centre}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
log-file = "{scratch}/smsbox.log"

group = sendsms-user
username = ann
password = right
max-messages = 5

group = sms-service
keyword = default
text = "none"
""")

started = []


def start(*command, **more):
    libraries = {str(path.parent) for path in ROOT.rglob("lib*.so*")}
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    child = subprocess.Popen(command, env=environment, cwd=scratch, **more)
    started.append(child)
    return child


def route(password):
    text = RECIPE.replace("127.0.0.1:13013", f"127.0.0.1:{http}")
    text, changes = re.subn(r"^secret = .*$", f'secret = {{ username = "ann", password = "{password}" }}', text, flags=re.M)
    assert changes == 1
    return text


def kept(name):
    path = scratch / name
    return path.read_bytes() if path.exists() else b""


def shows(text):
    # The centre prints texts of the basic alphabet as they are, and others as UTF-16 with escapes.
    for _ in range(100):
        printed = kept("centre.log")
        plain = unquote_plus(printed.decode("latin-1")).encode("latin-1")
        if text.encode() in printed or text.encode("utf-16-be") in plain or text.encode("latin-1", "replace") in plain:
            return True
        time.sleep(0.1)
    return False


receiver = Receiver(200, b"")
try:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start(ROOT / "usr/sbin/bearerbox", scratch / "kannel.conf", **quiet)
    listening(boxes)
    smsbox = start(ROOT / "usr/sbin/smsbox", scratch / "kannel.conf", **quiet)
    listening(http)
    listening(centre)
    log = open(scratch / "centre.log", "wb")
    fake = ROOT / "usr/lib/kannel/test/fakesmsc"
    start(fake, "-H", "127.0.0.1", "-r", str(centre), "-m", "0", "-i", "1", "1 2 nothing", stdout=log, stderr=log)
    for _ in range(100):
        if b"onnected" in kept("bearerbox.log"):
            break
        time.sleep(0.1)

    with Program(route("right")) as program:
        expect("it can be reached", program.ask(check=True)["error"], None)
        for text in ["123456 is your code: ü & é", "123456 ваш код"]:
            callback = receiver.url + "/sms/receipts/kannel/dG9rZW4"
            message = {"to": "+41791234567", "text": text, "sender": "Acme", "callback": callback}
            sent = program.ask(send=message)
            expect(f"taken: {text}", (sent["result"], sent["reason"]), ("taken", ""))
            # One from the centre and one from the phone, in whichever order.
            arrivals = set()
            for _ in range(2):
                method, path, _, _ = receiver.came.get(timeout=20)
                received = {"method": method, "url": receiver.url + path}
                arrivals.add(program.ask(receipt=received)["arrival"])
            expect("receipts came", arrivals, {"on_the_way", "delivered"})
            expect("the text arrived whole", shows(text), True)

    with Program(route("wrong")) as program:
        sent = program.ask(send={"to": "+41791234567", "text": "x"})
        expect("a wrong password", (sent["result"], sent.get("fault")), ("unable", "auth"))
        assert "wrong" not in sent["reason"]

    smsbox.terminate()
    smsbox.wait(20)
    with Program(route("right")) as program:
        sent = program.ask(send={"to": "+41791234567", "text": "x"})
        expect("smsbox is away", (sent["result"], sent.get("fault")), ("not_now", "unreachable"))
    start(ROOT / "usr/sbin/smsbox", scratch / "kannel.conf", **quiet)
    listening(http)
    with Program(route("right")) as program:
        sent = program.ask(send={"to": "+41791234567", "text": "x", "sender": "Acme"})
        expect("smsbox is back", sent["result"], "taken")
        sent = program.ask(send={"to": "+41791234567", "text": "x"})
        expect("without a sender", (sent["result"], sent.get("fault")), ("unable", "sender"))
except BaseException:
    for name in ["bearerbox.log", "smsbox.log", "centre.log"]:
        print(f"--- {name}\n" + "\n".join(kept(name).decode("latin-1").splitlines()[-15:]))
    raise
finally:
    for child in reversed(started):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
    shutil.rmtree(scratch)
