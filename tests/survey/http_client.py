"""Participants who vote over HTTP, from threads or in one event loop, and requests as raw as they come."""

import asyncio
import http.client
import json
import socket
from contextlib import suppress


def post(address, path, content, timeout=20):
    """Status and answer of one post; ``content`` is bytes or goes as JSON."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def raw(address, request, timeout=20):
    """Status and body of a request sent byte by byte as given."""
    answer = b""
    # A server that refuses without reading to the end resets the connection; what it had answered still arrives.
    with socket.create_connection(address, timeout) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                answer += chunk
    return int(answer.split(b" ", 2)[1]), answer


def vote_on(trial, number, participant, chosen="left", seconds=2.5, replays=0):
    """What the page posts about a trial of survey.json."""
    return {"participant": participant, "trial": number, "left": trial["left"], "right": trial["right"],
            "chosen": chosen, "seconds": seconds, "replays": replays}  # fmt: skip


class Connection:
    """A kept-alive connection of one participant in an event loop; cheap enough for hundreds at once."""

    def __init__(self, address):
        self.address, self.streams = address, None

    async def post(self, path, content):
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.address)
        reader, writer = self.streams
        body = json.dumps(content).encode()
        writer.write(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                     % (path.encode(), len(body), body))  # fmt: skip
        status = int((await reader.readline()).split()[1])
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, json.loads(await reader.readexactly(length))

    def close(self):
        if self.streams is not None:
            self.streams[1].close()
