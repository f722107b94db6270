/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of kernel calls, made by many threads on 1 to 4 CPUs, against the reference.
 * Each episode is a sequence that follows from a seed. One that fails is played again in child
 * processes with parts left out, until nothing can be left out any more, and then printed.
 */
#include <base/random.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define EPISODE 400 /* ops */

struct episode {
    uint64_t seed;
    unsigned cpus;
    bool slow_ipc;
    unsigned count;
    struct op ops[EPISODE];
};

/* How often each kind is drawn. */
static const unsigned weights[OP_KINDS] = {
#define X(name, weight) [OP_##name] = (weight),
    OP_LIST(X)
#undef X
};

static struct {
    uint64_t calls, seed;
    unsigned cpus;
    bool slow_ipc, shrinks, tells_answers;
} options = {.calls = 1500000, .shrinks = true};

static void episode_draw(struct episode *episode, uint64_t seed) {
    struct random random;
    unsigned total = 0;
    random_seed(&random, seed);
    for (unsigned kind = 0; kind < OP_KINDS; kind++)
        total += weights[kind];
    episode->seed = seed;
    episode->cpus = options.cpus != 0 ? options.cpus : 1 + (unsigned)(seed / 64 % 4);
    episode->slow_ipc = options.slow_ipc || seed % 2 == 1;
    episode->count = EPISODE;
    for (unsigned i = 0; i < EPISODE; i++) {
        uint64_t left = random_below(&random, total);
        uint64_t bits = random_next(&random);
        unsigned kind = 0;
        while (left >= weights[kind])
            left -= weights[kind++];
        episode->ops[i] = (struct op){.kind = (uint8_t)kind,
                                      .cpu = (uint8_t)random_below(&random, 4),
                                      .a = (uint16_t)bits,
                                      .b = (uint16_t)(bits >> 16),
                                      .c = (uint16_t)(bits >> 32),
                                      .d = (uint16_t)(bits >> 48)};
        if (random_below(&random, 8) == 0)
            episode->ops[i].fail = (uint8_t)(1 + random_below(&random, FAILURES_OF_CORE + 3));
    }
}

/* Every fourth goes by single steps. */
static uint64_t steps_seed(const struct episode *episode) {
    return episode->seed / 2 % 4 == 1 ? episode->seed : 0;
}

static void episode_play(const struct episode *episode) {
    world_start(episode->cpus, episode->slow_ipc, steps_seed(episode));
    if (world_is_verbose)
        world_print();
    for (unsigned i = 0; i < episode->count; i++) {
        if (!world_step(&episode->ops[i]))
            break;
    }
    world_end();
}

/* ---- Shrinking ------------------------------------------------------------------------------- */

/* Does it fail, played by a child? */
static bool episode_fails(const struct episode *episode, bool aloud) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (!aloud && (dup2(null, 1) < 0 || dup2(null, 2) < 0))
            _exit(0);
        world_is_verbose = aloud;
        alarm(20);
        episode_play(episode);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("model_random");
        exit(2);
    }
    return status != 0;
}

/* Leaves out so many operations at a time, where it fails without them as well. */
static void episode_cut(struct episode *episode, unsigned size) {
    for (unsigned at = 0; at < episode->count;) {
        struct episode shorter = *episode;
        unsigned cut = at + size > shorter.count ? shorter.count - at : size;
        memmove(&shorter.ops[at], &shorter.ops[at + cut],
                (shorter.count - at - cut) * sizeof(shorter.ops[0]));
        shorter.count -= cut;
        if (episode_fails(&shorter, false))
            *episode = shorter;
        else
            at += size;
    }
}

static void episode_shrink(struct episode *episode) {
    world_start(episode->cpus, episode->slow_ipc, 0); /* which the children then need not do */
    for (unsigned before = 0; before != episode->count;) {
        before = episode->count;
        for (unsigned size = (before + 1) / 2; size > 0; size /= 2)
            episode_cut(episode, size);
    }
}

static void episode_report(uint64_t seed) {
    static struct episode episode;
    episode_draw(&episode, seed);
    printf("seed %llu fails; looking for the shortest sequence that does\n",
           (unsigned long long)seed);
    episode_shrink(&episode);
    printf(
        "%u operations on %u CPUs, short path %s (repeat: model_random --seed %llu --cpus %u%s):\n",
        episode.count, episode.cpus, episode.slow_ipc ? "off" : "on", (unsigned long long)seed,
        episode.cpus, episode.slow_ipc ? " --slow-ipc" : "");
    (void)episode_fails(&episode, true);
}

/* ---- The run --------------------------------------------------------------------------------- */

struct progress {
    uint64_t seed, calls, episodes;
};

/* Plays episodes in a child until the number of calls is reached; false: one failed. */
static bool run(struct progress *progress, uint64_t calls) {
    static struct episode episode;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (; progress->calls < calls; progress->seed++) {
            episode_draw(&episode, progress->seed);
            alarm(20); /* an episode takes a hundredth of a second */
            episode_play(&episode);
            progress->calls = world_call_count;
            progress->episodes++;
        }
        if (options.tells_answers)
            world_print_answers();
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("model_random");
        exit(2);
    }
    return status == 0;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void usage(void) {
    printf(
        "Usage: model_random [--seed N] [--calls N] [--cpus N] [--slow-ipc] [--answers]\n"
        "                    [--no-shrink]\n"
        "\n"
        "Plays random sequences of kernel calls on the kernel and on a reference, and compares.\n"
        "  --seed N     the sequence of that seed alone, printed as it goes\n"
        "  --calls N    about so many calls in all (default 1500000)\n"
        "  --cpus N     on so many CPUs (default: 1 to 4 by the seed)\n"
        "  --slow-ipc   the short path off in all (default: in every second)\n"
        "  --answers    tells how often each call answered what\n"
        "  --no-shrink  a sequence that fails is not made shorter and printed\n"
        "Environment: AX_QUICK=1: a short run. Exit status: 0, or 1 if one failed.\n");
}

static bool options_read(int argc, char **argv) {
    if (getenv("AX_QUICK") != NULL)
        options.calls = 60000;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--slow-ipc") == 0)
            options.slow_ipc = true;
        else if (strcmp(argv[i], "--answers") == 0)
            options.tells_answers = true;
        else if (strcmp(argv[i], "--no-shrink") == 0)
            options.shrinks = false;
        else if (strcmp(argv[i], "--seed") == 0 && has_value)
            options.seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--calls") == 0 && has_value)
            options.calls = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--cpus") == 0 && has_value)
            options.cpus = (unsigned)strtoul(argv[++i], NULL, 0);
        else
            return false;
    }
    return options.cpus <= 64;
}

static int run_one(void) {
    static struct episode episode;
    episode_draw(&episode, options.seed);
    if (episode_fails(&episode, false)) {
        episode_report(options.seed);
        return 1;
    }
    return episode_fails(&episode, true);
}

static int run_all(void) {
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) {
        perror("model_random");
        return 2;
    }
    *progress = (struct progress){.seed = 1};
    double start = now();
    bool fine = run(progress, options.calls);
    double seconds = now() - start;
    if (!fine) {
        if (options.shrinks)
            episode_report(progress->seed);
        printf("the sequence of seed %llu fails\n", (unsigned long long)progress->seed);
        return 1;
    }
    printf("figure: %llu random kernel calls against the reference, %.0f a second, all invariants "
           "checked after each\n",
           (unsigned long long)progress->calls, (double)progress->calls / seconds);
    printf("%llu passed, 0 failed\n", (unsigned long long)progress->episodes);
    return 0;
}

int main(int argc, char **argv) {
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!options_read(argc, argv)) {
        usage();
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    return options.seed != 0 ? run_one() : run_all();
}
