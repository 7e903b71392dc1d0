"""Vonage's own packages: `vonage-messages` reads what we send, `vonage-jwt` believes the receipts that we believe."""

import base64
import hashlib
import json
import subprocess
import time

import jwt
from program import Program, Receiver, expect
from vonage_jwt import verify_jwt
from vonage_messages import Sms

SECRET = "a-signature-secret-of-32-letters"
APPLICATION = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"
CALLBACK = "https://sms.example.com/sms/receipts/main/dG9rZW4"

key = subprocess.run(
    ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], capture_output=True, check=True
).stdout.decode()
public = subprocess.run(["openssl", "pkey", "-pubout"], input=key.encode(), capture_output=True, check=True).stdout
receiver = Receiver(202, b'{"message_uuid": "u1"}')
ROUTE = f"""[sms.routes.main]
type = "vonage"
application = "{APPLICATION}"
private_key = '''{key}'''
signature_secret = "{SECRET}"
base_url = "{receiver.url}"
allow_insecure = true
allow_private = true
"""


def receipt(body, secret=SECRET, algorithm="HS256", **changes):
    claims = {
        "iat": int(time.time()), "jti": str(time.monotonic_ns()), "iss": "Vonage", "application_id": APPLICATION,
        "api_key": "abcd1234", "payload_hash": hashlib.sha256(body.encode()).hexdigest(), **changes,
    }
    token = jwt.encode(claims, secret, algorithm)
    return {"method": "POST", "url": CALLBACK, "headers": {"authorization": f"Bearer {token}"}, "body": body}


with Program(ROUTE) as program:
    message = {"to": "+41791234567", "text": "123456 – привет", "sender": "Acme", "callback": CALLBACK}
    sent = program.ask(send=message)
    expect("a message is taken", (sent["result"], sent["reference"]), ("taken", "u1"))
    _, path, headers, body = receiver.came.get(timeout=5)
    expect("at their address", path, "/v1/messages")
    body = json.loads(body)
    read = Sms(**{("from_" if name == "from" else name): value for name, value in body.items()})
    again = read.model_dump(by_alias=True, exclude_none=True, mode="json")
    expect("their model knows every field, and has it so", again, body)
    try:
        Sms(**{**body, "from_": body["from"], "to": "+41791234567"})
        raise SystemExit("their model takes a plus after all")
    except ValueError:
        pass
    token = headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, public, ["RS256"])
    expect("the token is the application's", claims["application_id"], APPLICATION)

    body = json.dumps({"message_uuid": "u1", "status": "delivered"})
    given = receipt(body)
    token = given["headers"]["authorization"].removeprefix("Bearer ")
    expect("a receipt that their package believes", bool(verify_jwt.verify_signature(token, SECRET)), True)
    expect("is believed", program.ask(receipt=given)["arrival"], "delivered")
    refused = lambda given: "signature" in program.ask(receipt=given).get("error", "")
    expect("once", refused(given), True)
    expect("not with another secret", refused(receipt(body, secret="x" * 32)), True)
    expect("not with another algorithm", refused(receipt(body, algorithm="HS384")), True)
    expect("not when it is old", refused(receipt(body, iat=int(time.time()) - 400)), True)
    expect("not of another application", refused(receipt(body, application_id="x")), True)
    expect("not with another body", refused({**receipt(body), "body": body.replace("delivered", "rejected")}), True)
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    unsigned = receipt(body)
    parts = unsigned["headers"]["authorization"].removeprefix("Bearer ").split(".")
    unsigned["headers"]["authorization"] = f"Bearer {none}.{parts[1]}."
    expect("not without a signature", refused(unsigned), True)

    message = {
        "channel": "sms", "message_type": "text", "message_uuid": "u2", "from": "41791234567", "to": "41790000000",
        "timestamp": "2026-01-01T00:00:00Z", "text": "Stop", "sms": {"num_messages": "1", "keyword": "STOP"},
    }
    body = json.dumps(message)
    given = receipt(body)
    token = given["headers"]["authorization"].removeprefix("Bearer ")
    expect("a message that their package believes", bool(verify_jwt.verify_signature(token, SECRET)), True)
    expect("is believed", program.ask(inbound=given), {"from": "+41791234567", "keyword": "stop"})
    again = lambda given: "signature" in program.ask(inbound=given).get("error", "")
    expect("once", again(given), True)
    expect("not with another secret", again(receipt(body, secret="x" * 32)), True)
    expect("not of another sender", again({**receipt(body), "body": body.replace("4567", "4568")}), True)
