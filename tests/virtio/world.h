/* SPDX-License-Identifier: MIT */
/*
 * A console device of the hosted machine with pipes at its ports, guest memory for its queues, and
 * a driver server that may die at any step: a store to its stash, a call of the kernel, a write to
 * a register. Calls of clients outlive it, as the kernel keeps them.
 */
#pragma once

#include <hal/hosted/vconsole.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"

#define WORLD_PHYSICAL UINT64_C(0x40000000)
#define WORLD_RAM      ((uint64_t)CONSOLE_MEMORY_BYTES)

struct world {
    uint8_t *ram;
    struct vconsole device;
    bool is_threaded; /* the device has a thread of its own */
    bool is_stuck;    /* it never comes back from a reset */
    /* The outside's ends: what the test writes and reads. */
    int in, out, error, control;
    /* Steps so far, and the one after which the driver dies; 0: never. */
    uint64_t steps, last_step;
    jmp_buf death;
};

extern struct world world;

/* Ports with pipes, the device, and memory. */
void world_new(void);
/* The device and all that is kept are as new; the pipes stay. */
void world_renew(void);

/* A round of the device, and as many as it takes until nothing moves any more, with the driver's
 * part in it. */
void world_round(void);
void world_settle(void);

/* Starts the driver, or a successor, which gets the calls that were not answered. */
void world_start(void);
/* Calls play, in which the driver may die after so many steps: then false. */
bool world_play(void (*play)(void), uint64_t last_step);
void world_step(void);

/* A call begins, and may be answered at once. It is known by its number, of keeper.calls. */
unsigned world_call(uint64_t badge, uint64_t operation, void *loan, size_t size_bytes);
unsigned world_call_flags(uint64_t badge, uint64_t operation, uint32_t flags, void *loan,
                          size_t size_bytes);
/* A call whose loan is absent from there on. */
unsigned world_call_absent(uint64_t badge, uint64_t operation, void *loan, size_t size_bytes,
                           uint64_t absent_from);
/* The pages of those that were given back are there, and they come again. */
void world_retry(void);
/* An early answer is asked for, or its caller dies. */
void world_interrupt(unsigned call, bool is_dead);
bool world_is_answered(unsigned call);
/* The status of an answered call, which is over then. */
int64_t world_finish(unsigned call);

/* The outside: nonblocking; how much. */
size_t outside_write(int fd, const void *bytes, size_t size_bytes);
size_t outside_read(int fd, void *bytes, size_t size_bytes);

/* The nth byte of a stream that repeats nowhere near. */
uint8_t pattern(uint64_t stream, uint64_t n);
void pattern_fill(uint64_t stream, uint64_t from, void *bytes, size_t size_bytes);
void pattern_check(uint64_t stream, uint64_t from, const void *bytes, size_t size_bytes);
