// Results: how a function says that the world failed (a disk, a peer, malformed bytes).
//
// A business refusal is not an Error: it is an enum status inside the value. A broken program is
// not an Error either: that is FLORIN_CHECK (check.h). Thread rule: values, no shared state.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace florin {

// What went wrong, as far as a caller decides on it. The text beside it names the thing.
// Numbers are never reused.
enum class Errc : int {
    malformed = 1,      // bytes or text that break their grammar
    not_found = 2,      // the thing is known not to exist (never: could not read)
    io = 3,             // the operating system or a store refused
    corrupt = 4,        // stored bytes do not agree with their checksum, hash or grammar
    overloaded = 5,     // a bounded queue is full; try again later
    timeout = 6,        // no answer in time; says nothing about the outcome
    closed = 7,         // the other side, or we ourselves, are shutting down
    unsupported = 8,    // understood, but not something this build does
    already_held = 9,   // another process or object holds the resource
    out_of_range = 10,  // a number does not fit where it must go
    refused = 11,       // credentials or rights do not allow it
    conflict = 12,      // somebody else changed the thing first
};

// The lower_snake_case name of an error code, for logs and JSON.
std::string_view errc_name(Errc code);

struct Error {
    Errc code;
    std::string context;  // a sentence that names the thing: file, line, field, peer
};

// "corrupt: record 12: checksum differs"
std::string to_string(Error const& error);

template <class T>
using Result = std::expected<T, Error>;

// Builds the failing side: `return fail(Errc::io, "cannot open " + path);`
inline std::unexpected<Error> fail(Errc code, std::string context) {
    return std::unexpected<Error>{Error{code, std::move(context)}};
}

}  // namespace florin

#define FLORIN_CAT_INNER(a, b) a##b
#define FLORIN_CAT(a, b) FLORIN_CAT_INNER(a, b)

// FLORIN_TRY(auto value, expression): the value, or return the error to the caller.
#define FLORIN_TRY(declaration, expression)                                           \
    auto FLORIN_CAT(florin_try_, __LINE__) = (expression);                            \
    if (!FLORIN_CAT(florin_try_, __LINE__)) {                                         \
        return std::unexpected{std::move(FLORIN_CAT(florin_try_, __LINE__)).error()}; \
    }                                                                                 \
    declaration = *std::move(FLORIN_CAT(florin_try_, __LINE__))

// The same for Result<void>.
#define FLORIN_TRY_VOID(expression)                                       \
    do {                                                                  \
        if (auto florin_try_result = (expression); !florin_try_result) {  \
            return std::unexpected{std::move(florin_try_result).error()}; \
        }                                                                 \
    } while (false)

// The same two inside a coroutine.
#define FLORIN_CO_TRY(declaration, expression)                                           \
    auto FLORIN_CAT(florin_try_, __LINE__) = (expression);                               \
    if (!FLORIN_CAT(florin_try_, __LINE__)) {                                            \
        co_return std::unexpected{std::move(FLORIN_CAT(florin_try_, __LINE__)).error()}; \
    }                                                                                    \
    declaration = *std::move(FLORIN_CAT(florin_try_, __LINE__))

#define FLORIN_CO_TRY_VOID(expression)                                       \
    do {                                                                     \
        if (auto florin_try_result = (expression); !florin_try_result) {     \
            co_return std::unexpected{std::move(florin_try_result).error()}; \
        }                                                                    \
    } while (false)
