// FLORIN_CHECK: the program itself is wrong. Log the place, abort; the restart replays the journal.
// On in every build: going on with a broken invariant would write it down.
#pragma once

namespace florin::detail {
[[noreturn]] void check_failed(
    char const* condition, char const* why, char const* file, int line
) noexcept;
}  // namespace florin::detail

#define FLORIN_CHECK(condition, why)                                             \
    do {                                                                         \
        if (!(condition)) [[unlikely]] {                                         \
            ::florin::detail::check_failed(#condition, why, __FILE__, __LINE__); \
        }                                                                        \
    } while (false)
