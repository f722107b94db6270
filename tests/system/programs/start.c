/* SPDX-License-Identifier: MIT */
/* What a program is started with: arguments, environment, the auxiliary vector. */
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "say.h"

extern char **environ;

int main(int argc, char **argv) {
    CHECK(argc >= 1 && argv[argc] == NULL);
    const char *name = strrchr(argv[0], '/');
    printf("name %s\n", strlen(name != NULL ? name + 1 : argv[0]) > 0 ? "is there" : "is empty");
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    for (char **variable = environ; *variable != NULL; variable++)
        printf("variable %s\n", *variable);
    CHECK(getauxval(AT_PAGESZ) == 4096);
    CHECK(getauxval(AT_CLKTCK) == 100);
    CHECK(getauxval(AT_SECURE) == 0);
    CHECK(getauxval(AT_PHDR) != 0 && getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    CHECK(getauxval(AT_PHNUM) > 0 && getauxval(AT_PHNUM) < 64);
    CHECK(getauxval(AT_BASE) == 0);
    CHECK(getauxval(AT_HWCAP) != 0);
    CHECK(getauxval(AT_ENTRY) != 0);
    CHECK(strcmp((const char *)getauxval(AT_PLATFORM), "x86_64") == 0);
    CHECK(((const char *)getauxval(AT_EXECFN))[0] != '\0');
    const Elf64_Ehdr *header =
        (const void *)(getauxval(AT_PHDR) & ~(unsigned long)(getauxval(AT_PAGESZ) - 1));
    CHECK(memcmp(header->e_ident, ELFMAG, SELFMAG) == 0);
    const unsigned char *random = (const void *)getauxval(AT_RANDOM);
    int different = 0;
    for (int i = 1; i < 16; i++)
        different |= random[i] != random[0];
    CHECK(different);
    puts("the auxiliary vector is as it should be");
    return 0;
}
