#include "ledger/queries.h"

#include "ledger/base/check.h"
#include "ledger/history_reader.h"
#include "ledger/run_builder.h"

#include <algorithm>
#include <map>
#include <ranges>

namespace florin::ledger {
namespace {

std::size_t bounded(std::uint32_t limit) {
    return std::min<std::size_t>(limit, kBatchEventsMax);
}

bool is_valid(std::uint64_t timestamp_min, std::uint64_t timestamp_max, std::uint32_t limit) {
    return limit != 0 && timestamp_min <= kTimestampMax && timestamp_max <= kTimestampMax &&
           (timestamp_max == 0 || timestamp_min <= timestamp_max);
}

bool is_valid(AccountFilter const& filter) {
    constexpr std::uint32_t kKnown = kFilterDebits | kFilterCredits | kFilterReversed;
    return is_valid(filter.timestamp_min, filter.timestamp_max, filter.limit) &&
           filter.account_id != 0 && filter.account_id != kU128Max &&
           (filter.flags & ~kKnown) == 0 && (filter.flags & (kFilterDebits | kFilterCredits)) != 0;
}

bool is_valid(QueryFilter const& filter) {
    return is_valid(filter.timestamp_min, filter.timestamp_max, filter.limit) &&
           (filter.flags & ~kQueryReversed) == 0;
}

template <class Filter>
std::uint64_t last_timestamp(Filter const& filter) {
    return filter.timestamp_max == 0 ? kTimestampMax : filter.timestamp_max;
}

template <class Filter>
bool in_time(Filter const& filter, std::uint64_t timestamp) {
    return timestamp >= filter.timestamp_min && timestamp <= last_timestamp(filter);
}

template <class Filter, class Object>
bool has_user_data(Filter const& filter, Object const& object) {
    return (filter.user_data_128 == 0 || filter.user_data_128 == object.user_data_128) &&
           (filter.user_data_64 == 0 || filter.user_data_64 == object.user_data_64) &&
           (filter.user_data_32 == 0 || filter.user_data_32 == object.user_data_32) &&
           (filter.code == 0 || filter.code == object.code);
}

template <class Object>
bool matches(QueryFilter const& filter, Object const& object) {
    return in_time(filter, object.timestamp) && has_user_data(filter, object) &&
           (filter.ledger == 0 || filter.ledger == object.ledger);
}

// The indexed field that a filter asks for: the widest, which is the most selective as a rule.
using Wanted = Queries::Wanted;
std::optional<Wanted> indexed_field(QueryFilter const& filter) {
    if (filter.user_data_128 != 0) {
        return Wanted{IndexedField::user_data_128, filter.user_data_128};
    }
    if (filter.user_data_64 != 0) {
        return Wanted{IndexedField::user_data_64, filter.user_data_64};
    }
    if (filter.user_data_32 != 0) {
        return Wanted{IndexedField::user_data_32, filter.user_data_32};
    }
    return std::nullopt;
}

// Keys of an index for one value between two times.
StateStore::Range index_range(Table table, Wanted const& wanted, QueryFilter const& filter) {
    std::uint64_t const last = last_timestamp(filter);
    return {
        .table = table,
        .from = index_store_key(wanted.field, wanted.value, filter.timestamp_min),
        .to = index_store_key(wanted.field, wanted.value, last + 1),
        .reverse = (filter.flags & kQueryReversed) != 0,
    };
}

}  // namespace

// ---- accounts -----------------------------------------------------------------------------------

Result<AccountsAnswer> Queries::run(LookupAccounts const& request) {
    AccountsAnswer answer;
    for (u128 const id : request.ids) {
        FLORIN_TRY(auto const account, books_.durable_account(id));
        if (account) {
            answer.accounts.push_back(*account);
        }
    }
    return answer;
}

Result<AccountsAnswer> Queries::run(QueryAccounts const& request) {
    QueryFilter const& filter = request.filter;
    AccountsAnswer answer;
    if (!is_valid(filter)) {
        return answer;
    }
    auto const collect = [&](u128 id) -> Result<bool> {
        FLORIN_TRY(auto const account, books_.durable_account(id));
        if (account && matches(filter, *account)) {
            answer.accounts.push_back(*account);
        }
        return answer.accounts.size() < bounded(filter.limit);
    };
    auto const wanted = indexed_field(filter);
    AccountTimes const times{
        .from = filter.timestamp_min,
        .to = last_timestamp(filter),
        .newest_first = (filter.flags & kQueryReversed) != 0,
    };
    if (wanted) {
        FLORIN_TRY_VOID(visit_accounts_by(*wanted, filter, times, collect));
    } else {
        FLORIN_TRY_VOID(visit_account_ids(books_, times, collect));
    }
    return answer;
}

// Stored accounts of the index, and all of the runs that are not stored: older before newer.
Result<void> Queries::visit_accounts_by(
    Wanted const& wanted,
    QueryFilter const& filter,
    AccountTimes times,
    std::function<Result<bool>(u128 id)> const& visit
) {
    std::uint64_t const unsaved_from = first_unsaved_account(books_);
    bool go_on = true;
    auto const stored = [&](ByteView key, ByteView value) -> Result<bool> {
        if (u64_from_key(key.substr(key.size() - 8)) < unsaved_from) {
            FLORIN_TRY(auto const id, ByteReader(value, "state: account_index").little<u128>());
            FLORIN_TRY(go_on, visit(id));
        }
        return go_on;
    };
    auto const in_store = [&]() -> Result<void> {
        return books_.store().scan(index_range(Table::account_index, wanted, filter), stored);
    };
    auto const in_memory = [&]() -> Result<void> {
        AccountTimes unsaved = times;
        unsaved.from = std::max(times.from, unsaved_from);
        auto const pass = [&](u128 id) -> Result<bool> {
            FLORIN_TRY(go_on, visit(id));
            return go_on;
        };
        return visit_account_ids(books_, unsaved, pass);
    };
    if (times.newest_first) {
        FLORIN_TRY_VOID(in_memory());
        return go_on ? in_store() : Result<void>{};
    }
    FLORIN_TRY_VOID(in_store());
    return go_on ? in_memory() : Result<void>{};
}

// ---- transfers ----------------------------------------------------------------------------------

Result<TransfersAnswer> Queries::run(LookupTransfers const& request) {
    TransfersAnswer answer;
    for (u128 const id : request.ids) {
        FLORIN_TRY(auto const location, books_.find_transfer(id));
        if (location && !location->is_used_up() && location->sequence <= books_.applied()) {
            FLORIN_TRY(Transfer const transfer, books_.transfer(*location));
            answer.transfers.push_back(transfer);
        }
    }
    return answer;
}

Result<std::vector<Queries::Line>> Queries::account_lines(
    AccountFilter const& filter, bool with_balances
) {
    std::vector<Line> lines;
    if (!is_valid(filter)) {
        return lines;
    }
    FLORIN_TRY(AccountSlot const* const slot, books_.account(filter.account_id));
    if (slot == nullptr || (with_balances && !slot->decided.has(account_history))) {
        return lines;
    }
    bool const newest_first = (filter.flags & kFilterReversed) != 0;
    bool const wants_user_data = filter.user_data_128 != 0 || filter.user_data_64 != 0 ||
                                 filter.user_data_32 != 0 || filter.code != 0;
    // The record that begins before timestamp_min may reach into the range.
    FLORIN_TRY(auto const first, books_.record_at(filter.timestamp_min));
    FLORIN_TRY(auto const last, books_.record_at(last_timestamp(filter)));
    auto const take = [&](HistoryEntry const& entry) -> Result<bool> {
        std::uint32_t const side = entry.change.credit ? kFilterCredits : kFilterDebits;
        if (entry.change.kind == ChangeKind::expired || (filter.flags & side) == 0 ||
            !in_time(filter, entry.change.timestamp)) {
            return true;
        }
        Line line{.transfer = {}, .timestamp = entry.change.timestamp, .after = entry.after};
        if (wants_user_data || !with_balances) {
            Location const location{entry.change.sequence, entry.change.index};
            FLORIN_TRY(line.transfer, books_.transfer(location));
        }
        if (!wants_user_data || has_user_data(filter, line.transfer)) {
            lines.push_back(line);
        }
        return lines.size() < bounded(filter.limit);
    };
    if (last) {
        FLORIN_TRY_VOID(visit_history(
            books_,
            *slot,
            {.from = first.value_or(0), .to = *last, .newest_first = newest_first},
            take
        ));
    }
    return lines;
}

Result<TransfersAnswer> Queries::run(GetAccountTransfers const& request) {
    FLORIN_TRY(auto const lines, account_lines(request.filter, false));
    TransfersAnswer answer;
    std::ranges::copy(
        lines | std::views::transform(&Line::transfer), std::back_inserter(answer.transfers)
    );
    return answer;
}

Result<BalancesAnswer> Queries::run(GetAccountBalances const& request) {
    FLORIN_TRY(auto const lines, account_lines(request.filter, true));
    BalancesAnswer answer;
    for (Line const& line : lines) {
        answer.balances.push_back(
            {.timestamp = line.timestamp,
             .debits_pending = line.after.debits_pending,
             .debits_posted = line.after.debits_posted,
             .credits_pending = line.after.credits_pending,
             .credits_posted = line.after.credits_posted}
        );
    }
    return answer;
}

Result<TransfersAnswer> Queries::run(QueryTransfers const& request) {
    TransfersAnswer answer;
    QueryFilter const& filter = request.filter;
    if (!is_valid(filter)) {
        return answer;
    }
    auto const take = [&](Transfer const& transfer) -> Result<bool> {
        if (matches(filter, transfer)) {
            answer.transfers.push_back(transfer);
        }
        return answer.transfers.size() < bounded(filter.limit);
    };
    if (auto const wanted = indexed_field(filter)) {
        FLORIN_TRY_VOID(visit_transfers_by(*wanted, filter, take));
    } else {
        FLORIN_TRY_VOID(visit_records(filter, take));
    }
    return answer;
}

Result<void> Queries::visit_transfers_by(
    Wanted const& wanted,
    QueryFilter const& filter,
    std::function<Result<bool>(Transfer const& transfer)> const& visit
) {
    bool const newest_first = (filter.flags & kQueryReversed) != 0;
    bool go_on = true;
    auto const at = [&](Location location) -> Result<bool> {
        FLORIN_TRY(Transfer const transfer, books_.transfer(location));
        FLORIN_TRY(go_on, visit(transfer));
        return go_on;
    };
    auto const stored = [&](ByteView, ByteView value) -> Result<bool> {
        FLORIN_TRY(Location const location, decode_location(value));
        return location.sequence <= books_.stored() ? at(location) : Result<bool>{true};
    };
    auto const in_store = [&]() -> Result<void> {
        return books_.store().scan(index_range(Table::transfer_index, wanted, filter), stored);
    };
    auto const in_memory = [&](Run const* run) -> Result<void> {
        if (run == nullptr) {
            return {};
        }
        std::vector<Location> found;
        for (Run::Indexed const& each : run->indexed) {
            bool const is_it = each.field == wanted.field && each.value == wanted.value &&
                               each.location.sequence <= books_.applied();
            if (is_it && in_time(filter, each.timestamp)) {
                found.push_back(each.location);
            }
        }
        if (newest_first) {
            std::ranges::reverse(found);
        }
        for (Location const location : found) {
            if (go_on) {
                FLORIN_TRY_VOID(at(location));
            }
        }
        return {};
    };
    if (newest_first) {
        FLORIN_TRY_VOID(in_memory(&books_.run()));
        FLORIN_TRY_VOID(in_memory(books_.storing()));
        return go_on ? in_store() : Result<void>{};
    }
    FLORIN_TRY_VOID(in_store());
    FLORIN_TRY_VOID(in_memory(books_.storing()));
    return in_memory(&books_.run());
}

// Record by record; those whose summary rules a match out are not read.
Result<void> Queries::visit_records(
    QueryFilter const& filter, std::function<Result<bool>(Transfer const& transfer)> const& visit
) {
    bool const newest_first = (filter.flags & kQueryReversed) != 0;
    std::uint64_t const last = last_timestamp(filter);
    bool go_on = true;
    auto const look = [&](Run::RecordTime const& record) -> Result<bool> {
        if (record.timestamp > last || !record.summary.may_hold(filter.ledger, filter.code)) {
            return true;
        }
        FLORIN_TRY(auto transfers, books_.transfers_of(record.sequence));
        if (newest_first) {
            std::ranges::reverse(transfers);
        }
        for (Transfer const& transfer : transfers) {
            FLORIN_TRY(go_on, visit(transfer));
            if (!go_on) {
                break;
            }
        }
        return go_on;
    };
    // The record that begins before timestamp_min may reach into the range.
    FLORIN_TRY(auto const first, books_.record_at(filter.timestamp_min));
    auto const in_store = [&]() -> Result<void> {
        auto const stored = [&](ByteView key, ByteView value) -> Result<bool> {
            ByteReader in{value, "state: record_time"};
            Run::RecordTime record{.timestamp = u64_from_key(key), .sequence = 0, .summary = {}};
            FLORIN_TRY(record.sequence, in.little<Sequence>());
            FLORIN_TRY(record.summary.ledgers, in.little<std::uint64_t>());
            FLORIN_TRY(record.summary.codes, in.little<std::uint64_t>());
            if (first && record.sequence < *first) {
                return !newest_first;
            }
            return record.sequence <= books_.stored() ? look(record) : Result<bool>{true};
        };
        FLORIN_TRY(auto const from, books_.stored_record_time(filter.timestamp_min));
        return books_.store().scan(
            {.table = Table::record_time,
             .from = key_of(from),
             .to = key_of(last + 1),
             .reverse = newest_first},
            stored
        );
    };
    auto const in_memory = [&](Run const* run) -> Result<void> {
        std::size_t const count = run == nullptr ? 0 : run->record_times.size();
        for (std::size_t i = 0; i < count && go_on; ++i) {
            auto const& record = run->record_times[newest_first ? count - 1 - i : i];
            if (!first || record.sequence >= *first) {
                FLORIN_TRY_VOID(look(record));
            }
        }
        return {};
    };
    if (newest_first) {
        FLORIN_TRY_VOID(in_memory(&books_.run()));
        FLORIN_TRY_VOID(in_memory(books_.storing()));
        return go_on ? in_store() : Result<void>{};
    }
    FLORIN_TRY_VOID(in_store());
    FLORIN_TRY_VOID(in_memory(books_.storing()));
    return in_memory(&books_.run());
}

// ---- as of a time -------------------------------------------------------------------------------

Result<std::optional<AccountBalance>> Queries::balance_at(
    u128 account_id, std::uint64_t timestamp
) {
    FLORIN_TRY(AccountSlot const* const slot, books_.account(account_id));
    if (slot == nullptr || !slot->is_applied || slot->decided.timestamp > timestamp) {
        return std::nullopt;
    }
    FLORIN_TRY(Balances const balances, balances_at(books_, *slot, timestamp));
    return AccountBalance{
        .timestamp = timestamp,
        .debits_pending = balances.debits_pending,
        .debits_posted = balances.debits_posted,
        .credits_pending = balances.credits_pending,
        .credits_posted = balances.credits_posted,
    };
}

Result<void> Queries::statement(
    u128 account_id,
    std::uint64_t from,
    std::uint64_t to,
    std::function<Result<bool>(StatementLine const& line)> const& visit
) {
    FLORIN_TRY(AccountSlot const* const slot, books_.account(account_id));
    if (slot == nullptr) {
        return {};
    }
    auto const take = [&](HistoryEntry const& entry) -> Result<bool> {
        auto const& change = entry.change;
        StatementLine line{.change = change, .transfer = std::nullopt, .after = entry.after};
        if (change.kind != ChangeKind::expired) {
            FLORIN_TRY(line.transfer, books_.transfer({change.sequence, change.index}));
        }
        return visit(line);
    };
    return visit_between(books_, *slot, from, to, take);
}

Result<void> Queries::accounts_at(
    std::uint64_t timestamp, std::function<Result<bool>(Account const& account)> const& visit
) {
    auto const each = [&](u128 id) -> Result<bool> {
        FLORIN_TRY(AccountSlot const* const slot, books_.account(id));
        FLORIN_CHECK(slot != nullptr, "an account in the index exists");
        FLORIN_TRY(Balances const balances, balances_at(books_, *slot, timestamp));
        Account account = slot->durable();
        set_balances(account, balances);
        FLORIN_TRY(bool const go_on, visit(account));
        books_.trim();
        return go_on;
    };
    return visit_account_ids(books_, {.from = 0, .to = timestamp}, each);
}

// ---- account ids in order of creation -----------------------------------------------------------

std::uint64_t first_unsaved_account(Books const& books) {
    for (Run const* const run : {books.storing(), &books.run()}) {
        if (run != nullptr && !run->account_times.empty()) {
            return run->account_times.front().first;
        }
    }
    return ~std::uint64_t{0};
}

Result<void> visit_account_ids(
    Books& books, AccountTimes const& times, std::function<Result<bool>(u128 id)> const& visit
) {
    std::uint64_t const unsaved_from = first_unsaved_account(books);
    bool go_on = true;
    auto const in_store = [&]() -> Result<void> {
        auto const stored = [&](ByteView key, ByteView value) -> Result<bool> {
            // A run may be in the store before it counts as stored.
            if (u64_from_key(key) < unsaved_from) {
                FLORIN_TRY(auto const id, ByteReader(value, "state: account_time").little<u128>());
                FLORIN_TRY(go_on, visit(id));
            }
            return go_on;
        };
        std::string to;
        if (times.to != ~std::uint64_t{0}) {
            to = key_of(times.to + 1);
        }
        return books.store().scan(
            {.table = Table::account_time,
             .from = key_of(times.from),
             .to = to,
             .reverse = times.newest_first},
            stored
        );
    };
    auto const in_memory = [&](Run const* run) -> Result<void> {
        std::size_t const count = run == nullptr ? 0 : run->account_times.size();
        for (std::size_t i = 0; i < count && go_on; ++i) {
            auto const& [timestamp, id] =
                run->account_times[times.newest_first ? count - 1 - i : i];
            if (timestamp >= times.from && timestamp <= times.to) {
                FLORIN_TRY(go_on, visit(id));
            }
        }
        return {};
    };
    if (times.newest_first) {
        FLORIN_TRY_VOID(in_memory(&books.run()));
        FLORIN_TRY_VOID(in_memory(books.storing()));
        return go_on ? in_store() : Result<void>{};
    }
    FLORIN_TRY_VOID(in_store());
    FLORIN_TRY_VOID(in_memory(books.storing()));
    return in_memory(&books.run());
}

Result<void> each_account(
    Books& books, std::function<Result<bool>(Account const& account)> const& visit
) {
    auto const with_account = [&](u128 id) -> Result<bool> {
        FLORIN_TRY(auto const account, books.durable_account(id));
        return account ? visit(*account) : Result<bool>{true};
    };
    return visit_account_ids(books, {}, with_account);
}

}  // namespace florin::ledger
