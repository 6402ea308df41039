#include "ledger/base/failpoint.h"

#ifdef FLORIN_FAILPOINTS

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace florin::failpoint {
namespace {

struct Armed {
    std::string name;  // empty: none
    std::atomic<std::uint64_t> passes_left = 0;

    Armed() {
        char const* const asked = std::getenv("FLORIN_FAILPOINT");
        if (asked == nullptr) {
            return;
        }
        std::string_view const text{asked};
        auto const colon = text.rfind(':');
        name = text.substr(0, colon);
        std::uint64_t const passes =
            colon == std::string_view::npos
                ? 1
                : std::strtoull(std::string{text.substr(colon + 1)}.c_str(), nullptr, 10);
        passes_left = passes == 0 ? 1 : passes;
    }
};

Armed& armed() {
    static Armed instance;
    return instance;
}

}  // namespace

bool strikes(std::string_view subject, std::string_view moment) noexcept {
    Armed& one = armed();
    std::string_view const name = one.name;
    bool const is_it = name.size() == subject.size() + 1 + moment.size() &&
                       name.starts_with(subject) && name[subject.size()] == '/' &&
                       name.ends_with(moment);
    // Passes after the last one go on: the process dies in the meantime.
    return is_it && one.passes_left.fetch_sub(1) == 1;
}

void die() noexcept {
    ::kill(::getpid(), SIGKILL);
    for (;;) {
        ::pause();
    }
}

}  // namespace florin::failpoint

#endif
