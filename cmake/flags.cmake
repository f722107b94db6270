# SPDX-License-Identifier: MIT
# How everything is compiled. Three interface libraries that targets link:
#   ax_include       <abi/...> <hal/...> <base/...> can be included
#   ax_warnings      what we refuse to compile
#   ax_freestanding  no libc beneath: core, lib/base

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

add_compile_options(-fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  # [[gnu::...]] attributes, which gcc 12 takes in gnu17 and clang 14 only on request.
  add_compile_options(-fdouble-square-bracket-attributes)
endif()

if(AX_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
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
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
