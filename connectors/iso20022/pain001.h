// Writes customer credit transfer initiations: ISO 20022 pain.001.001.09.
//
//   Document / CstmrCdtTrfInitn
//     GrpHdr            MsgId, CreDtTm, NbOfTxs, CtrlSum, InitgPty
//     PmtInf*           one debtor account, one currency, one day
//       CdtTrfTxInf*    one transfer
//
// The bytes are a function of the input alone, so that a file made again after a crash is the same
// file. Counts and sums are exact at both levels. Nothing is cleaned up on the way: what may not
// stand in a field is refused, and the error names the field. The form is docs/formats/pain001.md.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/money.h"
#include "ledger/base/result.h"

#include <string>
#include <vector>

namespace florin::connectors::iso20022 {

// Identifications are 1 to 35 characters of the SEPA Latin set; no slash at either end, no two
// slashes in a row. Names and remittance information are 1 to 140 characters that XML can carry,
// in UTF-8, without control characters; a bank in SEPA takes 70 of a name.
struct CreditTransfer {
    std::string end_to_end_id;
    std::string instruction_id;  // empty: left out
    std::string uetr;            // a version 4 UUID in lower case; one for each transfer
    Money amount;                // above zero, in the currency of its group
    std::string creditor_name;
    std::string creditor_iban;
    std::string remittance;  // empty: left out
};

struct CreditTransferGroup {
    std::string payment_information_id;
    std::string requested_execution_date;  // YYYY-MM-DD
    std::string debtor_name;
    std::string debtor_iban;
    Currency currency;
    std::vector<CreditTransfer> transfers;
};

struct CreditTransferInitiation {
    std::string message_id;
    std::string created;  // YYYY-MM-DDThh:mm:ss, then nothing, Z or ±hh:mm
    std::string initiating_party;
    std::vector<CreditTransferGroup> groups;
};

// Errc::malformed: a field breaks its form. Errc::out_of_range: a text too long, an amount not
// above zero, a sum of more than 18 digits. Errc::conflict: two groups, transfers or UETRs of one
// name, or a transfer in another currency than its group.
Result<std::string> write_pain001(CreditTransferInitiation const& initiation);

}  // namespace florin::connectors::iso20022
