/* SPDX-License-Identifier: MIT */
#include "seed.h"

#include <base/memory.h>
#include <base/random.h>

/* What an entry takes, in virtual time: as much as a fast and as a slow one do. */
#define ENTRY_LEAST_NS UINT64_C(200)
#define ENTRY_MOST_NS  UINT64_C(200000)
/* One in so many yield points lets others run. */
#define YIELD_ONE_IN 4

static struct {
    bool is_on;
    uint64_t now_ns;
    struct random time, chance, yield, device; /* apart, so that one does not move the other */
} seed;

void seed_begin(uint64_t value) {
    seed.is_on = true;
    random_seed(&seed.time, hash_mix(value ^ 1));
    random_seed(&seed.chance, hash_mix(value ^ 2));
    random_seed(&seed.yield, hash_mix(value ^ 3));
    random_seed(&seed.device, hash_mix(value ^ 4));
}

bool seed_is_on(void) {
    return seed.is_on;
}

uint64_t seed_time_ns(void) {
    return seed.now_ns;
}

/* Most steps are short; each power of two is as likely as the next. */
static uint64_t step_ns(struct random *random) {
    uint64_t most = ENTRY_LEAST_NS << random_below(random, 10);
    return ENTRY_LEAST_NS + random_below(random, most < ENTRY_MOST_NS ? most : ENTRY_MOST_NS);
}

void seed_entry(void) {
    seed.now_ns += step_ns(&seed.time);
}

uint64_t seed_device_ns(void) {
    return step_ns(&seed.device);
}

void seed_jump(uint64_t time_ns) {
    if (time_ns > seed.now_ns)
        seed.now_ns = time_ns;
}

void seed_entropy(void *buffer, size_t size_bytes) {
    uint8_t *at = buffer;
    while (size_bytes > 0) {
        uint64_t value = random_next(&seed.chance);
        size_t part = size_bytes < sizeof(value) ? size_bytes : sizeof(value);
        memcpy(at, &value, part);
        at += part;
        size_bytes -= part;
    }
}

bool seed_yields(void) {
    return random_below(&seed.yield, YIELD_ONE_IN) == 0;
}
