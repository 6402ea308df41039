# florin_options: warnings, hardening and sanitizers for every target of ours.
# florin_room(NAME SOURCES … LINKS …): a static library for one room.

add_library(florin_options INTERFACE)
target_include_directories(florin_options INTERFACE ${CMAKE_SOURCE_DIR})
# Options structs are filled by designated initialisers: what is not named keeps its default.
target_compile_options(
    florin_options
    INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
              -Wswitch-enum -Wno-missing-field-initializers -fstack-protector-strong -fno-omit-frame-pointer
              $<$<BOOL:${FLORIN_WERROR}>:-Werror>
)
target_compile_definitions(
    florin_options INTERFACE _GLIBCXX_ASSERTIONS $<$<BOOL:${FLORIN_FAILPOINTS}>:FLORIN_FAILPOINTS>
)
# g++ 12 at -O2 takes what stands in a std::expected or std::optional for uninitialised, and the
# operators new and delete of a coroutine's frame for a mismatch.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(
        florin_options INTERFACE -Wno-maybe-uninitialized -Wno-mismatched-new-delete
    )
endif()
# Release and asan compile several files at once (CMAKE_UNITY_BUILD in CMakePresets.json), which
# takes little more than half the time: names with internal linkage are unique within a target. g++ then takes
# the source for a header, in which a coroutine must not hold what has no linkage.
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(florin_options INTERFACE -Wno-subobject-linkage)
endif()
# -D_FORTIFY_SOURCE needs optimisation and quarrels with AddressSanitizer.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT FLORIN_SANITIZE)
    target_compile_options(florin_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(FLORIN_SANITIZE)
    target_compile_options(
        florin_options INTERFACE -fsanitize=${FLORIN_SANITIZE} -fno-sanitize-recover=all
    )
    if(FLORIN_SANITIZE MATCHES "undefined")
        # A fifth of the build's time, for what AddressSanitizer sees anyway.
        target_compile_options(florin_options INTERFACE -fno-sanitize=null,vptr,object-size)
        # Another sixth. The parsers are looked at for it where they are fuzzed.
        if(NOT FLORIN_FUZZ)
            target_compile_options(florin_options INTERFACE -fno-sanitize=alignment)
        endif()
    endif()
    target_link_options(florin_options INTERFACE -fsanitize=${FLORIN_SANITIZE})
    if(FLORIN_SANITIZE MATCHES "thread")
        # g++ warns that ThreadSanitizer does not follow Asio's fences; its mutexes it does follow.
        target_compile_options(florin_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
    endif()
endif()
if(FLORIN_FUZZ)
    # Coverage in the rooms; the fuzz targets themselves link libFuzzer (tests/fuzz).
    target_compile_options(florin_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MOLD AND NOT FLORIN_FUZZ)
    target_link_options(florin_options INTERFACE -fuse-ld=mold)
endif()
target_link_options(florin_options INTERFACE -Wl,-z,relro,-z,now)

function(florin_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
    add_library(${name} STATIC ${ROOM_SOURCES})
    target_link_libraries(${name} PUBLIC florin_options ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE_LINKS})
endfunction()

# florin_alone(FILES…): sources of this folder that are compiled one at a time whatever the preset
# says.
function(florin_alone)
    set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# florin_program(TARGET): what every program has beside: FLORIN_VERSION, and an allocator for many
# threads. glibc's takes a third of a payment's time where one thread frees what another has made.
# Sanitizers bring their own.
find_library(TCMALLOC tcmalloc_minimal)
function(florin_program target)
    target_compile_definitions(${target} PRIVATE FLORIN_VERSION="${PROJECT_VERSION}")
    if(TCMALLOC AND NOT FLORIN_SANITIZE)
        target_link_libraries(${target} PRIVATE ${TCMALLOC})
    endif()
endfunction()

# florin_embed(TARGET NAME.inc FOLDER): every .json file of the folder as a row {"stem", text} of a
# table, in the order of names, which a source of the target includes.
function(florin_embed target output folder)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.json)
    set(table "")
    foreach(file IN LISTS files)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
        file(READ ${file} text)
        if(text MATCHES "@|\\)embedded\"")
            message(FATAL_ERROR "${file}: \"@\" and \")embedded\" cannot be embedded")
        endif()
        get_filename_component(stem ${file} NAME_WE)
        string(APPEND table "{\"${stem}\", R\"embedded(${text})embedded\"},\n")
    endforeach()
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${output} CONTENT "${table}" @ONLY)
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
