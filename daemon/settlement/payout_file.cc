// A batch as a payout file: pain.001.001.09, one group for each currency. The bytes are a function
// of the stored batch and its payouts, so that the file is the same whenever it is made.
#include "connectors/iso20022/pain001.h"
#include "daemon/settlement/settlement.h"
#include "ledger/base/calendar.h"
#include "ledger/base/check.h"

#include <algorithm>

namespace florin::settlement {
namespace {

namespace iso20022 = connectors::iso20022;

}  // namespace

Result<std::string> Settlement::file_bytes(model::SettlementBatch const& batch) const {
    FLORIN_TRY(auto const all, payouts(batch.id));
    BankAccount const& debtor = parts_.bank_accounts.front();
    iso20022::CreditTransferInitiation initiation{
        .message_id = batch.id,
        .created = utc_time(seconds_of(batch.cut_ns)),
        .initiating_party = debtor.holder,
        .groups = {},
    };
    for (model::Payout const& payout : all) {
        auto const currency = Currency::from_alphabetic(payout.currency);
        FLORIN_CHECK(currency.has_value(), "a stored payout's currency is known");
        auto group = std::ranges::find(
            initiation.groups, *currency, &iso20022::CreditTransferGroup::currency
        );
        if (group == initiation.groups.end()) {
            initiation.groups.push_back({
                .payment_information_id = batch.id + "-" + payout.currency,
                .requested_execution_date = batch.date,
                .debtor_name = debtor.holder,
                .debtor_iban = debtor.iban,
                .currency = *currency,
                .transfers = {},
            });
            group = initiation.groups.end() - 1;
        }
        group->transfers.push_back({
            .end_to_end_id = model::end_to_end_id(payout.id),
            .instruction_id = {},
            .uetr = payout.uetr,
            .amount = {payout.amount, *currency},
            .creditor_name = payout.account_holder,
            .creditor_iban = payout.iban,
            .remittance = batch.id,
        });
    }
    return iso20022::write_pain001(initiation);
}

}  // namespace florin::settlement
