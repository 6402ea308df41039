// Fuzzes both ends of payment files: what the simulated bank reads, and our writer.
//
// What is asserted: a file that the bank accepts has transfers above zero with names and accounts,
// no two of one name; where our writer takes the same orders, the bank reads them back unchanged.
#include "connectors/iso20022/pain001.h"
#include "ledger/base/check.h"
#include "tools/banksim/payment_file.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace florin::banksim {
namespace {

using connectors::iso20022::CreditTransfer;
using connectors::iso20022::CreditTransferInitiation;
using connectors::iso20022::write_pain001;

// The same orders, one group for each.
CreditTransferInitiation written_again(PaymentFile const& file) {
    CreditTransferInitiation initiation{
        .message_id = file.message_id,
        .created = "2026-11-24T18:30:00Z",
        .initiating_party = "fuzz",
        .groups = {},
    };
    for (auto const& order : file.orders) {
        auto const number = std::to_string(100'000'000'000 + initiation.groups.size());
        initiation.groups.push_back({
            .payment_information_id = "G-" + number,
            .requested_execution_date = "2026-11-25",
            .debtor_name = "fuzz",
            .debtor_iban = std::string{kAccountIban},
            .currency = order.amount.currency,
            .transfers = {CreditTransfer{
                .end_to_end_id = order.end_to_end_id,
                .instruction_id = {},
                .uetr = "00000000-0000-4000-8000-" + number,
                .amount = order.amount,
                .creditor_name = order.creditor_name,
                .creditor_iban = order.creditor_iban,
                .remittance = order.remittance,
            }},
        });
    }
    return initiation;
}

void read(std::string_view bytes) {
    auto const file = parse_payment_file(bytes);
    if (!file) {
        return;
    }
    std::set<std::string_view> names;
    for (auto const& order : file->orders) {
        FLORIN_CHECK(order.amount.minor > 0, "an amount that is not above zero");
        FLORIN_CHECK(!order.creditor_name.empty(), "a creditor without name");
        FLORIN_CHECK(!order.creditor_iban.empty(), "a creditor without account");
        FLORIN_CHECK(names.insert(order.end_to_end_id).second, "one name twice");
    }
    auto const document = write_pain001(written_again(*file));
    if (!document) {
        return;  // the bank does not check IBANs and character sets, the writer does
    }
    auto const again = parse_payment_file(*document);
    FLORIN_CHECK(again, "the bank refuses what we write");
    FLORIN_CHECK(again->message_id == file->message_id, "another message id");
    FLORIN_CHECK(again->orders.size() == file->orders.size(), "another number of orders");
    for (std::size_t i = 0; i < again->orders.size(); ++i) {
        auto wanted = file->orders[i];
        wanted.payment_information_id = again->orders[i].payment_information_id;
        FLORIN_CHECK(again->orders[i] == wanted, "an order comes back changed");
    }
}

}  // namespace
}  // namespace florin::banksim

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    florin::banksim::read({reinterpret_cast<char const*>(data), size});
    return 0;
}
