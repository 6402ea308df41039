#include "daemon/model/balance.h"

#include "daemon/model/ids.h"
#include "daemon/model/json_document.h"

#include <fmt/format.h>

namespace florin::model {

FLORIN_FIELDS(BalanceTransaction, type, source, currency, description, amount, fee, due)
FLORIN_DOCUMENT(BalanceTransaction)

std::int64_t BalanceTransaction::created() const {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    return static_cast<std::int64_t>(id_time_ns(id).value_or(0) / kSecondNs);
}

std::string payout_rows(std::string_view currency, std::int64_t number) {
    return fmt::format("{}-{}", currency, number);
}

}  // namespace florin::model
