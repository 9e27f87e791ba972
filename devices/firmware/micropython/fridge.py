"""A fridge: measures, can be told to defrost, has a set point.

    micropython fridge.py HOST PORT DISTRICT/STATION/DEVICE EVERY_MS COUNT_FROM

On a board: connect to the Wi-Fi first, give your own host and path, and read your probe.
"""

import sys
import time

from waystation import Waystation

METRICS = (("temp_c", 1), ("door_open", bool), ("mains_ok", bool), ("items_out_total", 0))
setpoint = [4.0]


def command(ident, op, args):
    if op != "defrost":
        return "a fridge can only defrost"
    print("defrosts %d minutes for %s" % (args.get("minutes", 20), ident))


def setting(name, value):
    if name == "setpoint_c":
        setpoint[0] = value
    print("setting", name, value)


def rejected(why):
    print("rejected", why)


def main(host, port, path, every, count):
    birth = {"profile": "fridge", "model": "example", "firmware": "1.0.0", "reports_every_s": 60}
    fridge = Waystation(host, port, path, birth, METRICS, on_command=command, on_setting=setting, on_rejected=rejected)
    due, was_online = fridge.uptime.now(), False
    while not fridge.gone:
        now, online = fridge.uptime.now(), fridge.online
        if online != was_online:
            print("online" if online else "not online")
        # Just back: a reading of now comes first.
        if now >= due or (online and not was_online):
            fridge.reading(temp_c=setpoint[0] + count % 5 / 10, mains_ok=True, items_out_total=count)
            print("measured", count)
            count += 1
            due = now + every
        was_online = online
        fridge.loop()
        time.sleep_ms(5)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
