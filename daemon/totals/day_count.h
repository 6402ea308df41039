// What a connector moved on one business date, counted from the attempts in the ledger.
//
// The business date of a message is the UTC date of its field 7, which is in the durable intent and
// the same in every repeat: whoever goes by it cuts at the same place, whenever the message
// arrived. Thread rule: values.
#pragma once

#include "connectors/totals.h"
#include "daemon/model/documents.h"

#include <cstdint>
#include <map>
#include <string>

namespace florin::totals {

// Days since 1970-01-01.
using Day = std::int64_t;
Day day_of(std::int64_t seconds);
std::string date_of(Day day);  // "2026-11-24"

class DayCount {
public:
    DayCount(std::string connector, Day day);

    // Attempts that may be of this day have ids after `id_after()` and before `id_end()`. Wider
    // than the day by an hour: an id is made shortly before or after the field 7 of its attempt.
    std::string id_after() const;
    std::string id_end() const;

    // Counts an attempt where it is of this day and connector and moves money; once each.
    //   capture, approved   a debit
    //   refund, approved    a credit
    //   not closed          open: the bank may have booked it, or not
    // Reversals are of authorisations alone, which move nothing.
    void add(model::Attempt const& attempt);

    struct Of {
        connectors::Totals totals;
        std::int64_t open = 0;
    };
    // By currency (alphabetic): those in which something moved or may have.
    std::map<std::string, Of> const& by_currency() const { return by_currency_; }

private:
    bool is_of_day(model::Attempt const& attempt) const;

    std::string connector_;
    Day day_;
    std::string month_and_day_;  // as field 7 begins
    std::map<std::string, Of> by_currency_;
};

}  // namespace florin::totals
