# SPDX-License-Identifier: MIT
# Functions that tests/ uses to declare programs and to register them with ctest.

find_package(PkgConfig REQUIRED)
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

set(AX_FUZZ_SMOKE_SECONDS 5 CACHE STRING "How long ctest runs each fuzz target beyond its corpus")
set(AX_TEST_LABELS unit hal run model explore fuzz planted tidy system)

# Links the kernel and the scripted machine, as far as these targets exist, in whatever order the
# archives need each other.
function(ax_link_kernel target)
  set(parts)
  foreach(part core hal_model base)
    if(TARGET ${part})
      list(APPEND parts ${part})
    endif()
  endforeach()
  if(parts)
    list(JOIN parts "," parts)
    target_link_libraries(${target} PRIVATE "$<LINK_GROUP:RESCAN,${parts}>")
  endif()
endfunction()

# Registers a command with ctest. Every test has a label of AX_TEST_LABELS and a time limit.
#   ax_add_test(NAME LABELS label... [TIMEOUT seconds] [SERIAL] COMMAND command...)
function(ax_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT" "LABELS;COMMAND")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ax_add_test(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  if(NOT arg_LABELS)
    message(FATAL_ERROR "ax_add_test(${name}): LABELS is missing")
  endif()
  foreach(label IN LISTS arg_LABELS)
    if(NOT label IN_LIST AX_TEST_LABELS)
      message(FATAL_ERROR "ax_add_test(${name}): ${label} is none of ${AX_TEST_LABELS}")
    endif()
  endforeach()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  # Those that may take longest begin first, so that nothing waits for one of them at the end.
  set_tests_properties(
    ${name}
    PROPERTIES LABELS
               "${arg_LABELS}"
               TIMEOUT
               ${arg_TIMEOUT}
               COST
               ${arg_TIMEOUT}
               ENVIRONMENT
               "UBSAN_OPTIONS=print_stacktrace=1;ASAN_OPTIONS=detect_stack_use_after_return=0")
  if(arg_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# A test program of our own: gnu17, warnings, the kernel, and whatever LIBS names.
#   ax_add_test_program(NAME FILES file... [LIBS target...])
function(ax_add_test_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES;LIBS")
  if(NOT arg_FILES)
    message(FATAL_ERROR "ax_add_test_program(${name}): FILES is missing")
  endif()
  add_executable(${name} ${arg_FILES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ax_warnings ax_include ${arg_LIBS})
  ax_link_kernel(${name})
endfunction()

# A Check program: its main runs its suites with an srunner and returns non-zero if one failed.
#   ax_add_unit_test(NAME LABELS label... FILES file... [LIBS target...] [TIMEOUT seconds])
function(ax_add_unit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS;FILES;LIBS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ax_add_unit_test(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  ax_add_test_program(${name} FILES ${arg_FILES} LIBS PkgConfig::CHECK ${arg_LIBS})
  ax_add_test(${name} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT} COMMAND ${name})
endfunction()

# A fuzz target: FILES define LLVMFuzzerTestOneInput. The preset fuzz makes it a libFuzzer program
# that ctest runs on the kept corpus and some seconds beyond; every other preset makes it a program
# that replays the corpus once, so that gcc, the sanitizers and coverage see it too.
#   ax_add_fuzzer(NAME FILES file... [LIBS target...])
function(ax_add_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES;LIBS")
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set(program fuzz_${name})
  if(NOT AX_FUZZ)
    ax_add_test_program(${program} FILES ${arg_FILES}
                        ${PROJECT_SOURCE_DIR}/tests/support/fuzz_replay.c LIBS ${arg_LIBS})
    ax_add_test(fuzz.${name} LABELS fuzz TIMEOUT 120 COMMAND ${program} ${corpus})
    return()
  endif()
  ax_add_test_program(${program} FILES ${arg_FILES} LIBS ${arg_LIBS})
  if(NOT TARGET fuzzers)
    add_custom_target(fuzzers)
  endif()
  add_dependencies(fuzzers ${program})
  target_link_options(${program} PRIVATE -fsanitize=fuzzer)
  set(work ${CMAKE_BINARY_DIR}/fuzz-smoke/${name})
  file(MAKE_DIRECTORY ${work})
  math(EXPR limit "${AX_FUZZ_SMOKE_SECONDS} * 3 + 60")
  ax_add_test(
    fuzz.${name}
    LABELS
    fuzz
    TIMEOUT
    ${limit}
    COMMAND
    ${program}
    -seed=1
    -max_total_time=${AX_FUZZ_SMOKE_SECONDS}
    -timeout=10
    -artifact_prefix=${work}-
    -print_final_stats=1
    ${work}
    ${corpus})
endfunction()

# Plants a bug in a test program: compiles the one file of core that PATCH changes, with the change,
# and links it ahead of core's archive, whose own copy of that file is then not taken. A patch that
# no longer applies fails the build.
#   ax_plant_bug(TARGET PATCH)
function(ax_plant_bug target patch)
  get_filename_component(patch ${patch} ABSOLUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${patch})
  file(STRINGS ${patch} changed REGEX "^\\+\\+\\+ b/core/[a-z0-9_]+\\.c")
  list(LENGTH changed count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "${patch} should change one .c of core, with a line \"+++ b/core/FILE\"")
  endif()
  string(REGEX REPLACE "^\\+\\+\\+ b/(core/[a-z0-9_]+\\.c).*" "\\1" file "${changed}")
  set(planted ${CMAKE_CURRENT_BINARY_DIR}/${target}.planted/${file})
  get_filename_component(folder ${planted} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(
    OUTPUT ${planted}
    COMMAND patch --quiet --no-backup-if-mismatch --reject-file=- -o ${planted}.new
            ${PROJECT_SOURCE_DIR}/${file} ${patch}
    COMMAND ${CMAKE_COMMAND} -E rename ${planted}.new ${planted}
    DEPENDS ${PROJECT_SOURCE_DIR}/${file} ${patch}
    COMMENT "Planting ${patch}"
    VERBATIM)
  # The change may leave a variable or function without a use: that is the bug, not a mistake.
  set_source_files_properties(${planted} PROPERTIES COMPILE_OPTIONS
                                                    "-ffreestanding;-Wno-unused")
  target_sources(${target} PRIVATE ${planted})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/core)
endfunction()
