// Writes the kernel's objects and answers as JSON, by appending. Everything written here is ASCII
// that needs no escapes. Thread rule: pure functions.
#pragma once

#include "ledger/command.h"
#include "ledger/json/flags.h"

#include <string>
#include <string_view>

namespace florin::ledger {

// The members of one object. What is not closed by end() is not JSON.
class ObjectWriter {
public:
    explicit ObjectWriter(std::string& out) : out_{out} { out_ += '{'; }
    // "name":"text"; both are plain: ASCII without quotes, backslashes or control characters.
    void text(std::string_view name, std::string_view plain);
    void decimal(std::string_view name, u128 value);          // "name":"123"
    void number(std::string_view name, std::uint32_t value);  // "name":123
    void flags(std::string_view name, std::uint16_t flags, FlagNames names);
    // The caller writes the value.
    std::string& value(std::string_view name);
    void end() { out_ += '}'; }

private:
    std::string& out_;
    bool is_first_ = true;
};

// All fields but the braces, in the order of the lookups' answers.
void write_fields(ObjectWriter& object, Account const& account);
void write_fields(ObjectWriter& object, Transfer const& transfer);

// One line without its end, e.g. {"results":[…]}.
void append_answer(std::string& out, Answer const& answer);

}  // namespace florin::ledger
