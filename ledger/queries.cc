#include "ledger/queries.h"

#include <algorithm>
#include <map>
#include <ranges>

namespace florin::ledger {
namespace {

std::size_t bounded(std::uint32_t limit) {
    return std::min<std::size_t>(limit, kBatchEventsMax);
}

bool is_valid(std::uint64_t timestamp_min, std::uint64_t timestamp_max, std::uint32_t limit) {
    constexpr auto kMax = ~std::uint64_t{0};
    return limit != 0 && timestamp_min != kMax && timestamp_max != kMax &&
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
bool in_time(Filter const& filter, std::uint64_t timestamp) {
    return timestamp >= filter.timestamp_min &&
           (filter.timestamp_max == 0 || timestamp <= filter.timestamp_max);
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

}  // namespace

Result<AccountsAnswer> Queries::run(LookupAccounts const& request) {
    AccountsAnswer answer;
    for (u128 const id : request.ids) {
        FLORIN_TRY(AccountSlot const* const slot, books_.account(id));
        if (slot != nullptr && slot->is_applied) {
            answer.accounts.push_back(slot->applied);
        }
    }
    return answer;
}

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

// Stored blocks, then the run being stored, then this run: the order of the journal.
Result<std::vector<HistoryEntry>> Queries::history_of(u128 account_id) {
    std::vector<HistoryEntry> entries;
    auto const add = [&](ByteView key, ByteView value) -> Result<bool> {
        FLORIN_TRY(auto const block, decode_history(key, value));
        entries.insert(entries.end(), block.begin(), block.end());
        return true;
    };
    std::string const prefix = history_key_prefix(account_id);
    std::string to;
    if (account_id != kU128Max) {
        to = key_of(account_id + 1);
    }
    // A run that has just been stored is still in memory, until the ledger thread is told.
    auto const add_stored = [&](ByteView key, ByteView value) -> Result<bool> {
        bool const is_in_memory = u64_from_key(key.substr(prefix.size())) > books_.stored();
        return is_in_memory ? Result<bool>{true} : add(key, value);
    };
    FLORIN_TRY_VOID(
        books_.store().scan({.table = Table::history, .from = prefix, .to = to}, add_stored)
    );
    RecentBooks const* const generations[] = {books_.ingesting(), &books_.recent()};
    for (RecentBooks const* const recent : generations) {
        if (recent == nullptr) {
            continue;
        }
        for (Change const& block : recent->history) {
            if (block.key.starts_with(prefix)) {
                FLORIN_TRY_VOID(add(block.key, *block.value));
            }
        }
    }
    FLORIN_TRY(AccountSlot const* const slot, books_.account(account_id));
    if (slot != nullptr && !slot->block.empty()) {
        FLORIN_TRY_VOID(add(slot->block.key(account_id, 0), slot->block.value()));
    }
    return entries;
}

Result<std::vector<Queries::Line>> Queries::account_lines(
    AccountFilter const& filter, bool with_balances
) {
    std::vector<Line> lines;
    if (!is_valid(filter)) {
        return lines;
    }
    FLORIN_TRY(AccountSlot const* const slot, books_.account(filter.account_id));
    if (slot == nullptr || (with_balances && !slot->applied.has(account_history))) {
        return lines;
    }
    FLORIN_TRY(auto entries, history_of(filter.account_id));
    if ((filter.flags & kFilterReversed) != 0) {
        std::ranges::reverse(entries);
    }
    for (HistoryEntry const& entry : entries) {
        if (lines.size() >= bounded(filter.limit)) {
            break;
        }
        std::uint32_t const side = entry.change.credit ? kFilterCredits : kFilterDebits;
        if (entry.change.kind == ChangeKind::expired || (filter.flags & side) == 0 ||
            !in_time(filter, entry.change.timestamp)) {
            continue;
        }
        FLORIN_TRY(
            Transfer const transfer, books_.transfer({entry.change.sequence, entry.change.index})
        );
        if (has_user_data(filter, transfer)) {
            lines.push_back({.transfer = transfer, .after = entry.after});
        }
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
    std::ranges::copy(
        lines | std::views::transform(&Line::after), std::back_inserter(answer.balances)
    );
    return answer;
}

Result<AccountsAnswer> Queries::run(QueryAccounts const& request) {
    AccountsAnswer answer;
    if (!is_valid(request.filter)) {
        return answer;
    }
    auto const collect = [&](Account const& account) -> Result<bool> {
        if (matches(request.filter, account)) {
            answer.accounts.push_back(account);
        }
        return true;
    };
    FLORIN_TRY_VOID(each_account(books_, collect));
    if ((request.filter.flags & kQueryReversed) != 0) {
        std::ranges::reverse(answer.accounts);
    }
    if (answer.accounts.size() > bounded(request.filter.limit)) {
        answer.accounts.resize(bounded(request.filter.limit));
    }
    return answer;
}

Result<TransfersAnswer> Queries::run(QueryTransfers const& request) {
    TransfersAnswer answer;
    QueryFilter const& filter = request.filter;
    if (!is_valid(filter)) {
        return answer;
    }
    bool const reversed = (filter.flags & kQueryReversed) != 0;
    std::size_t const limit = bounded(filter.limit);
    std::vector<Sequence> sequences;
    auto const stored = [&](ByteView, ByteView value) -> Result<bool> {
        FLORIN_TRY(auto const sequence, ByteReader(value, "state: record_time").little<Sequence>());
        if (sequence <= books_.stored()) {
            sequences.push_back(sequence);
        }
        return true;
    };
    // The record that begins before timestamp_min may reach into the range.
    FLORIN_TRY(auto const first, books_.record_at(filter.timestamp_min));
    FLORIN_TRY_VOID(books_.store().scan({.table = Table::record_time, .from = {}, .to = {}}, stored)
    );
    RecentBooks const* const generations[] = {books_.ingesting(), &books_.recent()};
    for (RecentBooks const* const recent : generations) {
        if (recent == nullptr) {
            continue;
        }
        for (auto const& [timestamp, sequence] : recent->record_times) {
            sequences.push_back(sequence);
        }
    }
    if (reversed) {
        std::ranges::reverse(sequences);
    }
    for (Sequence const sequence : sequences) {
        if (first && sequence < *first) {
            continue;
        }
        FLORIN_TRY(auto transfers, books_.transfers_of(sequence));
        if (reversed) {
            std::ranges::reverse(transfers);
        }
        for (Transfer const& transfer : transfers) {
            if (matches(filter, transfer)) {
                answer.transfers.push_back(transfer);
                if (answer.transfers.size() >= limit) {
                    return answer;
                }
            }
        }
    }
    return answer;
}

Result<void> each_account(
    Books& books, std::function<Result<bool>(Account const& account)> const& visit
) {
    // By timestamp, so that an account which is in the store and still in memory comes once.
    std::map<std::uint64_t, u128> ids;
    auto const stored = [&](ByteView key, ByteView value) -> Result<bool> {
        FLORIN_TRY(ids[u64_from_key(key)], ByteReader(value, "state: account_time").little<u128>());
        return true;
    };
    FLORIN_TRY_VOID(books.store().scan({.table = Table::account_time, .from = {}, .to = {}}, stored)
    );
    RecentBooks const* const generations[] = {books.ingesting(), &books.recent()};
    for (RecentBooks const* const recent : generations) {
        if (recent != nullptr) {
            ids.insert(recent->account_times.begin(), recent->account_times.end());
        }
    }
    for (auto const& [timestamp, id] : ids) {
        FLORIN_TRY(AccountSlot const* const slot, books.account(id));
        if (slot != nullptr && slot->is_applied) {
            FLORIN_TRY(bool const go_on, visit(slot->applied));
            if (!go_on) {
                break;
            }
        }
    }
    return {};
}

}  // namespace florin::ledger
