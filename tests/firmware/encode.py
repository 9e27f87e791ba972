"""Encodes one message for a test: `encode.py FOLDER MESSAGE`, by MicroPython or by Python 3."""

import json
import sys

METRICS = (("temp_c", 1), ("power_w", 1), ("door_open", bool), ("mode", ("cool", "heat", "off")),
           ("items_out_total", 0), ("cleaned_at", "time"))


class Stopped:
    def __init__(self, up):
        self.up = up

    def now(self):
        return self.up


def on_a_board(said):
    from waystation import Waystation

    board = Waystation("", 0, "d/s/x", {}, METRICS, readings=100, clock=lambda: said["at"])
    board.boot = said["boot"]
    for one in said["readings"]:
        board.uptime = Stopped(one["up"])
        metrics = dict(one["metrics"])
        if "cleaned_at" in metrics:
            metrics["cleaned_at"] //= 1000
        board.reading(**metrics)
    numbers = range(len(said["readings"]))
    for number in numbers:
        board.ring.stamp(number, said["seq"])
    return board.encode(list(numbers))


def on_a_gateway(said):
    from waystation_gateway import encode

    rows = [(one["up"], said["at"], json.dumps(one["metrics"])) for one in said["readings"]]
    return json.dumps(encode(said["boot"], said["seq"], rows))


sys.path.insert(0, sys.argv[1])
make = on_a_board if sys.implementation.name == "micropython" else on_a_gateway
print(make(json.loads(sys.argv[2])))
