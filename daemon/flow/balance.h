// A merchant's balance: reading it, and writing the rows of what changed it.
//
// Thread rule: write_row and list_with_next_payout belong to the coroutine of their Change;
// read_balance may be awaited on any executor.
#pragma once

#include "daemon/flow/store.h"
#include "daemon/ledger_client.h"
#include "daemon/model/balance.h"
#include "ledger/base/currency.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace florin::flow {

// Adds the row to the command that posts what it is about, under an id of its own: it is in `row`
// afterwards.
void write_row(Change& change, model::IdMaker& ids, model::BalanceTransaction& row);

// Lists the row with the payout that is made next in its currency. Where one is made meanwhile, the
// command is refused with document_conflict and has to be made anew.
void list_with_next_payout(
    Change& change, ledger::DocumentReader const& reader, model::BalanceTransaction const& row
);

// What the ledger holds in one currency, in ISO minor units. Either may be below zero; what is only
// reserved is in neither.
struct CurrencyBalance {
    Currency currency;
    std::int64_t available = 0;
    std::int64_t pending = 0;
};
struct Balance {
    model::Mode mode = model::Mode::test;
    std::vector<CurrencyBalance> currencies;
};

// Of every currency that the merchant has accounts in, by the currency's name; of his default
// currency where he has none yet. All from one moment.
boost::asio::awaitable<Result<Balance>> read_balance(LedgerClient& ledger, std::string owner);

}  // namespace florin::flow
