"""A device of Waystation in MicroPython (ESP32 class): sockets and the standard modules, nothing else.

Make one `Waystation`, call `loop()` often and `reading(...)` whenever something was measured. The ring buffer
is one block of memory and goes with the power: a day of six metrics takes 58 KB.
"""

import json
import os
import random
import select
import socket
import struct
import time

KEEP_ALIVE_S = 30
PATIENCE_MS = 20000  # for an answer; then the connection counts as lost
WAIT_MIN_MS, WAIT_MAX_MS = 1000, 60000
BATCH = 50  # readings in a message
REMEMBERED = 8  # commands, so that none is done twice
ACKNOWLEDGED, EVENT = 1, 2  # flags of a reading
RANKS = ("", "accepted", "done", "failed", "expired")


class Uptime:
    """Milliseconds since the start; `ticks_ms` alone begins anew after days."""

    def __init__(self):
        self.last, self.ms = time.ticks_ms(), 1

    def now(self):
        ticks = time.ticks_ms()
        self.ms += time.ticks_diff(ticks, self.last)
        self.last = ticks
        return self.ms


class Ring:
    """Readings until they are acknowledged, the newest over the oldest, in one block of memory."""

    def __init__(self, room, values):
        self.shape = "<QIBx%di" % values  # up, seq (0: not sent), flags, values
        self.size = struct.calcsize(self.shape)
        self.room, self.head, self.tail = room, 0, 0
        self.block = bytearray(room * self.size)

    def add(self, up, event, values):
        if self.head - self.tail == self.room:
            self.tail += 1
        struct.pack_into(self.shape, self.block, self._at(self.head), up, 0, EVENT if event else 0, *values)
        self.head += 1
        return self.head - 1

    def get(self, number):
        return struct.unpack_from(self.shape, self.block, self._at(number))

    def stamp(self, number, seq):
        struct.pack_into("<I", self.block, self._at(number) + 8, seq)

    def acknowledge(self, seq):
        for number in range(self.tail, self.head):
            at = self._at(number)
            if struct.unpack_from("<I", self.block, at + 8)[0] == seq:
                self.block[at + 12] |= ACKNOWLEDGED
        while self.tail < self.head and self.block[self._at(self.tail) + 12] & ACKNOWLEDGED:
            self.tail += 1

    def _at(self, number):
        return number % self.room * self.size


class Waystation:
    """`metrics`: (name, decimals) for a number, (name, bool) for a state, (name, ("a", "b")) for words,
    (name, "time") for seconds since 1970.

    `clock()` gives ms since 1970 or 0; without one the time topic is asked. What you do with commands,
    settings and rejections: `on_command(id, op, args)` returns None when done, or why it failed;
    `on_setting(name, value)`; `on_rejected(why)`, which should show it.
    """

    def __init__(self, host, port, path, birth, metrics, readings=1440, clock=None, user=None, password=None,
                 connect=None, on_command=None, on_setting=None, on_rejected=print):
        self.host, self.port, self.path, self.metrics = host, port, path, metrics
        self.birth, self.clock, self.login = birth, clock, (user, password)
        self.connect = connect or tcp
        self.on_command, self.on_setting, self.on_rejected = on_command, on_setting, on_rejected
        self.top = "waystation/v1/%s/" % path
        self.boot = struct.unpack("<I", os.urandom(4))[0] >> 1
        self.seq, self.revision, self.told_clock, self.packet = 0, None, 0, 1
        self.uptime = Uptime()
        self.ring = Ring(readings, len(metrics))
        self.commands = []  # [id, rank, reason, rank told]
        self.sock, self.wake, self.wait, self.leaving, self.gone = None, 0, WAIT_MIN_MS, None, False
        self._forget()

    def _forget(self):
        self.online = self.live_sent = self.pinged = self.birth_due = self.status_due = False
        self.live, self.flights = None, {}  # packet: (kind, what, since)
        self.out, self.input = bytearray(), bytearray()

    # What the device calls

    def reading(self, event=False, **values):
        """Keeps what was measured and, when connected, sends it at once. What was not measured is None."""
        packed = [NONE if values.get(name) is None else self._pack(form, values[name]) for name, form in self.metrics]
        number = self.ring.add(self.uptime.now(), event, packed)
        if self.online:
            self.live = number
            self._speak()
            self._flush()

    def loop(self):
        if self.gone:
            return
        try:
            if self.sock is None:
                if self.leaving is not None:
                    self.gone = True
                elif self.uptime.now() >= self.wake:
                    self._greet()
                return
            self._listen()
            self._speak()
            self._flush()
            if self.sock is not None:
                self._watch()
        except OSError as error:
            self._drop(error)

    def leave(self, sleep_s=0):
        """Says `sleeping` (or `offline`) and leaves; `gone` once that is said."""
        self.leaving, self.status_due = sleep_s, True

    # The connection

    def _greet(self):
        self.input, self.heard, self.spoke = bytearray(), self.uptime.now(), self.uptime.now()
        self.sock = self.connect(self.host, self.port)
        self.poll = select.poll()
        self.poll.register(self.sock, select.POLLIN)
        user, password = self.login
        flags = 0x2E | (0x80 if user else 0) | (0x40 if password else 0)
        texts = [self.path.replace("/", "."), self.top + "status", '{"state":"lost"}'] + [t for t in (user, password) if t]
        self._send(0x10, text("MQTT") + bytes((4, flags, 0, KEEP_ALIVE_S)) + b"".join(text(t) for t in texts))
        self._flush()

    def _drop(self, why):
        print("not connected:", why)
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self._forget()
        self.wake = self.uptime.now() + self.wait // 2 + random.getrandbits(16) % (self.wait + 1)
        self.wait = min(self.wait * 2, WAIT_MAX_MS)

    def _send(self, first, body):
        self.out.append(first)
        left = len(body)
        while left > 127:
            self.out.append(left & 127 | 128)
            left >>= 7
        self.out.append(left)
        self.out += body

    def _flush(self):
        if not self.out or self.sock is None:
            return
        try:
            taken = self.sock.write(self.out)
        except OSError as error:
            self._drop(error)
            return
        if taken:
            self.out = self.out[taken:]
            self.spoke = self.uptime.now()

    def _watch(self):
        now = self.uptime.now()
        if now - self.heard > PATIENCE_MS + KEEP_ALIVE_S * 500:
            raise OSError("silence")
        for _, _, since in self.flights.values():
            if now - since > PATIENCE_MS:
                raise OSError("no acknowledgement")
        if self.online and not self.pinged and now - min(self.heard, self.spoke) > KEEP_ALIVE_S * 500:
            self._send(0xC0, b"")
            self.pinged = True

    # What is said, the most urgent first

    def _publish(self, kind, leaf, payload, what=None, retain=False):
        self.packet = self.packet % 65535 + 1
        payload = payload if isinstance(payload, str) else json.dumps(payload)
        self._send(0x33 if retain else 0x32, text(self.top + leaf) + struct.pack(">H", self.packet) + payload.encode())
        self.flights[self.packet] = (kind, what, self.uptime.now())

    def _flies(self, kind):
        return any(flight[0] == kind for flight in self.flights.values())

    def _speak(self):
        if not self.online or len(self.out) > 2048:
            return
        if self.birth_due:
            self.birth_due = False
            birth = dict(self.birth, boot=self.boot)
            if self.revision is not None:
                birth["config"] = {"revision": self.revision}
            self._publish("birth", "birth", birth, retain=True)
        elif self.leaving is not None:
            self._say_goodbye()
        elif self.status_due:
            self.status_due = False
            self._publish("status", "status", {"state": "online"}, retain=True)
        elif not self._flies("reply") and self._say_reply():
            pass
        elif self.live is not None and not self._flies("live"):
            number, self.live, self.live_sent = self.live, None, True
            self._say_readings("live", number)
        elif self.live_sent and not self._flies("backlog"):
            self._say_backlog()

    def _say_goodbye(self):
        if self.status_due and not self._flies("live") and not self._flies("backlog"):
            self.status_due = False
            says = {"state": "sleeping", "sleep_s": self.leaving} if self.leaving else {"state": "offline"}
            self._publish("status", "status", says, retain=True)
        elif not self.status_due and not self._flies("status"):
            self._send(0xE0, b"")
            self._flush()
            self.sock.close()
            self.sock, self.gone = None, True
            self._forget()

    def _say_reply(self):
        for command in self.commands:
            if command[3] < command[1]:
                self._reply(command, command[1])
                return True
        return False

    def _reply(self, command, rank):
        reply = {"id": command[0], "state": RANKS[rank]}
        if rank == 3:
            reply["reason"] = command[2]
        self._publish("reply", "reply", reply, (command, rank))

    def _say_backlog(self):
        flying = [flight[1] for flight in self.flights.values() if flight[0] in ("live", "backlog")]
        for number in range(self.ring.tail, self.ring.head):
            _, seq, flags = self.ring.get(number)[:3]
            if not flags & ACKNOWLEDGED and seq not in flying and number != self.live:
                self._say_readings("backlog", number)
                return

    def _say_readings(self, kind, first):
        numbers, seq, event = self._message(first, kind == "live")
        self._publish(kind, "event" if event else "telemetry", self.encode(numbers), seq)

    def _message(self, first, alone):
        """The readings of the message that begins with `first`; they share their seq from now on."""
        _, before, begin = self.ring.get(first)[:3]
        seq, numbers = before, []
        if not seq:
            self.seq += 1
            seq = self.seq
        for number in range(first, self.ring.head):
            _, own, flags = self.ring.get(number)[:3]
            waits = not before and (alone or (begin | flags) & EVENT or number == self.live)
            if number != first and (own != before or flags & ACKNOWLEDGED or waits):
                continue
            self.ring.stamp(number, seq)
            numbers.append(number)
            if len(numbers) == BATCH:
                break
        return numbers, seq, begin & EVENT

    def encode(self, numbers):
        """The message has the moment of the last reading; the others tell how long before it they were."""
        up, seq = self.ring.get(numbers[-1])[:2]
        head = '{"boot":%d,"seq":%d,"up":%d' % (self.boot, seq, up)
        now = self._now()
        if now:
            head += ',"at":%d' % (now - self.uptime.now() + up)
        readings = [self.ring.get(number) for number in numbers]
        if len(readings) == 1:
            return head + self._metrics(readings[0]) + "}"
        return head + ',"readings":[' + ",".join('{"dt":%d%s}' % (r[0] - up, self._metrics(r)) for r in readings) + "]}"

    def _metrics(self, reading):
        pieces = []
        for (name, form), value in zip(self.metrics, reading[3:]):
            if value != NONE:
                pieces.append(',"%s":%s' % (name, unpack(form, value)))
        return "".join(pieces)

    def _pack(self, form, value):
        if form is bool:
            return 1 if value else 0
        if form == "time":
            return int(value)
        return form.index(value) if isinstance(form, tuple) else round(value * 10**form)

    # What is heard

    def _listen(self):
        while self.sock is not None and self.poll.poll(0):
            came = self.sock.read(512)
            if came is None:
                return
            if not came:
                raise OSError("closed")
            self.heard = self.uptime.now()
            self.input += came
            while self._unpack():
                pass

    def _unpack(self):
        size, at = 0, 1
        while True:
            if at >= len(self.input) or at > 4:
                return False
            size |= (self.input[at] & 127) << 7 * (at - 1)
            at += 1
            if not self.input[at - 1] & 128:
                break
        if len(self.input) < at + size:
            return False
        first, body = self.input[0], bytes(self.input[at : at + size])
        self.input = self.input[at + size :]
        self._packet(first, body)
        return self.sock is not None

    def _packet(self, first, body):
        kind = first >> 4
        if kind == 2:
            if body[1]:
                raise OSError("refused: %d" % body[1])
            leaves = b"".join(text(self.top + leaf) + b"\x01" for leaf in ("command", "config", "rejected"))
            self._send(0x82, b"\x00\x01" + leaves + text("waystation/v1/time") + b"\x00")
        elif kind == 3:
            name = 2 + struct.unpack_from(">H", body)[0]
            rest = body[name:]
            if first & 6:
                self._send(0x40, rest[:2])
                rest = rest[2:]
            self._heard(body[2:name].decode().split("/")[-1], rest)
        elif kind == 4:
            self._landed(struct.unpack(">H", body)[0])
        elif kind == 9:
            self.online = self.birth_due = self.status_due = True
        elif kind == 13:
            self.pinged = False

    def _landed(self, packet):
        kind, what, _ = self.flights.pop(packet, (None, None, 0))
        if kind is not None:
            self.wait = WAIT_MIN_MS
        if kind == "reply":
            command, rank = what
            command[3] = max(command[3], rank)
        elif kind in ("live", "backlog"):
            self.ring.acknowledge(what)

    def _heard(self, leaf, body):
        try:
            said = json.loads(body)
            if leaf == "command":
                self._obey(said)
            elif leaf == "config":
                self._configure(said)
            elif leaf == "rejected":
                self.on_rejected(said)
            elif leaf == "time":
                self.told_clock = said["now"] - self.uptime.now()
        except (ValueError, KeyError, TypeError) as error:
            print("not understood:", leaf, error)

    def _now(self):
        now = self.clock() if self.clock else 0
        return now or (self.told_clock and self.told_clock + self.uptime.now())

    def _obey(self, said):
        for command in self.commands:
            if command[0] == said["id"]:
                command[3] = 0 if command[1] == 1 else 1
                return
        now = self._now()
        late = now and said.get("expires", now + 1) <= now or said.get("expires_in_ms", 1) <= 0
        command = [said["id"], 4 if late else 1, None, 0]
        self.commands = self.commands[1 - REMEMBERED :] + [command]
        if late:
            return
        if self.online:
            self._reply(command, 1)
            self._flush()
        try:
            failed = self.on_command(said["id"], said["op"], said.get("args") or {})
        except Exception as error:  # whatever it was: who asked is told
            failed = str(error) or "it went wrong"
        command[1], command[2] = (3, failed) if failed else (2, None)

    def _configure(self, said):
        for name, value in said.get("settings", {}).items():
            if self.on_setting:
                self.on_setting(name, value)
        if self.revision != said["revision"]:
            self.revision, self.birth_due = said["revision"], True


NONE = -(2**31)


def unpack(form, value):
    if form is bool:
        return "true" if value else "false"
    if isinstance(form, tuple):
        return '"%s"' % form[value]
    if form == "time":
        return "%d000" % value
    if not form:
        return str(value)
    return "%s%d.%0*d" % ("-" if value < 0 else "", abs(value) // 10**form, form, abs(value) % 10**form)


def text(words):
    words = words.encode()
    return struct.pack(">H", len(words)) + words


def tcp(host, port):
    """A socket that does not block. For TLS: wrap it here (`ssl.wrap_socket`)."""
    sock = socket.socket()
    try:
        sock.connect(socket.getaddrinfo(host, port)[0][-1])
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
