"""Receipts and messages that PyPI's `twilio` signs: believed, unless anything was changed."""

from urllib.parse import urlencode

from program import Program, expect
from twilio.request_validator import RequestValidator, compare

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef0123456789abcdef"
URL = "https://sms.example.com/sms/receipts/main/dG9rZW4"
ROUTE = f'[sms.routes.main]\ntype = "twilio"\naccount = "{ACCOUNT}"\nauth_token = "{TOKEN}"\n'


def receipt(url, form, signature, **headers):
    headers["x-twilio-signature"] = signature
    return {"method": "POST", "url": url, "headers": headers, "body": urlencode(form, doseq=True)}


class Form(dict):
    """A form as frameworks have it: a name may have several values."""

    def getlist(self, name):
        return self[name] if isinstance(self[name], list) else [self[name]]


with Program(ROUTE) as program:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+41791234567", "New": ["b", "a", "b"]}
    sign = lambda url, form: RequestValidator(TOKEN).compute_signature(url, Form(form))
    good = sign(URL, form)
    read = lambda *given, **headers: program.ask(receipt=receipt(*given, **headers))
    refused = lambda answer: "signature" in answer.get("error", "")
    expect("a signed receipt is believed", read(URL, form, good)["arrival"], "delivered")
    expect("one with the port, too", read(URL, form, sign(URL.replace(".com", ".com:443"), form))["arrival"], "delivered")
    expect("another port is not", refused(read(URL, form, sign(URL.replace(".com", ".com:444"), form))), True)
    expect("a changed field is not", refused(read(URL, {**form, "MessageStatus": "failed"}, good)), True)
    expect("another address is not", refused(read(URL + "x", form, good)), True)
    expect("http for https is not", refused(read("http" + URL[5:], form, good)), True)
    expect("another token is not", refused(read(URL, form, RequestValidator("x").compute_signature(URL, Form(form)))), True)
    newer = {"x-twilio-webhooks-signature-settings": "key=1,algorithm=HMAC_SHA256"}
    expect("the newer way is not", refused(read(URL, form, good, **newer)), True)
    assert compare(good, sign(URL, form))

    inbound = "https://sms.example.com/sms/inbound/main"
    write = lambda form, signature: program.ask(inbound=receipt(inbound, form, signature))
    stop = {"MessageSid": "SM2", "From": "+41791234567", "To": "+41790000000", "Body": " Stop ", "NumMedia": "0"}
    good = sign(inbound, stop)
    expect("a signed STOP is believed", write(stop, good), {"from": "+41791234567", "keyword": "stop"})
    listed = {**stop, "Body": "genug", "OptOutType": "START"}
    expect("Twilio's own list goes before", write(listed, sign(inbound, listed))["keyword"], "start")
    expect("a STOP of somebody else is not", refused(write({**stop, "From": "+41791234568"}, good)), True)
    expect("nor one that is signed for a receipt", refused(write(stop, sign(URL, stop))), True)
