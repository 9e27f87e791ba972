/* JSON: what is sent, and the little that is read. */
#include "waystation.h"

#include <stdio.h>
#include <string.h>

struct out {
    char *to;
    size_t size, room;
};

static void put(struct out *out, const char *text) {
    size_t size = strlen(text);
    if (out->size + size < out->room)
        memcpy(out->to + out->size, text, size + 1);
    out->size += size;
}

static void put_whole(struct out *out, const char *before, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    put(out, before);
    put(out, text);
}

static void put_number(struct out *out, int32_t value, uint8_t decimals) {
    char text[16];
    size_t at = sizeof text - 1;
    int64_t left = value < 0 ? -(int64_t)value : value;
    text[at] = 0;
    for (unsigned digit = 0; (left || digit <= decimals) && at > 2; digit++, left /= 10) {
        if (decimals && digit == decimals)
            text[--at] = '.';
        text[--at] = (char)('0' + left % 10);
    }
    if (value < 0)
        text[--at] = '-';
    put(out, text + at);
}

static void put_metric(struct out *out, const struct ws_metric *metric, int32_t value) {
    put(out, "\"");
    put(out, metric->name);
    put(out, "\":");
    switch (metric->kind) {
    case WS_NUMBER:
        put_number(out, value, metric->decimals);
        break;
    case WS_STATE:
        put(out, value ? "true" : "false");
        break;
    case WS_WORD:
        put(out, "\"");
        put(out, metric->words[value]);
        put(out, "\"");
        break;
    case WS_TIME:
        put_whole(out, "", (int64_t)value * 1000);
    }
}

static void put_metrics(struct out *out, const struct ws_device *device, const struct ws_slot *slot) {
    for (unsigned i = 0; i < device->metric_count; i++) {
        if (!(slot->has >> i & 1))
            continue;
        put(out, ",");
        put_metric(out, &device->metrics[i], slot->values[i]);
    }
}

/* The message has the moment of the last reading; the others tell how long before it they were. */
size_t ws_encode(const struct ws_device *device, const struct ws_slot *const *slots, unsigned count, char *to, size_t room) {
    struct out out = {to, 0, room};
    const struct ws_slot *last = slots[count - 1];
    put_whole(&out, "{\"boot\":", last->boot);
    put_whole(&out, ",\"seq\":", last->seq);
    if (last->at)
        put_whole(&out, ",\"at\":", last->at);
    put_whole(&out, ",\"up\":", (int64_t)last->up);
    if (count == 1)
        put_metrics(&out, device, last);
    else {
        for (unsigned i = 0; i < count; i++) {
            put(&out, i ? "," : ",\"readings\":[");
            put_whole(&out, "{\"dt\":", (int64_t)slots[i]->up - (int64_t)last->up);
            put_metrics(&out, device, slots[i]);
            put(&out, "}");
        }
        put(&out, "]");
    }
    put(&out, "}");
    return out.size < room ? out.size : 0;
}

/* ---- Reading ---- */

static const char *space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Behind the string that begins at `at`. */
static const char *string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

/* Behind the value that begins at `at`. */
static const char *value_end(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        if (*at == '"')
            at = string(at, end);
        else if (depth == 0 && (*at == ',' || *at == '}' || *at == ']'))
            return at;
        else {
            depth += *at == '{' || *at == '[';
            depth -= *at == '}' || *at == ']';
            at++;
        }
        if (depth == 0 && at < end && (at[-1] == '"' || at[-1] == '}' || at[-1] == ']'))
            return at;
    }
    return end;
}

/* The next `name: value` of the object at `*at`; false at its end, or where it is none. */
static bool member(const char **at, const char *end, struct ws_text *name, struct ws_text *value) {
    const char *p = space(*at, end);
    if (p < end && (*p == '{' || *p == ','))
        p = space(p + 1, end);
    if (p >= end || *p != '"')
        return false;
    const char *after = string(p, end);
    if (after - p < 2)
        return false;
    *name = (struct ws_text){p + 1, (size_t)(after - p) - 2};
    p = space(after, end);
    if (p >= end || *p != ':')
        return false;
    p = space(p + 1, end);
    *at = value_end(p, end);
    const char *last = *at;
    while (last > p && (last[-1] == ' ' || last[-1] == '\n' || last[-1] == '\r' || last[-1] == '\t'))
        last--;
    bool quoted = last - p >= 2 && *p == '"';
    *value = (struct ws_text){p + quoted, (size_t)(last - p) - 2 * quoted};
    return true;
}

bool ws_each(struct ws_text object, size_t *at, struct ws_text *name, struct ws_text *value) {
    const char *p = object.at + *at;
    bool found = member(&p, object.at + object.size, name, value);
    *at = (size_t)(p - object.at);
    return found;
}

bool ws_find(struct ws_text object, const char *key, struct ws_text *value) {
    struct ws_text name;
    size_t at = 0;
    while (ws_each(object, &at, &name, value))
        if (ws_is(name, key))
            return true;
    *value = (struct ws_text){"", 0};
    return false;
}

int64_t ws_whole(struct ws_text number) {
    uint64_t whole = 0;
    bool negative = number.size && number.at[0] == '-';
    for (size_t i = negative; i < number.size && i < 19 && number.at[i] >= '0' && number.at[i] <= '9'; i++)
        whole = whole * 10 + (uint64_t)(number.at[i] - '0');
    return negative ? -(int64_t)whole : (int64_t)whole;
}

bool ws_is(struct ws_text text, const char *words) {
    return text.size == strlen(words) && memcmp(text.at, words, text.size) == 0;
}
