// What a statement's digest covers, so that who imports one and who stores it mean the same thing.
//
//   digest := SHA-256( line* head ), hexadecimal
//   line   := a JSON object without blanks, and a line feed: number, type, currency, amount, fee,
//             reference, booking_date, value_date, stan, rrn, authorization_code,
//             transmission_time, masked_pan, terminal_id, bank_reference, entry_reference,
//             counterparty_name, counterparty_account, remittance, is_reversal; in this order
//   head   := a JSON object without blanks: id, level, account, currency, date, opening, closing,
//             file (always empty here), lines; in this order
//
// All of it is stored, so that the digest can be computed again from what is stored.
// Thread rule: one thread.
#pragma once

#include "crypto/hash.h"
#include "daemon/model/reconciliation.h"

#include <string>

namespace florin::recon {

class StatementDigest {
public:
    // In the order of their numbers.
    void add(model::StatementLineDocument const& line);
    // Once, after the last line.
    std::string finish(model::StatementDocument const& statement);

private:
    crypto::Sha256 hash_;
};

}  // namespace florin::recon
