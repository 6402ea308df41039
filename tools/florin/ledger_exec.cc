#include "ledger/ledger.h"
#include "tools/florin/ledger_commands.h"
#include "tools/florin/ledger_json.h"

#include <cstdio>
#include <iostream>
#include <string>

namespace florin::tools {
namespace {

// A batch of the most events, each with every field written out, stays far below this.
constexpr std::size_t kLineBytesMax = 64U << 20U;

std::string execute(ledger::Ledger& ledger, std::string const& line, std::uint64_t number) {
    if (line.size() > kLineBytesMax) {
        return render_error("malformed_json", "a line of more than 64 MiB", number);
    }
    auto request = parse_request(line);
    if (!request) {
        return render_error(request.error().code, request.error().message, number);
    }
    auto const answer = ledger.call(std::move(*request));
    if (!answer) {
        bool const is_value = answer.error().code == Errc::out_of_range;
        bool const is_request = answer.error().code == Errc::unsupported;
        char const* const code = is_value     ? "bad_value"
                                 : is_request ? "unknown_request"
                                              : "ledger_failed";
        return render_error(code, answer.error().context, number);
    }
    return render_answer(*answer);
}

}  // namespace

int ledger_exec(std::filesystem::path const& data_dir, bool manual_clock) {
    SystemClock const clock;
    ledger::LedgerOptions options;
    options.data_dir = data_dir;
    options.kind = ledger::LedgerKind::kernel_only;
    options.manual_clock = manual_clock;
    auto opened = ledger::Ledger::open(options, clock);
    if (!opened) {
        return report_error(opened.error());
    }
    auto& ledger = **opened;
    if (ledger.kind() != ledger::LedgerKind::kernel_only) {
        return report_error(
            {Errc::refused,
             data_dir.string() + ": belongs to florind; `ledger exec` writes only directories that "
                                 "it created itself"}
        );
    }
    std::ios::sync_with_stdio(false);
    std::string line;
    for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
        if (line.empty()) {
            continue;
        }
        std::cout << execute(ledger, line, number) << '\n' << std::flush;
        if (!std::cout) {
            return report_error({Errc::io, "standard output: cannot write"});
        }
    }
    return kDone;
}

}  // namespace florin::tools
