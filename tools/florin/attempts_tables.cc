#include "tools/florin/attempts_tables.h"

#include "ledger/base/calendar.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

std::string time_of(json const& object, char const* name) {
    std::int64_t const at = object.value(name, std::int64_t{0});
    return at == 0 ? "" : utc_time(at);
}

}  // namespace florin::tools
