// The documents of comparing totals with banks at the cut-over of the business date.
//
// Amounts are ISO 4217 minor units; times are seconds since 1970 UTC unless a name says otherwise.
// Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace florin::model {

// By names of connectors::total_names() and "net".
using TotalsByName = std::map<std::string, std::int64_t>;

// One comparison. Owner: connector_owner; id: totals_id. The intent is stored before the first byte
// goes out, and everything of it stays: a repeat says the same under the same identity.
struct TotalsDocument {
    static constexpr Kind kKind = Kind::totals;
    std::string connector, date, currency;  // date: YYYY-MM-DD
    std::string message;                    // request, advice
    TotalsByName ours;
    // Captures and refunds of that date whose outcome was not final when `ours` was counted.
    std::int64_t open = 0;
    std::uint64_t stan = 0;  // 0: still only held by its link's counter, under totals_holder
    std::uint64_t link = 0;  // of the connector that its STAN is of; 0: the first
    std::string transmission_time;
    std::int64_t created = 0;
    std::int64_t sends = 0, sent_ms = 0;  // counted before each; sent_ms: the last one
    std::string state;                    // waiting, answered
    // Of the answer: connectors::totals_result_name, balance_claim_name, the code of that.
    std::string result, claim, code, detail;
    TotalsByName theirs;  // what it left out is not there
    std::vector<std::string> differing;
    std::int64_t answered = 0;
};
std::string totals_id(std::string_view date, std::string_view currency);  // "2026-11-24/EUR"
// Who holds its STAN.
std::string totals_holder(TotalsDocument const& totals);

// How far it is. Owner: connector_owner; id: kTotalsCursor.
struct TotalsCursor {
    static constexpr Kind kKind = Kind::totals_cursor;
    std::int64_t day = 0;  // since 1970-01-01: the last date whose totals were made
};
inline constexpr char const* kTotalsCursor = "last";

}  // namespace florin::model
