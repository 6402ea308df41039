#include "ledger/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace florin::detail {

void check_failed(char const* condition, char const* why, char const* file, int line) noexcept {
    std::fprintf(
        stderr,
        "{\"level\":\"critical\",\"event\":\"check.failed\",\"condition\":\"%s\",\"why\":\"%s\","
        "\"at\":\"%s:%d\"}\n",
        condition,
        why,
        file,
        line
    );
    std::fflush(stderr);
    std::abort();
}

}  // namespace florin::detail
