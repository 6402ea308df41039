#include "tools/florin/attempts_tables.h"

#include "ledger/base/calendar.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace florin::tools {

using json = nlohmann::ordered_json;

Table attempts_table(AttemptNames const& names) {
    std::vector<std::string> headings{"attempt"};
    if (names.has_merchant) {
        headings.emplace_back("merchant");
    }
    for (char const* const each :
         {"operation",
          "state",
          ">amount",
          "currency",
          "connector",
          "stan",
          "code",
          "created",
          ">age",
          ">sends",
          "payment"}) {
        headings.emplace_back(each);
    }
    return Table{std::move(headings)};
}

void add_attempt(Table& table, AttemptNames const& names, json const& attempt) {
    std::vector<std::string> row{text_of(attempt, names.id)};
    if (names.has_merchant) {
        row.push_back(text_of(attempt, "merchant"));
    }
    row.push_back(text_of(attempt, "operation"));
    row.push_back(text_of(attempt, "state"));
    row.push_back(text_of(attempt, names.amount));
    row.push_back(text_of(attempt, "currency"));
    row.push_back(text_of(attempt, "connector"));
    row.push_back(text_of(attempt, "stan"));
    row.push_back(text_of(attempt, "response_code"));
    row.push_back(time_of(attempt, "created"));
    row.push_back(age_of(attempt));
    row.push_back(text_of(attempt, "sends"));
    row.push_back(text_of(attempt, "payment_intent"));
    table.add(std::move(row));
}

void print_evidence(AttemptNames const& names, json const& attempt, Format format) {
    Table evidence{
        {"source", "outcome", "code", std::string{">"} + names.amount, "time", "reference"}
    };
    for (json const& each : attempt.value("evidence", json::array())) {
        evidence.add(
            {text_of(each, "source"),
             text_of(each, "outcome"),
             text_of(each, "code"),
             text_of(each, names.amount),
             utc_time(each.value("time_ms", std::int64_t{0}) / 1000),
             text_of(each, "reference")}
        );
    }
    fmt::print("\nevidence\n");
    evidence.print(format);
}

std::string age_text(std::int64_t created, std::int64_t now) {
    std::int64_t const age = std::max<std::int64_t>(now - created, 0);
    constexpr std::int64_t kMinute = 60, kHour = 3'600, kDay = 86'400;
    if (age < kMinute) {
        return fmt::format("{}s", age);
    }
    if (age < kHour) {
        return fmt::format("{}m", age / kMinute);
    }
    if (age < kDay) {
        return fmt::format("{}h {:02}m", age / kHour, age % kHour / kMinute);
    }
    return fmt::format("{}d {:02}h", age / kDay, age % kDay / kHour);
}

std::string age_of(json const& attempt) {
    if (attempt.value("closed", std::int64_t{0}) != 0) {
        return {};
    }
    auto const now = std::chrono::system_clock::now().time_since_epoch();
    return age_text(
        attempt.value("created", std::int64_t{0}),
        std::chrono::duration_cast<std::chrono::seconds>(now).count()
    );
}

std::string time_of(json const& object, char const* name) {
    std::int64_t const at = object.value(name, std::int64_t{0});
    return at == 0 ? "" : utc_time(at);
}

}  // namespace florin::tools
