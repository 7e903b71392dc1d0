"""What Schemathesis has to know of ringback, and what it cannot judge by itself.

Every one of its checks is on. These are narrowed, and no others:

- positive_data_acceptance takes 400 (schemathesis.toml), because Zitadel's wire answers so where the state forbids
  what is asked (a number that is the user's already, a code that is wrong), and because no schema can say whether a
  text is a phone number. `refused_for_a_told_reason` below takes over: such an answer must have one of the reasons
  that the operation names in the contract, and none that is about the form of the request.
- `grpc-timeout` is left out: a time that is over before the work begins is answered 504, as the contract tells, and
  not_a_server_error takes every 504 for a fault. So is `idempotency-key`: what is made up comes twice, and the same key
  with another body is refused, as the contract tells.

`wait` of the inbox holds a request for as long as it says; here it is no longer than a second.
"""

import json
import re

import schemathesis
from hypothesis import strategies as st

# Numbers that exist, so that calls come further than to the reading of the number.
schemathesis.openapi.format(
    "phone", st.sampled_from([f"+4179{number:07}" for number in range(1234567, 1234667)])
)

# Examples in the contract of what is wrong with the form of a request.
OF_FORM = ("field_invalid", "not_an_object", "body_broke_off", "missing", "unreadable", "compressed")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.headers:
        for name in list(case.headers):
            if name.lower() in ("grpc-timeout", "idempotency-key"):
                del case.headers[name]
    if case.query and "wait" in case.query:
        wait = str(case.query["wait"])
        if wait.isdigit():
            case.query["wait"] = min(int(wait), 1)


def reason(body):
    """What a refusal says of its cause, without what differs from one to the next."""
    fields = [
        violation["field"]
        for detail in body.get("details", [])
        for violation in detail.get("fieldViolations", [])
    ]
    for detail in body.get("details", []):
        if "id" in detail:
            return detail["id"]
        if "reason" in detail:
            return " ".join([detail["reason"], *fields])
    text = body.get("errorCode") or body.get("error_description") or body.get("message")
    text = text or " ".join(body.get("errors", []))
    return re.sub(r"sent to .* numbers", "sent to such numbers", text)


def resolve(schema, value):
    while isinstance(value, dict) and "$ref" in value:
        target = schema
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


@schemathesis.check
def refused_for_a_told_reason(ctx, response, case):
    """A request of the right form is refused with 400 only for a reason that the operation tells."""
    meta = case.meta
    if response.status_code != 400 or meta is None or not meta.generation.mode.is_positive:
        return
    schema = case.operation.schema.raw_schema
    told = case.operation.definition.raw["responses"].get("400", {})
    examples = told.get("content", {}).get("application/json", {}).get("examples", {})
    reasons = {
        reason(resolve(schema, example)["value"])
        for name, example in examples.items()
        if not name.startswith(OF_FORM)
    }
    met = reason(json.loads(response.content))
    assert met in reasons, f"A request of the right form was refused: {met!r} is not one of {sorted(reasons)}"
