// What the simulated bank is told to pay: a pain.001.001.09 file.
//
// It is read with distrust, as a bank does: counts and sums must be those of the transfers, and the
// debtor's account must be the one that the bank keeps. Written without looking at the writer.
// Thread rule: pure functions.
#pragma once

#include "ledger/base/money.h"
#include "ledger/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace florin::banksim {

// The account of the merchant side, one IBAN for all currencies; a published test number.
inline constexpr std::string_view kAccountIban = "DE02120300000000202051";

struct Order {
    std::string payment_information_id;
    std::string end_to_end_id;
    Money amount;  // above zero
    std::string creditor_name;
    std::string creditor_iban;
    std::string remittance;

    friend bool operator==(Order const&, Order const&) = default;
};

struct PaymentFile {
    std::string message_id;
    std::vector<Order> orders;  // in the order of the file; no two with one end-to-end id
};

// Errc::malformed for a file that breaks its form or contradicts itself, Errc::unsupported for
// another message, Errc::refused for an account that is not here, Errc::out_of_range for a file of
// more than 16 MiB.
Result<PaymentFile> parse_payment_file(std::string_view bytes);

}  // namespace florin::banksim
