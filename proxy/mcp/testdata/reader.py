"""Reads messages the way a Python server does. Each line of stdin is a message
in base64; each line of stdout is what it says, or "refused"."""

import base64
import json
import struct
import sys

MISSING = object()


def text(s):
    return '"' + s.encode("utf-16-be", "surrogatepass").hex()


def number(n):
    try:
        f = float(n)
    except OverflowError:
        f = float("inf") if n > 0 else float("-inf")
    return "#" + struct.pack(">d", f if f != 0 else 0.0).hex()


def plain(v):
    if v is MISSING:
        return "-"
    if v is None:
        return "n"
    if v is True:
        return "t"
    if v is False:
        return "f"
    if isinstance(v, (int, float)):
        return number(v)
    if isinstance(v, str):
        return text(v)
    if isinstance(v, list):
        return "[" + ",".join(map(plain, v)) + "]"
    return "{" + ",".join(sorted(text(k) + ":" + plain(w) for k, w in v.items())) + "}"


def member(v, k):
    return v.get(k, MISSING) if isinstance(v, dict) else MISSING


def read(line):
    try:
        m = json.loads(base64.b64decode(line).decode("utf-8"))
    except ValueError:
        return "refused"
    p = member(m, "params")
    return " ".join(map(plain, (member(m, "method"), member(p, "name"), member(p, "uri"), member(p, "arguments"))))


for line in sys.stdin:
    print(read(line), flush=True)
