/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_MAX        64
#define MEMORY_MINIMUM (UINT64_C(8) << 20)
#define MEMORY_MAX     (UINT64_C(1) << 44)
#define TIMEOUT_MAX    1000000000 /* seconds */
#define NS_PER_SECOND  UINT64_C(1000000000)

enum option_code {
    OPTION_NATIVE = 256,
    OPTION_CPUS,
    OPTION_MEMORY,
    OPTION_SEED,
    OPTION_FILE,
    OPTION_GET,
    OPTION_ENV,
    OPTION_CWD,
    OPTION_TIMEOUT,
    OPTION_STATUS,
    OPTION_TRACE,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_HELP,
    OPTION_KERNEL,
    OPTION_ROOT,
    OPTION_IMAGE,
    OPTION_LOCK,
    OPTION_CRASHES,
};

static const struct option names[] = {
    {"native", no_argument, NULL, OPTION_NATIVE},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"file", required_argument, NULL, OPTION_FILE},
    {"get", required_argument, NULL, OPTION_GET},
    {"env", required_argument, NULL, OPTION_ENV},
    {"cwd", required_argument, NULL, OPTION_CWD},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"status", required_argument, NULL, OPTION_STATUS},
    {"trace", required_argument, NULL, OPTION_TRACE},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"root", required_argument, NULL, OPTION_ROOT},
    {"image", required_argument, NULL, OPTION_IMAGE},
    {"lock", required_argument, NULL, OPTION_LOCK},
    {"crashes", required_argument, NULL, OPTION_CRASHES},
    {0},
};

/* ---- Numbers --------------------------------------------------------------------------------- */

/* Digits at the beginning of a text, and where they end. */
static bool digits_read(const char *text, uint64_t *value, const char **end) {
    char *rest;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &rest, 10);
    *end = rest;
    return errno == 0;
}

static bool cpus_read(struct options *options, const char *text, struct failure *failure) {
    const char *end;
    uint64_t value;
    if (!digits_read(text, &value, &end) || *end != '\0' || value == 0 || value > CPU_MAX)
        return fail(failure, "--cpus takes a number from 1 to %d, not \"%s\"", CPU_MAX, text);
    options->cpu_count = (uint32_t)value;
    return true;
}

static bool memory_read(struct options *options, const char *text, struct failure *failure) {
    const char *end;
    uint64_t value;
    unsigned shift = 0;
    bool is_number = digits_read(text, &value, &end);
    if (is_number && *end != '\0') {
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        is_number = shift != 0 && end[1] == '\0';
    }
    if (!is_number)
        return fail(failure, "--memory takes a size such as 64M (or K, G), not \"%s\"", text);
    if (value > MEMORY_MAX >> shift)
        return fail(failure, "--memory %s is too much: at most %llu G", text,
                    (unsigned long long)(MEMORY_MAX >> 30));
    if (value << shift < MEMORY_MINIMUM)
        return fail(failure, "--memory %s is too little: at least %llu M", text,
                    (unsigned long long)(MEMORY_MINIMUM >> 20));
    options->memory_bytes = value << shift;
    return true;
}

static bool seed_read(struct options *options, const char *text, struct failure *failure) {
    const char *end;
    if (!digits_read(text, &options->seed, &end) || *end != '\0')
        return fail(failure, "--seed takes a number of up to 64 bits, not \"%s\"", text);
    options->has_seed = true;
    return true;
}

static bool timeout_read(struct options *options, const char *text, struct failure *failure) {
    const char *end;
    uint64_t seconds, unit = NS_PER_SECOND;
    bool is_number = digits_read(text, &seconds, &end) && seconds <= TIMEOUT_MAX;
    uint64_t ns = is_number ? seconds * NS_PER_SECOND : 0;
    if (is_number && *end == '.') {
        while (*++end >= '0' && *end <= '9')
            ns += (uint64_t)(*end - '0') * (unit /= 10);
    }
    if (!is_number || *end != '\0' || ns == 0)
        return fail(failure,
                    "--timeout takes seconds, more than 0 and up to %d, such as 2.5, not \"%s\"",
                    TIMEOUT_MAX, text);
    options->timeout_ns = ns;
    return true;
}

static bool lock_read(struct options *options, const char *text, struct failure *failure) {
    const char *end;
    uint64_t value;
    if (!digits_read(text, &value, &end) || *end != '\0' || value < 3 || value > INT32_MAX)
        return fail(failure, "--lock takes a descriptor, not \"%s\"", text);
    options->lock = (int)value;
    return true;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* What stands before and behind the character at `length`. */
static bool pair_add(struct pair **pairs, uint32_t *count, const char *text, size_t length,
                     bool is_inside_first, struct failure *failure) {
    struct pair *more = reallocarray(*pairs, (size_t)*count + 1, sizeof(*more));
    if (more == NULL)
        return fail(failure, "there is no memory for the command line");
    *pairs = more;
    char *first = strndup(text, length);
    if (first == NULL)
        return fail(failure, "there is no memory for the command line");
    const char *second = text + length + 1;
    more[*count].inside = is_inside_first ? first : second;
    more[*count].outside = is_inside_first ? second : first;
    ++*count;
    return true;
}

static bool files_read(struct options *options, const char *text, struct failure *failure) {
    const char *equals = strstr(text, "=/");
    if (equals == NULL || equals == text)
        return fail(failure, "--file takes HOST=/PATH, not \"%s\"", text);
    return pair_add(&options->files, &options->file_count, text, (size_t)(equals - text), false,
                    failure);
}

static bool get_read(struct options *options, const char *text, struct failure *failure) {
    const char *equals = strchr(text, '=');
    if (text[0] != '/' || equals == NULL || equals[1] == '\0')
        return fail(failure, "--get takes /PATH=HOST, not \"%s\"", text);
    return pair_add(&options->gets, &options->get_count, text, (size_t)(equals - text), true,
                    failure);
}

static bool environment_read(struct options *options, const char *text, struct failure *failure) {
    const char **more, *value = NULL;
    char *variable = NULL;
    if (text[0] == '=' || text[0] == '\0')
        return fail(failure, "--env takes K=V or K, not \"%s\"", text);
    if (strchr(text, '=') == NULL) {
        value = getenv(text);
        if (value == NULL)
            return true;
    }
    more =
        reallocarray(options->environment, (size_t)options->environment_count + 1, sizeof(*more));
    int length =
        value == NULL ? asprintf(&variable, "%s", text) : asprintf(&variable, "%s=%s", text, value);
    if (more == NULL || length < 0)
        return fail(failure, "there is no memory for the command line");
    options->environment = more;
    options->environment[options->environment_count++] = variable;
    return true;
}

static bool directory_read(struct options *options, const char *text, struct failure *failure) {
    if (text[0] != '/')
        return fail(failure,
                    "--cwd takes a folder of the machine, beginning with a slash, not "
                    "\"%s\"",
                    text);
    options->directory = text;
    return true;
}

static bool name_read(const char **name, const char *option, const char *text,
                      struct failure *failure) {
    if (text[0] == '\0')
        return fail(failure, "%s takes the name of a file, which is empty", option);
    *name = text;
    return true;
}

/* ---- The line -------------------------------------------------------------------------------- */

static bool option_read(struct options *options, int option, const char *text,
                        struct failure *failure) {
    switch (option) {
    case OPTION_NATIVE: options->is_native = true; return true;
    case OPTION_CPUS: return cpus_read(options, text, failure);
    case OPTION_MEMORY: return memory_read(options, text, failure);
    case OPTION_SEED: return seed_read(options, text, failure);
    case OPTION_FILE: return files_read(options, text, failure);
    case OPTION_GET: return get_read(options, text, failure);
    case OPTION_ENV: return environment_read(options, text, failure);
    case OPTION_CWD: return directory_read(options, text, failure);
    case OPTION_TIMEOUT: return timeout_read(options, text, failure);
    case OPTION_STATUS: return name_read(&options->status, "--status", text, failure);
    case OPTION_TRACE: return name_read(&options->trace, "--trace", text, failure);
    case OPTION_QUIET: options->is_quiet = true; return true;
    case OPTION_VERBOSE: options->is_verbose = true; return true;
    case OPTION_HELP: options->wants_help = true; return true;
    case OPTION_KERNEL: return name_read(&options->kernel, "--kernel", text, failure);
    case OPTION_ROOT: return name_read(&options->root, "--root", text, failure);
    case OPTION_IMAGE: return name_read(&options->image, "--image", text, failure);
    case OPTION_CRASHES: return name_read(&options->crashes, "--crashes", text, failure);
    default: return lock_read(options, text, failure);
    }
}

/* What getopt does not like. */
static bool unknown(int option, char **argv, struct failure *failure) {
    const char *text = argv[optind - 1];
    if (option == ':')
        return fail(failure, "%s needs something behind it; try --help", text);
    return fail(failure, "%s is no option, or takes no value; try --help", text);
}

static bool whole_check(const struct options *options, struct failure *failure) {
    if (options->is_quiet && options->is_verbose)
        return fail(failure, "--quiet and --verbose contradict each other");
    if (options->has_seed && options->cpu_count != 1)
        return fail(failure, "--seed needs --cpus 1: only one CPU repeats exactly");
    if (options->argument_count != 0 && options->arguments[0][0] == '\0')
        return fail(failure, "PROGRAM is empty");
    if (options->is_native)
        return fail(failure, "--native: the native machine is not built yet; leave it out");
    if (options->kernel == NULL || options->root == NULL || options->image == NULL)
        return fail(failure,
                    "what to boot is missing (--kernel, --root, --image): use scripts/run");
    return true;
}

bool options_read(struct options *options, int argc, char **argv, struct failure *failure) {
    bool is_right = true;
    int option;
    *options = (struct options){
        .cpu_count = 1, .memory_bytes = UINT64_C(256) << 20, .directory = "", .lock = -1};
    opterr = 0;
    /* Goes on after an error, to learn of --status and --lock; the first is told. */
    while ((option = getopt_long(argc, argv, "+:", names, NULL)) != -1) {
        struct failure here = {0};
        bool is_fine = option == '?' || option == ':' ? unknown(option, argv, &here)
                                                      : option_read(options, option, optarg, &here);
        if (!is_fine && is_right)
            *failure = here;
        is_right = is_right && is_fine;
    }
    if (options->wants_help)
        return true;
    if (is_right && optind < argc && strcmp(argv[optind - 1], "--") != 0)
        is_right = fail(failure, "what is %s? PROGRAM comes behind --", argv[optind]);
    options->arguments = (const char *const *)argv + optind;
    options->argument_count = (uint32_t)(argc - optind);
    return is_right && whole_check(options, failure);
}
