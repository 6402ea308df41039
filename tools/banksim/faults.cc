#include "tools/banksim/faults.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <set>

namespace florin::banksim {
namespace {

using Json = nlohmann::json;

// Takes values out of an object; the first thing that is wrong is kept.
class ObjectReader {
public:
    ObjectReader(Json const& object, std::set<std::string_view> const& known) : object_{object} {
        if (!object.is_object()) {
            complain("a fault rule is a JSON object");
            return;
        }
        for (auto const& [key, value] : object.items()) {
            if (!known.contains(key)) {
                complain("a fault rule has no key \"" + key + "\"");
            }
        }
    }
    bool has(char const* key) const { return error_.empty() && object_.contains(key); }
    std::int64_t number(char const* key, std::int64_t low, std::int64_t high) {
        if (!has(key)) {
            return 0;
        }
        auto const& value = object_[key];
        if (!value.is_number_integer() || value.get<std::int64_t>() < low ||
            value.get<std::int64_t>() > high) {
            complain(
                std::string{key} + " must be from " + std::to_string(low) + " to " +
                std::to_string(high)
            );
            return 0;
        }
        return value.get<std::int64_t>();
    }
    std::string text(char const* key) {
        if (!has(key)) {
            return {};
        }
        if (!object_[key].is_string()) {
            complain(std::string{key} + " must be a string");
            return {};
        }
        return object_[key].get<std::string>();
    }
    bool flag(char const* key) {
        if (!has(key)) {
            return false;
        }
        if (!object_[key].is_boolean()) {
            complain(std::string{key} + " must be true or false");
            return false;
        }
        return object_[key].get<bool>();
    }
    double probability(char const* key) {
        if (!has(key)) {
            return 0;
        }
        auto const& value = object_[key];
        if (value.is_boolean()) {
            return value.get<bool>() ? 1 : 0;
        }
        if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > 1) {
            complain(std::string{key} + " must be true, false or from 0 to 1");
            return 0;
        }
        return value.get<double>();
    }
    void complain(std::string what) {
        if (error_.empty()) {
            error_ = std::move(what);
        }
    }
    std::string const& error() const { return error_; }

private:
    Json const& object_;
    std::string error_;
};

constexpr std::int64_t kMillisecondsMax = 86'400'000;

bool happens(double probability, std::mt19937_64& dice) {
    // The dice are thrown every time, so that a seed gives the same run whatever the rule says.
    return std::uniform_real_distribution{0.0, 1.0}(dice) < probability;
}

}  // namespace

Result<void> Faults::add(std::string_view json) {
    auto const parsed = Json::parse(json, nullptr, false);
    static Json const empty = Json::object();
    ObjectReader reader{
        parsed,
        {"match",
         "times",
         "seed",
         "delay_ms",
         "late_ms",
         "refuse_first",
         "lose",
         "silence",
         "duplicate",
         "garbage",
         "tear",
         "disconnect",
         "decline",
         "partial_minor",
         "off_minor",
         "forget_reversal",
         "break_mac"}
    };
    ObjectReader match{
        reader.has("match") ? parsed["match"] : empty,
        {"mti", "pan_suffix", "amount_minor", "currency"}
    };
    Rule rule;
    rule.mti = match.text("mti");
    rule.pan_suffix = match.text("pan_suffix");
    if (match.has("amount_minor")) {
        rule.amount_minor = match.number("amount_minor", 0, 999'999'999'999);
    }
    if (match.has("currency")) {
        rule.currency = Currency::from_alphabetic(match.text("currency"));
        if (!rule.currency) {
            match.complain("currency must be an ISO 4217 code");
        }
    }
    if (reader.has("times")) {
        rule.times = static_cast<std::uint64_t>(reader.number("times", 1, INT64_MAX));
    }
    rule.dice.seed(static_cast<std::uint64_t>(reader.number("seed", 0, INT64_MAX)));
    rule.fate.delay_ms = static_cast<unsigned>(reader.number("delay_ms", 0, kMillisecondsMax));
    rule.fate.late_ms = static_cast<unsigned>(reader.number("late_ms", 0, kMillisecondsMax));
    rule.lose = reader.probability("lose");
    rule.silence = reader.probability("silence");
    rule.duplicate = reader.probability("duplicate");
    rule.garbage = reader.probability("garbage");
    rule.tear = reader.probability("tear");
    rule.disconnect = reader.probability("disconnect");
    rule.fate.forgets_reversal = reader.flag("forget_reversal");
    rule.fate.breaks_mac = reader.flag("break_mac");
    rule.fate.decline = reader.text("decline");
    if (reader.has("decline") && rule.fate.decline.size() != 2 && rule.fate.decline.size() != 3) {
        reader.complain("decline must be two characters, or three of ISO 8583:1993");
    }
    rule.fate.refuse_first = reader.text("refuse_first");
    if (reader.has("refuse_first") &&
        (rule.fate.refuse_first.size() != 2 || rule.fate.delay_ms == 0)) {
        reader.complain("refuse_first must be two characters, and needs delay_ms");
    }
    if (reader.has("partial_minor")) {
        rule.fate.partial_minor = reader.number("partial_minor", 1, 999'999'999'999);
    }
    rule.fate.off_minor = reader.number("off_minor", -999'999'999'999, 999'999'999'999);
    if (!reader.error().empty() || !match.error().empty()) {
        return fail(Errc::malformed, reader.error().empty() ? match.error() : reader.error());
    }
    rules_.push_back(std::move(rule));
    return {};
}

Result<void> Faults::load(std::string const& path) {
    std::ifstream file{path};
    if (!file) {
        return fail(Errc::io, "cannot read the fault rules " + path);
    }
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        if (line.find_first_not_of(" \t\r") == std::string::npos) {
            continue;
        }
        if (auto const added = add(line); !added) {
            return fail(
                Errc::malformed, path + ":" + std::to_string(number) + ": " + added.error().context
            );
        }
    }
    return {};
}

bool Faults::matches(Rule const& rule, connectors::iso8583::Message const& request) {
    if (!request.mti().starts_with(rule.mti) ||
        (rule.mti.empty() && request.mti().starts_with("08")) ||
        !request.get(2).ends_with(rule.pan_suffix)) {
        return false;
    }
    if (!rule.amount_minor && !rule.currency) {
        return true;
    }
    auto const amount = request.amount();
    return amount && (!rule.amount_minor || amount->minor == *rule.amount_minor) &&
           (!rule.currency || amount->currency == *rule.currency);
}

Fate Faults::fate_of(connectors::iso8583::Message const& request) {
    auto const rule = std::find_if(rules_.begin(), rules_.end(), [&](Rule const& candidate) {
        return matches(candidate, request);
    });
    if (rule == rules_.end()) {
        return {};
    }
    auto fate = rule->fate;
    fate.is_lost = happens(rule->lose, rule->dice);
    fate.is_silent = happens(rule->silence, rule->dice);
    fate.is_duplicated = happens(rule->duplicate, rule->dice);
    fate.is_garbage = happens(rule->garbage, rule->dice);
    fate.is_torn = happens(rule->tear, rule->dice);
    fate.disconnects = happens(rule->disconnect, rule->dice);
    if (rule->times && --*rule->times == 0) {
        rules_.erase(rule);
    }
    return fate;
}

}  // namespace florin::banksim
