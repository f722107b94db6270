/* SPDX-License-Identifier: MIT */
/* brk, mmap and what belongs to it: contents, protections, and the errors of bad wishes; by the
 * calls themselves, as C libraries have ideas of their own about errors. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "say.h"

#define PAGE 4096

#define UNMAP(at, size)          (int)syscall(SYS_munmap, at, size)
#define PROTECT(at, size, prot)  (int)syscall(SYS_mprotect, at, size, prot)
#define ADVISE(at, size, advice) (int)syscall(SYS_madvise, at, size, advice)

static void *map_file(void *wish, size_t size, int prot, int flags, int fd, long offset) {
    return (void *)syscall(SYS_mmap, wish, size, prot, flags, fd, offset);
}

static void *map(void *wish, size_t size, int prot, int flags) {
    return map_file(wish, size, prot, flags | MAP_ANONYMOUS, -1, 0);
}

static void *remap(void *old, size_t old_size, size_t size, int flags, void *wish) {
    return (void *)syscall(SYS_mremap, old, old_size, size, flags, wish);
}

static void test_map(void) {
    char *a = map(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK(a != MAP_FAILED && ((long)a & (PAGE - 1)) == 0);
    for (int i = 0; i < 3 * PAGE; i++)
        CHECK(a[i] == 0);
    memset(a, 'x', 3 * PAGE);
    CHECK(UNMAP(a + PAGE, PAGE) == 0);
    CHECK(a[0] == 'x' && a[2 * PAGE] == 'x');
    CHECK(map(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED) == a + PAGE);
    CHECK(a[PAGE] == 0);
    CHECK_ERROR(map(a, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE), EEXIST);
    CHECK(a[0] == 'x');
    CHECK(UNMAP(a, 3 * PAGE) == 0);
    CHECK(UNMAP(a, 3 * PAGE) == 0); /* nothing there is no error */
    CHECK(map(a, PAGE, PROT_READ, MAP_PRIVATE) == a);
    CHECK(UNMAP(a, PAGE) == 0);
    puts("mmap and munmap");
}

static void test_errors(void) {
    CHECK_ERROR(map(NULL, 0, PROT_READ, MAP_PRIVATE), EINVAL);
    CHECK_ERROR(map(NULL, PAGE, PROT_READ, 0), EINVAL);
    CHECK_ERROR(map((void *)0x100001, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED), EINVAL);
    CHECK_ERROR(map(NULL, (size_t)1 << 62, PROT_READ, MAP_PRIVATE), ENOMEM);
    CHECK_ERROR(map_file(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERROR(map_file(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 5), EINVAL);
    CHECK_ERROR(UNMAP((void *)1, PAGE), EINVAL);
    CHECK_ERROR(UNMAP((void *)PAGE, 0), EINVAL);
    CHECK_ERROR(PROTECT((void *)1, PAGE, PROT_READ), EINVAL);
    char *a = map(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK(UNMAP(a + PAGE, PAGE) == 0);
    CHECK_ERROR(PROTECT(a, 3 * PAGE, PROT_READ), ENOMEM);
    CHECK(PROTECT(a, 0, PROT_READ) == 0);
    CHECK_ERROR(ADVISE(a, 3 * PAGE, MADV_DONTNEED), ENOMEM);
    CHECK_ERROR(ADVISE(a, PAGE, 12345), EINVAL);
    CHECK_ERROR(ADVISE(a + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK(UNMAP(a, 3 * PAGE) == 0);
    puts("errors");
}

static void test_advice(void) {
    char *a = map(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(a, 'y', 4 * PAGE);
    CHECK(ADVISE(a + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
    CHECK(a[PAGE - 1] == 'y' && a[PAGE] == 0 && a[3 * PAGE - 1] == 0 && a[3 * PAGE] == 'y');
    a[PAGE] = 'z';
    CHECK(a[PAGE] == 'z');
    CHECK(ADVISE(a, 4 * PAGE, MADV_WILLNEED) == 0 && a[PAGE] == 'z');
    CHECK(UNMAP(a, 4 * PAGE) == 0);
    char *shared = map(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK(shared != MAP_FAILED);
    shared[0] = 's';
    CHECK(ADVISE(shared, 2 * PAGE, MADV_DONTNEED) == 0);
    CHECK(shared[0] == 's'); /* what is shared stays */
    CHECK(UNMAP(shared, 2 * PAGE) == 0);
    puts("madvise");
}

static void test_remap(void) {
    char *a = map(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(a, 'r', 2 * PAGE);
    char *b = remap(a, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE, NULL);
    CHECK(b != MAP_FAILED);
    CHECK(b[0] == 'r' && b[2 * PAGE - 1] == 'r' && b[2 * PAGE] == 0 && b[64 * PAGE - 1] == 0);
    CHECK(remap(b, 64 * PAGE, PAGE, 0, NULL) == b);
    CHECK(b[0] == 'r');
    /* Something behind it is in the way. */
    CHECK(map(b + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED) == b + PAGE);
    CHECK_ERROR(remap(b, PAGE, 2 * PAGE, 0, NULL), ENOMEM);
    char *c = remap(b, PAGE, 3 * PAGE, MREMAP_MAYMOVE, NULL);
    CHECK(c != MAP_FAILED && c != b && c[0] == 'r' && c[PAGE] == 0);
    char *place = map(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE);
    CHECK(remap(c, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
    CHECK(place[0] == 'r' && place[2 * PAGE] == 0);
    CHECK_ERROR(remap(place + 1, PAGE, PAGE, 0, NULL), EINVAL);
    CHECK_ERROR(remap(place, PAGE, 0, 0, NULL), EINVAL);
    CHECK(UNMAP(place, 3 * PAGE) == 0);
    CHECK_ERROR(remap(place, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL), EFAULT);
    puts("mremap");
}

static void test_break(void) {
    char *start = (char *)syscall(SYS_brk, 0);
    CHECK((char *)syscall(SYS_brk, start + 3 * PAGE + 5) == start + 3 * PAGE + 5);
    for (int i = 0; i < 3 * PAGE + 5; i++)
        CHECK(start[i] == 0);
    memset(start, 'b', 3 * PAGE);
    CHECK((char *)syscall(SYS_brk, start + 10) == start + 10);
    CHECK(start[9] == 'b');
    CHECK((char *)syscall(SYS_brk, start + 2 * PAGE) == start + 2 * PAGE);
    CHECK(start[PAGE + 100] == 0); /* what went away comes back as zeroes */
    CHECK((char *)syscall(SYS_brk, (char *)-1L) == start + 2 * PAGE);
    CHECK((char *)syscall(SYS_brk, start) == start);
    puts("brk");
}

static void test_reserve(void) {
    size_t size = (size_t)1 << 36;
    char *a = map(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
    CHECK(a != MAP_FAILED);
    CHECK(PROTECT(a + size / 2, PAGE, PROT_READ | PROT_WRITE) == 0);
    a[size / 2] = 1;
    CHECK(UNMAP(a, size) == 0);
    puts("reserving more than there is");
}

int main(void) {
    test_map();
    test_errors();
    test_advice();
    test_remap();
    test_break();
    test_reserve();
    return 0;
}
