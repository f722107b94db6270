/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "tell.h"
#include "terminal.h"

/* How core says that the root task's image is not right; it does not know the file. */
#define ROOT_DAMAGED "root task: damaged image"

enum phase {
    PHASE_RUNNING,
    PHASE_STOPPING, /* the machine was asked to end */
    PHASE_DONE,     /* it has nothing more to say */
    PHASE_KILLED,
};

struct session {
    const struct options *options;
    struct machine *machine;
    struct get *get;
    struct ending *ending;
    enum phase phase;
    bool is_ready;        /* init runs */
    bool is_done;         /* all that was to come has come */
    bool is_reported;     /* what the threads wait for was shown */
    bool is_refused;      /* the host does not let it begin */
    bool has_failed;      /* the reason is known */
    bool has_keys;        /* the terminal still is one */
    uint64_t deadline_ns; /* of the phase */
    char out[256];        /* messages on their way */
    size_t out_count;
    char in[RUN_MESSAGE_MAX];
    size_t in_count;
};

enum source {
    SOURCE_SIGNALS,
    SOURCE_CONTROL,
    SOURCE_LOG,
    SOURCE_COMPLAINTS,
    SOURCE_TERMINAL,
    SOURCE_KEYS,
    SOURCES,
};

static int signals = -1;

/* ---- Failure --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void session_fail(struct session *session,
                                                               const char *pattern, ...) {
    va_list arguments;
    if (session->has_failed)
        return;
    session->has_failed = true;
    va_start(arguments, pattern);
    vsnprintf(session->ending->reason, sizeof(session->ending->reason), pattern, arguments);
    va_end(arguments);
}

static void session_kill(struct session *session) {
    machine_kill(session->machine);
    session->phase = PHASE_KILLED;
    session->deadline_ns = CLOCK_NEVER;
}

/* ---- To the machine -------------------------------------------------------------------------- */

/* What does not fit is not sent: the machine has not read what came before. */
static void message_send(struct session *session, uint32_t kind, uint64_t first, uint64_t second) {
    char bytes[RUN_MESSAGE_MAX];
    struct run_message message = {.kind = kind, .words = {first, second}};
    size_t size = run_message_write(&message, bytes);
    if (size > sizeof(session->out) - session->out_count)
        return;
    memcpy(session->out + session->out_count, bytes, size);
    session->out_count += size;
}

static void messages_flush(struct session *session) {
    ssize_t count = send(session->machine->control, session->out, session->out_count,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        count = (ssize_t)session->out_count; /* it is gone, which is noticed elsewhere */
    if (count > 0) {
        session->out_count -= (size_t)count;
        memmove(session->out, session->out + count, session->out_count);
    }
}

/* The first time it is asked to end; the second time, or with nothing more to come, it is ended. */
static void session_stop(struct session *session, enum ax_run_reason reason, int signal) {
    if (session->is_done) {
        session_kill(session);
        return;
    }
    if (session->ending->outcome == OUTCOME_PROGRAM) {
        session->ending->outcome =
            reason == AX_RUN_STOP_TIMEOUT ? OUTCOME_TIMEOUT : OUTCOME_INTERRUPTED;
        session->ending->interrupt = signal;
    }
    if (session->phase != PHASE_RUNNING) {
        session_kill(session);
        return;
    }
    message_send(session, AX_RUN_STOP, reason, 0);
    session->phase = PHASE_STOPPING;
    session->deadline_ns = clock_now() + SESSION_PATIENCE_NS;
}

static void size_send(struct session *session) {
    uint32_t columns, rows;
    terminal_size(&columns, &rows);
    if (!session->options->has_seed && (columns != 0 || rows != 0))
        message_send(session, AX_RUN_RESIZE, columns, rows);
}

/* ---- From the machine ------------------------------------------------------------------------ */

static void ended_take(struct session *session, const struct run_message *message) {
    struct ending *ending = session->ending;
    ending->how = (uint32_t)message->words[0];
    ending->value = (uint32_t)message->words[1];
    if (!session->has_failed)
        snprintf(ending->reason, sizeof(ending->reason), "%.*s", (int)message->text_length,
                 message->text);
}

static void note_take(const struct session *session, const struct run_message *message) {
    if (session->options->is_verbose)
        tell("%.*s", (int)message->text_length, message->text);
}

static bool message_take(struct session *session, const struct run_message *message) {
    struct failure failure = {0};
    /* As long as something comes it is at work. */
    if (session->phase == PHASE_STOPPING)
        session->deadline_ns = clock_now() + SESSION_PATIENCE_NS;
    switch (message->kind) {
    case AX_RUN_READY: session->is_ready = true; break;
    case AX_RUN_NOTE: note_take(session, message); break;
    case AX_RUN_TERMINAL:
        if (message->words[0] == AX_RUN_TERMINAL_LINES && !terminal_take_lines(&failure))
            tell("%s", failure.text);
        message_send(session, AX_RUN_TERMINAL_READY, 0, 0);
        break;
    case AX_RUN_REPORT:
        session->is_reported = true;
        tell_text(message->text, message->text_length);
        break;
    case AX_RUN_ENDED: ended_take(session, message); break;
    case AX_RUN_GET_ENTRY:
    case AX_RUN_GET_DATA:
    case AX_RUN_GET_END:
        if (!get_take(session->get, message, &failure)) {
            session_fail(session, "%s", failure.text);
            return false;
        }
        break;
    case AX_RUN_DONE:
        session->is_done = true;
        session->phase = PHASE_DONE;
        session->deadline_ns = clock_now() + SESSION_PATIENCE_NS;
        break;
    default: break;
    }
    return true;
}

/* False: nothing that comes can be understood any more. */
static bool messages_take(struct session *session) {
    size_t at = 0, taken;
    struct run_message message;
    enum run_error error;
    while ((error = run_message_read(session->in + at, session->in_count - at, RUN_FROM_INSIDE,
                                     &message, &taken)) == RUN_OK) {
        if (session->is_done) {
            session->is_done = false;
            session_fail(session, "the machine went on after it had said that all was done");
            return false;
        }
        if (!message_take(session, &message))
            return false;
        at += taken;
    }
    if (error != RUN_MORE) {
        session_fail(session, "the machine sent a message that %s", run_error_text(error));
        return false;
    }
    session->in_count -= at;
    memmove(session->in, session->in + at, session->in_count);
    return true;
}

/* Whether there may be more. */
static bool control_read(struct session *session) {
    if (session->machine->control < 0)
        return false;
    ssize_t count = recv(session->machine->control, session->in + session->in_count,
                         sizeof(session->in) - session->in_count, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (count > 0)
        session->in_count += (size_t)count;
    if (count > 0 && messages_take(session))
        return true;
    close(session->machine->control);
    session->machine->control = -1;
    if (count > 0)
        session_kill(session);
    return false;
}

/* Some of what the kernel process says. Whether there may be more. */
static bool voice_read(int *fd, void (*put)(const char *, size_t)) {
    char bytes[4096];
    if (*fd < 0)
        return false;
    ssize_t count = read(*fd, bytes, sizeof(bytes));
    if (count > 0)
        put(bytes, (size_t)count);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        close(*fd);
        *fd = -1;
    }
    return count > 0;
}

/* ---- The terminal ---------------------------------------------------------------------------- */

static void keys_pass(const struct session *session) {
    size_t count;
    const char *keys = terminal_pending(&count);
    if (session->machine->keys < 0)
        return;
    ssize_t gone =
        count == 0 ? 0 : send(session->machine->keys, keys, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (gone > 0)
        terminal_passed((size_t)gone);
    bool is_gone = gone < 0 && errno != EAGAIN && errno != EINTR;
    if (is_gone)
        terminal_passed(count);
    if (is_gone || (!session->has_keys && (size_t)gone == count)) {
        close(session->machine->keys);
        session->machine->keys = -1;
    }
}

static void terminal_read(struct session *session) {
    char keys[4096];
    ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
    if (count > 0 && terminal_feed(keys, (size_t)count) == TERMINAL_QUIT)
        session_stop(session, AX_RUN_STOP_INTERRUPT, SIGINT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
        session->has_keys = false; /* hung up */
    keys_pass(session);
}

/* All pauses, until it is told to go on. */
static void session_pause(struct session *session) {
    struct failure failure = {0};
    terminal_leave();
    machine_freeze(session->machine);
    raise(SIGSTOP);
    machine_thaw(session->machine);
    if (!terminal_enter(&failure))
        tell("%s", failure.text);
    size_send(session);
}

/* ---- Signals --------------------------------------------------------------------------------- */

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

bool session_prepare(struct failure *failure) {
    struct sigaction action;
    sigset_t set;
    sigemptyset(&set);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGCONT);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGTSTP);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        /* What is ignored here (nohup) stays so. */
        if (sigaction(endings[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL)
            sigaddset(&set, endings[i]);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals >= 0 || fail(failure, "signals cannot be watched: %s", strerror(errno));
}

static void signal_take(struct session *session) {
    struct signalfd_siginfo info;
    struct failure failure = {0};
    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    switch (info.ssi_signo) {
    case SIGCHLD: break; /* looked for in each round */
    case SIGWINCH: size_send(session); break;
    case SIGTSTP: session_pause(session); break;
    case SIGCONT:
        if (!terminal_resume(&failure))
            tell("%s", failure.text);
        size_send(session);
        break;
    default: session_stop(session, AX_RUN_STOP_INTERRUPT, (int)info.ssi_signo);
    }
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void deadline_check(struct session *session) {
    if (session->deadline_ns == CLOCK_NEVER || clock_now() < session->deadline_ns)
        return;
    if (session->phase == PHASE_RUNNING) {
        session_stop(session, AX_RUN_STOP_TIMEOUT, 0);
        return;
    }
    if (session->phase == PHASE_STOPPING)
        session_fail(session, "the machine did not end within %llu s of being asked to",
                     (unsigned long long)(SESSION_PATIENCE_NS / 1000000000U));
    session->ending->was_writing = session->is_done;
    session_kill(session);
}

/* A machine whose first processes cannot be made would try for ever. */
static void refusal_check(struct session *session) {
    const char *refusal = session->is_ready ? NULL : log_refusal();
    if (refusal == NULL || session->phase == PHASE_KILLED)
        return;
    session_fail(session, "%s", refusal);
    session->is_refused = true;
    session_kill(session);
}

static struct pollfd poll_of(int fd, bool reads, bool writes) {
    short events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    return (struct pollfd){.fd = events == 0 ? -1 : fd, .events = events};
}

static void session_wait(const struct session *session, struct pollfd polls[SOURCES]) {
    size_t keys;
    terminal_pending(&keys);
    polls[SOURCE_SIGNALS] = poll_of(signals, true, false);
    polls[SOURCE_CONTROL] = poll_of(session->machine->control, true, session->out_count != 0);
    polls[SOURCE_LOG] = poll_of(session->machine->log, true, false);
    polls[SOURCE_COMPLAINTS] = poll_of(session->machine->complaints, true, false);
    polls[SOURCE_TERMINAL] = poll_of(STDIN_FILENO, session->has_keys, false);
    polls[SOURCE_KEYS] = poll_of(session->machine->keys, false, keys != 0);
    if (poll(polls, SOURCES, clock_wait_ms(session->deadline_ns)) < 0)
        memset(polls, 0, SOURCES * sizeof(polls[0]));
}

static void session_round(struct session *session) {
    struct pollfd polls[SOURCES];
    session_wait(session, polls);
    if (polls[SOURCE_SIGNALS].revents != 0)
        signal_take(session);
    if (polls[SOURCE_LOG].revents != 0)
        voice_read(&session->machine->log, log_put);
    if (polls[SOURCE_COMPLAINTS].revents != 0)
        voice_read(&session->machine->complaints, log_complain);
    if (polls[SOURCE_CONTROL].revents != 0)
        control_read(session);
    if (polls[SOURCE_TERMINAL].revents != 0)
        terminal_read(session);
    if (polls[SOURCE_KEYS].revents != 0)
        keys_pass(session);
    if (session->out_count != 0 && session->machine->control >= 0)
        messages_flush(session);
    refusal_check(session);
    deadline_check(session);
}

/* PROGRAM was ended because the host has no room for it. */
static void program_refused(struct session *session) {
    struct ending *ending = session->ending;
    bool is_killed = ending->how == AX_RUN_END_SIGNAL && ending->value == SIGKILL;
    const char *refusal = is_killed && ending->outcome == OUTCOME_PROGRAM ? log_refusal() : NULL;
    if (refusal == NULL)
        return;
    session_fail(session, "%s", refusal);
    ending->outcome = OUTCOME_FAILED;
}

/* Why a machine that has ended without saying that all was done has done so. */
static void failure_find(struct session *session) {
    int status = session->machine->wait_status;
    const char *reason = WIFEXITED(status) ? log_reason() : NULL;
    if (session->phase == PHASE_KILLED)
        return;
    if (reason != NULL && strncmp(reason, ROOT_DAMAGED, sizeof(ROOT_DAMAGED) - 1) == 0)
        session_fail(session, "%s cannot be booted: %s: build it again", session->options->root,
                     reason);
    else if (reason != NULL)
        session_fail(session, "%s", reason);
    else if (WIFSIGNALED(status))
        session_fail(session, "the machine failed: its kernel process was ended by signal %d (%s)",
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        session_fail(session, "the machine ended without a word, with status %d",
                     WEXITSTATUS(status));
}

static void session_conclude(struct session *session) {
    struct ending *ending = session->ending;
    int status = session->machine->wait_status;
    bool is_whole = session->is_done && ending->how != 0;
    if (session->is_done && ending->how == 0)
        session_fail(session, "the machine did not say how PROGRAM ended");
    if (is_whole)
        program_refused(session);
    else
        failure_find(session);
    if (!is_whole && ending->outcome == OUTCOME_PROGRAM)
        ending->outcome = OUTCOME_FAILED;
    bool is_mute = ending->outcome == OUTCOME_TIMEOUT && !session->is_reported;
    if (is_mute)
        tell("the machine does not answer, so there is no report of its threads");
    if (is_mute || (session->has_failed && !session->is_refused &&
                    (session->phase == PHASE_KILLED || WIFSIGNALED(status))))
        log_tell_last();
    log_end();
}

void session_run(const struct options *options, struct machine *machine, struct get *get,
                 struct ending *ending) {
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        machine_kill(machine);
        snprintf(ending->reason, sizeof(ending->reason), "there is no memory");
        ending->outcome = OUTCOME_FAILED;
        return;
    }
    *session = (struct session){.options = options,
                                .machine = machine,
                                .get = get,
                                .ending = ending,
                                .has_keys = machine->keys >= 0,
                                .deadline_ns = CLOCK_NEVER};
    log_begin(options->is_verbose);
    if (options->timeout_ns != 0)
        session->deadline_ns = clock_now() + options->timeout_ns;
    while (!machine_has_ended(machine))
        session_round(session);
    while (voice_read(&machine->log, log_put) || voice_read(&machine->complaints, log_complain))
        continue;
    while (control_read(session))
        continue;
    session_conclude(session);
    free(session);
}
