#include "daemon/recon/digest.h"

#include <nlohmann/json.hpp>

namespace florin::recon {
namespace {

using nlohmann::ordered_json;

// What is stored is UTF-8, since it came as JSON; a text that is not could only be a false one.
std::string text_of(ordered_json const& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

void StatementDigest::add(model::StatementLineDocument const& line) {
    ordered_json const value = {
        {"number", line.number},
        {"type", line.type},
        {"currency", line.currency},
        {"amount", line.amount},
        {"fee", line.fee},
        {"reference", line.reference},
        {"booking_date", line.booking_date},
        {"value_date", line.value_date},
        {"stan", line.stan},
        {"rrn", line.rrn},
        {"authorization_code", line.authorization_code},
        {"transmission_time", line.transmission_time},
        {"masked_pan", line.masked_pan},
        {"terminal_id", line.terminal_id},
        {"bank_reference", line.bank_reference},
        {"entry_reference", line.entry_reference},
        {"counterparty_name", line.counterparty_name},
        {"counterparty_account", line.counterparty_account},
        {"remittance", line.remittance},
        {"is_reversal", line.is_reversal},
    };
    hash_.update(text_of(value) + "\n");
}

std::string StatementDigest::finish(model::StatementDocument const& statement) {
    ordered_json const head = {
        {"id", statement.id},
        {"level", statement.level},
        {"account", statement.account},
        {"currency", statement.currency},
        {"date", statement.date},
        {"opening", statement.opening},
        {"closing", statement.closing},
        {"file", ""},
        {"lines", statement.lines},
    };
    hash_.update(text_of(head));
    return crypto::hex(hash_.finish());
}

}  // namespace florin::recon
