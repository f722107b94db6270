# SPDX-License-Identifier: MIT
# How everything is compiled. Three interface libraries that targets link:
#   ax_include       <abi/...> <hal/...> <base/...> can be included
#   ax_warnings      what we refuse to compile
#   ax_freestanding  no libc beneath: core, lib/base
#   ax_user          no libc beneath, in a program: never instrumented, position independent, general
#                    registers only

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(ax_include INTERFACE)
target_include_directories(ax_include INTERFACE ${PROJECT_SOURCE_DIR}/include
                                                ${PROJECT_SOURCE_DIR}/lib)

add_library(ax_warnings INTERFACE)
target_compile_options(
  ax_warnings
  INTERFACE -Wall
            -Wextra
            -Werror
            -Wshadow
            -Wundef
            -Wvla
            -Wpointer-arith
            -Wwrite-strings
            -Wstrict-prototypes
            -Wmissing-prototypes
            -Wold-style-definition
            -Wredundant-decls
            -Wnested-externs
            -Wimplicit-fallthrough
            -Wformat=2
            -Wcast-align
            $<$<C_COMPILER_ID:GNU>:-Wlogical-op
            -Wduplicated-cond
            -Walloca>
            $<$<C_COMPILER_ID:Clang>:-Wthread-safety
            -Wunreachable-code-break
            -Wassign-enum>)
add_library(ax_freestanding INTERFACE)
target_compile_options(ax_freestanding INTERFACE -ffreestanding)
# What runs inside our processes beneath any library: no run time of a sanitizer can be there. Where
# it is linked to is known only then, and vector registers belong to the program.
add_library(ax_user INTERFACE)
target_compile_options(
  ax_user
  INTERFACE -ffreestanding
            -fno-stack-protector
            -fpie
            -fvisibility=hidden
            -fno-asynchronous-unwind-tables
            -mgeneral-regs-only
            -fno-sanitize=all
            -fno-profile-arcs
            -fno-test-coverage)

add_compile_options(-fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  # [[gnu::...]] attributes, which gcc 12 takes in gnu17 and clang 14 only on request.
  add_compile_options(-fdouble-square-bracket-attributes)
endif()

# Takes back what the options below instrument.
set(AX_PLAIN_FLAGS -fno-sanitize=all -fno-profile-arcs -fno-test-coverage -fno-stack-protector)

if(AX_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(AX_SANITIZE_THREAD)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()

if(AX_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "AX_FUZZ needs clang: use the preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(AX_COVERAGE)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU")
    message(FATAL_ERROR "AX_COVERAGE needs gcc: use the preset coverage")
  endif()
  # Tests run in parallel and in forked children: counters are updated atomically.
  # Spelled out: --coverage could not be taken back.
  add_compile_options(-fprofile-arcs -ftest-coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

# A freestanding library above lib/base, twice: NAME is compiled as the build is, for tests and host
# programs; NAME_user never has a sanitizer, counters or a stack guard in it, for code that runs in
# the machine's programs, where none of these has its library.
#   ax_add_library(NAME FILES file...)
function(ax_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES")
  foreach(target ${name} ${name}_user)
    add_library(${target} STATIC ${arg_FILES})
    target_link_libraries(
      ${target}
      PUBLIC ax_include
      PRIVATE ax_warnings ax_freestanding)
  endforeach()
  target_compile_options(${name}_user PRIVATE ${AX_PLAIN_FLAGS})
  # Looked at once: of a file it sees twice, clang-tidy 14 complains of every va_list.
  set_target_properties(${name}_user PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
endfunction()

# Links a program with these options alone, without what this build links to programs of the host.
function(ax_link_plain target)
  set_target_properties(${target} PROPERTIES LINK_OPTIONS "${ARGN}")
endfunction()
