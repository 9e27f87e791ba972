/* A device of Waystation in C99: no heap, no floats, no threads.
 *
 * Fill in the functions of "the port" for your board, keep one `struct ws` and one `struct ws_store`,
 * call `ws_start` once, `ws_loop` often, and `ws_reading` whenever something was measured. */
#ifndef WAYSTATION_H
#define WAYSTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes; all memory there is: about 9 + 11 KB and 64 bytes a reading. */
#ifndef WS_READINGS
#define WS_READINGS 1440 /* kept until they are acknowledged: 24 hours of one a minute */
#endif
#define WS_METRICS 8    /* of one device */
#define WS_NAME 24      /* characters of a metric's name or of one of its words */
#define WS_BATCH 20     /* readings in a message */
#define WS_COMMANDS 8   /* remembered, so that none is done twice */
#define WS_ID 64
#define WS_REASON 40
#define WS_TOPIC 200
#define WS_PAYLOAD (96 + WS_BATCH * (24 + WS_METRICS * (2 * WS_NAME + 8)))
#define WS_TX (WS_PAYLOAD + WS_TOPIC + 16)
#define WS_RX 2048

/* ---- The port: what you fill in. None of these may block for long. ---- */

bool ws_port_connect(void);                          /* TCP (or TLS) to the broker; true: connected */
void ws_port_close(void);
int ws_port_read(uint8_t *to, size_t room);          /* bytes; 0: none now; -1: it is gone */
int ws_port_write(const uint8_t *from, size_t size); /* bytes taken; 0: none now; -1: it is gone */
uint64_t ws_port_uptime(void);                       /* ms since the start, never backwards */
int64_t ws_port_clock(void);                         /* ms since 1970; 0: not known */
uint32_t ws_port_random(void);
/* This part of the store has changed. Nothing to do where its memory outlives a loss of power (a mapped
 * file, FRAM, battery); else write it where it does, or do nothing and lose the buffer with the power. */
void ws_port_keep(const void *part, size_t size);

/* ---- What you say about the device. ---- */

enum ws_kind { WS_NUMBER, WS_STATE, WS_WORD, WS_TIME };

struct ws_metric {
    const char *name;
    enum ws_kind kind;
    uint8_t decimals;         /* WS_NUMBER: 41 with one decimal is 4.1 */
    const char *const *words; /* WS_WORD: the value counts in these */
};

struct ws_text { /* a piece of a message: not ended by a zero */
    const char *at;
    size_t size;
};

enum ws_outcome { WS_LATER, WS_DONE, WS_FAILED }; /* WS_LATER: `ws_finish` will say */

struct ws_device {
    const char *district, *station, *device;
    const char *profile, *model, *firmware;
    const char *user, *password; /* or NULL */
    uint32_t reports_every_s;
    const struct ws_metric *metrics;
    uint8_t metric_count;
    void *own; /* comes back in the calls below */
    enum ws_outcome (*command)(void *own, const char *id, struct ws_text op, struct ws_text args, const char **reason);
    void (*setting)(void *own, struct ws_text name, struct ws_text value);
    void (*rejected)(void *own, struct ws_text why); /* show it: it says what to mend */
};

/* ---- What must outlive a loss of power, if the buffer shall. ---- */

struct ws_slot {
    uint32_t boot, seq; /* seq 0: not yet sent; the readings of one message share it */
    uint64_t up;
    int64_t at;   /* 0: there was no clock */
    uint16_t has; /* which of the values were measured, by bits */
    bool event, acknowledged;
    int32_t values[WS_METRICS]; /* WS_TIME: seconds since 1970 */
};

struct ws_command {
    char id[WS_ID + 1], reason[WS_REASON];
    uint8_t state, told;
};

struct ws_store {
    uint32_t magic, boot, seq;
    uint32_t head, tail; /* readings ever added, and the oldest of them that is kept */
    uint32_t command_count;
    struct ws_slot slots[WS_READINGS];
    struct ws_command commands[WS_COMMANDS];
};

/* ---- The rest is the client's own. ---- */

struct ws_flight { /* published, and not acknowledged */
    uint16_t packet;
    uint8_t kind, index, state;
    uint32_t boot, seq;
    uint64_t since;
};

struct ws {
    const struct ws_device *device;
    struct ws_store *store;
    uint8_t phase;
    bool birth_due, status_due, live_due, live_sent, leaving, pinged;
    uint32_t live;
    const char *status;
    uint32_t sleep_s;
    uint64_t wake, heard, sent;
    uint32_t wait;
    int64_t clock;    /* what the time topic told, less the uptime then; 0: nothing */
    int64_t revision; /* of the settings; -1: none yet */
    uint16_t packet;
    struct ws_flight flights[4];
    uint8_t tx[WS_TX], rx[WS_RX];
    size_t tx_size, rx_size, skip;
};

void ws_start(struct ws *ws, const struct ws_device *device, struct ws_store *store);
void ws_loop(struct ws *ws);
bool ws_online(const struct ws *ws);
/* `values` as `metrics` are; bit i of `has`: values[i] was measured. An event does not wait for a batch. */
void ws_reading(struct ws *ws, const int32_t *values, uint16_t has, bool event);
void ws_finish(struct ws *ws, const char *id, enum ws_outcome outcome, const char *reason);
/* Says `sleeping` (or, with 0 seconds, `offline`) and leaves; `ws_gone` once that is said. */
void ws_leave(struct ws *ws, uint32_t sleep_s);
bool ws_gone(const struct ws *ws);
/* The value of `key` in a JSON object (a string without its quotes); numbers as whole ones. */
/* One member after the other: `at` begins as 0. */
bool ws_each(struct ws_text object, size_t *at, struct ws_text *name, struct ws_text *value);
bool ws_find(struct ws_text object, const char *key, struct ws_text *value);
int64_t ws_whole(struct ws_text number);
bool ws_is(struct ws_text text, const char *words);
/* Writes the message of `count` slots as `ws_loop` does; its size, or 0 where there is no room. */
size_t ws_encode(const struct ws_device *device, const struct ws_slot *const *slots, unsigned count, char *to, size_t room);

#endif
