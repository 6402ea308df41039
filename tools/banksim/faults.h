// What the simulated bank does wrong on purpose.
//
// A rule is a JSON object; the first rule that matches a message is applied to it:
//   {"match": {"mti": "0100", "pan_suffix": "4242", "amount_minor": 4500, "currency": "EUR"},
//    "times": 3,            apply it to that many messages, then forget it (default: always)
//    "seed": 7,             of the dice for probabilities
//    "delay_ms": 50,        decide and book this much later, then answer
//    "late_ms": 5000,       book at once, answer this much later
//    "refuse_first": "91",  with delay_ms: say this at once and book nothing, then decide as ever
//    "lose": p,             the request never arrived: not booked, not answered
//    "silence": true | p,   booked, but not answered
//    "duplicate": p,        answered twice
//    "garbage": p,          booked, and what comes back is no message
//    "tear": p,             booked, half of the answer comes back, then the connection ends
//    "disconnect": p,       booked, then the connection ends instead of an answer
//    "break_mac": true,     the answer's MAC is wrong
//    "decline": "05",       this field 39 instead of the bank's decision ("100": of 1993)
//    "partial_minor": 3000, approve only so much (field 39 = 10)
//    "off_minor": 1}        of totals: say that so much more was debited than the book has
// p is a probability from 0 to 1. "mti" matches by its first characters: "022" is 0220 and 0221.
// Network management (08xx) is left alone unless "mti" names it.
// Thread rule: one thread.
#pragma once

#include "connectors/iso8583/codec.h"
#include "ledger/base/money.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace florin::banksim {

// What happens to one message; the dice are thrown.
struct Fate {
    unsigned delay_ms = 0;
    unsigned late_ms = 0;
    bool is_lost = false;
    bool is_silent = false;
    bool is_duplicated = false;
    bool is_garbage = false;
    bool is_torn = false;
    bool disconnects = false;
    std::string decline;
    std::string refuse_first;  // only with delay_ms
    std::optional<std::int64_t> partial_minor;
    bool forgets_reversal = false;
    bool breaks_mac = false;  // where messages bear one
    std::int64_t off_minor = 0;
};

class Faults {
public:
    // Errc::malformed for what is not a rule, a key of another name included.
    Result<void> add(std::string_view json);
    // One rule a line; empty lines are skipped.
    Result<void> load(std::string const& path);
    void clear() { rules_.clear(); }
    std::size_t size() const { return rules_.size(); }

    Fate fate_of(connectors::iso8583::Message const& request);

private:
    struct Rule {
        std::string mti;
        std::string pan_suffix;
        std::optional<std::int64_t> amount_minor;
        std::optional<Currency> currency;
        std::optional<std::uint64_t> times;
        Fate fate;  // with certainty
        double lose = 0, silence = 0, duplicate = 0, garbage = 0, tear = 0, disconnect = 0;
        std::mt19937_64 dice;
    };
    static bool matches(Rule const& rule, connectors::iso8583::Message const& request);

    std::vector<Rule> rules_;
};

}  // namespace florin::banksim
