# SPDX-License-Identifier: MIT
# Programs of the machine, and the images that hold them. One build serves every machine.

# An ordinary static program with the distribution's C library, never instrumented.
#   ax_add_program(NAME FILES file... [LIBS target...])
function(ax_add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES;LIBS")
  add_executable(${name} ${arg_FILES})
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE ${AX_PLAIN_FLAGS} -O2 -fno-omit-frame-pointer)
  target_link_libraries(${name} PRIVATE ax_warnings ax_include ${arg_LIBS} sys_assert base_user)
  ax_link_plain(${name} -static)
endfunction()

# A system image NAME.image in the build's folder: the personality, a manifest, and programs.
#   ax_add_image(NAME MANIFEST file PROGRAMS PATH=target...)
function(ax_add_image name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MANIFEST" "PROGRAMS")
  get_filename_component(manifest ${arg_MANIFEST} ABSOLUTE)
  set(list ${CMAKE_CURRENT_BINARY_DIR}/${name}.list)
  set(image ${CMAKE_BINARY_DIR}/${name}.image)
  set(personality ${CMAKE_BINARY_DIR}/lib/linux/personality.image)
  set(lines "file /etc/manifest ${manifest} 644\n")
  string(APPEND lines "file /lib/personality ${personality} 755\n")
  set(targets)
  foreach(program IN LISTS arg_PROGRAMS)
    string(REGEX MATCH "^([^=]+)=(.+)$" matched ${program})
    string(APPEND lines "file ${CMAKE_MATCH_1} $<TARGET_FILE:${CMAKE_MATCH_2}> 755\n")
    list(APPEND targets ${CMAKE_MATCH_2})
  endforeach()
  file(GENERATE OUTPUT ${list} CONTENT "${lines}")
  add_custom_command(
    OUTPUT ${image}
    COMMAND axolotl-image -o ${image} --list ${list}
    # The target alone says only what is built first.
    DEPENDS axolotl-image personality_image ${personality} ${targets} ${manifest} ${list}
    VERBATIM)
  add_custom_target(${name}_image ALL DEPENDS ${image})
endfunction()
