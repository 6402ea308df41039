#include "daemon/model/chart.h"

#include "crypto/hash.h"
#include "ledger/base/check.h"
#include "ledger/base/money.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace florin::model {
namespace {

u128 id_from(std::string const& text) {
    auto const digest = crypto::sha256(text);
    u128 id = 0;
    std::memcpy(&id, digest.data(), sizeof id);
    FLORIN_CHECK(id != 0 && id != kU128Max, "a hash is neither all zeros nor all ones");
    return id;
}

ledger::Transfer transfer(
    Book const& book, u128 id, u128 debit, u128 credit, std::int64_t amount, Posting posting
) {
    FLORIN_CHECK(amount >= 0, "a posting's amount is not negative");
    ledger::Transfer transfer;
    transfer.id = id;
    transfer.debit_account_id = debit;
    transfer.credit_account_id = credit;
    transfer.amount = static_cast<u128>(amount);
    transfer.ledger = book.ledger();
    transfer.code = static_cast<std::uint16_t>(posting);
    return transfer;
}

ledger::Transfer resolving(u128 id, u128 pending_id, u128 amount, std::uint16_t flags) {
    ledger::Transfer transfer;
    transfer.id = id;
    transfer.pending_id = pending_id;
    transfer.amount = amount;
    transfer.flags = flags;
    return transfer;
}

std::string clearing_owner(std::string_view connector, std::string_view reference) {
    return std::string{connector} + "|" + std::string{reference};
}

u128 clearing_account(Book const& book, ReportedLine const& line) {
    return account_id(Role::clearing, clearing_owner(line.connector, line.reference), book);
}

void add_cost(
    Book const& book,
    ReportedLine const& line,
    std::int64_t cost,
    std::vector<ledger::Transfer>& transfers
) {
    if (cost > 0) {
        transfers.push_back(transfer(
            book,
            transfer_id(line.line, "cost"),
            account_id(Role::costs, line.connector, book),
            clearing_account(book, line),
            cost,
            Posting::acquirer_fee
        ));
    }
}

}  // namespace

std::string_view role_name(Role role) {
    switch (role) {
        case Role::receivable: return "receivable";
        case Role::costs: return "costs";
        case Role::clearing: return "clearing";
        case Role::bank: return "bank";
        case Role::merchant_pending: return "merchant_pending";
        case Role::merchant_available: return "merchant_available";
        case Role::merchant_reserve: return "merchant_reserve";
        case Role::merchant_in_transit: return "merchant_in_transit";
        case Role::fee_revenue: return "fee_revenue";
        case Role::tax_payable: return "tax_payable";
        case Role::disputes: return "disputes";
        case Role::fx_trading: return "fx_trading";
        case Role::suspense: return "suspense";
    }
    return "unknown";
}

u128 account_id(Role role, std::string_view owner, Book const& book) {
    // Each payment asks for the same ones several times, and a hash takes longer than a look.
    constexpr std::size_t kKnownMax = 1'024;
    thread_local std::unordered_map<std::string, u128> known;
    std::string name{"account|"};
    name.append(role_name(role)).append("|").append(owner).append("|");
    name.append(book.currency.alphabetic()).append("|").append(mode_name(book.mode));
    if (auto const found = known.find(name); found != known.end()) {
        return found->second;
    }
    if (known.size() >= kKnownMax) {
        known.clear();
    }
    u128 const id = id_from(name);
    known.emplace(std::move(name), id);
    return id;
}

ledger::Account account(Role role, std::string_view owner, Book const& book) {
    ledger::Account account;
    account.id = account_id(role, owner, book);
    account.ledger = book.ledger();
    account.code = static_cast<std::uint16_t>(role);
    // A merchant's balance at a cut is asked for by settlement.
    if (role == Role::merchant_available) {
        account.flags = ledger::account_history;
    }
    return account;
}

u128 transfer_id(std::string_view cause, std::string_view leg) {
    return id_from("transfer|" + std::string{cause} + "|" + std::string{leg});
}

std::int64_t fee_of(Merchant const& merchant, std::int64_t amount) {
    auto const eur = *Currency::from_alphabetic("EUR");  // the rate is the same in any currency
    auto const part = scale({amount, eur}, merchant.fee_basis_points, 10'000, Rounding::half_even);
    FLORIN_CHECK(part.has_value(), "a part of an amount fits where the amount does");
    return std::clamp<std::int64_t>(part->minor + merchant.fee_fixed_minor, 0, amount);
}

std::vector<ledger::Transfer> authorisation(
    Book const& book,
    std::string_view attempt,
    std::string_view connector,
    std::string_view merchant,
    std::int64_t amount
) {
    auto reservation = transfer(
        book,
        transfer_id(attempt, "authorisation"),
        account_id(Role::receivable, connector, book),
        account_id(Role::merchant_pending, merchant, book),
        amount,
        Posting::authorisation
    );
    reservation.flags = ledger::transfer_pending;
    return {reservation};
}

std::vector<ledger::Transfer> capture(
    Book const& book,
    std::string_view attempt,
    u128 pending_id,
    std::string_view merchant,
    std::int64_t amount,
    std::int64_t fee
) {
    std::vector<ledger::Transfer> transfers{resolving(
        transfer_id(attempt, "capture"),
        pending_id,
        static_cast<u128>(amount),
        ledger::post_pending_transfer
    )};
    if (fee > 0) {
        transfers.push_back(transfer(
            book,
            transfer_id(attempt, "fee"),
            account_id(Role::merchant_pending, merchant, book),
            account_id(Role::fee_revenue, {}, book),
            fee,
            Posting::fee
        ));
    }
    return transfers;
}

std::vector<ledger::Transfer> release(std::string_view attempt, u128 pending_id) {
    return {resolving(transfer_id(attempt, "release"), pending_id, 0, ledger::void_pending_transfer)
    };
}

std::vector<ledger::Transfer> refund(
    Book const& book,
    std::string_view attempt,
    std::string_view connector,
    std::string_view merchant,
    std::int64_t amount
) {
    auto reservation = transfer(
        book,
        transfer_id(attempt, "refund"),
        account_id(Role::merchant_available, merchant, book),
        account_id(Role::receivable, connector, book),
        amount,
        Posting::refund
    );
    reservation.flags = ledger::transfer_pending;
    return {reservation};
}

std::vector<ledger::Transfer> refund_confirmed(std::string_view attempt, u128 pending_id) {
    return {resolving(
        transfer_id(attempt, "refund_confirmed"),
        pending_id,
        kU128Max,
        ledger::post_pending_transfer
    )};
}

std::vector<ledger::Transfer> stray_capture(
    Book const& book, std::string_view attempt, std::string_view connector, std::int64_t amount
) {
    u128 const receivable = account_id(Role::receivable, connector, book);
    u128 const suspense = account_id(Role::suspense, {}, book);
    auto booked = transfer(
        book, transfer_id(attempt, "stray"), receivable, suspense, amount, Posting::suspense
    );
    auto refund = transfer(
        book, transfer_id(attempt, "refund"), suspense, receivable, amount, Posting::refund
    );
    refund.flags = ledger::transfer_pending;
    return {booked, refund};
}

ledger::Transfer stray_refund(
    Book const& book, std::string_view attempt, std::string_view connector, std::int64_t amount
) {
    return transfer(
        book,
        transfer_id(attempt, "stray_refund"),
        account_id(Role::suspense, {}, book),
        account_id(Role::receivable, connector, book),
        amount,
        Posting::suspense
    );
}

std::vector<ledger::Account> suspense_accounts(Book const& book, std::string_view connector) {
    return {account(Role::receivable, connector, book), account(Role::suspense, {}, book)};
}

std::vector<ledger::Account> payment_accounts(
    Book const& book, std::string_view connector, std::string_view merchant
) {
    return {
        account(Role::receivable, connector, book),
        account(Role::merchant_pending, merchant, book),
        account(Role::merchant_available, merchant, book),
        account(Role::fee_revenue, {}, book),
    };
}

ledger::Transfer availability(
    Book const& book,
    std::string_view attempt,
    std::string_view merchant,
    std::int64_t gross,
    std::int64_t fee
) {
    auto made = transfer(
        book,
        transfer_id(attempt, "availability"),
        account_id(Role::merchant_pending, merchant, book),
        account_id(Role::merchant_available, merchant, book),
        gross - fee,
        Posting::availability
    );
    made.user_data_64 = static_cast<std::uint64_t>(gross);
    return made;
}

ledger::Transfer payout(
    Book const& book, std::string_view payout, std::string_view merchant, std::int64_t amount
) {
    return transfer(
        book,
        transfer_id(payout, "payout"),
        account_id(Role::merchant_available, merchant, book),
        account_id(Role::merchant_in_transit, merchant, book),
        amount,
        Posting::payout
    );
}

ledger::Transfer payout_paid(
    Book const& book,
    std::string_view payout,
    std::string_view merchant,
    std::string_view bank,
    std::int64_t amount
) {
    return transfer(
        book,
        transfer_id(payout, "paid"),
        account_id(Role::merchant_in_transit, merchant, book),
        account_id(Role::bank, bank, book),
        amount,
        Posting::payout_paid
    );
}

std::vector<ledger::Transfer> payout_returned(
    Book const& book,
    std::string_view payout,
    std::string_view merchant,
    std::string_view bank,
    std::int64_t amount
) {
    u128 const in_transit = account_id(Role::merchant_in_transit, merchant, book);
    return {
        transfer(
            book,
            transfer_id(payout, "came_back"),
            account_id(Role::bank, bank, book),
            in_transit,
            amount,
            Posting::payout_returned
        ),
        transfer(
            book,
            transfer_id(payout, "returned"),
            in_transit,
            account_id(Role::merchant_available, merchant, book),
            amount,
            Posting::payout_returned
        ),
    };
}

std::vector<ledger::Account> payout_accounts(
    Book const& book, std::string_view merchant, std::string_view bank
) {
    return {
        account(Role::merchant_available, merchant, book),
        account(Role::merchant_in_transit, merchant, book),
        account(Role::bank, bank, book),
    };
}

std::vector<ledger::Transfer> reported_credit(Book const& book, ReportedLine const& line) {
    std::vector<ledger::Transfer> transfers{transfer(
        book,
        transfer_id(line.line, "reported"),
        clearing_account(book, line),
        account_id(Role::receivable, line.connector, book),
        line.amount,
        Posting::acquirer_report
    )};
    add_cost(book, line, line.fee, transfers);
    return transfers;
}

std::vector<ledger::Transfer> reported_debit(Book const& book, ReportedLine const& line) {
    std::vector<ledger::Transfer> transfers{transfer(
        book,
        transfer_id(line.line, "reported"),
        account_id(Role::receivable, line.connector, book),
        clearing_account(book, line),
        line.amount,
        Posting::acquirer_report
    )};
    add_cost(book, line, line.fee, transfers);
    return transfers;
}

std::vector<ledger::Transfer> reported_fee(Book const& book, ReportedLine const& line) {
    std::vector<ledger::Transfer> transfers;
    add_cost(book, line, line.amount + line.fee, transfers);
    return transfers;
}

std::vector<ledger::Account> report_accounts(
    Book const& book, std::string_view connector, std::string_view reference
) {
    return {
        account(Role::receivable, connector, book),
        account(Role::costs, connector, book),
        account(Role::clearing, clearing_owner(connector, reference), book),
    };
}

ledger::Transfer bank_net(
    Book const& book,
    std::string_view line,
    std::string_view bank,
    std::string_view connector,
    std::string_view reference,
    std::int64_t net
) {
    u128 const at_bank = account_id(Role::bank, bank, book);
    u128 const clearing = account_id(Role::clearing, clearing_owner(connector, reference), book);
    bool const is_credit = net >= 0;
    return transfer(
        book,
        transfer_id(line, "net|" + std::string{reference}),
        is_credit ? at_bank : clearing,
        is_credit ? clearing : at_bank,
        is_credit ? net : -net,
        Posting::bank_statement
    );
}

}  // namespace florin::model
