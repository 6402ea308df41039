#include "ledger/compare_views.h"

#include "ledger/books.h"
#include "ledger/documents.h"
#include "ledger/run_builder.h"

#include <algorithm>

namespace florin::ledger {
namespace {

constexpr std::size_t kEntriesAtOnce = 4'096;
constexpr std::size_t kBytesAtOnce = 8U << 20U;

// An ascending walk through a table, in pieces.
class Walk {
public:
    Walk(StateStore const& store, Table table) : store_{store}, table_{table} {}

    // nullptr at the end.
    struct Entry {
        std::string key;
        std::string value;
    };
    Result<Entry const*> next() {
        if (at_ == piece_.size() && !is_last_piece_) {
            FLORIN_TRY_VOID(read_piece());
        }
        return at_ == piece_.size() ? nullptr : &piece_[at_++];
    }

private:
    Result<void> read_piece() {
        std::string from;
        if (!piece_.empty()) {
            from = piece_.back().key;
            from.push_back('\0');  // the least key after it
        }
        piece_.clear();
        at_ = 0;
        std::size_t bytes = 0;
        auto const take = [&](ByteView key, ByteView value) -> Result<bool> {
            piece_.push_back({std::string{key}, std::string{value}});
            bytes += key.size() + value.size();
            return piece_.size() < kEntriesAtOnce && bytes < kBytesAtOnce;
        };
        FLORIN_TRY_VOID(store_.scan({.table = table_, .from = from, .to = {}}, take));
        is_last_piece_ = piece_.size() < kEntriesAtOnce && bytes < kBytesAtOnce;
        return {};
    }

    StateStore const& store_;
    Table table_;
    std::vector<Entry> piece_;
    std::size_t at_ = 0;
    bool is_last_piece_ = false;
};

// Every entry of an event says in which record it is, but for the one by id.
std::string event_name(ByteView key) {
    constexpr std::size_t kPlaceBytes = 8 + 4;
    bool const has_place =
        (key.starts_with('s') || key.starts_with('o')) && key.size() > kPlaceBytes;
    if (has_place) {
        return "event of record " +
               std::to_string(u64_from_key(key.substr(key.size() - kPlaceBytes)));
    }
    auto const zero = key.find('\0');
    return "event " + (zero == ByteView::npos ? "?" : std::string{key.substr(zero + 1)});
}

// The key as people write it.
std::string name_of_key(Table table, ByteView key) {
    auto const number = [&](std::size_t at) {
        return key.size() >= at + 8 ? std::to_string(u64_from_key(key.substr(at))) : "?";
    };
    auto const id = [&](std::size_t at) {
        return key.size() >= at + 16 ? to_string(u128_from_key(key.substr(at))) : "?";
    };
    std::string const hex = " (key " + to_hex(key) + ")";
    switch (table) {
        case Table::run: return "run up to record " + number(0) + hex;
        case Table::transfer_id: return "transfer id " + id(0) + hex;
        case Table::account: return "account " + id(0) + hex;
        case Table::history:
            return "history of account " + id(0) + " from record " + number(16) + hex;
        case Table::account_time: return "account created at " + number(0) + hex;
        case Table::record_time: return "record that begins at " + number(0) + hex;
        case Table::pending: return "pending transfer of " + number(0) + hex;
        case Table::expiry: return "expiry at " + number(0) + hex;
        case Table::event: return event_name(key) + hex;
        case Table::timer: return "timer due at " + number(0) + hex;
        case Table::meta:
        case Table::document:
        case Table::counter:
        case Table::transfer_index:
        case Table::account_index: return "key " + to_hex(key);
        case Table::id_hash: return "hashes of the run up to record " + number(0) + hex;
    }
    return "key " + to_hex(key);
}

template <class Number>
std::string text_of(Number number) {
    if constexpr (sizeof(Number) == sizeof(u128)) {
        return to_string(number);
    } else {
        return std::to_string(number);
    }
}

// The first field in which two stored accounts differ.
std::string account_difference(ByteView stored, ByteView expected) {
    if (stored.size() != sizeof(Account) || expected.size() != sizeof(Account)) {
        return "has " + std::to_string(stored.size()) + " bytes";
    }
    Account a;
    Account b;
    std::memcpy(static_cast<void*>(&a), stored.data(), sizeof a);
    std::memcpy(static_cast<void*>(&b), expected.data(), sizeof b);
    std::string found;
    auto const compare = [&](char const* field, auto const& ours, auto const& wanted) {
        if (found.empty() && ours != wanted) {
            found = std::string{"field "} + field + " is " + text_of(ours) +
                    ", by the journal it is " + text_of(wanted);
        }
    };
    compare("id", a.id, b.id);
    compare("debits_pending", a.debits_pending, b.debits_pending);
    compare("debits_posted", a.debits_posted, b.debits_posted);
    compare("credits_pending", a.credits_pending, b.credits_pending);
    compare("credits_posted", a.credits_posted, b.credits_posted);
    compare("user_data_128", a.user_data_128, b.user_data_128);
    compare("user_data_64", a.user_data_64, b.user_data_64);
    compare("user_data_32", a.user_data_32, b.user_data_32);
    compare("reserved", a.reserved, b.reserved);
    compare("ledger", a.ledger, b.ledger);
    compare("code", a.code, b.code);
    compare("flags", a.flags, b.flags);
    compare("timestamp", a.timestamp, b.timestamp);
    return found;
}

std::string location_difference(ByteView stored, ByteView expected) {
    auto const a = decode_location(stored);
    auto const b = decode_location(expected);
    if (!a || !b) {
        return "the location cannot be read";
    }
    auto const text = [](Location location) {
        return "record " + std::to_string(location.sequence) +
               (location.is_used_up() ? ", used up" : ", index " + std::to_string(location.index));
    };
    return "is at " + text(*a) + ", by the journal at " + text(*b);
}

std::string history_difference(ByteView key, ByteView stored, ByteView expected) {
    auto const a = decode_history(key, stored);
    auto const b = decode_history(key, expected);
    if (!a || !b) {
        return "the block cannot be read";
    }
    if (a->size() != b->size()) {
        return "has " + std::to_string(a->size()) + " changes, by the journal " +
               std::to_string(b->size());
    }
    for (std::size_t i = 0; i < a->size(); ++i) {
        auto const& ours = (*a)[i].change;
        auto const& wanted = (*b)[i].change;
        std::string const change = "change " + std::to_string(i) + ": ";
        if (ours.timestamp != wanted.timestamp) {
            return change + "field timestamp is " + std::to_string(ours.timestamp) +
                   ", by the journal it is " + std::to_string(wanted.timestamp);
        }
        if (ours.amount != wanted.amount) {
            return change + "field amount is " + to_string(ours.amount) +
                   ", by the journal it is " + to_string(wanted.amount);
        }
        if (ours.sequence != wanted.sequence || ours.index != wanted.index) {
            return change + "names another transfer";
        }
        if (ours.kind != wanted.kind || ours.credit != wanted.credit ||
            ours.released != wanted.released || (*a)[i].after != (*b)[i].after) {
            return change + "differs from the journal";
        }
    }
    return "differs from the journal";
}

std::string difference(Table table, Walk::Entry const& stored, Walk::Entry const& expected) {
    switch (table) {
        case Table::account: return account_difference(stored.value, expected.value);
        case Table::transfer_id:
        case Table::transfer_index:
        case Table::expiry: return location_difference(stored.value, expected.value);
        case Table::history: return history_difference(stored.key, stored.value, expected.value);
        case Table::meta:
        case Table::document:
        case Table::timer:
        case Table::event:
        case Table::counter:
        case Table::run:
        case Table::account_time:
        case Table::record_time:
        case Table::pending:
        case Table::account_index:
        case Table::id_hash: break;
    }
    auto const [ours, wanted] = std::ranges::mismatch(stored.value, expected.value);
    return "the value differs from the journal at byte " +
           std::to_string(ours - stored.value.begin());
}

// Views that are behind the journal may have a document's body that was forgotten since: a newer
// version, which they do not have yet, replaced it. The journal then gives the same document
// without its body. Damage to the body itself is what the checksums of the files are for.
bool is_forgotten_since(Table table, ByteView stored, ByteView expected) {
    if (table != Table::document || expected.empty() || stored.size() < expected.size()) {
        return false;
    }
    std::size_t const mark = expected.size() - 1;  // 1 and the body, or 0 alone
    return expected[mark] == 0 && stored[mark] == 1 &&
           stored.substr(0, mark) == expected.substr(0, mark);
}

}  // namespace

Result<std::uint64_t> compare_table(
    Table table,
    StateStore const& stored,
    StateStore const& expected,
    std::function<void(std::uint64_t compared)> const& compared
) {
    Walk ours{stored, table};
    Walk wanted{expected, table};
    std::string const where = "views: table " + std::string{table_name(table)} + ", ";
    for (std::uint64_t count = 0;; ++count) {
        FLORIN_TRY(Walk::Entry const* const a, ours.next());
        FLORIN_TRY(Walk::Entry const* const b, wanted.next());
        if (a == nullptr && b == nullptr) {
            return count;
        }
        if (b == nullptr || (a != nullptr && a->key < b->key)) {
            return fail(
                Errc::corrupt,
                where + name_of_key(table, a->key) +
                    ": is stored, but the journal knows nothing of it"
            );
        }
        if (a == nullptr || b->key < a->key) {
            return fail(Errc::corrupt, where + name_of_key(table, b->key) + ": is missing");
        }
        if (a->value != b->value && !is_forgotten_since(table, a->value, b->value)) {
            return fail(
                Errc::corrupt, where + name_of_key(table, a->key) + ": " + difference(table, *a, *b)
            );
        }
        if (count % kEntriesAtOnce == 0) {
            compared(count);
        }
    }
}

}  // namespace florin::ledger
