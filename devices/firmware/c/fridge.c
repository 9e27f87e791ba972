/* A fridge: measures, can be told to defrost, has a set point.
 *
 *   fridge HOST PORT DISTRICT/STATION/DEVICE [--store FILE] [--no-clock] [--every MS] [--count-from N]
 *
 * On SIGTERM it says goodbye. Where a board has a probe, there is an invented temperature here. */
#define _POSIX_C_SOURCE 200809L
#include "posix.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMP, DOOR, MAINS, TAKEN, METRICS };

static const struct ws_metric METRIC[METRICS] = {
    [TEMP] = {.name = "temp_c", .kind = WS_NUMBER, .decimals = 1},
    [DOOR] = {.name = "door_open", .kind = WS_STATE},
    [MAINS] = {.name = "mains_ok", .kind = WS_STATE},
    [TAKEN] = {.name = "items_out_total", .kind = WS_NUMBER},
};

static volatile sig_atomic_t asked_to_go;
static int32_t setpoint = 40;

static void go(int number) {
    (void)number;
    asked_to_go = 1;
}

static enum ws_outcome command(void *own, const char *id, struct ws_text op, struct ws_text args, const char **reason) {
    struct ws_text minutes;
    (void)own;
    if (!ws_is(op, "defrost")) {
        *reason = "a fridge can only defrost";
        return WS_FAILED;
    }
    ws_find(args, "minutes", &minutes);
    printf("defrosts %d minutes for %s\n", (int)ws_whole(minutes), id);
    return WS_DONE;
}

static void setting(void *own, struct ws_text name, struct ws_text value) {
    (void)own;
    if (ws_is(name, "setpoint_c"))
        setpoint = (int32_t)(strtod(value.at, NULL) * 10);
    printf("setting %.*s %.*s\n", (int)name.size, name.at, (int)value.size, value.at);
}

static void rejected(void *own, struct ws_text why) {
    (void)own;
    printf("rejected %.*s\n", (int)why.size, why.at);
}

static void measure(struct ws *ws, int32_t number) {
    int32_t values[METRICS] = {[TEMP] = setpoint + number % 5, [MAINS] = 1, [TAKEN] = number};
    ws_reading(ws, values, 1 << TEMP | 1 << MAINS | 1 << TAKEN, false);
    printf("measured %d\n", (int)number);
}

static void run(struct ws *ws, uint64_t every, int32_t number) {
    uint64_t next = ws_port_uptime();
    bool was_online = false, leaves = false;
    while (!ws_gone(ws)) {
        bool online = ws_online(ws);
        if (online != was_online)
            puts(online ? "online" : "not online");
        if (asked_to_go && !leaves) {
            ws_leave(ws, 0);
            leaves = true;
        }
        /* Just back: a reading of now comes first. */
        if (!leaves && (ws_port_uptime() >= next || (online && !was_online))) {
            measure(ws, number++);
            next = ws_port_uptime() + every;
        }
        was_online = online;
        ws_loop(ws);
        ws_posix_wait(5);
    }
}

int main(int count, char **words) {
    static struct ws ws;
    static char path[160];
    static struct ws_device fridge = {
        .profile = "fridge", .model = "example", .firmware = "1.0.0", .reports_every_s = 60, .metrics = METRIC,
        .metric_count = METRICS, .command = command, .setting = setting, .rejected = rejected};
    const char *file = NULL;
    bool clock = true;
    int every = 60000, from = 1;
    if (count < 4) {
        fprintf(stderr, "usage: fridge HOST PORT DISTRICT/STATION/DEVICE [--store FILE] [--no-clock] [--every MS] [--count-from N]\n");
        return 2;
    }
    for (int i = 4; i < count; i++) {
        if (strcmp(words[i], "--no-clock") == 0)
            clock = false;
        else if (i + 1 < count && strcmp(words[i], "--store") == 0)
            file = words[++i];
        else if (i + 1 < count && strcmp(words[i], "--every") == 0)
            every = atoi(words[++i]);
        else if (i + 1 < count && strcmp(words[i], "--count-from") == 0)
            from = atoi(words[++i]);
    }
    snprintf(path, sizeof path, "%s", words[3]);
    fridge.district = strtok(path, "/");
    fridge.station = strtok(NULL, "/");
    fridge.device = strtok(NULL, "/");
    struct ws_store *store = ws_posix(words[1], words[2], file, clock);
    if (!fridge.device || !store) {
        fprintf(stderr, "no such device, or its store cannot be opened\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGTERM, go);
    ws_start(&ws, &fridge, store);
    run(&ws, (uint64_t)every, from);
    return 0;
}
