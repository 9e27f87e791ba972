/* Encodes one message for a test: boot seq at, then for each reading `up` and each metric's value or `-`. */
#include "waystation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const MODES[] = {"cool", "heat", "off"};
static const struct ws_metric METRICS[] = {
    {.name = "temp_c", .kind = WS_NUMBER, .decimals = 1},
    {.name = "power_w", .kind = WS_NUMBER, .decimals = 1},
    {.name = "door_open", .kind = WS_STATE},
    {.name = "mode", .kind = WS_WORD, .words = MODES},
    {.name = "items_out_total", .kind = WS_NUMBER},
    {.name = "cleaned_at", .kind = WS_TIME},
};
enum { COUNT = 6 };

int main(int count, char **words) {
    static const struct ws_device device = {.metrics = METRICS, .metric_count = COUNT};
    static struct ws_slot slots[WS_BATCH];
    const struct ws_slot *all[WS_BATCH];
    static char out[WS_PAYLOAD];
    unsigned readings = 0;
    for (int i = 4; i + COUNT < count; i += COUNT + 1, readings++) {
        struct ws_slot *one = &slots[readings];
        one->boot = (uint32_t)strtoul(words[1], NULL, 10);
        one->seq = (uint32_t)strtoul(words[2], NULL, 10);
        one->at = strtoll(words[3], NULL, 10);
        one->up = strtoull(words[i], NULL, 10);
        for (int m = 0; m < COUNT; m++)
            if (strcmp(words[i + 1 + m], "-") != 0) {
                one->has |= (uint16_t)(1 << m);
                one->values[m] = (int32_t)strtol(words[i + 1 + m], NULL, 10);
            }
        all[readings] = one;
    }
    size_t size = ws_encode(&device, all, readings, out, sizeof out);
    printf("%.*s\n", (int)size, out);
    return size ? 0 : 1;
}
