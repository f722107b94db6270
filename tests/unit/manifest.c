/* SPDX-License-Identifier: MIT */
#include <manifest/manifest.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/object.h>

static struct manifest manifest;
static struct manifest_error error;
static char *copy;

/* The text in memory of just its size, for a sanitizer to see a read beyond it. */
static bool read_text(const char *text) {
    size_t length = strlen(text);
    free(copy);
    copy = malloc(length + (length == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, length);
    return manifest_read(copy, length, &manifest, &error);
}

static void text_drop(void) {
    free(copy);
    copy = NULL;
}

static void accepted(const char *text) {
    if (!read_text(text))
        ck_abort_msg("line %u: %s", error.line, error.text);
}

static void refused(const char *text, unsigned line, const char *says) {
    if (read_text(text))
        ck_abort_msg("was accepted: %s", text);
    if (error.line != line || strstr(error.text, says) == NULL)
        ck_abort_msg("\"line %u: %s\" instead of \"line %u: %s\" of: %s", error.line, error.text,
                     line, says, text);
}

/* What every server must have, in one line each. */
#define NEEDED "program = /bin/x\npriority = 10\nmemory = 1M\nobjects = 10\n"

/* One line in an otherwise good server: line 6. */
static void line_refused(const char *line, const char *says) {
    char text[1000];
    snprintf(text, sizeof(text), "[server a]\n" NEEDED "%s\n", line);
    refused(text, 6, says);
}

static const struct manifest_server *line_accepted(const char *line) {
    char text[1000];
    snprintf(text, sizeof(text), "[server a]\n" NEEDED "%s\n[server b]\n" NEEDED "\n", line);
    accepted(text);
    return &manifest.servers[0];
}

/* The line takes the place of one that every server needs. */
static void needed_refused(const char *key, const char *line, const char *says) {
    static const char *const lines[] = {"program = /bin/x", "priority = 10", "memory = 1M",
                                        "objects = 10"};
    char text[1000] = "[server a]\n";
    unsigned number = 0;
    for (unsigned i = 0; i < 4; i++) {
        bool is_it = strncmp(lines[i], key, strlen(key)) == 0;
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s\n", is_it ? line : lines[i]);
        number = is_it ? i + 2 : number;
    }
    refused(text, number, says);
}

static void text_equals(struct manifest_text text, const char *wanted) {
    ck_assert_uint_eq(text.length, strlen(wanted));
    ck_assert_mem_eq(text.start, wanted, text.length);
}

/* ---- What is accepted ------------------------------------------------------------------------ */

static const char example[] = "# A small system\n"
                              "\n"
                              "[server console]\n"
                              "program  = /bin/console --rate \"115 200\" \"\" # the serial line\n"
                              "priority=45\n"
                              "\tmemory = 2M\n"
                              "objects  = 0xc8\n"
                              "log = yes\n"
                              "system = read set-label\n"
                              "device = uart ports 0x3f8-0x3ff\n"
                              "device = line irq 4\n"
                              "device = screen memory 0xb8000-0xbffff\n"
                              "calls = pipe:7 counter\n"
                              "stash = 64K\n"
                              "restart = 10\n"
                              "backoff = 5ms 1min\n"
                              "heartbeat = 2s\n"
                              "[server pipe] # behind a section too\n"
                              "program = /bin/pipe\npriority = 0\nmemory = 1G\nobjects = 1\n"
                              "endpoint = own\nrestart = never\n"
                              "[init]\n"
                              "program = /bin/init\npriority = 62\ncalls = console\n"
                              "[server counter]\n" NEEDED "calls = pipe";

START_TEST(every_key_is_understood) {
    accepted(example);
    ck_assert_uint_eq(manifest.server_count, 3);
    const struct manifest_server *console = &manifest.servers[0];
    text_equals(console->name, "console");
    ck_assert_uint_eq(console->line, 3);
    ck_assert_uint_eq(console->argument_count, 4);
    text_equals(console->arguments[0], "/bin/console");
    text_equals(console->arguments[1], "--rate");
    text_equals(console->arguments[2], "115 200");
    text_equals(console->arguments[3], "");
    ck_assert_uint_eq(console->priority, 45);
    ck_assert_uint_eq(console->memory_bytes, 2 << 20);
    ck_assert_uint_eq(console->object_count, 200);
    ck_assert(console->has_log && console->is_kept);
    ck_assert_uint_eq(console->system_rights, AX_RIGHT_READ | AX_RIGHT_SET_LABEL);
    ck_assert_uint_eq(console->stash_bytes, 64 << 10);
    ck_assert_int_eq(console->restart, MANIFEST_RESTART_LIMITED);
    ck_assert_uint_eq(console->restart_limit, 10);
    ck_assert_uint_eq(console->backoff_ns, 5000000);
    ck_assert_uint_eq(console->backoff_max_ns, UINT64_C(60000000000));
    ck_assert_uint_eq(console->heartbeat_ns, UINT64_C(2000000000));
}
END_TEST

START_TEST(devices_and_calls_are_understood) {
    accepted(example);
    const struct manifest_server *console = &manifest.servers[0];
    ck_assert_uint_eq(console->device_count, 3);
    text_equals(console->devices[0].name, "uart");
    ck_assert_int_eq(console->devices[0].kind, MANIFEST_DEVICE_PORTS);
    ck_assert_uint_eq(console->devices[0].first, 0x3f8);
    ck_assert_uint_eq(console->devices[0].last, 0x3ff);
    ck_assert_int_eq(console->devices[1].kind, MANIFEST_DEVICE_IRQS);
    ck_assert_uint_eq(console->devices[1].first, 4);
    ck_assert_uint_eq(console->devices[1].last, 4);
    ck_assert_int_eq(console->devices[2].kind, MANIFEST_DEVICE_MEMORY);
    ck_assert_uint_eq(console->devices[2].last, 0xbffff);
    ck_assert_uint_eq(console->call_count, 2);
    text_equals(console->calls[0].name, "pipe");
    ck_assert_uint_eq(console->calls[0].server, 1);
    ck_assert_uint_eq(console->calls[0].role, 7);
    ck_assert_uint_eq(console->calls[1].server, 2);
    ck_assert_uint_eq(console->calls[1].role, 1);
}
END_TEST

START_TEST(what_is_not_said_has_a_default) {
    accepted(example);
    const struct manifest_server *counter = manifest_find(&manifest, "counter", 7);
    ck_assert_ptr_eq(counter, &manifest.servers[2]);
    ck_assert(!counter->has_log && counter->is_kept);
    ck_assert_uint_eq(counter->system_rights, 0);
    ck_assert_uint_eq(counter->device_count, 0);
    ck_assert_uint_eq(counter->stash_bytes, 0);
    ck_assert_int_eq(counter->restart, MANIFEST_RESTART_ALWAYS);
    ck_assert_uint_eq(counter->backoff_ns, 10000000);
    ck_assert_uint_eq(counter->backoff_max_ns, 1000000000);
    ck_assert_uint_eq(counter->heartbeat_ns, 0);
    const struct manifest_server *pipe = &manifest.servers[1];
    ck_assert(!pipe->is_kept);
    ck_assert_int_eq(pipe->restart, MANIFEST_RESTART_NEVER);
    ck_assert_ptr_null(manifest_find(&manifest, "count", 5));
    ck_assert_ptr_null(manifest_find(&manifest, "init", 4));
}
END_TEST

START_TEST(init_gets_what_is_left) {
    accepted(example);
    ck_assert(manifest.has_init);
    text_equals(manifest.init.arguments[0], "/bin/init");
    ck_assert_uint_eq(manifest.init.priority, 62);
    ck_assert_uint_eq(manifest.init.memory_bytes, 0);
    ck_assert_uint_eq(manifest.init.object_count, 0);
    ck_assert_uint_eq(manifest.init.call_count, 1);
    ck_assert_uint_eq(manifest.init.calls[0].server, 0);
    accepted("[init]\n" NEEDED);
    ck_assert_uint_eq(manifest.init.memory_bytes, 1 << 20);
    ck_assert_uint_eq(manifest.server_count, 0);
    accepted("[server a]\n" NEEDED);
    ck_assert(!manifest.has_init);
}
END_TEST

START_TEST(whoever_is_called_comes_first_in_the_order) {
    accepted(example);
    ck_assert_uint_eq(manifest.order[0], 1); /* pipe, counter, console */
    ck_assert_uint_eq(manifest.order[1], 2);
    ck_assert_uint_eq(manifest.order[2], 0);
}
END_TEST

START_TEST(limits_can_be_reached) {
    line_accepted("heartbeat = 500us");
    line_accepted("restart = 1000000");
    line_accepted("calls = b:255");
    line_accepted("calls = stdin=b:1 stdout=b:2 other=b:3 b:4");
    line_accepted("device = d ports 0-0xffff");
    line_accepted("device = d memory 0-0xfff");
    line_accepted("device = d irq 65535");
    line_accepted("device = n12345678901234567890-- irq 1");
    line_accepted("device = a irq 1\ndevice = c irq 2-3\ndevice = d ports 1-3");
    const struct manifest_server *server = line_accepted("backoff = 1s 1s");
    ck_assert_uint_eq(server->backoff_max_ns, 1000000000);
}
END_TEST

static size_t many_servers(char *text, size_t size, unsigned count) {
    size_t length = 0;
    for (unsigned i = 0; i < count; i++) {
        length += (size_t)snprintf(text + length, size - length, "[server s%u]\n" NEEDED, i);
        if (i + 1 < count)
            length += (size_t)snprintf(text + length, size - length, "calls = s%u\n", i + 1);
    }
    return length;
}

START_TEST(as_many_servers_as_there_may_be) {
    static char text[MANIFEST_SERVERS_MAX * 120];
    many_servers(text, sizeof(text), MANIFEST_SERVERS_MAX);
    accepted(text);
    for (unsigned i = 0; i < MANIFEST_SERVERS_MAX; i++)
        ck_assert_uint_eq(manifest.order[i], MANIFEST_SERVERS_MAX - 1 - i);
    many_servers(text, sizeof(text), MANIFEST_SERVERS_MAX + 1);
    refused(text, 6 * MANIFEST_SERVERS_MAX + 1, "more than 32 servers");
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------- */

START_TEST(text_is_checked) {
    refused("", 0, "describes no server");
    refused("# nothing\n\n", 0, "describes no server");
    refused("program = /bin/x\n", 1, "a key before the first section");
    refused("hello\n", 1, "neither \"key = value\" nor [server NAME]");
    refused("[server a]\nprogram = /bin/\x01x\n", 2, "does not belong in a text (0x01)");
    refused("[server a]\r\n", 1, "does not belong in a text (0x0d)");
    ck_assert(!manifest_read("[init]\0", 7, &manifest, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "(0x00)"));
    char *large = calloc(1, (1 << 20) + 1);
    ck_assert_ptr_nonnull(large);
    memset(large, '\n', (1 << 20) + 1);
    ck_assert(!manifest_read(large, (1 << 20) + 1, &manifest, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "larger than 1 MiB"));
    free(large);
}
END_TEST

START_TEST(sections_are_checked) {
    static const char *const lines[] = {
        "[]",         "[server]",   "[server a b]",   "[server a",      "[server a] b",
        "[client a]", "[init now]", "[\"server a\"]", "[server a # b]", "[server \"a]",
        "[",          "[[init]]"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        refused(lines[i], 1, "a section begins with a line [server NAME] or [init]");
    refused("[server A]", 1, "\"A\" cannot be a server's name");
    refused("[server 1a]", 1, "\"1a\" cannot be a server's name");
    refused("[server a_b]", 1, "\"a_b\" cannot be a server's name");
    refused("[server \"\"]", 1, "\"\" cannot be a server's name");
    refused("[server a12345678901234567890123]", 1, "cannot be a server's name");
    refused("[server log]", 1, "\"log\" cannot be a server's name: it means something else");
    refused("[server supervisor]", 1, "it means something else");
    refused("[server a]\n" NEEDED "[server a]\n", 6,
            "a second server \"a\"; the first is in line 1");
    refused("[init]\n" NEEDED "[init]\n", 6, "a second section [init]; the first is in line 1");
}
END_TEST

START_TEST(keys_are_checked) {
    line_refused("prioriti = 3", "unknown key \"prioriti\"");
    line_refused("= 3", "unknown key \"\"");
    line_refused("Log = yes", "unknown key \"Log\"");
    line_refused("priority = 3", "a second \"priority\" in one section");
    refused("[server a]\n" NEEDED "log = yes\nlog = yes\n", 7, "a second \"log\"");
}
END_TEST

START_TEST(what_is_needed_must_be_there) {
    refused("\n[server a]\npriority = 1\nmemory = 1M\nobjects = 1\n[server b]\n", 2,
            "\"a\" has no \"program\"");
    refused("[server a]\nprogram = /x\nmemory = 1M\nobjects = 1", 1, "\"a\" has no \"priority\"");
    refused("[server a]\nprogram = /x\npriority = 1\nobjects = 1", 1, "\"a\" has no \"memory\"");
    refused("[server a]\nprogram = /x\npriority = 1\nmemory = 1M", 1, "\"a\" has no \"objects\"");
    refused("[init]\npriority = 1", 1, "\"init\" has no \"program\"");
    refused("[init]\nprogram = /x", 1, "\"init\" has no \"priority\"");
}
END_TEST

START_TEST(init_is_no_server) {
    static const char *const keys[] = {"device",  "endpoint", "stash",
                                       "restart", "backoff",  "heartbeat"};
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[200], says[100];
        snprintf(text, sizeof(text), "[init]\n" NEEDED "%s = 1\n", keys[i]);
        snprintf(says, sizeof(says), "init cannot have \"%s\"", keys[i]);
        refused(text, 6, says);
    }
    line_refused("calls = init", "\"init\" cannot be a server's name");
}
END_TEST

START_TEST(programs_are_checked) {
    needed_refused("program", "program =", "nothing stands behind the =");
    needed_refused("program", "program = # none", "nothing stands behind the =");
    needed_refused("program", "program = bin/x", "\"bin/x\" is not the whole path");
    needed_refused("program", "program = /", "is not the whole path");
    needed_refused("program", "program = /bin/", "is not the whole path");
    needed_refused("program", "program = /x \"a", "a quote (\") that does not end");
    needed_refused("program", "program = /x \"a\"b", "or is within a word");
    needed_refused("program", "program = /x a\"b\"", "or is within a word");
    needed_refused("program", "program = /x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
                   "more than 16 words");
}
END_TEST

START_TEST(numbers_are_checked) {
    needed_refused("priority", "priority = 63", "\"63\" is not a number from 0 to 62");
    needed_refused("priority", "priority = -1", "\"-1\" is not a number");
    needed_refused("priority", "priority = high", "\"high\" is not a number");
    needed_refused("priority", "priority = 1x", "\"1x\" is not a number");
    needed_refused("priority", "priority = 0x", "\"0x\" is not a number");
    needed_refused("priority", "priority = 1 2", "\"2\" is one word too many");
    needed_refused("priority", "priority =", "nothing stands behind the =");
    needed_refused("objects", "objects = 0", "\"0\" is not a number from 1 to 4294967295");
    needed_refused("objects", "objects = 4294967296", "is not a number from 1");
    needed_refused("objects", "objects = 18446744073709551617", "is not a number from 1");
    needed_refused("memory", "memory = 0", "\"0\" is not a size such as");
    needed_refused("memory", "memory = 1T", "\"1T\" is not a size");
    needed_refused("memory", "memory = 1m", "\"1m\" is not a size");
    needed_refused("memory", "memory = M", "\"M\" is not a size");
    needed_refused("memory", "memory = 17179869184G", "is not a size");
    needed_refused("memory", "memory = 4097", "\"4097\" is not a number of whole pages");
    line_refused("stash = 2K", "\"2K\" is not a number of whole pages");
    line_refused("stash = 0", "\"0\" is not a size");
}
END_TEST

START_TEST(choices_are_checked) {
    line_refused("log = maybe", "\"maybe\" is neither yes nor no");
    line_refused("system = all", "\"all\" is none of read, write, control, set-label");
    line_refused("system =", "nothing stands behind the =");
    line_refused("endpoint = lost", "\"lost\" is neither kept nor own");
    line_refused("restart = sometimes", "\"sometimes\" is neither always nor never nor a number");
    line_refused("restart = 0", "\"0\" is neither");
    line_refused("restart = 1000001", "\"1000001\" is neither");
    line_refused("heartbeat = 5", "\"5\" is not a time such as");
    line_refused("heartbeat = 0s", "\"0s\" is not a time");
    line_refused("heartbeat = 1h", "\"1h\" is not a time");
    line_refused("heartbeat = 9223372037s", "is not a time");
    line_refused("backoff = 1s", "nothing stands behind the =");
    line_refused("backoff =", "nothing stands behind the =");
    line_refused("backoff = 2s 1s", "\"2s\" is longer than \"1s\"");
    line_refused("backoff = 1s 2s 3s", "\"3s\" is one word too many");
}
END_TEST

START_TEST(devices_are_checked) {
    line_refused("device =", "a device is \"NAME memory FIRST-LAST\"");
    line_refused("device = d irq", "a device is");
    line_refused("device = d lamp 1", "a device is");
    line_refused("device = d irq 1 2", "a device is");
    line_refused("device = D irq 1", "\"D\" cannot be a device's name");
    line_refused("device = log irq 1", "\"log\" cannot be a device's name");
    line_refused("device = d irq 4-3", "\"4-3\" is not a range");
    line_refused("device = d irq 4-", "\"4-\" is not a range");
    line_refused("device = d irq -4", "\"-4\" is not a range");
    line_refused("device = d irq 1-2-3", "\"1-2-3\" is not a range");
    line_refused("device = d irq 65536", "interrupt lines end at 65535");
    line_refused("device = d ports 0-0x10000", "ports end at 0xffff");
    line_refused("device = d memory 0x1001-0x1fff", "are not whole pages");
    line_refused("device = d memory 0x1000-0x2000", "are not whole pages");
    line_refused("device = d memory 0-0xffffffffffffffff", "are not whole pages");
    line_refused("device = d memory 0x1000", "are not whole pages");
    refused("[server a]\n" NEEDED "device = d irq 1\ndevice = d irq 2\n", 7,
            "two handles of the name \"d\"");
    refused("[server a]\n" NEEDED "calls = b\ndevice = b irq 2\n", 7,
            "two handles of the name \"b\"");
    refused("[server a]\n" NEEDED "device = b irq 2\ncalls = b\n", 7,
            "two handles of the name \"b\"");
    refused("[server a]\n" NEEDED "device = a irq 1\ndevice = b irq 2\ndevice = c irq 3\n"
            "device = d irq 4\ndevice = e irq 5\ndevice = f irq 6\ndevice = g irq 7\n"
            "device = h irq 8\ndevice = i irq 9\n",
            14, "more than 8 devices");
}
END_TEST

START_TEST(device_is_given_once) {
    refused("[server a]\n" NEEDED "device = x ports 0-9\n[server b]\n" NEEDED
            "device = y ports 9-12\n",
            7, "\"x\" of \"a\" and \"y\" of \"b\" are the same device");
    refused("[server a]\n" NEEDED "device = x irq 3\ndevice = y irq 1-5\n", 1,
            "\"x\" of \"a\" and \"y\" of \"a\" are the same device");
    accepted("[server a]\n" NEEDED "device = x ports 0-9\ndevice = y irq 0-9\n[server b]\n" NEEDED
             "device = x ports 10-12\n");
}
END_TEST

START_TEST(calls_are_checked) {
    line_refused("calls =", "nothing stands behind the =");
    line_refused("calls = nobody", "no section describes the server \"nobody\"");
    line_refused("calls = B", "\"B\" cannot be a server's name");
    line_refused("calls = b b", "two handles of the name \"b\"");
    line_refused("calls = x=b x=b:2", "two handles of the name \"x\"");
    line_refused("calls = b x=b", "\"b\" is to be called twice with the role 1");
    line_refused("calls = log=b", "\"log\" cannot be a handle's name");
    line_refused("calls = =b", "\"\" cannot be a handle's name");
    line_refused("calls = x=", "\"\" cannot be a server's name");
    line_refused("calls = x=y=b", "\"y=b\" cannot be a server's name");
    line_refused("calls = b:0", "\"b:0\": a role is a number from 1 to 255");
    line_refused("calls = b:256", "\"b:256\": a role is");
    line_refused("calls = b:", "\"b:\": a role is");
    line_refused("calls = b:1:2", "\"b:1:2\": a role is");
    line_refused("calls = \"b", "a quote");
    line_refused("calls = a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7 b8",
                 "more than 16 servers to call");
    refused("[init]\n" NEEDED "calls = nobody\n", 6, "no section describes the server \"nobody\"");
}
END_TEST

START_TEST(circles_are_named) {
    refused("[server a]\n" NEEDED "calls = a\n", 6, "would call each other in a circle: a -> a");
    refused("[server console]\n" NEEDED "calls = pipe\n[server pipe]\n" NEEDED "calls = console\n",
            6, "in a circle: console -> pipe -> console");
    /* Who only leads there is not part of it; nor is who is called from it. */
    refused("[server top]\n" NEEDED "calls = x\n[server low]\n" NEEDED "[server x]\n" NEEDED
            "calls = low y\n[server y]\n" NEEDED "calls = z\n[server z]\n" NEEDED "calls = x\n",
            17, "in a circle: x -> y -> z -> x");
}
END_TEST

START_TEST(largest_circle_is_named_in_full) {
    static char text[MANIFEST_SERVERS_MAX * 120];
    size_t length = many_servers(text, sizeof(text), MANIFEST_SERVERS_MAX);
    snprintf(text + length, sizeof(text) - length, "calls = s0\n");
    refused(text, 6, "s0 -> s1 -> s2 -> s3 -> ");
    ck_assert_ptr_nonnull(strstr(error.text, "s30 -> s31 -> s0"));
}
END_TEST

START_TEST(long_words_are_cut_in_messages) {
    static char text[8000];
    snprintf(text, sizeof(text), "[server a]\n%04000d = 1\n", 0);
    refused(text, 2, "unknown key \"0000");
    ck_assert_uint_lt(strlen(error.text), 100);
}
END_TEST

int main(void) {
    TCase *good = tcase_create("accepted"), *bad = tcase_create("refused");
    tcase_add_checked_fixture(good, NULL, text_drop);
    tcase_add_checked_fixture(bad, NULL, text_drop);
    tcase_add_test(good, every_key_is_understood);
    tcase_add_test(good, devices_and_calls_are_understood);
    tcase_add_test(good, what_is_not_said_has_a_default);
    tcase_add_test(good, init_gets_what_is_left);
    tcase_add_test(good, whoever_is_called_comes_first_in_the_order);
    tcase_add_test(good, limits_can_be_reached);
    tcase_add_test(good, as_many_servers_as_there_may_be);
    tcase_add_test(bad, text_is_checked);
    tcase_add_test(bad, sections_are_checked);
    tcase_add_test(bad, keys_are_checked);
    tcase_add_test(bad, what_is_needed_must_be_there);
    tcase_add_test(bad, init_is_no_server);
    tcase_add_test(bad, programs_are_checked);
    tcase_add_test(bad, numbers_are_checked);
    tcase_add_test(bad, choices_are_checked);
    tcase_add_test(bad, devices_are_checked);
    tcase_add_test(bad, device_is_given_once);
    tcase_add_test(bad, calls_are_checked);
    tcase_add_test(bad, circles_are_named);
    tcase_add_test(bad, largest_circle_is_named_in_full);
    tcase_add_test(bad, long_words_are_cut_in_messages);

    Suite *suite = suite_create("manifest");
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
