// Fuzzes the reader of the acquirer's report.
//
// What is asserted: a report that is accepted can be written back from what the reader told, line
// by line the same bytes; an error names the line, and holds no long number.
#include "connectors/statements/acquirer_report.h"
#include "ledger/base/check.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

namespace florin::connectors::statements {
namespace {

struct Sums {
    std::uint64_t lines = 0;
    std::int64_t captures = 0, refunds = 0, chargebacks = 0, fees = 0;
};

// Writes the report again, but for the names of the cells.
class Writer final : public StatementSink {
public:
    Result<void> begin(StatementHead const& head) override {
        out = "H,florin-acquirer-report,1," + head.account + "," + head.date + "\n";
        return {};
    }
    Result<void> line(StatementLine line) override {
        auto absolute = line.amount;
        absolute.minor = absolute.minor < 0 ? -absolute.minor : absolute.minor;
        auto const currency = std::string{absolute.currency.alphabetic()};
        auto& sum = sums[line.reference + "," + currency];
        auto& of_type = line.type == LineType::capture  ? sum.captures
                        : line.type == LineType::refund ? sum.refunds
                        : line.type == LineType::fee    ? sum.fees
                                                        : sum.chargebacks;
        of_type += absolute.minor;
        sum.fees += line.fee_minor;
        ++sum.lines;
        details += "D," + line.reference + "," + std::string{line_type_name(line.type)} + "," +
                   std::to_string(absolute.minor) + "," + decimal_text(absolute) + "," +
                   std::to_string(line.fee_minor) + "," +
                   decimal_text(Money{line.fee_minor, absolute.currency}) + "," + currency + "," +
                   line.stan + "," + line.rrn + "," + line.authorization_code + "," +
                   line.masked_pan + "," + line.transmission_time + "," + line.booking_date + "," +
                   line.terminal_id + "\n";
        ++count;
        return {};
    }
    Result<void> end(StatementHead const&) override { return {}; }

    std::string out, details;
    std::map<std::string, Sums> sums;
    std::uint64_t count = 0;
};

void read(std::string const& text) {
    std::istringstream in{text};
    Writer writer;
    auto const done = read_acquirer_report(in, writer);
    if (!done) {
        FLORIN_CHECK(done.error().context.starts_with("line "), "an error without its line");
        return;
    }
    FLORIN_CHECK(text.starts_with(writer.out), "the head is written back to other bytes");
    auto const names_end = text.find('\n', writer.out.size()) + 1;
    std::string_view const rest = std::string_view{text}.substr(names_end);
    FLORIN_CHECK(rest.starts_with(writer.details), "a line is written back to other bytes");
    std::size_t expected = writer.details.size();
    for (auto const& [name, sum] : writer.sums) {
        auto const net = sum.captures - sum.refunds - sum.chargebacks - sum.fees;
        auto const line = "S," + name + "," + std::to_string(sum.lines) + "," +
                          std::to_string(sum.captures) + "," + std::to_string(sum.refunds) + "," +
                          std::to_string(sum.chargebacks) + "," + std::to_string(sum.fees) + "," +
                          std::to_string(net) + "\n";
        FLORIN_CHECK(rest.find(line) != std::string_view::npos, "a sum is missing");
        expected += line.size();
    }
    auto const end =
        "T," + std::to_string(writer.count) + "," + std::to_string(writer.sums.size()) + "\n";
    FLORIN_CHECK(rest.ends_with(end), "the end is written back to other bytes");
    FLORIN_CHECK(rest.size() == expected + end.size(), "there is more in the file than was told");
}

}  // namespace
}  // namespace florin::connectors::statements

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::connectors::statements::read({reinterpret_cast<char const*>(data), size});
    return 0;
}
