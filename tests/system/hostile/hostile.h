/* SPDX-License-Identifier: MIT */
/*
 * The hostile program: each attack runs in a process of its own, a clone of a small parent, while
 * two bystanders call each other. Only the attacker may suffer, and that soon.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/random.h>
#include <hal/hosted/stub/layout.h>
#include <sys/ax.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS           UINT64_C(1000000)

/* ---- What all processes see (shared memory) -------------------------------------------------- */

#define SLOTS 16 /* attackers at a time */

struct shared {
    uint64_t round_trips; /* of the bystanders */
    uint64_t longest_ns;  /* between two of them, since the parent last cleared it */
    uint64_t last_ns;
    uint64_t mistakes;                 /* wrong answers, bytes changed */
    volatile uint64_t go[SLOTS];       /* the attacker may begin */
    volatile uint64_t progress[SLOTS]; /* what it says of how far it got */
};

extern struct shared *shared;

/* Starts the bystanders; their process handles. */
void bystanders_start(ax_handle processes[2]);

/* Whatever cannot be: says so and ends the machine with a failure. */
_Noreturn void die(const char *what, int64_t value);
/* The same of something that must have gone well. */
int64_t must(const char *what, int64_t result);

/* ---- Attacks --------------------------------------------------------------------------------- */

/* How an attacker may end. */
enum end {
    END_DONE = 1U << 0,   /* it ended by itself with code 0: what it checks is as it should be */
    END_LOST = 1U << 1,   /* the machine ended it */
    END_FAULT = 1U << 2,  /* of a fault or bounce */
    END_KILLED = 1U << 3, /* the parent ended it when its time was over */
    END_ODD = 1U << 4,    /* by itself with any code: it may run astray */
    END_ANY = 0x1f,
};

struct attack {
    const char *name;
    int (*run)(uint64_t argument); /* its exit code; with no C library beneath */
    uint32_t tries;                /* arguments 0 to tries - 1, a process each */
    uint32_t ends;                 /* enum end */
    uint32_t limit_ms;             /* 0: ten seconds */
    uint64_t most;                 /* progress that it may have made; 0: any */
};

extern const struct attack attacks_calls[], attacks_words[], attacks_registers[], attacks_memory[],
    attacks_text[]; /* each ends with one that has no name */

extern const struct attack attack_linger; /* before somebody looks at what is left of them */

/* The slot in `shared` of this attacker. */
extern unsigned own_slot;

/* ---- Means ----------------------------------------------------------------------------------- */

/* What came of a jump. */
struct outcome {
    uint64_t reason; /* enum ax_upcall_reason */
    uint64_t fault;  /* enum ax_fault */
    uint64_t address, access;
    struct ax_regs regs;
};

struct jump {
    struct ax_regs regs;
    uint64_t rip, cs, rflags, rsp, ss; /* what iretq takes */
    struct outcome outcome;
};

/* Loads all registers, goes to regs.rip, and comes back at the first bounce or fault. */
void jump_run(struct jump *jump);
/* A jump to an address with a stack of its own, all else 0. */
void jump_prepare(struct jump *jump, uint64_t address);

/* Each thread needs a stack for upcalls. */
#define STACK_BYTES 0x4000
void thread_begin(void *upcall_stack);
/* A thread that calls run(argument), on stacks of a static pool; 16 at most. Its handle. */
ax_handle thread_start(void (*run)(uint64_t), uint64_t argument);

/* A call of the host's kernel from the stub's own code. If the filter refuses it, the end. */
long host_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
/* The same from the hand-off, where a thread may be found when it is to give way. No result. */
void host_call_quietly(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
/* The next place from `from` on, below `end`, where the two bytes stand; 0: none. */
uint64_t bytes_find(uint64_t from, uint64_t end, uint8_t first, uint8_t second);

static inline volatile struct stub_area *area_of(unsigned slot) {
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return (volatile struct stub_area *)(STUB_AREAS + ((uint64_t)slot << STUB_AREA_SHIFT));
}
static inline unsigned thread_slot(void) {
    return ax_thread_page()->slot;
}

/* False: a fault came of it. */
bool try_read(uint64_t address, uint64_t *value);
bool try_write(uint64_t address, uint64_t value);

/* Runs on after telling the kernel that it waits until the time. */
void claim_to_wait(uint64_t until_ns);
/* Has Linux end the whole process at once: a signal, and no room on the signal stack. */
_Noreturn void stub_crash(void);
_Noreturn void spin(void);
void spin_for(uint64_t ns);
