"""An answer played on the connection of a request."""

import asyncio
import json
import socket
import struct
from http import HTTPStatus
from typing import assert_never

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from workbench.export.sandbox.answers import Act, Answer, Body

HUGE_BYTES = 20_000_000
HUGE_CHUNK = 1_000_000
TRICKLE_STEP = 0.1


async def play(handler: RequestHandler, answer: Answer, stopping: asyncio.Event) -> None:
    """Give the answer; one that takes time ends early when the receiver stops."""
    match answer.act:
        case Act.REPLY:
            if answer.seconds and await _stopped_within(answer.seconds, stopping):
                handler.detach().close()
            else:
                _reply(handler, answer)
        case Act.DROP:
            handler.detach().close()
        case Act.RESET:
            _reset(handler)
        case Act.TRICKLE:
            await _trickle(handler, answer, stopping)
        case Act.HUGE:
            await _huge(handler, answer)
        case _:
            assert_never(answer.act)


def _head(handler: RequestHandler, answer: Answer) -> None:
    handler.set_status(answer.status)
    handler.clear_header("Content-Type")
    for name, value in answer.headers:
        handler.set_header(name, value)


def _reply(handler: RequestHandler, answer: Answer) -> None:
    _head(handler, answer)
    content_type, body = _body(answer)
    if content_type:
        handler.set_header("Content-Type", content_type)
    handler.finish(body or None)


def _body(answer: Answer) -> tuple[str, str]:
    status = HTTPStatus(answer.status)
    match answer.body:
        case Body.EMPTY:
            return "", ""
        case Body.JSON if status < HTTPStatus.BAD_REQUEST:
            return "application/json", '{"status":"queued"}'
        case Body.JSON:
            code = status.phrase.upper().replace(" ", "_")
            error = {"errors": [{"code": code, "message": answer.message}]}
            return "application/json", json.dumps(error)
        case Body.TEXT:
            return "text/plain; charset=utf-8", f"{status.phrase}\n"
        case Body.HTML:
            page = f"<!doctype html><title>{status.phrase}</title><h1>{status.phrase}</h1>\n"
            return "text/html; charset=utf-8", page
        case _:
            assert_never(answer.body)


def _reset(handler: RequestHandler) -> None:
    stream = handler.detach()
    linger_off = struct.pack("ii", 1, 0)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    stream.close()


async def _trickle(handler: RequestHandler, answer: Answer, stopping: asyncio.Event) -> None:
    _head(handler, answer)
    loop = asyncio.get_running_loop()
    end = loop.time() + answer.seconds
    try:
        while loop.time() < end:
            handler.write(" ")
            await handler.flush()
            if await _stopped_within(TRICKLE_STEP, stopping):
                break
        await handler.finish()
    except StreamClosedError:
        return


async def _huge(handler: RequestHandler, answer: Answer) -> None:
    _head(handler, answer)
    try:
        for _ in range(HUGE_BYTES // HUGE_CHUNK):
            handler.write(b" " * HUGE_CHUNK)
            await handler.flush()
        await handler.finish()
    except StreamClosedError:
        return


async def _stopped_within(seconds: float, stopping: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return False
    return True
