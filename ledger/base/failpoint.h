// Named places where a test ends the process as a crash would: SIGKILL, nothing flushed, nothing
// said. They are compiled in under AddressSanitizer and with the CMake option FLORIN_FAILPOINTS;
// elsewhere the macros are nothing at all.
//
// The environment variable FLORIN_FAILPOINT names one of them and the pass at which it strikes:
// "authorise/answered:3". A name is a subject and a moment; what follows a subject is one list for
// all of them (tests/e2e/crash_matrix_test.mjs has the table).
// Thread rule: any thread.
#pragma once

#if defined(__SANITIZE_ADDRESS__) && !defined(FLORIN_FAILPOINTS)
#define FLORIN_FAILPOINTS
#endif

#ifdef FLORIN_FAILPOINTS

#include <string_view>

namespace florin::failpoint {

// True once: at the pass that the environment asks for. Then it is time to die().
bool strikes(std::string_view subject, std::string_view moment) noexcept;
[[noreturn]] void die() noexcept;

}  // namespace florin::failpoint

// What stands in `before` is done first: half of a message, half of a file.
#define FLORIN_FAILPOINT_AFTER(subject, moment, before)      \
    do {                                                     \
        if (::florin::failpoint::strikes(subject, moment)) { \
            before;                                          \
            ::florin::failpoint::die();                      \
        }                                                    \
    } while (false)

#else

#define FLORIN_FAILPOINT_AFTER(subject, moment, before) static_cast<void>(0)

#endif

#define FLORIN_FAILPOINT(subject, moment) \
    FLORIN_FAILPOINT_AFTER(subject, moment, static_cast<void>(0))
