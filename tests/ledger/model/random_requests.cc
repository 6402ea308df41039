#include "tests/ledger/model/random_requests.h"

#include <algorithm>

namespace florin::ledger::test {
namespace {

constexpr std::size_t kRemembered = 60;

template <class Value>
void remember(std::vector<Value>& values, Value const& value, Dice& dice) {
    if (values.size() < kRemembered) {
        values.push_back(value);
    } else {
        values[dice.below(values.size())] = value;
    }
}
template <class Flags, class Bit>
void set(Flags& flags, Bit bit) {
    flags = static_cast<Flags>(flags | bit);
}
// Chains: some events are linked to the next, and now and then the last one too.
template <class Object>
void link(std::vector<Object>& events, Dice& dice) {
    if (!dice.percent(40)) {
        return;
    }
    unsigned const chance = dice.one_of({20U, 50U, 90U});
    for (Object& event : events) {
        bool const is_last = &event == &events.back();
        if (dice.percent(is_last ? 8 : chance)) {
            set(event.flags, 1U);
        }
    }
}

}  // namespace

RandomRequests::RandomRequests(std::uint64_t seed) : dice_{seed * 0x9e3779b97f4a7c15ULL + 1} {
    temper_.has_large_amounts = dice_.percent(40);
    temper_.has_random_ids = dice_.percent(40);
    temper_.accounts = dice_.one_of({3U, 6U, 6U, 12U, 40U});
    temper_.batch_most = dice_.one_of({4U, 12U, 12U, 40U, 200U});
    temper_.import_percent = dice_.one_of({0U, 5U, 15U, 50U});
    temper_.first_advance = dice_.one_of<std::uint64_t>(
        {0,
         0,
         1'000'000,
         3'600 * kNanosecondsPerSecond,
         kTimestampMax - dice_.below(5'000'000'000) * kNanosecondsPerSecond,
         kTimestampMax - dice_.below(20'000)}
    );
}

Request RandomRequests::next(NaiveLedger const& model) {
    ++made_;
    if (made_ == 1) {
        return AdvanceClock{temper_.first_advance};
    }
    if (made_ < 5) {
        return accounts(model);
    }
    std::uint64_t const roll = dice_.below(100);
    if (roll < 48) {
        return transfers(model);
    }
    if (roll < 57) {
        return accounts(model);
    }
    if (roll < 66) {
        return advance(model);
    }
    if (roll < 70) {
        LookupAccounts lookup;
        for (std::uint64_t i = dice_.below(6); i > 0; --i) {
            lookup.ids.push_back(account_id());
        }
        return lookup;
    }
    if (roll < 76) {
        LookupTransfers lookup;
        for (std::uint64_t i = dice_.below(8); i > 0; --i) {
            lookup.ids.push_back(known_transfer_id());
        }
        return lookup;
    }
    if (roll < 83) {
        return GetAccountTransfers{account_filter(model)};
    }
    if (roll < 89) {
        return GetAccountBalances{account_filter(model)};
    }
    if (roll < 93) {
        return QueryAccounts{query_filter(model)};
    }
    return QueryTransfers{query_filter(model)};
}

// ---- numbers -----------------------------------------------------------------------------------

u128 RandomRequests::account_id() {
    if (dice_.percent(97)) {
        return 1 + dice_.below(temper_.accounts);
    }
    return dice_.one_of<u128>({0, kU128Max, kU128Max - 1, temper_.accounts + 1, u128{1} << 64U});
}

u128 RandomRequests::new_transfer_id() {
    ++ids_;
    return temper_.has_random_ids ? dice_.any_128() : u128{ids_};
}

u128 RandomRequests::known_transfer_id() {
    if (sent_.empty() || dice_.percent(5)) {
        return dice_.one_of<u128>({0, kU128Max, 1, 2, 999'999, u128{1} << 64U});
    }
    return dice_.one_of(sent_).id;
}

u128 RandomRequests::amount() {
    if (temper_.has_large_amounts && dice_.percent(40)) {
        u128 const one = 1;
        return dice_.one_of<u128>(
            {(one << 64U) - 1,
             one << 64U,
             (one << 127U) - 1,
             one << 127U,
             (one << 127U) + 1,
             (one << 126U),
             kU128Max - 1,
             kU128Max,
             dice_.any_128()}
        );
    }
    if (dice_.percent(3)) {
        return kU128Max;
    }
    return dice_.one_of<u128>({0, 1, 1, 2, 10, 50, 100, dice_.below(1'000)});
}

std::size_t RandomRequests::batch_size() {
    std::uint64_t const roll = dice_.below(100);
    if (roll < 2) {
        return 0;
    }
    if (roll < 50) {
        return 1;
    }
    return roll < 85 ? 2 + dice_.below(5) : 1 + dice_.below(temper_.batch_most);
}

// Mostly just after the newest of its kind, which may or may not be before the clock.
std::uint64_t RandomRequests::import_timestamp(
    std::uint64_t newest, std::uint64_t in_batch, NaiveLedger const& model
) {
    std::uint64_t const clock = model.clock();
    if (dice_.percent(75)) {
        return newest + in_batch + 1 + dice_.below(2);
    }
    return dice_.one_of<std::uint64_t>(
        {0,
         1,
         newest,
         newest + 1,
         clock,
         clock + 1,
         clock + 2,
         clock - std::min<std::uint64_t>(clock, dice_.below(20)),
         clock + 100,
         dice_.below(clock + 1),
         kTimestampMax,
         kTimestampMax + 1,
         ~std::uint64_t{0}}
    );
}

// ---- create_accounts ---------------------------------------------------------------------------

CreateAccounts RandomRequests::accounts(NaiveLedger const& model) {
    CreateAccounts request;
    bool const is_import = dice_.percent(temper_.import_percent);
    std::size_t const size = made_ < 5 ? temper_.accounts : batch_size();
    std::uint64_t newest = 0;
    for (auto const& [id, each] : model.accounts()) {
        newest = std::max(newest, each.timestamp);
    }
    for (std::size_t i = 0; i < size; ++i) {
        Account event = account(is_import, model);
        if (is_import) {
            event.timestamp = import_timestamp(newest, i * 2, model);
        }
        if (dice_.percent(2)) {
            event.flags = static_cast<std::uint16_t>(event.flags ^ account_imported);
        }
        request.events.push_back(event);
    }
    link(request.events, dice_);
    for (Account const& event : request.events) {
        remember(sent_accounts_, event, dice_);
    }
    return request;
}

Account RandomRequests::account(bool is_import, NaiveLedger const&) {
    Account event;
    if (!sent_accounts_.empty() && dice_.percent(25)) {
        event = dice_.one_of(sent_accounts_);
        event.timestamp = 0;
        event.flags = static_cast<std::uint16_t>(event.flags & ~account_imported);
        if (dice_.percent(30)) {
            event.flags = static_cast<std::uint16_t>(event.flags & ~account_linked);
        }
    } else {
        event.id = account_id();
        event.ledger = dice_.percent(90) ? 1 : 2;
        event.code = static_cast<std::uint16_t>(1 + dice_.below(2));
        event.user_data_128 = dice_.below(3);
        event.user_data_64 = dice_.below(3);
        event.user_data_32 = static_cast<std::uint32_t>(dice_.below(3));
        event.flags = static_cast<std::uint16_t>(
            (dice_.percent(60) ? account_history : 0) |
            (dice_.percent(20)   ? debits_must_not_exceed_credits
             : dice_.percent(20) ? credits_must_not_exceed_debits
                                 : 0) |
            (dice_.percent(3) ? account_closed : 0)
        );
    }
    if (is_import) {
        set(event.flags, account_imported);
    }
    for (unsigned chance = 25; dice_.percent(chance); chance = 40) {
        spoil(event);
    }
    return event;
}

void RandomRequests::spoil(Account& event) {
    switch (dice_.below(13)) {
        case 0: event.id = dice_.one_of<u128>({0, kU128Max}); break;
        case 1: event.debits_pending = 1 + dice_.below(3); break;
        case 2: event.debits_posted = 1 + dice_.below(3); break;
        case 3: event.credits_pending = 1 + dice_.below(3); break;
        case 4: event.credits_posted = kU128Max; break;
        case 5: event.user_data_128 = dice_.one_of<u128>({0, 1, 9, kU128Max}); break;
        case 6:
            event.user_data_64 = dice_.one_of<std::uint64_t>({0, 1, 9, ~std::uint64_t{0}});
            break;
        case 7: event.user_data_32 = dice_.one_of<std::uint32_t>({0, 1, 9, ~0U}); break;
        case 8: event.reserved = 1; break;
        case 9: event.ledger = dice_.one_of<std::uint32_t>({0, 0, 1, 2, 3}); break;
        case 10: event.code = dice_.one_of<std::uint16_t>({0, 0, 1, 2, 3}); break;
        case 11:
            event.flags = static_cast<std::uint16_t>(event.flags ^ (1U << dice_.below(16)));
            break;
        default: event.timestamp = 1 + dice_.below(3); break;
    }
}

// ---- create_transfers --------------------------------------------------------------------------

CreateTransfers RandomRequests::transfers(NaiveLedger const& model) {
    CreateTransfers request;
    bool const is_import = dice_.percent(temper_.import_percent);
    std::size_t const size = batch_size();
    std::uint64_t newest = 0;
    if (is_import) {
        for (auto const& [id, each] : model.transfers()) {
            newest = std::max(newest, each.timestamp);
        }
    }
    for (std::size_t i = 0; i < size; ++i) {
        Transfer event = transfer(is_import, model);
        if (is_import) {
            event.timestamp = import_timestamp(newest, i * 2, model);
        }
        if (dice_.percent(1)) {
            event.flags = static_cast<std::uint16_t>(event.flags ^ transfer_imported);
        }
        request.events.push_back(event);
        if (i == 0 || dice_.percent(50)) {  // known to the rest of this batch too
            remember(sent_, event, dice_);
        }
        if (event.has(transfer_pending)) {
            remember(sent_pending_, event.id, dice_);
        }
    }
    link(request.events, dice_);
    return request;
}

Transfer RandomRequests::transfer(bool is_import, NaiveLedger const& model) {
    Transfer event;
    std::uint64_t const roll = dice_.below(100);
    if (roll < 15 && !sent_.empty()) {
        event = dice_.one_of(sent_);  // a retry
        event.timestamp = 0;
        event.flags = static_cast<std::uint16_t>(event.flags & ~transfer_imported);
        if (dice_.percent(30)) {
            event.amount += dice_.one_of<u128>({1, kU128Max, 5, kU128Max - event.amount});
        }
    } else {
        event.id = dice_.percent(95) ? new_transfer_id() : known_transfer_id();
        event.user_data_128 = dice_.below(3);
        event.user_data_64 = dice_.below(3);
        event.user_data_32 = static_cast<std::uint32_t>(dice_.below(3));
        if (roll < 40 && !sent_pending_.empty()) {
            make_resolving(event, model);
        } else {
            event.debit_account_id = account_id();
            do {
                event.credit_account_id = account_id();
            } while (event.credit_account_id == event.debit_account_id && dice_.percent(95));
            event.amount = amount();
            event.ledger = dice_.percent(93) ? 1 : 2;
            event.code = static_cast<std::uint16_t>(1 + dice_.below(2));
            if (dice_.percent(40)) {
                set(event.flags, transfer_pending);
                event.timeout = dice_.one_of<std::uint32_t>({0, 1, 1, 2, 5, 60, ~0U});
                if (is_import && dice_.percent(70)) {
                    event.timeout = 0;
                }
                if (dice_.percent(10)) {
                    set(event.flags, dice_.one_of({closing_debit, closing_credit}));
                }
            }
            if (dice_.percent(12)) {
                set(event.flags, dice_.one_of({balancing_debit, balancing_credit}));
            }
            if (dice_.percent(3)) {
                set(event.flags, balancing_debit | balancing_credit);
            }
        }
    }
    if (is_import) {
        set(event.flags, transfer_imported);
    }
    for (unsigned chance = 15; dice_.percent(chance); chance = 35) {
        spoil(event);
    }
    return event;
}

void RandomRequests::make_resolving(Transfer& event, NaiveLedger const& model) {
    bool const posts = dice_.percent(55);
    set(event.flags, posts ? post_pending_transfer : void_pending_transfer);
    event.pending_id = dice_.percent(96) ? dice_.one_of(sent_pending_) : known_transfer_id();
    auto const found = model.transfers().find(event.pending_id);
    if (found == model.transfers().end()) {
        event.amount = dice_.one_of<u128>({0, 1, kU128Max});
        return;
    }
    Transfer const& pending = found->second;
    u128 const whole = pending.amount;
    event.amount =
        dice_.percent(60)
            ? (posts ? kU128Max : u128{0})
            : dice_.one_of<u128>({0, whole, whole, whole - (whole > 0), whole + 1, whole / 2});
    if (dice_.percent(40)) {
        event.debit_account_id = pending.debit_account_id;
        event.credit_account_id = pending.credit_account_id;
        event.ledger = pending.ledger;
        event.code = pending.code;
    }
}

void RandomRequests::spoil(Transfer& event) {
    switch (dice_.below(14)) {
        case 0: event.id = dice_.one_of<u128>({0, kU128Max, event.pending_id}); break;
        case 1:
            event.debit_account_id = dice_.one_of<u128>({0, kU128Max, 777, account_id()});
            break;
        case 2:
            event.credit_account_id =
                dice_.one_of<u128>({0, kU128Max, 777, account_id(), event.debit_account_id});
            break;
        case 3: event.amount = amount(); break;
        case 4:
            event.pending_id = dice_.one_of<u128>({0, kU128Max, event.id, known_transfer_id()});
            break;
        case 5: event.user_data_128 = dice_.one_of<u128>({0, 1, 9, kU128Max}); break;
        case 6:
            event.user_data_64 = dice_.one_of<std::uint64_t>({0, 1, 9, ~std::uint64_t{0}});
            break;
        case 7: event.user_data_32 = dice_.one_of<std::uint32_t>({0, 1, 9, ~0U}); break;
        case 8: event.timeout = dice_.one_of<std::uint32_t>({0, 1, 2, ~0U}); break;
        case 9: event.ledger = dice_.one_of<std::uint32_t>({0, 0, 1, 2, 3}); break;
        case 10: event.code = dice_.one_of<std::uint16_t>({0, 0, 1, 2, 3}); break;
        case 11:
        case 12:
            event.flags = static_cast<std::uint16_t>(event.flags ^ (1U << dice_.below(16)));
            break;
        default: event.timestamp = 1 + dice_.below(3); break;
    }
}

// ---- the clock and the filters -----------------------------------------------------------------

AdvanceClock RandomRequests::advance(NaiveLedger const& model) {
    std::uint64_t const soonest = model.next_expiry();
    if (soonest > model.clock() && dice_.percent(50)) {
        // To the moment itself, or so short of it that the next batch goes past it.
        std::uint64_t const distance = soonest - model.clock();
        return AdvanceClock{distance - std::min<std::uint64_t>(distance, dice_.below(4))};
    }
    return AdvanceClock{dice_.one_of<std::uint64_t>(
        {0,
         1,
         dice_.below(100),
         dice_.below(10'000),
         dice_.below(3 * kNanosecondsPerSecond),
         kNanosecondsPerSecond,
         dice_.percent(10) ? dice_.any() : 50}
    )};
}

template <class Filter>
void RandomRequests::fill_filter(Filter& filter, NaiveLedger const& model) {
    if (dice_.percent(20)) {
        filter.user_data_128 = dice_.below(4);
    }
    if (dice_.percent(20)) {
        filter.user_data_64 = dice_.below(4);
    }
    if (dice_.percent(20)) {
        filter.user_data_32 = static_cast<std::uint32_t>(dice_.below(4));
    }
    if (dice_.percent(25)) {
        filter.code = static_cast<std::uint16_t>(dice_.below(4));
    }
    auto const moment = [&]() -> std::uint64_t {
        std::uint64_t const clock = model.clock();
        if (dice_.percent(50) && !model.transfers().empty()) {
            auto const& transfers = model.transfers();
            auto const some = transfers.lower_bound(dice_.one_of(sent_).id);
            return some == transfers.end() ? clock : some->second.timestamp - dice_.below(2);
        }
        return dice_.one_of<std::uint64_t>(
            {1,
             clock,
             clock / 2,
             dice_.below(clock + 1),
             kTimestampMax,
             kTimestampMax + 1,
             ~std::uint64_t{0}}
        );
    };
    if (dice_.percent(30)) {
        filter.timestamp_min = moment();
    }
    if (dice_.percent(30)) {
        filter.timestamp_max = moment();
    }
    filter.limit = dice_.one_of<std::uint32_t>({0, 1, 2, 5, 20, 100, 8'189, 8'190, ~0U});
}

AccountFilter RandomRequests::account_filter(NaiveLedger const& model) {
    AccountFilter filter;
    fill_filter(filter, model);
    filter.account_id = account_id();
    filter.flags = static_cast<std::uint32_t>(dice_.below(8));
    if (dice_.percent(3)) {
        filter.flags |= 1U << (3 + dice_.below(29));
    }
    return filter;
}

QueryFilter RandomRequests::query_filter(NaiveLedger const& model) {
    QueryFilter filter;
    fill_filter(filter, model);
    if (dice_.percent(25)) {
        filter.ledger = static_cast<std::uint32_t>(dice_.below(4));
    }
    filter.flags = static_cast<std::uint32_t>(dice_.below(2));
    if (dice_.percent(3)) {
        filter.flags |= 1U << (1 + dice_.below(31));
    }
    return filter;
}

}  // namespace florin::ledger::test
