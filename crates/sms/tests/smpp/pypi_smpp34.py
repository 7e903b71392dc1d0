"""A message centre of the PyPI package smpp34: says what it gets and does what it is told, one JSON object a line."""

import asyncio
import json
import os
import socket
import sys

import smpp34


def say(event):
    print(json.dumps(event), flush=True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def commands(esmes, statuses):
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        for name, value in json.loads(line).items():
            if name == "next":
                statuses.extend(act.get("status", 0) for act in value)
            elif name == "deliver":
                text = bytes.fromhex(value.pop("text", ""))
                tlvs = [smpp34.Tlv(tag, bytes.fromhex(told)) for tag, told in value.pop("tlvs", [])]
                answer = await esmes[-1].deliver_sm("12345", text, tlvs=tlvs, **value)
                say({"deliver_resp": answer.command_status})
        say({"done": True})
    # Whoever started it is gone.
    os._exit(0)


async def main():
    port, esmes, statuses, ids = free_port(), [], [], 0
    server = smpp34.Server("127.0.0.1", port, system_id="smsc")
    await server.start()
    say({"port": port})
    listening = asyncio.create_task(commands(esmes, statuses))
    while not listening.done():
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            esmes.append(event)
            say({"bind": {"system_id": event.system_id, "can_receive": event.can_receive}})
        elif isinstance(event, smpp34.SubmitSmEvent):
            names = [
                "source_addr", "source_addr_ton", "source_addr_npi", "destination_addr", "dest_addr_ton",
                "dest_addr_npi", "esm_class", "data_coding", "registered_delivery",
            ]
            seen = {name: getattr(event, name) for name in names}
            seen["text"] = event.short_message.hex()
            seen["tlvs"] = {str(tlv.tag): tlv.value.hex() for tlv in event.tlvs}
            say({"submit": seen})
            status = statuses.pop(0) if statuses else 0
            if status:
                event.reject(status)
            else:
                ids += 1
                event.accept(f"{ids:010}")
        else:
            say({"unbind": True})


asyncio.run(main())
