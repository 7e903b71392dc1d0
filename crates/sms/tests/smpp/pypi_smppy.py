"""A message centre of the PyPI package smppy: says what it gets and does what it is told, one JSON object a line."""

import asyncio
import io
import json
import logging
import os
import sys

from smpp.pdu.pdu_encoding import PDUEncoder
from smppy import server as smppy


def say(event):
    print(json.dumps(event, default=str), flush=True)


class Centre(smppy.Application):
    client = None

    async def handle_bound_client(self, client):
        say({"bind": {"system_id": client.system_id, "interface_version": client.interface_version}})
        self.client = client
        return client if client.password == "secret" else None

    async def handle_unbound_client(self, client):
        say({"unbind": True})

    async def handle_sms_received(self, client, source_number, dest_number, text):
        pass


class Protocol(smppy.SmppProtocol):
    async def handle_data_received(self, data):
        pdu = PDUEncoder().decode(io.BytesIO(data))
        if "submit_sm" in str(pdu.command_id):
            seen = {name: str(value) for name, value in pdu.params.items() if value is not None}
            seen["text"] = pdu.params["short_message"].hex()
            say({"submit": seen})
        await super().handle_data_received(data)

    async def on_deliver_sm_resp(self, request):
        say({"deliver_resp": 0})


async def main():
    logger = logging.getLogger("smppy")
    logger.addHandler(logging.NullHandler())
    centre = Centre("smsc", logger)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(app=centre), "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        for name, value in json.loads(line).items():
            if name == "write":
                await centre.client.send_sms(source=value["from"], dest="12345", text=value["text"])
        say({"done": True})
    # Whoever started it is gone.
    os._exit(0)


asyncio.run(main())
