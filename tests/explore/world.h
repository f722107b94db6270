/* SPDX-License-Identifier: MIT */
/*
 * The world that is explored: a machine with core on it, and a few programs played by scripts. A
 * script is a state machine of some bytes; each of its steps is one kernel call, chosen among the
 * moves it could make. Beside them the world holds what the scripts have seen ("the record"): how
 * often a call was received, took effect, was answered; which sessions were closed and announced;
 * where each token is. The properties (check.c) compare it with what core holds.
 */
#pragma once

#include <tests/support/driver.h>

#include "endpoint.h"

/* ---- Who there is ---------------------------------------------------------------------------- */

/* A process with one thread each, but for the stash, which has none. */
enum who { C1 = 0, C2, S1, S2, LOWER, KEEPER, ACTORS, STASH = ACTORS, PROCESSES };
#define NOBODY 0xff

/* E is served by S1 and S2, F, where a scenario has it, by the lower server. */
enum { ENDPOINT_E = 0, ENDPOINT_F, ENDPOINTS };

/* Badges of the sessions made at the start; sessions that are opened get BADGE_OPENED + tag. */
enum { BADGE_C1 = 1, BADGE_C2, BADGE_FORWARD, BADGE_SUB, BADGE_BACK, BADGE_OPENED = 8 };
#define BADGES 16

/* ---- Calls ----------------------------------------------------------------------------------- */

/*
 * A call is known by its tag: the client's number times 3 plus the number of the call plus 1;
 * a call that a server makes while serving it has TAG_SUB more.
 */
#define CALLS_EACH   3
#define LENT_ADDRESS UINT64_C(0x10000000) /* in each client, where calls lend */
#define TAG_SUB      8
#define TAG_BACK     15 /* the lower server's */
#define TAGS         16

/* What a client asks for, in the operation beside the tag. */
enum request {
    REQUEST_PLAIN = 0, /* an effect, then an answer */
    REQUEST_HOLD,      /* the same, but it is parked until an early answer is asked for */
    REQUEST_FORWARD,   /* passed on to the session BADGE_FORWARD, then as PLAIN */
    REQUEST_POISON,    /* whoever serves it faults */
    REQUEST_GIVE,      /* a token goes into the stash */
    REQUEST_TAKE,      /* and comes back out of it */
    REQUEST_OPEN,      /* a new session */
    REQUEST_SUB,       /* the server asks the lower one before it answers */
    REQUEST_BACK,      /* of the lower one, which asks back: a cycle */
    REQUEST_LEND,      /* comes with a loan, a page of which may be said to be absent */
    REQUEST_END,       /* C2's session is ended */
    REQUEST_COUNT,
};

enum answer { ANSWER_OK = 0, ANSWER_EARLY };

/* What the scripts saw of one call. */
struct record {
    uint8_t sent;     /* its caller waits for the answer */
    uint8_t received; /* deliveries since it was made or forwarded, counted up to 3 */
    uint8_t known;    /* some server has received it */
    uint8_t effects;  /* how often it took effect */
    uint8_t answered; /* how often it was answered */
    uint8_t dropped;  /* its reply was closed */
    uint8_t deaths;   /* servers that died of it */
    uint8_t asked;    /* an early answer was asked for */
    uint8_t told;     /* and this holder of the call knows */
    uint8_t retried;  /* its page was said to be absent */
    uint8_t attempt;  /* calls that servers make are made again with the same id */
    uint16_t owed;    /* badges closed before it was made that had not been announced */
};

/* ---- Scripts --------------------------------------------------------------------------------- */

enum verb {
    VERB_NONE = 0,
    /* of clients */
    VERB_CALL,
    VERB_TAKE, /* forgets the interrupt that is pending */
    VERB_CLOSE,
    VERB_EXIT,
    /* of servers */
    VERB_WAIT_GO,
    VERB_LIST_CLOSED,
    VERB_LIST_REDELIVERED,
    VERB_RETIRE,
    VERB_RECEIVE,
    VERB_POLL, /* receives, without waiting */
    VERB_EFFECT,
    VERB_ANSWER,
    VERB_ANSWER_RECEIVE,
    VERB_ANSWER_EARLY,
    VERB_DROP,
    VERB_FORWARD,
    VERB_SERVE,
    VERB_FAULT,
    VERB_STASH_PUT,
    VERB_STASH_COPY,
    VERB_STASH_TAKE,
    VERB_OPEN,
    VERB_CLOSE_EXTRA,
    VERB_SUBCALL,
    VERB_RETRY,
    VERB_END,
    /* of the keeper */
    VERB_KILL,
    VERB_HANG,
    VERB_INTERRUPT,
    VERB_SIGNAL,
    VERB_STEAL,
    VERB_CLOSE_STOLEN,
    VERB_GO,
    VERB_CLOSE_ENDPOINT,
    VERB_WAIT_END,
    VERB_SLEEP,
    VERB_COUNT,
};

struct move {
    uint8_t verb;
    uint8_t argument;
};

#define MOVES_MAX 16
struct moves {
    struct move all[MOVES_MAX];
    unsigned count;
};
void moves_add(struct moves *moves, enum verb verb, unsigned argument);

/* What a client does, one after the other. */
enum client_op {
    DO_END = 0, /* it exits */
    DO_CALL,
    DO_CALL_SOON,   /* with a deadline */
    DO_CALL_NAMED,  /* with a sequence number of its own */
    DO_CALL_OPENED, /* through the session it has opened */
    DO_CLOSE,
    DO_CLOSE_OPENED,
};
struct client_step {
    uint8_t op;
    uint8_t request;
};
#define CLIENT_STEPS 6

struct client {
    uint8_t pc;
    uint8_t calls;       /* made so far */
    uint8_t must_take;   /* an interrupt is pending: it knows from a result */
    uint8_t has_session; /* the one from the start */
    uint8_t has_opened;  /* the tag by which it was opened, or 0 */
    uint8_t has_token;
};

/* A received call. */
struct job {
    uint8_t tag; /* 0: none */
    uint8_t request;
    uint8_t badge;
    uint8_t early;  /* an early answer is asked for */
    uint8_t ready;  /* nothing is left to do but to answer */
    uint8_t effect; /* made, or found to be made */
    uint8_t final;  /* it was parked once, and is not again */
    uint8_t extra;  /* a handle came with it, or is to go with the answer: enum extra */
    uint8_t served; /* the thread serves it, as far as core is concerned */
    uint8_t asked;  /* the lower server was asked: by it, or (BACK) by the lower one itself */
    uint8_t attempt;
    uint8_t again; /* another server has received it before, and may have made its effect */
};
enum extra { EXTRA_NONE = 0, EXTRA_TOKEN, EXTRA_SESSION };

enum server_pc {
    SERVER_GO = 0,
    SERVER_LIST,
    SERVER_RETIRE,
    SERVER_ADOPT,
    SERVER_IDLE,
    SERVER_JOB,
    SERVER_INTERRUPTED,
    SERVER_CLOSE
};

#define PARKED_MAX 2
struct server {
    uint8_t pc;
    uint8_t parked_count;
    uint8_t retire_count;
    uint8_t retire[4];
    uint8_t told_event; /* bound events received, counted up to 3 */
    uint8_t exits;      /* it may still exit of its own will */
    uint8_t leftover;   /* enum extra of a handle to close */
    uint8_t leftover_badge;
    struct job now;
    struct job parked[PARKED_MAX];
};

struct keeper {
    uint16_t done;  /* bits: disturbances made */
    uint8_t count;  /* how many */
    uint8_t seen;   /* bits, by who: their end */
    uint8_t went;   /* S2 was told to go */
    uint8_t closed; /* its handle to E is closed, or it never had one */
    uint8_t stolen; /* it holds C1's session */
};

/* One thread that plays a script. */
struct actor {
    uint8_t exists;
    uint8_t in_call; /* the result of the last call has not been seen */
    uint8_t dead;
    uint8_t stuck;    /* its process is ending, and it was told so */
    uint8_t pending;  /* it was interrupted, and has not taken that */
    struct move move; /* the last one, if in_call */
    union {
        struct client client;
        struct server server;
        struct keeper keeper;
    };
};

/* ---- Scenarios ------------------------------------------------------------------------------- */

enum server_trait {
    MAY_PARK = 1U << 0,
    MAY_DROP = 1U << 1,
    MAY_FAULT = 1U << 2,  /* while it serves */
    MAY_ANSWER = 1U << 3, /* without receiving at once */
    MAY_EXIT = 1U << 4,   /* while it is idle, once */
    MAY_SERVE = 1U << 5,  /* takes parked calls up with reply_control */
    NO_EFFECT = 1U << 6,  /* answers at once */
    MUST_COPY = 1U << 7,  /* tokens leave the stash by copy only */
};

enum disturbance {
    KILL_S1,
    KILL_S2,
    HANG_S1,
    HANG_S2,
    KILL_C1,
    INTERRUPT_C1,
    INTERRUPT_C2,
    INTERRUPT_S1,
    SIGNAL_EVENT,
    STEAL_C1, /* its session */
    DISTURBANCES
};
#define BIT(name) (1U << (name))

struct scenario {
    const char *name;
    const char *about;
    bool cut; /* it is looked at with long work cut small, too */
    uint8_t cpus;
    bool slow;                /* the short path is off */
    bool both_paths;          /* each call and answer is made on both paths, and compared */
    bool event;               /* an event is bound to E */
    bool lower;               /* there is a lower server */
    bool two_servers;         /* S2 serves from the start */
    bool shared;              /* S2 is a second thread of S1's process */
    bool lends;               /* clients have a page to lend */
    bool unkept;              /* the keeper does not keep E */
    uint8_t priority[ACTORS]; /* 0: 16 */
    struct client_step client[2][CLIENT_STEPS];
    unsigned server;        /* enum server_trait */
    unsigned disturb;       /* BIT(enum disturbance) */
    unsigned disturb_count; /* at most so many of them */
};
extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* ---- The world ------------------------------------------------------------------------------- */

/* Changes with each step; part of a state. */
struct world {
    struct actor actors[ACTORS];
    struct record records[TAGS];
    uint8_t
        received_order[TAGS]; /* tags of received calls not yet answered, first received first */
    uint8_t received_count;
    uint8_t tokens_at[2][PROCESSES]; /* handles to each client's token, by process */
    uint16_t closed;                 /* badges: closed as far as their client knows ... */
    uint16_t announced;              /* told or listed to a server ... */
    uint16_t ended;                  /* by a server */
    uint16_t retired;                /* and forgotten */
    uint8_t closing[8];              /* badges at E whose closes wait to be announced, in order */
    uint8_t signalled;               /* bits of the bound event that no server was told of */
};
extern struct world world;

/* Does not change what a state is: handles and names. */
struct names {
    ax_handle session[ACTORS], opened[2], token[2]; /* of clients; of S1 and S2: to F */
    ax_handle endpoint[ACTORS], stash[ACTORS], go[ACTORS], forward[ACTORS];
    ax_handle reply[ACTORS], parked[ACTORS][PARKED_MAX], extra[ACTORS], leftover[ACTORS];
    struct ax_call_id id[TAGS]; /* as first received */
    /* The keeper's. */
    ax_handle process[PROCESSES], thread[ACTORS], event, stolen;
};
extern struct names names;

/* Fixed for a scenario. */
struct setting {
    const struct scenario *scenario;
    struct process *process[PROCESSES];
    struct thread *thread[ACTORS];
    struct endpoint *endpoint[ENDPOINTS];
    uint64_t endpoint_id[ENDPOINTS];
    struct object *token[2];
    uint64_t token_id[2];
    struct object *go, *event;
};
extern struct setting setting;

/* Builds a scenario's world on a new machine, which lasts until world_stop. */
void world_start(const struct scenario *scenario);
void world_stop(void);

const char *who_name(unsigned who);
/* Who it is; NOBODY. */
unsigned who_is(const struct thread *thread);
unsigned whose(const struct process *process);
bool is_client(unsigned who);
bool is_server(unsigned who);
/* They are threads of the same process. */
bool are_one(unsigned a, unsigned b);
/* The endpoint object, while it is alive. */
bool endpoint_lives(unsigned index);

/* The tag of the call that it makes, or made last. */
unsigned tag_of_call(unsigned who);
/* It is not received any more, or as if it had not been. */
void record_unreceive(unsigned tag);
/* The end of a call, whatever it was: its caller waits no more. */
void record_end(unsigned tag);
/* The badges of a 16-bit set that are no more, or anew. */
void badge_renew(unsigned badge);

/* The moves it can make now; none: it is in a call, or done. */
void script_moves(unsigned who, struct moves *moves);
/* Prepares the thread's page for a move, and says what the thread does in user mode. */
void script_begin(unsigned who, struct move move, struct hal_event *event);
/* Takes in the results of all calls that have ended. */
void scripts_absorb(void);

void client_moves(unsigned who, struct moves *moves);
void client_begin(unsigned who, struct move move, struct hal_event *event);
void client_absorb(unsigned who, struct move move, ax_result result);
void server_moves(unsigned who, struct moves *moves);
void server_begin(unsigned who, struct move move, struct hal_event *event);
void server_absorb(unsigned who, struct move move, ax_result result);
/* Its last move goes on, but what it answered with it is answered. */
void server_blocked(unsigned who);
/* It ended in its last move, whose result nobody saw. */
void server_buried(unsigned who);
void keeper_moves(unsigned who, struct moves *moves);
void keeper_begin(unsigned who, struct move move, struct hal_event *event);
void keeper_absorb(unsigned who, struct move move, ax_result result);

/* ---- The machine (machine.c) -------------------------------------------------------------------
 */

/* Hook of the scripted machine. */
bool machine_user(void *context, uint32_t cpu, struct hal_user *user, struct hal_event *event);
/* The CPU's current thread meets the event, whatever else is pending for the CPU. */
void machine_meet(uint32_t cpu, const struct hal_event *event);

/* One step of the world. */
enum step_kind {
    STEP_SCRIPT = 0, /* a script's thread, on a CPU, makes a move */
    STEP_CPU,        /* a CPU takes what is pending for it */
    STEP_TIME,       /* time passes until something is due */
    STEP_LATE,       /* a thread that has ended makes a call before its CPU is told */
};
struct step {
    uint8_t kind;
    uint8_t who;
    uint8_t cpu;
    struct move move;
    ax_result result; /* afterwards: of the call; for printing */
};
#define STEPS_MAX 64
/* All steps that are possible now. */
unsigned machine_steps(struct step steps[STEPS_MAX]);
void machine_step(struct step *step);

/* ---- States and properties ------------------------------------------------------------------- */

struct hash {
    uint64_t low, high;
};
/* Of what matters of the state: the same for states that nothing can tell apart. (canon.c) */
struct hash canon_hash(void);

/* What must hold in each state, and in those from which there is no step. (check.c) */
void check_state(void);
void check_end(void);

/* A kernel call as what the thread does. */
#define event_call(event, number, ...) \
    event_call_array((event), (number), (const uint64_t[5]){__VA_ARGS__})
void event_call_array(struct hal_event *event, uint64_t number, const uint64_t arguments[5]);

/* Ends the exploration: what is wrong, and the steps that lead there. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MUST(expr)                                                               \
    do {                                                                         \
        if (!(expr))                                                             \
            explore_fail("%s:%d: does not hold: %s", __FILE__, __LINE__, #expr); \
    } while (0)
/* The same of one of them: a name and a number to print. */
#define MUST_OF(who, number, expr)                                                    \
    do {                                                                              \
        if (!(expr))                                                                  \
            explore_fail("%s:%d: of %s, %lld: does not hold: %s", __FILE__, __LINE__, \
                         who_name(who), (long long)(number), #expr);                  \
    } while (0)
