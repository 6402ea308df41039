#include "daemon/totals/day_count.h"

#include "daemon/model/ids.h"
#include "ledger/base/calendar.h"

namespace florin::totals {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kSlackSeconds = 3'600;

}  // namespace

Day day_of(std::int64_t seconds) {
    return seconds / kDaySeconds - (seconds % kDaySeconds < 0 ? 1 : 0);
}

std::string date_of(Day day) {
    return utc_date(day * kDaySeconds);
}

DayCount::DayCount(std::string connector, Day day)
    : connector_{std::move(connector)},
      day_{day},
      month_and_day_{utc_transmission_time(day * kDaySeconds).substr(0, 4)} {}

std::string DayCount::id_after() const {
    return model::id_bound("at", day_ * kDaySeconds - kSlackSeconds);
}

std::string DayCount::id_end() const {
    return model::id_bound("at", (day_ + 1) * kDaySeconds + kSlackSeconds);
}

// Field 7 has no year; the time of the intent, which may be a little off, tells it.
bool DayCount::is_of_day(model::Attempt const& attempt) const {
    return attempt.transmission_time.starts_with(month_and_day_) &&
           attempt.created >= day_ * kDaySeconds - kSlackSeconds &&
           attempt.created < (day_ + 1) * kDaySeconds + kSlackSeconds;
}

void DayCount::add(model::Attempt const& attempt) {
    bool const is_capture = attempt.operation == "capture";
    bool const moves = is_capture || attempt.operation == "refund";
    if (!moves || attempt.connector != connector_ || !is_of_day(attempt)) {
        return;
    }
    if (attempt.closed == 0) {
        ++by_currency_[attempt.currency].open;
    } else if (attempt.state == "approved") {
        connectors::Totals& totals = by_currency_[attempt.currency].totals;
        ++(is_capture ? totals.debits_number : totals.credits_number);
        (is_capture ? totals.debits_amount : totals.credits_amount) += attempt.amount;
    }
}

}  // namespace florin::totals
