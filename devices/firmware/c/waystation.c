/* The client: a connection's life, what waits for its acknowledgement, commands and settings. */
#include "waystation.h"

#include <stdio.h>
#include <string.h>

#define MAGIC (0x57530001u ^ (uint32_t)sizeof(struct ws_store))
#define KEEP_ALIVE_S 30
#define PATIENCE_MS 20000 /* for an answer; then the connection counts as lost */
#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 60000

enum { DOWN, GREETING, SUBSCRIBING, UP, GONE };
enum { FREE, BIRTH, STATUS, REPLY, LIVE, BACKLOG };
enum { UNKNOWN, ACCEPTED, DONE, FAILED, EXPIRED };
static const char *const STATES[] = {"", "accepted", "done", "failed", "expired"};

/* ---- The store ---- */

static struct ws_slot *slot(struct ws *ws, uint32_t number) {
    return &ws->store->slots[number % WS_READINGS];
}

static void keep_head(struct ws *ws) {
    ws_port_keep(ws->store, offsetof(struct ws_store, slots));
}

static uint32_t next_seq(struct ws *ws) {
    ws->store->seq++;
    keep_head(ws);
    return ws->store->seq;
}

/* The message that begins with reading `first`: its slots, which share a seq from now on. */
static unsigned message(struct ws *ws, uint32_t first, bool alone, const struct ws_slot **slots) {
    struct ws_slot *begin = slot(ws, first);
    uint32_t seq = begin->seq ? begin->seq : next_seq(ws), before = begin->seq;
    unsigned count = 0;
    for (uint32_t n = first; n != ws->store->head && count < WS_BATCH; n++) {
        struct ws_slot *one = slot(ws, n);
        bool fits = one->boot == begin->boot && one->seq == before && !one->acknowledged;
        bool waits = !before && (alone || one->event || begin->event || (ws->live_due && n == ws->live));
        if (n != first && (!fits || waits))
            continue;
        if (!before) {
            one->seq = seq;
            ws_port_keep(one, sizeof *one);
        }
        slots[count++] = one;
    }
    return count;
}

static void acknowledged(struct ws *ws, uint32_t boot, uint32_t seq) {
    struct ws_store *store = ws->store;
    for (uint32_t n = store->tail; n != store->head; n++) {
        struct ws_slot *one = slot(ws, n);
        if (one->boot == boot && one->seq == seq && !one->acknowledged) {
            one->acknowledged = true;
            ws_port_keep(one, sizeof *one);
        }
    }
    while (store->tail != store->head && slot(ws, store->tail)->acknowledged)
        store->tail++;
    keep_head(ws);
}

/* A new boot. What the last one has not sent gets its numbers of that boot now; what it had begun to do is
 * answered. */
static void wake_up(struct ws *ws) {
    struct ws_store *store = ws->store;
    const struct ws_slot *slots[WS_BATCH];
    if (store->magic != MAGIC || store->head - store->tail > WS_READINGS) {
        memset(store, 0, sizeof *store);
        store->boot = ws_port_random() >> 1;
        store->magic = MAGIC;
    }
    for (uint32_t n = store->tail; n != store->head; n++)
        if (!slot(ws, n)->seq && !slot(ws, n)->acknowledged)
            message(ws, n, false, slots);
    for (int i = 0; i < WS_COMMANDS; i++)
        if (store->commands[i].state == ACCEPTED) {
            store->commands[i].state = FAILED;
            snprintf(store->commands[i].reason, WS_REASON, "the power was lost meanwhile");
        }
    store->seq = 0;
    store->boot++;
    ws_port_keep(store, sizeof *store);
}

/* ---- Packets ---- */

static void drop(struct ws *ws) {
    uint32_t half = ws->wait / 2;
    if (ws->phase == DOWN || ws->phase == GONE)
        return;
    ws_port_close();
    memset(ws->flights, 0, sizeof ws->flights);
    ws->tx_size = ws->rx_size = ws->skip = 0;
    ws->live_due = ws->live_sent = ws->pinged = false;
    ws->wake = ws_port_uptime() + half + ws_port_random() % (ws->wait + 1);
    ws->wait = ws->wait * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : ws->wait * 2;
    ws->phase = ws->leaving ? GONE : DOWN;
}

/* Sends what the port takes now. */
static void flush(struct ws *ws) {
    if (!ws->tx_size)
        return;
    int taken = ws_port_write(ws->tx, ws->tx_size);
    if (taken < 0) {
        drop(ws);
        return;
    }
    ws->tx_size -= (size_t)taken;
    memmove(ws->tx, ws->tx + taken, ws->tx_size);
    ws->sent = ws_port_uptime();
}

static uint8_t *put_text(uint8_t *to, const char *text) {
    size_t size = strlen(text);
    *to++ = (uint8_t)(size >> 8);
    *to++ = (uint8_t)size;
    memcpy(to, text, size);
    return to + size;
}

/* The header goes before the `size` bytes that stand five bytes behind what is already to be sent. */
static void finish(struct ws *ws, uint8_t first, size_t size) {
    uint8_t *at = ws->tx + ws->tx_size, *body = at + 5;
    size_t left = size;
    *at++ = first;
    do {
        *at++ = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
        left >>= 7;
    } while (left);
    memmove(at, body, size);
    ws->tx_size = (size_t)(at - ws->tx) + size;
}

static bool room(const struct ws *ws, size_t size) {
    return WS_TX - ws->tx_size >= size + 5;
}

static void topic(const struct ws *ws, const char *kind, char *to) {
    const struct ws_device *d = ws->device;
    snprintf(to, WS_TOPIC, "waystation/v1/%s/%s/%s/%s", d->district, d->station, d->device, kind);
}

static void greet(struct ws *ws) {
    const struct ws_device *d = ws->device;
    uint8_t *body = ws->tx + 5, *to = put_text(body, "MQTT");
    char text[WS_TOPIC];
    *to++ = 4;
    *to++ = (uint8_t)(0x02 | 0x04 | 0x08 | 0x20 | (d->user ? 0x80 : 0) | (d->password ? 0x40 : 0));
    *to++ = 0;
    *to++ = KEEP_ALIVE_S;
    snprintf(text, sizeof text, "%s.%s.%s", d->district, d->station, d->device);
    to = put_text(to, text);
    topic(ws, "status", text);
    to = put_text(to, text);
    to = put_text(to, "{\"state\":\"lost\"}");
    if (d->user)
        to = put_text(to, d->user);
    if (d->password)
        to = put_text(to, d->password);
    ws->tx_size = 0;
    finish(ws, 0x10, (size_t)(to - body));
    ws->phase = GREETING;
}

static void subscribe(struct ws *ws) {
    static const char *const KINDS[] = {"command", "config", "rejected"};
    uint8_t *body = ws->tx + ws->tx_size + 5, *to = body;
    char text[WS_TOPIC];
    *to++ = 0;
    *to++ = 1;
    for (int i = 0; i < 3; i++) {
        topic(ws, KINDS[i], text);
        to = put_text(to, text);
        *to++ = 1;
    }
    to = put_text(to, "waystation/v1/time");
    *to++ = 0;
    finish(ws, 0x82, (size_t)(to - body));
    ws->phase = SUBSCRIBING;
}

static struct ws_flight *flight(struct ws *ws, uint8_t kind) {
    for (int i = 0; i < 4; i++)
        if (ws->flights[i].kind == kind)
            return &ws->flights[i];
    return NULL;
}

/* Where a payload may be written; `publish` sends it. */
static char *payload(struct ws *ws, const char *kind, size_t *left) {
    uint8_t *to = ws->tx + ws->tx_size + 5;
    char text[WS_TOPIC];
    topic(ws, kind, text);
    to = put_text(to, text);
    *left = (size_t)(ws->tx + WS_TX - to) - 2;
    return (char *)to + 2;
}

static struct ws_flight *publish(struct ws *ws, uint8_t kind, bool retain, const char *at, size_t size) {
    struct ws_flight *one = flight(ws, FREE);
    uint8_t *body = ws->tx + ws->tx_size + 5, *id = (uint8_t *)ws->tx + (at - (char *)ws->tx) - 2;
    ws->packet = ws->packet == 65535 ? 2 : (uint16_t)(ws->packet + 1);
    id[0] = (uint8_t)(ws->packet >> 8);
    id[1] = (uint8_t)ws->packet;
    finish(ws, retain ? 0x33 : 0x32, (size_t)(id + 2 - body) + size);
    memset(one, 0, sizeof *one);
    one->packet = ws->packet;
    one->kind = kind;
    one->since = ws_port_uptime();
    return one;
}

/* ---- What is to be said, the most urgent first ---- */

static void say_birth(struct ws *ws) {
    const struct ws_device *d = ws->device;
    size_t left;
    char *at = payload(ws, "birth", &left), settings[48] = "";
    if (ws->revision >= 0)
        snprintf(settings, sizeof settings, ",\"config\":{\"revision\":%lld}", (long long)ws->revision);
    int size = snprintf(at, left,
                        "{\"profile\":\"%s\",\"model\":\"%s\",\"firmware\":\"%s\",\"boot\":%lu,\"reports_every_s\":%lu%s}",
                        d->profile, d->model, d->firmware, (unsigned long)ws->store->boot,
                        (unsigned long)d->reports_every_s, settings);
    publish(ws, BIRTH, true, at, (size_t)size);
    ws->birth_due = false;
}

static void say_status(struct ws *ws) {
    size_t left;
    char *at = payload(ws, "status", &left), sleep[32] = "";
    if (ws->sleep_s)
        snprintf(sleep, sizeof sleep, ",\"sleep_s\":%lu", (unsigned long)ws->sleep_s);
    int size = snprintf(at, left, "{\"state\":\"%s\"%s}", ws->status, sleep);
    publish(ws, STATUS, true, at, (size_t)size);
    ws->status_due = false;
}

static void say_reply(struct ws *ws, uint8_t index, uint8_t state) {
    const struct ws_command *command = &ws->store->commands[index];
    bool why = state == FAILED && command->reason[0];
    size_t left;
    char *at = payload(ws, "reply", &left);
    int size = snprintf(at, left, "{\"id\":\"%s\",\"state\":\"%s\"%s%s%s}", command->id, STATES[state],
                        why ? ",\"reason\":\"" : "", why ? command->reason : "", why ? "\"" : "");
    struct ws_flight *one = publish(ws, REPLY, false, at, (size_t)size);
    one->index = index;
    one->state = state;
}

static bool say_replies(struct ws *ws) {
    for (uint8_t i = 0; i < WS_COMMANDS; i++)
        if (ws->store->commands[i].told < ws->store->commands[i].state) {
            say_reply(ws, i, ws->store->commands[i].state);
            return true;
        }
    return false;
}

static void say_readings(struct ws *ws, uint32_t first, uint8_t kind) {
    const struct ws_slot *slots[WS_BATCH];
    bool event = slot(ws, first)->event;
    unsigned count = message(ws, first, kind == LIVE, slots);
    size_t left;
    char *at = payload(ws, event ? "event" : "telemetry", &left);
    size_t size = ws_encode(ws->device, slots, count, at, left);
    struct ws_flight *one = publish(ws, kind, false, at, size);
    one->boot = slots[0]->boot;
    one->seq = slots[0]->seq;
}

static bool in_flight(const struct ws *ws, const struct ws_slot *one) {
    for (int i = 0; i < 4; i++)
        if (ws->flights[i].kind >= LIVE && ws->flights[i].boot == one->boot && ws->flights[i].seq == one->seq)
            return true;
    return false;
}

static void say_backlog(struct ws *ws) {
    for (uint32_t n = ws->store->tail; n != ws->store->head; n++) {
        const struct ws_slot *one = slot(ws, n);
        if (!one->acknowledged && !(one->seq && in_flight(ws, one)) && !(ws->live_due && n == ws->live)) {
            say_readings(ws, n, BACKLOG);
            return;
        }
    }
}

static void speak(struct ws *ws) {
    if (ws->phase != UP || !flight(ws, FREE) || !room(ws, WS_PAYLOAD + WS_TOPIC))
        return;
    if (ws->birth_due)
        say_birth(ws);
    else if (ws->status_due && !(ws->leaving && (flight(ws, LIVE) || flight(ws, BACKLOG))))
        say_status(ws);
    else if (!flight(ws, REPLY) && say_replies(ws))
        return;
    else if (ws->live_due && !ws->leaving && !flight(ws, LIVE)) {
        say_readings(ws, ws->live, LIVE);
        ws->live_due = false;
        ws->live_sent = true;
    } else if (ws->live_sent && !ws->leaving && !flight(ws, BACKLOG))
        say_backlog(ws);
}

/* ---- What is heard ---- */

static struct ws_command *remembered(struct ws *ws, const char *id) {
    for (int i = 0; i < WS_COMMANDS; i++)
        if (ws->store->commands[i].state && strcmp(ws->store->commands[i].id, id) == 0)
            return &ws->store->commands[i];
    return NULL;
}

static void settle(struct ws_command *command, uint8_t state, const char *reason) {
    snprintf(command->reason, WS_REASON, "%s", reason ? reason : "");
    for (char *c = command->reason; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = '\'';
    command->state = state;
    ws_port_keep(command, sizeof *command);
}

static bool expired(const struct ws *ws, struct ws_text body) {
    struct ws_text when;
    int64_t now = ws_port_clock();
    if (!now && ws->clock)
        now = ws->clock + (int64_t)ws_port_uptime();
    if (now && ws_find(body, "expires", &when) && ws_whole(when) <= now)
        return true;
    return ws_find(body, "expires_in_ms", &when) && ws_whole(when) <= 0;
}

/* Remembered before it is done: better not done than done twice. */
static void obey(struct ws *ws, struct ws_text body) {
    const struct ws_device *d = ws->device;
    struct ws_text name, op, args;
    const char *reason = NULL;
    char id[WS_ID + 1] = "";
    if (!ws_find(body, "id", &name) || !name.size || name.size > WS_ID || !ws_find(body, "op", &op))
        return;
    memcpy(id, name.at, name.size);
    struct ws_command *command = remembered(ws, id);
    if (command) {
        command->told = ACCEPTED - (command->state == ACCEPTED);
        return;
    }
    uint8_t index = (uint8_t)(ws->store->command_count++ % WS_COMMANDS);
    command = &ws->store->commands[index];
    memset(command, 0, sizeof *command);
    memcpy(command->id, id, sizeof id);
    keep_head(ws);
    if (expired(ws, body)) {
        settle(command, EXPIRED, NULL);
        return;
    }
    settle(command, ACCEPTED, NULL);
    if (flight(ws, FREE) && room(ws, WS_TOPIC * 2))
        say_reply(ws, index, ACCEPTED);
    flush(ws);
    ws_find(body, "args", &args);
    enum ws_outcome outcome = d->command ? d->command(d->own, id, op, args, &reason) : WS_FAILED;
    ws_finish(ws, id, outcome, d->command ? reason : "it can do nothing");
}

static void configure(struct ws *ws, struct ws_text body) {
    struct ws_text revision, settings, name, value;
    size_t at = 0;
    if (!ws_find(body, "revision", &revision))
        return;
    if (ws_find(body, "settings", &settings) && ws->device->setting)
        while (ws_each(settings, &at, &name, &value))
            ws->device->setting(ws->device->own, name, value);
    ws->birth_due |= ws->revision != ws_whole(revision);
    ws->revision = ws_whole(revision);
}

static void heard(struct ws *ws, struct ws_text where, struct ws_text body) {
    struct ws_text kind = where, now;
    for (size_t i = 0; i < where.size; i++)
        if (where.at[i] == '/')
            kind = (struct ws_text){where.at + i + 1, where.size - i - 1};
    if (ws_is(kind, "command"))
        obey(ws, body);
    else if (ws_is(kind, "config"))
        configure(ws, body);
    else if (ws_is(kind, "rejected") && ws->device->rejected)
        ws->device->rejected(ws->device->own, body);
    else if (ws_is(kind, "time") && ws_find(body, "now", &now))
        ws->clock = ws_whole(now) - (int64_t)ws_port_uptime();
}

static void landed(struct ws *ws, uint16_t packet) {
    for (int i = 0; i < 4; i++) {
        struct ws_flight *one = &ws->flights[i];
        if (one->kind == FREE || one->packet != packet)
            continue;
        ws->wait = WAIT_MIN_MS;
        if (one->kind == REPLY && ws->store->commands[one->index].told < one->state) {
            ws->store->commands[one->index].told = one->state;
            ws_port_keep(&ws->store->commands[one->index], sizeof(struct ws_command));
        } else if (one->kind >= LIVE)
            acknowledged(ws, one->boot, one->seq);
        one->kind = FREE;
        return;
    }
}

/* One whole packet. */
static void packet(struct ws *ws, uint8_t first, const uint8_t *body, size_t size) {
    switch (first >> 4) {
    case 2: /* CONNACK */
        if (ws->phase == GREETING && size == 2 && body[1] == 0)
            subscribe(ws);
        else
            drop(ws);
        break;
    case 3: { /* PUBLISH */
        size_t name = size >= 2 ? (size_t)(body[0] << 8 | body[1]) : size, at = 2 + name + ((first & 6) ? 2 : 0);
        if (at > size) {
            drop(ws);
            break;
        }
        uint8_t answer[] = {body[at - 2], body[at - 1]};
        heard(ws, (struct ws_text){(const char *)body + 2, name}, (struct ws_text){(const char *)body + at, size - at});
        if ((first & 6) && ws->phase >= SUBSCRIBING && room(ws, 2)) {
            memcpy(ws->tx + ws->tx_size + 5, answer, 2);
            finish(ws, 0x40, 2);
        }
        break;
    }
    case 4: /* PUBACK */
        if (size == 2)
            landed(ws, (uint16_t)(body[0] << 8 | body[1]));
        break;
    case 9: /* SUBACK */
        ws->phase = UP;
        ws->birth_due = ws->status_due = true;
        break;
    case 13: /* PINGRESP */
        ws->pinged = false;
        break;
    }
}

/* Takes the first packet out of `rx`; false where it is not whole yet. One too long for us is skipped. */
static bool unpack(struct ws *ws) {
    size_t size = 0, at = 1;
    for (unsigned shift = 0;; shift += 7, at++) {
        if (at >= ws->rx_size)
            return false;
        size |= (size_t)(ws->rx[at] & 127) << shift;
        if (!(ws->rx[at] & 128))
            break;
        if (shift == 21) {
            drop(ws);
            return false;
        }
    }
    at++;
    if (at + size > WS_RX) {
        ws->skip = at + size - ws->rx_size;
        ws->rx_size = 0;
        return false;
    }
    if (ws->rx_size < at + size)
        return false;
    packet(ws, ws->rx[0], ws->rx + at, size);
    if (ws->phase == DOWN || ws->phase == GONE)
        return false;
    ws->rx_size -= at + size;
    memmove(ws->rx, ws->rx + at + size, ws->rx_size);
    return true;
}

static void listen_to(struct ws *ws) {
    int count = ws_port_read(ws->rx + ws->rx_size, WS_RX - ws->rx_size);
    if (count < 0) {
        drop(ws);
        return;
    }
    if (!count)
        return;
    ws->heard = ws_port_uptime();
    size_t skipped = ws->skip < (size_t)count ? ws->skip : (size_t)count;
    ws->skip -= skipped;
    ws->rx_size += (size_t)count - skipped;
    memmove(ws->rx, ws->rx + skipped, ws->rx_size);
    while (unpack(ws))
        ;
}

/* Silence is asked about; an answer that does not come is the end of the connection. */
static void watch(struct ws *ws) {
    uint64_t now = ws_port_uptime();
    for (int i = 0; i < 4; i++)
        if (ws->flights[i].kind && now - ws->flights[i].since > PATIENCE_MS) {
            drop(ws);
            return;
        }
    if (now - ws->heard > PATIENCE_MS + KEEP_ALIVE_S * 500)
        drop(ws);
    else if (ws->phase == UP && !ws->pinged && now - (ws->heard < ws->sent ? ws->heard : ws->sent) > KEEP_ALIVE_S * 500 && room(ws, 0)) {
        finish(ws, 0xC0, 0);
        ws->pinged = true;
    }
}

/* ---- What the device calls ---- */

void ws_start(struct ws *ws, const struct ws_device *device, struct ws_store *store) {
    memset(ws, 0, sizeof *ws);
    ws->device = device;
    ws->store = store;
    ws->status = "online";
    ws->revision = -1;
    ws->packet = 1;
    ws->wait = WAIT_MIN_MS;
    wake_up(ws);
}

void ws_loop(struct ws *ws) {
    if (ws->phase == GONE)
        return;
    if (ws->phase == DOWN) {
        if (ws->leaving)
            ws->phase = GONE;
        if (ws->leaving || ws_port_uptime() < ws->wake)
            return;
        ws->heard = ws_port_uptime();
        ws->phase = GREETING;
        if (!ws_port_connect()) {
            drop(ws);
            return;
        }
        greet(ws);
    }
    listen_to(ws);
    speak(ws);
    if (ws->phase == UP && ws->leaving && !ws->status_due && !flight(ws, STATUS) && !ws->tx_size) {
        finish(ws, 0xE0, 0);
        flush(ws);
        drop(ws);
        return;
    }
    flush(ws);
    if (ws->phase != DOWN && ws->phase != GONE)
        watch(ws);
}

bool ws_online(const struct ws *ws) {
    return ws->phase == UP;
}

void ws_reading(struct ws *ws, const int32_t *values, uint16_t has, bool event) {
    struct ws_store *store = ws->store;
    if (store->head - store->tail == WS_READINGS) {
        store->tail++; /* the newest over the oldest */
        keep_head(ws);
    }
    struct ws_slot *one = slot(ws, store->head);
    memset(one, 0, sizeof *one);
    one->boot = store->boot;
    one->up = ws_port_uptime();
    one->at = ws_port_clock();
    if (!one->at && ws->clock)
        one->at = ws->clock + (int64_t)one->up;
    one->has = has;
    one->event = event;
    memcpy(one->values, values, ws->device->metric_count * sizeof *values);
    ws_port_keep(one, sizeof *one);
    ws->live = store->head++;
    keep_head(ws);
    ws->live_due = ws->phase == UP;
    speak(ws);
    flush(ws);
}

void ws_finish(struct ws *ws, const char *id, enum ws_outcome outcome, const char *reason) {
    struct ws_command *command = remembered(ws, id);
    if (command && outcome != WS_LATER)
        settle(command, outcome == WS_DONE ? DONE : FAILED, reason);
}

void ws_leave(struct ws *ws, uint32_t sleep_s) {
    ws->status = sleep_s ? "sleeping" : "offline";
    ws->sleep_s = sleep_s;
    ws->leaving = ws->status_due = true;
}

bool ws_gone(const struct ws *ws) {
    return ws->phase == GONE;
}
