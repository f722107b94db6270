/* SPDX-License-Identifier: MIT */
#include "world.h"

#define CALL(what)              \
    {                           \
        DO_CALL, REQUEST_##what \
    }
#define SOON(what)                   \
    {                                \
        DO_CALL_SOON, REQUEST_##what \
    }
#define NAMED(what)                   \
    {                                 \
        DO_CALL_NAMED, REQUEST_##what \
    }

const struct scenario scenarios[] = {
    {
        .name = "serve",
        .about = "calls, answers and closes; anyone dies",
        .cpus = 1,
        .client = {{CALL(PLAIN), {DO_CLOSE, 0}}, {CALL(PLAIN), CALL(PLAIN)}},
        .server = MAY_ANSWER | MAY_FAULT | MAY_EXIT,
        .disturb = BIT(KILL_S1) | BIT(HANG_S1) | BIT(KILL_S2) | BIT(KILL_C1),
        .disturb_count = 2,
    },
    {
        .name = "serve2",
        .about = "the same on two CPUs",
        .cpus = 2,
        .client = {{CALL(PLAIN), {DO_CLOSE, 0}}, {CALL(PLAIN)}},
        .server = MAY_FAULT,
        .disturb = BIT(KILL_S1) | BIT(KILL_C1),
        .disturb_count = 1,
    },
    {
        .name = "short",
        .about = "each call and answer on both paths",
        .cpus = 1,
        .both_paths = true,
        .client = {{CALL(PLAIN), CALL(PLAIN), {DO_CLOSE, 0}}, {CALL(PLAIN), CALL(PLAIN)}},
        .server = MAY_PARK | NO_EFFECT,
        .disturb = BIT(KILL_S1) | BIT(INTERRUPT_C1) | BIT(KILL_C1),
        .disturb_count = 2,
    },
    {
        .name = "park",
        .about = "parked calls, answered in any order, dropped, taken up again",
        .cpus = 1,
        .two_servers = true,
        .client = {{CALL(PLAIN)}, {CALL(PLAIN), CALL(PLAIN)}},
        .server = MAY_PARK | MAY_DROP | MAY_SERVE | MAY_FAULT,
        .disturb = BIT(KILL_S1) | BIT(HANG_S2),
        .disturb_count = 1,
    },
    {
        .name = "interrupt",
        .about = "early answers are asked for, by interrupts and deadlines",
        .cpus = 1,
        .client = {{SOON(HOLD), CALL(PLAIN)}, {SOON(HOLD), NAMED(PLAIN)}},
        .server = MAY_PARK,
        .disturb = BIT(KILL_S1) | BIT(INTERRUPT_C1) | BIT(INTERRUPT_C2) | BIT(INTERRUPT_S1),
        .disturb_count = 3,
    },
    {
        .name = "forward",
        .about = "calls are passed on",
        .cpus = 1,
        .two_servers = true,
        .client = {{CALL(FORWARD)}, {SOON(FORWARD)}},
        .server = MAY_PARK | MAY_FAULT,
        .disturb = BIT(KILL_S1) | BIT(KILL_S2) | BIT(INTERRUPT_C1),
        .disturb_count = 2,
    },
    {
        .name = "poison",
        .about = "a call that its servers die of",
        .cpus = 1,
        .client = {{CALL(POISON), CALL(PLAIN)}, {CALL(PLAIN), SOON(PLAIN)}},
        .server = MAY_PARK,
        .disturb = BIT(HANG_S1) | BIT(INTERRUPT_C1) | BIT(KILL_C1),
        .disturb_count = 2,
    },
    {
        .name = "stash",
        .about = "tokens go into the stash and come back",
        .cpus = 1,
        .client = {{CALL(GIVE), CALL(TAKE)}, {CALL(GIVE), CALL(TAKE)}},
        .server = 0,
        .disturb = BIT(KILL_S1) | BIT(KILL_C1) | BIT(INTERRUPT_C1),
        .disturb_count = 2,
    },
    {
        .name = "sessions",
        .about = "sessions are opened, used and closed",
        .cpus = 1,
        .client = {{CALL(OPEN), {DO_CALL_OPENED, REQUEST_PLAIN}, {DO_CLOSE_OPENED, 0}},
                   {CALL(OPEN), {DO_CLOSE, 0}, {DO_CLOSE_OPENED, 0}}},
        .server = 0,
        .disturb = BIT(KILL_S1) | BIT(KILL_C1),
        .disturb_count = 2,
    },
    {
        .name = "nested",
        .about = "servers that call a lower one, with ids that follow from those they serve",
        .cpus = 1,
        .lower = true,
        .client = {{CALL(SUB)}, {CALL(SUB)}},
        .server = 0,
        .disturb = BIT(KILL_S1) | BIT(KILL_C1) | BIT(INTERRUPT_S1),
        .disturb_count = 2,
    },
    {
        .name = "cycle",
        .about = "the lower server asks back",
        .cpus = 1,
        .lower = true,
        .two_servers = true,
        .client = {{CALL(BACK)}, {CALL(PLAIN)}},
        .server = 0,
        .disturb = BIT(KILL_C1),
        .disturb_count = 1,
    },
    {
        .name = "priorities",
        .about = "inheritance",
        .cpus = 2,
        .lower = true,
        .priority = {[C1] = 10, [C2] = 30, [S1] = 8, [S2] = 8, [LOWER] = 5, [KEEPER] = 30},
        .client = {{CALL(SUB)}, {CALL(PLAIN), CALL(SUB)}},
        .server = MAY_PARK,
        .disturb = BIT(KILL_S1) | BIT(KILL_C1) | BIT(INTERRUPT_C2),
        .disturb_count = 2,
    },
    {
        .name = "event",
        .about = "an event bound to the endpoint, and an endpoint that nobody keeps",
        .cpus = 1,
        .event = true,
        .unkept = true,
        .client = {{CALL(PLAIN)}, {CALL(PLAIN)}},
        .server = MAY_PARK,
        .disturb = BIT(KILL_S1) | BIT(KILL_S2) | BIT(SIGNAL_EVENT),
        .disturb_count = 3,
    },
    {
        .name = "race",
        .about = "two CPUs, two servers, interrupts and deaths",
        .cpus = 2,
        .two_servers = true,
        .client = {{SOON(HOLD)}, {CALL(PLAIN)}},
        .server = MAY_PARK,
        .disturb = BIT(KILL_S1) | BIT(INTERRUPT_C1),
        .disturb_count = 2,
    },
};
const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
