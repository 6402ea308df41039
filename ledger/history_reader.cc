#include "ledger/history_reader.h"

#include <algorithm>
#include <ranges>

namespace florin::ledger {
namespace {

using Visit = std::function<Result<bool>(HistoryEntry const& entry)>;

// Where the account's changes in a run are; nullptr: it has none there.
AccountSlot::InRun const* place_in(AccountSlot const& account, Run const* run) {
    if (run == nullptr) {
        return nullptr;
    }
    for (auto const* const place : {&account.in_run, &account.in_run_before}) {
        if (place->run == run->number) {
            return place;
        }
    }
    return nullptr;
}

// Newest first; false: the visitor has seen enough. `balances`: after the run's last change of the
// account; afterwards, before its first.
Result<bool> visit_run(
    AccountSlot const& account,
    Run const* run,
    HistoryRange const& range,
    Balances& balances,
    Visit const& visit
) {
    AccountSlot::InRun const* const place = place_in(account, run);
    if (place == nullptr) {
        return true;
    }
    for (std::uint32_t at = place->newest; at != 0;) {
        RunEntry const& entry = run->entries[at - 1];
        bool const credit = entry.credit == account.number;
        HistoryEntry const line{.change = run->change_of(entry, credit), .after = balances};
        if (line.change.sequence < range.from) {
            return false;
        }
        if (line.change.sequence <= range.to) {
            FLORIN_TRY(bool const go_on, visit(line));
            if (!go_on) {
                return false;
            }
        }
        auto const& change = line.change;
        take_back_change(balances, credit, change.kind, change.amount, change.released);
        at = credit ? entry.credit_before : entry.debit_before;
    }
    return true;
}

std::string upper_key(u128 account_id, Sequence to) {
    if (to != ~Sequence{0}) {
        return history_key_from(account_id, to + 1);
    }
    return account_id == kU128Max ? std::string{} : key_of(account_id + 1);
}

// False: the visitor has seen enough.
Result<bool> visit_stored(
    Books& books, u128 account_id, HistoryRange const& range, Visit const& visit
) {
    Sequence const to = std::min(range.to, books.stored());
    bool go_on = true;
    auto const block = [&](ByteView key, ByteView value) -> Result<bool> {
        FLORIN_TRY(auto entries, decode_history(key, value));
        if (range.newest_first) {
            std::ranges::reverse(entries);
        }
        for (HistoryEntry const& entry : entries) {
            Sequence const sequence = entry.change.sequence;
            if (range.newest_first ? sequence < range.from : sequence > to) {
                return false;
            }
            if (sequence >= range.from && sequence <= to) {
                FLORIN_TRY(go_on, visit(entry));
                if (!go_on) {
                    return false;
                }
            }
        }
        return true;
    };
    std::string const all = history_key_prefix(account_id);
    std::string from = all;
    if (!range.newest_first && range.from > 0) {
        // The last block that begins before may reach into the range.
        auto const begins_before = [&](ByteView key, ByteView) -> Result<bool> {
            from = key;
            return false;
        };
        std::string const end = history_key_from(account_id, range.from);
        FLORIN_TRY_VOID(books.store().scan(
            {.table = Table::history, .from = all, .to = end, .reverse = true}, begins_before
        ));
    }
    FLORIN_TRY_VOID(books.store().scan(
        {.table = Table::history,
         .from = from,
         .to = upper_key(account_id, to),
         .reverse = range.newest_first},
        block
    ));
    return go_on;
}

}  // namespace

Result<void> visit_history(
    Books& books, AccountSlot const& account, HistoryRange const& range, Visit const& visit
) {
    if (!account.is_applied) {
        return {};
    }
    u128 const id = account.decided.id;
    Balances balances = account.applied;
    Run const* const runs[] = {&books.run(), books.storing()};
    if (range.newest_first) {
        for (Run const* const run : runs) {
            FLORIN_TRY(bool const go_on, visit_run(account, run, range, balances, visit));
            if (!go_on) {
                return {};
            }
        }
        FLORIN_TRY_VOID(visit_stored(books, id, range, visit));
        return {};
    }
    FLORIN_TRY(bool const go_on, visit_stored(books, id, range, visit));
    if (!go_on) {
        return {};
    }
    std::vector<HistoryEntry> recent;
    auto const collect = [&](HistoryEntry const& entry) -> Result<bool> {
        recent.push_back(entry);
        return true;
    };
    for (Run const* const run : runs) {
        FLORIN_TRY(bool const more, visit_run(account, run, range, balances, collect));
        if (!more) {
            break;
        }
    }
    for (HistoryEntry const& entry : recent | std::views::reverse) {
        FLORIN_TRY(bool const more, visit(entry));
        if (!more) {
            break;
        }
    }
    return {};
}

namespace {

// The last thing that happened to the account by the last record that begins in time, if it did
// itself.
Result<std::optional<HistoryEntry>> newest_by(
    Books& books, AccountSlot const& account, std::uint64_t timestamp, Sequence last
) {
    std::optional<HistoryEntry> found;
    auto const newest = [&](HistoryEntry const& entry) -> Result<bool> {
        if (entry.change.timestamp <= timestamp) {
            found = entry;
        }
        return !found;
    };
    if (last > 0) {
        FLORIN_TRY_VOID(
            visit_history(books, account, {.from = 0, .to = last, .newest_first = true}, newest)
        );
    }
    return found;
}

bool is_expiry(HistoryEntry const& entry) {
    return entry.change.kind == ChangeKind::expired;
}

}  // namespace

Result<Balances> balances_at(Books& books, AccountSlot const& account, std::uint64_t timestamp) {
    FLORIN_TRY(auto const record, books.record_at(timestamp));
    Sequence const last = record.value_or(0);
    FLORIN_TRY(auto const newest, newest_by(books, account, timestamp, last));
    Balances balances = newest ? newest->after : Balances{};
    // Records that only let transfers expire have no time of their own in the index.
    auto const expiries = [&](HistoryEntry const& entry) -> Result<bool> {
        if (!is_expiry(entry) || entry.change.timestamp > timestamp) {
            return false;
        }
        balances = entry.after;
        return true;
    };
    FLORIN_TRY_VOID(visit_history(books, account, {.from = last + 1}, expiries));
    return balances;
}

Result<void> visit_between(
    Books& books,
    AccountSlot const& account,
    std::uint64_t from,
    std::uint64_t to,
    Visit const& visit
) {
    Sequence first = 0;
    if (from > 0) {
        FLORIN_TRY(auto const record, books.record_at(from - 1));
        FLORIN_TRY(auto const opening, newest_by(books, account, from - 1, record.value_or(0)));
        first = opening ? opening->change.sequence : 0;
    }
    // Expiries of which it is not certain yet on which side of an end they are: only a transfer
    // that follows tells.
    std::vector<HistoryEntry> held;
    bool has_begun = false;
    bool go_on = true;
    auto const tell_held = [&](auto const& is_told) -> Result<void> {
        for (HistoryEntry const& entry : held) {
            if (!go_on || !is_told(entry)) {
                break;
            }
            FLORIN_TRY(go_on, visit(entry));
        }
        held.clear();
        return {};
    };
    auto const take = [&](HistoryEntry const& entry) -> Result<bool> {
        std::uint64_t const timestamp = entry.change.timestamp;
        if (!is_expiry(entry)) {
            if (timestamp < from) {
                held.clear();
                return true;
            }
            if (timestamp > to) {
                return false;
            }
            has_begun = true;
            FLORIN_TRY_VOID(tell_held([](HistoryEntry const&) { return true; }));
        } else if (!held.empty() || timestamp > to || !has_begun) {
            if (has_begun || !held.empty() || timestamp >= from) {
                held.push_back(entry);
            }
            return true;
        }
        if (go_on) {
            FLORIN_TRY(go_on, visit(entry));
        }
        return go_on;
    };
    FLORIN_TRY_VOID(visit_history(books, account, {.from = first}, take));
    return tell_held([&](HistoryEntry const& entry) { return entry.change.timestamp <= to; });
}

}  // namespace florin::ledger
