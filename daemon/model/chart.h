// The chart of accounts: which accounts there are, and the postings of a payment's life.
//
// Account ids are derived from role, owner, currency and mode, so nobody has to look them up. A
// ledger number is the ISO 4217 numeric code, plus 100000 for test money: test and live never meet.
// Transfer ids are derived from the attempt (or other cause) and the leg.
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"
#include "ledger/base/currency.h"
#include "ledger/types.h"

#include <string>
#include <vector>

namespace florin::model {

// Account codes; stored, never reused. conf/chart_of_accounts.csv describes them.
enum class Role : std::uint16_t {
    receivable = 10,           // per connector: what it owes us
    costs = 11,                // per connector: its fees
    clearing = 12,             // per connector and payout reference
    bank = 13,                 // per bank account
    merchant_pending = 20,     // per merchant: captured or reserved, not yet available
    merchant_available = 21,   // per merchant
    merchant_reserve = 22,     // per merchant
    merchant_in_transit = 23,  // per merchant: on its way to the bank
    fee_revenue = 30,
    tax_payable = 31,
    disputes = 32,
    fx_trading = 33,
    suspense = 34,
};
std::string_view role_name(Role role);

// Transfer codes; stored, never reused.
enum class Posting : std::uint16_t {
    authorisation = 1,
    capture = 2,
    fee = 3,
    release = 4,  // void, decline, confirmed reversal
    refund = 5,
    availability = 6,
    reserve = 7,
    acquirer_report = 8,
    acquirer_fee = 9,
    bank_statement = 10,
    payout = 11,
    payout_paid = 12,
    payout_returned = 13,
    suspense = 14,
};

struct Book {
    Currency currency;
    Mode mode;
    std::uint32_t ledger() const {
        return currency.numeric() + (mode == Mode::test ? 100'000U : 0U);
    }
};

// `owner` is the merchant, the connector, "connector|payout reference" or the bank account; empty
// for our own accounts.
u128 account_id(Role role, std::string_view owner, Book const& book);
ledger::Account account(Role role, std::string_view owner, Book const& book);

// Deterministic: the same cause and leg give the same id.
u128 transfer_id(std::string_view cause, std::string_view leg);

// fee = amount * basis points / 10000 rounded half-even, plus the fixed part, never above the
// amount.
std::int64_t fee_of(Merchant const& merchant, std::int64_t amount);

// ---- postings, (Dr, Cr)
// ---------------------------------------------------------------------------

// Dr receivable, Cr merchant pending, gross, pending without a timeout: expiry is a command of its
// own.
std::vector<ledger::Transfer> authorisation(
    Book const& book,
    std::string_view attempt,
    std::string_view connector,
    std::string_view merchant,
    std::int64_t amount
);
// Posts `amount` of the reservation (the rest is released); linked: Dr merchant pending, Cr fee
// revenue.
std::vector<ledger::Transfer> capture(
    Book const& book,
    std::string_view attempt,
    u128 pending_id,
    std::string_view merchant,
    std::int64_t amount,
    std::int64_t fee
);
std::vector<ledger::Transfer> release(std::string_view attempt, u128 pending_id);
// Dr merchant available, Cr receivable, pending until the connector confirms.
std::vector<ledger::Transfer> refund(
    Book const& book,
    std::string_view attempt,
    std::string_view connector,
    std::string_view merchant,
    std::int64_t amount
);
std::vector<ledger::Transfer> refund_confirmed(std::string_view attempt, u128 pending_id);

// A bank booked what was given up: Dr receivable, Cr suspense; and gives it back: Dr suspense, Cr
// receivable, pending until the connector confirms (refund_confirmed). `attempt`: the refund's.
std::vector<ledger::Transfer> stray_capture(
    Book const& book, std::string_view attempt, std::string_view connector, std::int64_t amount
);
// A bank made a refund that it had refused, when the refund was over: Dr suspense, Cr receivable.
// `attempt`: the refund's.
ledger::Transfer stray_refund(
    Book const& book, std::string_view attempt, std::string_view connector, std::int64_t amount
);
std::vector<ledger::Account> suspense_accounts(Book const& book, std::string_view connector);

// The accounts these postings touch, for Command::ensure_accounts.
std::vector<ledger::Account> payment_accounts(
    Book const& book, std::string_view connector, std::string_view merchant
);

// Dr merchant pending, Cr merchant available, gross less fee; user_data_64 is the gross.
ledger::Transfer availability(
    Book const& book,
    std::string_view attempt,
    std::string_view merchant,
    std::int64_t gross,
    std::int64_t fee
);
// Dr merchant available, Cr merchant in transit.
ledger::Transfer payout(
    Book const& book, std::string_view payout, std::string_view merchant, std::int64_t amount
);
// The bank's statement shows it: Dr merchant in transit, Cr bank.
ledger::Transfer payout_paid(
    Book const& book,
    std::string_view payout,
    std::string_view merchant,
    std::string_view bank,
    std::int64_t amount
);
// It came back: Dr bank, Cr merchant in transit; linked: Dr merchant in transit, Cr available.
std::vector<ledger::Transfer> payout_returned(
    Book const& book,
    std::string_view payout,
    std::string_view merchant,
    std::string_view bank,
    std::int64_t amount
);
std::vector<ledger::Account> payout_accounts(
    Book const& book, std::string_view merchant, std::string_view bank
);

// A line of an acquirer's report, by which a transfer's id is made too.
struct ReportedLine {
    std::string_view line;       // its owner and id
    std::string_view connector;  // whose receivable it is about
    std::string_view reference;  // the payout it belongs to
    std::int64_t amount = 0;     // never negative
    std::int64_t fee = 0;        // withheld; never negative
};
// Money for us: Dr clearing, Cr receivable, gross; linked: Dr costs, Cr clearing, the fee.
std::vector<ledger::Transfer> reported_credit(Book const& book, ReportedLine const& line);
// Money given back, by a refund or a chargeback: Dr receivable, Cr clearing; the fee as above.
std::vector<ledger::Transfer> reported_debit(Book const& book, ReportedLine const& line);
// A cost that belongs to no transaction: Dr costs, Cr clearing.
std::vector<ledger::Transfer> reported_fee(Book const& book, ReportedLine const& line);
std::vector<ledger::Account> report_accounts(
    Book const& book, std::string_view connector, std::string_view reference
);

// One net line of a bank's statement. Positive: Dr bank, Cr clearing; negative: the reverse.
ledger::Transfer bank_net(
    Book const& book,
    std::string_view line,
    std::string_view bank,
    std::string_view connector,
    std::string_view reference,
    std::int64_t net
);

}  // namespace florin::model
