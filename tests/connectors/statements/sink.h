// A sink that keeps what readers say, and writes it as text that golden files can hold.
#pragma once

#include "connectors/statements/statement.h"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace florin::connectors::statements::test {

inline std::string text_of(StatementHead const& head) {
    auto const balance = [](std::optional<Money> const& money) {
        return money ? to_string(*money) : std::string{"-"};
    };
    return std::string{level_name(head.level)} + " " + head.account + " " + head.id + " " +
           (head.currency.empty() ? "-" : head.currency) + " " + head.date +
           " opening=" + balance(head.opening) + " closing=" + balance(head.closing);
}

inline std::string text_of(StatementLine const& line) {
    std::string out = std::to_string(line.number) + " " + std::string{line_type_name(line.type)} +
                      " " + to_string(line.amount);
    auto const add = [&out](char const* name, std::string const& value) {
        out += value.empty() ? "" : std::string{" "} + name + "=" + value;
    };
    add("fee", line.fee_minor == 0 ? "" : std::to_string(line.fee_minor));
    out += line.is_reversal ? " reversal" : "";
    out += " ref=" + line.reference;
    add("booked", line.booking_date);
    add("value", line.value_date);
    add("stan", line.stan);
    add("rrn", line.rrn);
    add("code", line.authorization_code);
    add("time", line.transmission_time);
    add("pan", line.masked_pan);
    add("terminal", line.terminal_id);
    add("bank", line.bank_reference);
    add("entry", line.entry_reference);
    add("name", line.counterparty_name);
    add("account", line.counterparty_account);
    add("text", line.remittance);
    return out;
}

class Recorder final : public StatementSink {
public:
    Result<void> begin(StatementHead const& head) override {
        text += "begin " + text_of(head) + "\n";
        heads.push_back(head);
        return {};
    }
    Result<void> line(StatementLine line) override {
        text += text_of(line) + "\n";
        lines.push_back(std::move(line));
        return {};
    }
    Result<void> end(StatementHead const& head) override {
        text += "end " + head.id + "\n";
        return {};
    }

    std::string text;
    std::vector<StatementHead> heads;
    std::vector<StatementLine> lines;
};

// Keeps nothing: for files of any size.
class Counter final : public StatementSink {
public:
    Result<void> begin(StatementHead const&) override {
        ++statements;
        return {};
    }
    Result<void> line(StatementLine line) override {
        ++lines;
        minor += line.amount.minor;
        return {};
    }
    Result<void> end(StatementHead const&) override { return {}; }

    std::uint64_t statements = 0;
    std::uint64_t lines = 0;
    std::int64_t minor = 0;
};

// A file of tests/connectors/statements/.
inline std::string sample(std::string const& name) {
    std::ifstream file{FLORIN_SOURCE_DIR "/tests/connectors/statements/" + name, std::ios::binary};
    if (!file) {
        throw std::runtime_error{"no sample " + name};
    }
    return {std::istreambuf_iterator<char>{file}, {}};
}

// `text` with the first `from` replaced; throws where it is not there, so that no case is idle.
inline std::string with(std::string text, std::string const& from, std::string const& to) {
    auto const at = text.find(from);
    if (at == std::string::npos) {
        throw std::runtime_error{"nothing to replace: " + from};
    }
    return text.replace(at, from.size(), to);
}

}  // namespace florin::connectors::statements::test
