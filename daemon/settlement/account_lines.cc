// What moved a merchant's available account between two cuts, read from the ledger's history, and
// what the ledger says its balance was. Settlement checks one against the other.
#include "daemon/model/chart.h"
#include "daemon/settlement/settlement.h"

#include <map>

namespace florin::settlement {
namespace {

namespace asio = boost::asio;
using ledger::Transfer;

constexpr std::uint32_t kPageTransfers = ledger::kBatchEventsMax;

Result<std::int64_t> minor(u128 amount) {
    if (amount > u128{INT64_MAX}) {
        return fail(Errc::out_of_range, "an amount of " + to_string(amount) + " minor units");
    }
    return static_cast<std::int64_t>(amount);
}

// The pending transfers that these post or void.
std::vector<u128> pending_ids(std::vector<Transfer> const& page) {
    std::vector<u128> ids;
    for (Transfer const& each : page) {
        if (each.resolves_pending()) {
            ids.push_back(each.pending_id);
        }
    }
    return ids;
}

using Reservations = std::map<u128, u128>;  // pending transfer -> amount

// By how much a transfer changes "posted less pending debits", and under which heading.
Result<void> add(
    model::PayoutLines& lines, Transfer const& transfer, u128 account, Reservations const& reserved
) {
    bool const is_debit = transfer.debit_account_id == account;
    FLORIN_TRY(std::int64_t const amount, minor(transfer.amount));
    std::int64_t change = is_debit ? -amount : amount;
    if (transfer.has(ledger::transfer_pending)) {
        change = is_debit ? -amount : 0;
    } else if (transfer.resolves_pending()) {
        auto const pending = reserved.find(transfer.pending_id);
        if (pending == reserved.end()) {
            return fail(Errc::corrupt, "a pending transfer is gone");
        }
        FLORIN_TRY(std::int64_t const held, minor(pending->second));
        bool const posts = transfer.has(ledger::post_pending_transfer);
        change = is_debit ? held - (posts ? amount : 0) : (posts ? amount : 0);
    }
    switch (static_cast<model::Posting>(transfer.code)) {
        case model::Posting::availability: {
            auto const gross = static_cast<std::int64_t>(transfer.user_data_64);
            lines.gross += gross;
            lines.fees += gross - amount;
            break;
        }
        case model::Posting::refund: lines.refunds -= change; break;
        case model::Posting::payout: lines.payouts -= change; break;
        case model::Posting::payout_returned: lines.returned += change; break;
        case model::Posting::authorisation:
        case model::Posting::capture:
        case model::Posting::fee:
        case model::Posting::release:
        case model::Posting::reserve:
        case model::Posting::acquirer_report:
        case model::Posting::acquirer_fee:
        case model::Posting::bank_statement:
        case model::Posting::payout_paid:
        case model::Posting::suspense: lines.other += change; break;
    }
    return {};
}

}  // namespace

Result<std::int64_t> signed_minor(u128 credits, u128 debits) {
    bool const is_credit = credits >= debits;
    FLORIN_TRY(std::int64_t const size, minor(is_credit ? credits - debits : debits - credits));
    return is_credit ? size : -size;
}

asio::awaitable<Result<model::PayoutLines>> Settlement::lines_since(
    Account account, model::SettlementPosition position, std::uint64_t cut_ns
) {
    model::Book const book{account.currency, parts_.mode};
    u128 const id = model::account_id(model::Role::merchant_available, account.merchant, book);
    model::PayoutLines lines;
    lines.opening = position.available;
    std::uint64_t from = position.cut_ns + 1;
    for (;;) {
        ledger::Request wanted{ledger::GetAccountTransfers{
            {.account_id = id,
             .timestamp_min = from,
             .timestamp_max = cut_ns,
             .limit = kPageTransfers,
             .flags = ledger::kFilterDebits | ledger::kFilterCredits}
        }};
        FLORIN_CO_TRY(auto const answer, co_await parts_.ledger.submit(std::move(wanted)));
        auto const& page = std::get<ledger::TransfersAnswer>(answer).transfers;
        Reservations reserved;
        if (auto ids = pending_ids(page); !ids.empty()) {
            ledger::Request pending{ledger::LookupTransfers{std::move(ids)}};
            FLORIN_CO_TRY(auto const found, co_await parts_.ledger.submit(std::move(pending)));
            for (Transfer const& each : std::get<ledger::TransfersAnswer>(found).transfers) {
                reserved[each.id] = each.amount;
            }
        }
        for (Transfer const& each : page) {
            FLORIN_CO_TRY_VOID(add(lines, each, id, reserved));
        }
        if (page.size() < kPageTransfers) {
            break;
        }
        from = page.back().timestamp + 1;
    }
    lines.available = lines.opening + lines.gross - lines.fees - lines.refunds + lines.returned -
                      lines.payouts + lines.other;
    co_return lines;
}

asio::awaitable<Result<std::int64_t>> Settlement::available_at(
    Account account, std::uint64_t cut_ns
) {
    model::Book const book{account.currency, parts_.mode};
    ledger::Request wanted{ledger::GetAccountBalances{
        {.account_id = model::account_id(model::Role::merchant_available, account.merchant, book),
         .timestamp_max = cut_ns,
         .limit = 1,
         .flags = ledger::kFilterDebits | ledger::kFilterCredits | ledger::kFilterReversed}
    }};
    FLORIN_CO_TRY(auto const answer, co_await parts_.ledger.submit(std::move(wanted)));
    auto const& balances = std::get<ledger::BalancesAnswer>(answer).balances;
    if (balances.empty()) {
        co_return std::int64_t{0};
    }
    co_return signed_minor(
        balances[0].credits_posted, balances[0].debits_posted + balances[0].debits_pending
    );
}

asio::awaitable<Result<std::int64_t>> Settlement::available_now(Account account) {
    model::Book const book{account.currency, parts_.mode};
    ledger::Request wanted{ledger::LookupAccounts{
        {model::account_id(model::Role::merchant_available, account.merchant, book)}
    }};
    FLORIN_CO_TRY(auto const answer, co_await parts_.ledger.submit(std::move(wanted)));
    auto const& found = std::get<ledger::AccountsAnswer>(answer).accounts;
    if (found.empty()) {
        co_return std::int64_t{0};
    }
    co_return signed_minor(
        found[0].credits_posted, found[0].debits_posted + found[0].debits_pending
    );
}

}  // namespace florin::settlement
