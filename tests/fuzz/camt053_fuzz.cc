// Fuzzes the reader of bank statements, and what recognises a file.
//
// What is asserted: statements begin and end in pairs, their lines are counted from 1 and stand
// between; every line is in the statement's currency and has a day; opening and lines make the
// closing balance; nothing that was told is longer than the bounds; an error names a line of the
// file; a second reading tells the same.
#include "connectors/statements/camt053.h"
#include "connectors/statements/reader.h"
#include "ledger/base/check.h"

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

namespace florin::connectors::statements {
namespace {

constexpr Camt053Limits kLimits{.text_bytes_max = 200, .lines_max = 100, .batch_max = 10};

class Checker final : public StatementSink {
public:
    Result<void> begin(StatementHead const& head) override {
        FLORIN_CHECK(!is_open_, "a statement inside a statement");
        FLORIN_CHECK(!head.id.empty() && !head.account.empty(), "a statement without name");
        FLORIN_CHECK(head.date.size() == 10, "a statement without a day");
        is_open_ = true;
        head_ = head;
        sum_ = 0;
        return {};
    }
    Result<void> line(StatementLine line) override {
        FLORIN_CHECK(is_open_, "a line outside a statement");
        FLORIN_CHECK(line.number == ++lines, "lines are not counted");
        FLORIN_CHECK(line.number <= kLimits.lines_max, "more lines than allowed");
        FLORIN_CHECK(line.type == LineType::entry, "not an entry");
        FLORIN_CHECK(line.amount.currency.alphabetic() == head_.currency, "another currency");
        FLORIN_CHECK(line.booking_date.size() == 10, "a line without a day");
        for (auto const* const text :
             {&line.reference,
              &line.bank_reference,
              &line.entry_reference,
              &line.counterparty_name,
              &line.counterparty_account,
              &line.remittance}) {
            FLORIN_CHECK(text->size() <= kLimits.text_bytes_max + 1, "a text without bound");
        }
        sum_ += line.amount.minor;
        return {};
    }
    Result<void> end(StatementHead const& head) override {
        FLORIN_CHECK(is_open_, "an end without a beginning");
        is_open_ = false;
        if (head.opening && head.closing) {
            FLORIN_CHECK(head.opening->minor + sum_ == head.closing->minor, "sums differ");
        }
        ++statements;
        return {};
    }

    bool is_open() const { return is_open_; }
    std::uint64_t lines = 0;
    std::uint64_t statements = 0;

private:
    StatementHead head_;
    __extension__ __int128 sum_ = 0;
    bool is_open_ = false;
};

void read(std::string const& text) {
    std::istringstream first{text};
    Checker sink;
    auto const done = read_camt053(first, sink, kLimits);
    if (done) {
        FLORIN_CHECK(sink.statements > 0 && !sink.is_open(), "a sound file without a statement");
    } else {
        FLORIN_CHECK(
            done.error().context.starts_with("line ") || sink.statements == 0,
            "an error without a place"
        );
    }
    std::istringstream second{text};
    Checker again;
    auto const same = read_camt053(second, again, kLimits);
    FLORIN_CHECK(done.has_value() == same.has_value(), "a second reading ends differently");
    FLORIN_CHECK(again.lines == sink.lines, "a second reading tells other lines");
}

}  // namespace
}  // namespace florin::connectors::statements

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string const text{reinterpret_cast<char const*>(data), size};
    static_cast<void>(florin::connectors::statements::recognise(text));
    florin::connectors::statements::read(text);
    return 0;
}
