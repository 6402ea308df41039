#include "daemon/model/reconciliation.h"

#include "crypto/hash.h"
#include "daemon/model/json_document.h"

#include <fmt/format.h>

namespace florin::model {

FLORIN_FIELDS(ExpectedLine, owner, attempt, operation, currency, amount, created)
FLORIN_FIELDS(
    StatementDocument,
    id,
    level,
    account,
    currency,
    date,
    state,
    mode,
    digest,
    file,
    opening,
    closing,
    lines,
    imported,
    imported_by,
    imported_key,
    completed_by,
    completed_key
)
FLORIN_FIELDS(
    StatementLineDocument,
    statement,
    level,
    account,
    number,
    type,
    currency,
    amount,
    fee,
    reference,
    booking_date,
    value_date,
    stan,
    rrn,
    authorization_code,
    transmission_time,
    masked_pan,
    terminal_id,
    bank_reference,
    entry_reference,
    counterparty_name,
    counterparty_account,
    remittance,
    is_reversal,
    matched_by,
    matched,
    matched_at
)
FLORIN_FIELDS(UnmatchedLine, line)
FLORIN_FIELDS(
    PayoutReference, reference, connector, currency, business_date, net, lines, bank_line, closed
)
FLORIN_FIELDS(ReportedTransaction, owner, attempt, line, reference, amount)
FLORIN_FIELDS(
    Break,
    id,
    type,
    state,
    assignee,
    account,
    currency,
    amount,
    line,
    attempt,
    reference,
    explanation,
    opened,
    resolved
)

FLORIN_DOCUMENT(ExpectedLine)
FLORIN_DOCUMENT(StatementDocument)
FLORIN_DOCUMENT(StatementLineDocument)
FLORIN_DOCUMENT(UnmatchedLine)
FLORIN_DOCUMENT(PayoutReference)
FLORIN_DOCUMENT(ReportedTransaction)
FLORIN_DOCUMENT(Break)

std::string connector_owner(std::string_view connector, Mode mode) {
    return "connector/" + owner_of(connector, mode);
}

std::string statement_owner(std::string_view level, std::string_view account, Mode mode) {
    return fmt::format("statement/{}/{}", level, owner_of(account, mode));
}

std::string statement_line_id(std::string_view statement, std::int64_t number) {
    return fmt::format("{}/{:09}", statement, number);
}

std::string reported_id(std::string_view type, std::string_view rrn, std::string_view stan) {
    return fmt::format("{}/{}/{}", type, rrn, stan);
}

std::string break_id(std::string_view type, std::string_view subject) {
    constexpr std::size_t kDigits = 24;
    auto const digest = crypto::sha256("break|" + std::string{type} + "|" + std::string{subject});
    return "brk_" + crypto::hex(digest).substr(0, kDigits);
}

}  // namespace florin::model
