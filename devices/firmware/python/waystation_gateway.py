"""A device of Waystation in Python 3, on paho-mqtt 1.x: for gateways.

One `Device` has one connection and so one last will: a gateway that speaks for five devices has five. Call
`loop()` often (or run it in a thread of its own) and `reading(...)` whenever something was measured. The
buffer is a SQLite file and outlives a loss of power.
"""

import json
import random
import sqlite3
import time

import paho.mqtt.client as mqtt

KEEP_ALIVE_S = 30
PATIENCE_S = 20.0  # for an answer; then the connection counts as lost
WAIT_MIN_S, WAIT_MAX_S = 1.0, 60.0
BATCH = 100  # readings in a message
REMEMBERED = 64  # commands, so that none is done twice
RANK = {"accepted": 1, "done": 2, "failed": 2, "expired": 2}

TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS boots (boot INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS readings (id INTEGER PRIMARY KEY AUTOINCREMENT, boot INTEGER NOT NULL,
    seq INTEGER, up INTEGER NOT NULL, at INTEGER, event INTEGER NOT NULL, metrics TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commands (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
    state TEXT NOT NULL, reason TEXT, told INTEGER NOT NULL);
"""


class Store:
    """Readings until they are acknowledged, the newest over the oldest; and what became of commands."""

    def __init__(self, file, keep):
        self.keep = keep
        self.db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.db.executescript(TABLES)
        last = self.db.execute("SELECT max(boot) FROM boots").fetchone()[0]
        self.boot = random.getrandbits(30) if last is None else last + 1
        self.db.execute("DELETE FROM boots WHERE boot NOT IN (SELECT boot FROM readings)")
        self.db.execute("INSERT INTO boots VALUES (?, 0)", (self.boot,))
        why = "it was switched off meanwhile"
        self.db.execute("UPDATE commands SET state = 'failed', reason = ? WHERE state = 'accepted'", (why,))

    def add(self, up, at, event, metrics):
        row = (self.boot, up, at, event, json.dumps(metrics))
        added = self.db.execute("INSERT INTO readings (boot, up, at, event, metrics) VALUES (?, ?, ?, ?, ?)", row)
        self.db.execute("DELETE FROM readings WHERE id <= ?", (added.lastrowid - self.keep,))
        return added.lastrowid

    def message(self, first, alone, but):
        """The readings of the message that begins with `first`; they share their seq from now on."""
        boot, seq, event = self.db.execute("SELECT boot, seq, event FROM readings WHERE id = ?", (first,)).fetchone()
        if seq is None:
            self.db.execute("BEGIN")
            seq = self.db.execute("UPDATE boots SET seq = seq + 1 WHERE boot = ? RETURNING seq", (boot,)).fetchone()[0]
            with_it = "SELECT id FROM readings WHERE id >= ? AND boot = ? AND seq IS NULL AND event = ? AND id IS NOT ? ORDER BY id LIMIT ?"
            most = 1 if alone or event else BATCH
            self.db.execute(f"UPDATE readings SET seq = ? WHERE id IN ({with_it})", (seq, first, boot, event, but, most))
            self.db.execute("COMMIT")
        rows = self.db.execute("SELECT up, at, metrics FROM readings WHERE boot = ? AND seq = ? ORDER BY id", (boot, seq))
        return boot, seq, event, rows.fetchall()

    def oldest(self, flying, but):
        for ident, boot, seq in self.db.execute("SELECT id, boot, seq FROM readings WHERE id IS NOT ? ORDER BY id", (but,)):
            if (boot, seq) not in flying:
                return ident
        return None

    def has(self, ident):
        return self.db.execute("SELECT 1 FROM readings WHERE id = ? AND seq IS NULL", (ident,)).fetchone() is not None

    def acknowledged(self, boot, seq):
        self.db.execute("DELETE FROM readings WHERE boot = ? AND seq = ?", (boot, seq))

    def command(self, ident):
        return self.db.execute("SELECT state FROM commands WHERE id = ?", (ident,)).fetchone()

    def begin(self, ident, state):
        self.db.execute("INSERT INTO commands (id, state, told) VALUES (?, ?, 0)", (ident, state))
        self.db.execute("DELETE FROM commands WHERE number <= (SELECT max(number) FROM commands) - ?", (REMEMBERED,))

    def settle(self, ident, state, reason=None):
        self.db.execute("UPDATE commands SET state = ?, reason = ? WHERE id = ?", (state, reason, ident))

    def told(self, ident, rank):
        self.db.execute("UPDATE commands SET told = ? WHERE id = ?", (rank, ident))

    def untold(self):
        sql = "SELECT id, state, reason FROM commands WHERE told < CASE state WHEN 'accepted' THEN 1 ELSE 2 END ORDER BY number"
        return self.db.execute(sql).fetchone()


class Device:
    """`on_command(id, op, args)` does it and raises what went wrong; `on_setting(name, value)`;
    `on_rejected(why)`, which should show it. `clock=False` where the clock cannot be trusted."""

    def __init__(self, host, port, path, birth, file, keep=1440, clock=True, user=None, password=None, tls=False,
                 on_command=None, on_setting=None, on_rejected=print):
        self.address, self.path, self.birth, self.tls = (host, port), path, birth, tls
        self.login, self.clock = (user, password), clock
        self.on_command, self.on_setting, self.on_rejected = on_command, on_setting, on_rejected
        self.top = f"waystation/v1/{path}/"
        self.started = time.monotonic()
        self.store = Store(file, keep)
        self.revision, self.wake, self.wait, self.leaving, self.gone = None, 0.0, WAIT_MIN_S, None, False
        self._forget()

    def _forget(self):
        self.client, self.live, self.flights = None, None, {}  # flights: mid: (kind, what, since)
        self.online = self.live_sent = self.birth_due = self.status_due = False

    # What the program calls

    def reading(self, metrics, event=False):
        """Keeps what was measured and, when connected, sends it at once."""
        up, at = self._up(), int(time.time() * 1000) if self.clock else None
        number = self.store.add(up, at, event, metrics)
        if self.online:
            self.live = number
            self._speak()

    def loop(self, seconds=0.05):
        """Does what there is to do; takes about `seconds`."""
        if self.gone:
            return
        if self.client is None:
            if self.leaving is not None:
                self.gone = True
            elif time.monotonic() >= self.wake:
                self._connect()
            else:
                time.sleep(seconds)
            return
        client = self.client
        if client.loop(seconds) != mqtt.MQTT_ERR_SUCCESS or self.client is None:
            self._drop("lost")
        elif any(time.monotonic() - since > PATIENCE_S for _, _, since in self.flights.values()):
            self._drop("no acknowledgement")
        else:
            self._speak()

    def leave(self, sleep_s=0):
        """Says `sleeping` (or `offline`) and leaves; `gone` once that is said."""
        self.leaving, self.status_due = sleep_s, True

    # The connection

    def _connect(self):
        # A new client each time: paho would send again by itself what only we know the order of.
        client = mqtt.Client(client_id=self.path.replace("/", "."), clean_session=True)
        client.will_set(self.top + "status", '{"state":"lost"}', qos=1, retain=True)
        if self.login[0]:
            client.username_pw_set(*self.login)
        if self.tls:
            client.tls_set()
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message, client.on_publish = self._heard, self._landed
        self.client = client
        self.flights = {0: ("connect", None, time.monotonic())}
        try:
            client.connect(*self.address, keepalive=KEEP_ALIVE_S)
        except OSError as error:
            self._drop(error)

    def _drop(self, why):
        print("not connected:", why, flush=True)
        client = self.client
        self._forget()
        if client is not None and client.socket() is not None:
            client.socket().close()
        self.wake = time.monotonic() + self.wait * random.uniform(0.5, 1.5)
        self.wait = min(self.wait * 2, WAIT_MAX_S)

    def _connected(self, client, _own, _flags, code):
        if code == 0:
            client.subscribe([(self.top + leaf, 1) for leaf in ("command", "config", "rejected")])

    def _subscribed(self, _client, _own, _mid, _granted):
        self.flights.pop(0, None)
        self.online = self.birth_due = self.status_due = True

    # What is said, the most urgent first

    def _up(self):
        return int((time.monotonic() - self.started) * 1000) + 1

    def _publish(self, kind, leaf, body, what=None, retain=False):
        sent = self.client.publish(self.top + leaf, json.dumps(body), qos=1, retain=retain)
        self.flights[sent.mid] = (kind, what, time.monotonic())

    def _flies(self, *kinds):
        return any(kind in kinds for kind, _, _ in self.flights.values())

    def _speak(self):
        if not self.online or self.client is None:
            return
        if self.birth_due:
            self.birth_due = False
            config = {} if self.revision is None else {"config": {"revision": self.revision}}
            self._publish("birth", "birth", {**self.birth, "boot": self.store.boot, **config}, retain=True)
        elif self.leaving is not None:
            self._say_goodbye()
        elif self.status_due:
            self.status_due = False
            self._publish("status", "status", {"state": "online"}, retain=True)
        elif not self._flies("reply") and (command := self.store.untold()):
            self._reply(*command)
        elif self.live is not None and not self._flies("live"):
            number, self.live, self.live_sent = self.live, None, True
            if self.store.has(number):
                self._say_readings("live", number)
        elif self.live_sent and not self._flies("backlog"):
            flying = {what for kind, what, _ in self.flights.values() if kind == "live"}
            oldest = self.store.oldest(flying, self.live)
            if oldest is not None:
                self._say_readings("backlog", oldest)

    def _say_goodbye(self):
        if self.status_due and not self._flies("live", "backlog"):
            self.status_due = False
            says = {"state": "sleeping", "sleep_s": self.leaving} if self.leaving else {"state": "offline"}
            self._publish("status", "status", says, retain=True)
        elif not self.status_due and not self._flies("status"):
            self.client.disconnect()
            self._forget()
            self.gone = True

    def _reply(self, ident, state, reason):
        reply = {"id": ident, "state": state}
        if reason:
            reply["reason"] = reason
        self._publish("reply", "reply", reply, (ident, RANK[state]))

    def _say_readings(self, kind, first):
        boot, seq, event, rows = self.store.message(first, kind == "live", self.live)
        self._publish(kind, "event" if event else "telemetry", encode(boot, seq, rows), (boot, seq))

    # What is heard

    def _landed(self, _client, _own, mid):
        kind, what, _ = self.flights.pop(mid, (None, None, None))
        if kind is not None:
            self.wait = WAIT_MIN_S
        if kind == "reply":
            self.store.told(*what)
        elif kind in ("live", "backlog"):
            self.store.acknowledged(*what)

    def _heard(self, _client, _own, message):
        leaf = message.topic.rsplit("/", 1)[-1]
        try:
            said = json.loads(message.payload)
            {"command": self._obey, "config": self._configure, "rejected": self.on_rejected}[leaf](said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            print("not understood:", leaf, error, flush=True)

    def _obey(self, said):
        ident = said["id"]
        known = self.store.command(ident)
        if known:
            self.store.told(ident, 0 if known[0] == "accepted" else 1)
            return
        late = self.clock and said.get("expires", 1e18) <= time.time() * 1000 or said.get("expires_in_ms", 1) <= 0
        self.store.begin(ident, "expired" if late else "accepted")
        if late:
            return
        self._reply(ident, "accepted", None)
        try:
            self.on_command(ident, said["op"], said.get("args") or {})
            self.store.settle(ident, "done")
        except Exception as error:  # whatever it was: who asked is told
            self.store.settle(ident, "failed", str(error) or "it went wrong")

    def _configure(self, said):
        for name, value in said.get("settings", {}).items():
            if self.on_setting:
                self.on_setting(name, value)
        if self.revision != said["revision"]:
            self.revision, self.birth_due = said["revision"], True


def encode(boot, seq, rows):
    """Rows of up, at, metrics. The message has the moment of the last; the others tell how long before it they were."""
    up, at, metrics = rows[-1]
    message = {"boot": boot, "seq": seq, "up": up}
    if at is not None:
        message["at"] = at
    if len(rows) == 1:
        return {**message, **json.loads(metrics)}
    message["readings"] = [{"dt": row[0] - up, **json.loads(row[2])} for row in rows]
    return message
