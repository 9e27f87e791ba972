"""A gateway with one fridge behind it.

    python3 fridge.py HOST PORT DISTRICT/STATION/DEVICE FILE EVERY_MS COUNT_FROM
"""

import signal
import sys
import time

from waystation_gateway import Device

BIRTH = {"profile": "fridge", "model": "example", "firmware": "1.0.0", "reports_every_s": 60}
setpoint = [4.0]


def say(*words):
    print(*words, flush=True)


def command(ident, op, args):
    if op != "defrost":
        raise ValueError("a fridge can only defrost")
    say("defrosts %d minutes for %s" % (args.get("minutes", 20), ident))


def setting(name, value):
    if name == "setpoint_c":
        setpoint[0] = value
    say("setting", name, value)


def main(host, port, path, file, every, count):
    fridge = Device(host, port, path, BIRTH, file, on_command=command, on_setting=setting,
                    on_rejected=lambda why: say("rejected", why))
    signal.signal(signal.SIGTERM, lambda *_: fridge.leave())
    due, was_online = time.monotonic(), False
    while not fridge.gone:
        now, online = time.monotonic(), fridge.online
        if online != was_online:
            say("online" if online else "not online")
        # Just back: a reading of now comes first.
        if fridge.leaving is None and (now >= due or (online and not was_online)):
            fridge.reading({"temp_c": setpoint[0] + count % 5 / 10, "mains_ok": True, "items_out_total": count})
            say("measured", count)
            count += 1
            due = now + every / 1000
        was_online = online
        fridge.loop(0.005)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
