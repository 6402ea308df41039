#include "daemon/model/settlement.h"

#include "crypto/hash.h"
#include "daemon/model/json_document.h"

#include <fmt/format.h>

#include <algorithm>

namespace florin::model {

FLORIN_FIELDS(Availability, attempt, currency, gross, fee, due)
FLORIN_FIELDS(SettlementPosition, batch, cut_ns, available, payouts)
FLORIN_FIELDS(PayoutLines, opening, gross, fees, refunds, payouts, returned, other, available)
FLORIN_FIELDS(
    Payout,
    id,
    batch,
    merchant,
    currency,
    state,
    amount,
    lines,
    iban,
    account_holder,
    uetr,
    attempt,
    created,
    closed,
    statement_line,
    number,
    balance_transaction,
    failure_balance_transaction
)
FLORIN_FIELDS(BatchPayout, owner, payout)
FLORIN_FIELDS(
    SettlementBatch,
    id,
    mode,
    state,
    date,
    cut_sequence,
    cut_ns,
    availabilities,
    payouts,
    file,
    file_sha256,
    boot_id,
    created,
    closed
)

FLORIN_DOCUMENT(Availability)
FLORIN_DOCUMENT(SettlementPosition)
FLORIN_DOCUMENT(Payout)
FLORIN_DOCUMENT(BatchPayout)
FLORIN_DOCUMENT(SettlementBatch)

std::string availability_id(
    std::string_view currency, std::int64_t due, std::string_view transaction
) {
    return fmt::format("{}/{:012}/{}", currency, due, transaction);
}

std::string_view transaction_of(std::string_view availability) {
    auto const id = availability.substr(availability.rfind('/') + 1);
    return id.starts_with("txn_") ? id : std::string_view{};
}

std::string payout_id(
    std::string_view batch,
    std::string_view merchant,
    std::string_view currency,
    std::int64_t attempt
) {
    auto const digest =
        crypto::sha256(fmt::format("payout|{}|{}|{}|{}", batch, merchant, currency, attempt));
    constexpr std::size_t kDigits = 24;  // with the prefix well below the 35 of an EndToEndId
    return "po_" + crypto::hex(digest).substr(0, kDigits);
}

std::string end_to_end_id(std::string_view payout) {
    std::string id{payout};
    std::ranges::replace(id, '_', '-');
    return id;
}

std::string payout_uetr(std::string_view payout) {
    // RFC 9562 version 8: contents of our own, here a hash. Schemes that insist on version 4 take
    // any digits in these places, so its marks are set.
    std::string hex = crypto::hex(crypto::sha256("uetr|" + std::string{payout}));
    hex[12] = '4';
    hex[16] = '8';
    return fmt::format(
        "{}-{}-{}-{}-{}",
        hex.substr(0, 8),
        hex.substr(8, 4),
        hex.substr(12, 4),
        hex.substr(16, 4),
        hex.substr(20, 12)
    );
}

}  // namespace florin::model
