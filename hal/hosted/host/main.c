/* SPDX-License-Identifier: MIT */
/* The kernel process's command line. scripts/run is what people use; it starts this. */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define CPU_MAX        64
#define MEMORY_MINIMUM (UINT64_C(8) << 20)
#define PAGE_BYTES     4096
#define IMAGES_MAX     8

/* Sanitizers make calls of their own, at any time. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_CONFINE false
#elif defined(__has_feature)
#define CAN_CONFINE (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define CAN_CONFINE true
#endif

static const char help[] =
    "Usage: axolotl-hosted --root FILE [OPTION...]\n"
    "\n"
    "Runs Axolotl as ordinary Linux processes. scripts/run starts this and is easier to use.\n"
    "\n"
    "  --root FILE     the root task's image\n"
    "  --image FILE    the system image that it is given; several are put behind each other\n"
    "                  (FILE can be fd:N, a descriptor, which is closed)\n"
    "  --cpus N        how many CPUs, 1 to 64 (1)\n"
    "  --memory SIZE   how much memory, with a suffix K, M or G (256M)\n"
    "  --port NAME=FD[:in|out|inout]\n"
    "                  a descriptor as port NAME of the console; up to 8 of them\n"
    "  --log FD        the descriptor that the kernel's log goes to (none)\n"
    "  --trace FD      the descriptor that a line for each event of the kernel goes to (none)\n"
    "  --command TEXT  the kernel's command line\n"
    "  --seed N        a run that can be repeated: the same seed, the same run; ports\n"
    "                  that are only read are files\n"
    "  --open          do not confine the kernel process (for debugging)\n"
    "  --help          this text\n";

static uint64_t number_parse(const char *text, const char **end) {
    errno = 0;
    char *rest;
    uint64_t value = strtoull(text, &rest, 10);
    if (errno != 0 || rest == text || *text == '-')
        host_fail("%s is not a number", text);
    *end = rest;
    return value;
}

static uint64_t size_parse(const char *text) {
    const char *end;
    uint64_t value = number_parse(text, &end);
    unsigned shift = 0;
    switch (*end) {
    case 'K': shift = 10; break;
    case 'M': shift = 20; break;
    case 'G': shift = 30; break;
    default: break;
    }
    if (end[shift != 0] != 0 || value > UINT64_MAX >> shift >> 16)
        host_fail("%s is not a size", text);
    return value << shift;
}

static uint32_t count_parse(const char *text, uint32_t most) {
    const char *end;
    uint64_t value = number_parse(text, &end);
    if (*end != 0 || value == 0 || value > most)
        host_fail("%s is not a number from 1 to %u", text, most);
    return (uint32_t)value;
}

static int descriptor_parse(const char *text) {
    const char *end;
    uint64_t value = number_parse(text, &end);
    if (*end != 0 || value > INT_MAX || fcntl((int)value, F_GETFD) < 0)
        host_fail("%s is no descriptor", text);
    return (int)value;
}

struct file {
    const char *path;
    int fd;
    uint64_t size_bytes, room_bytes; /* room: whole pages */
};

static void file_open(struct file *file) {
    const char *end = "";
    struct stat status;
    file->fd = strncmp(file->path, "fd:", 3) == 0 ? (int)number_parse(file->path + 3, &end)
                                                  : open(file->path, O_RDONLY | O_CLOEXEC);
    if (*end != 0)
        host_fail("%s is no descriptor", file->path);
    if (file->fd < 0 || fstat(file->fd, &status) != 0)
        host_fail("%s: %s", file->path, strerror(errno));
    if (status.st_size == 0)
        host_fail("%s is empty", file->path);
    file->size_bytes = (uint64_t)status.st_size;
    file->room_bytes = (file->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Core's tables of its memory alone would take the host with them. */
static void memory_check(uint64_t size_bytes) {
    struct sysinfo host;
    if (size_bytes < MEMORY_MINIMUM)
        host_fail("at least %llu MiB of memory are needed",
                  (unsigned long long)(MEMORY_MINIMUM >> 20));
    if (sysinfo(&host) != 0)
        return;
    uint64_t there = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
    if (size_bytes > there)
        host_fail("%llu MiB of memory are more than this host has: give --memory at most %lluM",
                  (unsigned long long)(size_bytes >> 20), (unsigned long long)(there >> 20));
}

/* Maps files behind each other, as one; each begins a page. */
static const void *files_load(struct file *files, unsigned count, uint64_t *size_bytes) {
    uint64_t room = 0, at = 0;
    for (unsigned i = 0; i < count; i++) {
        file_open(&files[i]);
        *size_bytes = room + files[i].size_bytes;
        room += files[i].room_bytes;
    }
    uint8_t *bytes =
        mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        host_fail("%s: %s", files[0].path, strerror(errno));
    for (unsigned i = 0; i < count; i++) {
        if (mmap(bytes + at, files[i].size_bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, files[i].fd,
                 0) == MAP_FAILED)
            host_fail("%s: %s", files[i].path, strerror(errno));
        at += files[i].room_bytes;
        close(files[i].fd);
    }
    return bytes;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/* Guest memory is written by guests as well, who say by it when the device may read: no thread of
 * this process is seen to pass it on. */
const char *__tsan_default_suppressions(void);  /* NOLINT(bugprone-reserved-identifier) */
const char *__tsan_default_suppressions(void) { /* NOLINT(bugprone-reserved-identifier) */
    return "race:^user_copy$\nrace:^some_write$\nrace:^host_port_read$\nrace:^vdev_copy_";
}
#endif
#endif

int main(int argc, char **argv) {
    static const struct option names[] = {
        {"root", required_argument, NULL, 'r'}, {"image", required_argument, NULL, 'i'},
        {"cpus", required_argument, NULL, 'c'}, {"memory", required_argument, NULL, 'm'},
        {"log", required_argument, NULL, 'l'},  {"command", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'}, {"trace", required_argument, NULL, 'x'},
        {"open", no_argument, NULL, 'o'},       {"port", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    struct machine_options options = {
        .memory_bytes = UINT64_C(256) << 20,
        .cpu_count = 1,
        .command_line = "",
        .is_confined = CAN_CONFINE,
    };
    struct file root = {0}, images[IMAGES_MAX] = {0};
    unsigned image_count = 0;
    const char *end;
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'r': root.path = optarg; break;
        case 'i':
            if (image_count < IMAGES_MAX)
                images[image_count++].path = optarg;
            else
                host_fail("there can be %d images", IMAGES_MAX);
            break;
        case 'c': options.cpu_count = count_parse(optarg, CPU_MAX); break;
        case 'm': options.memory_bytes = size_parse(optarg); break;
        case 'p': host_port_open(optarg); break;
        case 'l': host_log_open(descriptor_parse(optarg)); break;
        case 't': options.command_line = optarg; break;
        case 's':
            options.is_seeded = true;
            options.seed = number_parse(optarg, &end);
            if (*end != 0)
                host_fail("%s is not a number", optarg);
            break;
        case 'x': host_trace_open(descriptor_parse(optarg)); break;
        case 'o': options.is_confined = false; break;
        case 'h': fputs(help, stdout); return 0;
        default: return 125;
        }
    }
    if (optind != argc)
        host_fail("what is %s?", argv[optind]);
    if (options.is_seeded && options.cpu_count != 1)
        host_fail("a seeded run has one CPU");
    memory_check(options.memory_bytes);
    if (root.path != NULL)
        options.modules[0] = files_load(&root, 1, &options.module_bytes[0]);
    if (root.path != NULL && image_count != 0)
        options.modules[1] = files_load(images, image_count, &options.module_bytes[1]);
    host_confine_user();
    machine_run(&options);
}
