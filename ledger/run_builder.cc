#include "ledger/run_builder.h"

#include "ledger/base/check.h"
#include "ledger/books.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace florin::ledger {
namespace {

// A block of this size holds some 400 changes: small enough to decode for one balance.
constexpr std::size_t kHistoryBlockBytes = 4096;
constexpr std::size_t kPrefetchAhead = 8;

// Numbers as keys and values without a heap allocation for each.
class Bytes {
public:
    template <class Integer>
    Bytes& big(Integer value) {
        for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
            bytes_[size_++] =
                static_cast<char>(static_cast<unsigned char>((value >> shift) & 0xff));
        }
        return *this;
    }
    template <class Integer>
    Bytes& little(Integer value) {
        std::memcpy(bytes_.data() + size_, &value, sizeof value);
        size_ += sizeof value;
        return *this;
    }
    Bytes& varint(std::uint64_t value) {
        for (; value >= 128; value >>= 7U) {
            bytes_[size_++] = static_cast<char>(static_cast<unsigned char>((value & 0x7f) | 0x80));
        }
        bytes_[size_++] = static_cast<char>(static_cast<unsigned char>(value));
        return *this;
    }
    Bytes& location(Location location) { return varint(location.sequence).varint(location.index); }
    operator ByteView() const { return {bytes_.data(), size_}; }

private:
    std::array<char, 64> bytes_{};
    std::size_t size_ = 0;
};

template <class Field>
std::vector<std::pair<Field, u128>> user_data_of(Account const& account) {
    std::vector<std::pair<Field, u128>> fields;
    if (account.user_data_128 != 0) {
        fields.emplace_back(Field::user_data_128, account.user_data_128);
    }
    if (account.user_data_64 != 0) {
        fields.emplace_back(Field::user_data_64, account.user_data_64);
    }
    if (account.user_data_32 != 0) {
        fields.emplace_back(Field::user_data_32, account.user_data_32);
    }
    return fields;
}

}  // namespace

std::string encode_run_description(RunDescription const& description) {
    std::string value;
    ByteWriter out{value};
    out.little(description.newest_account_timestamp);
    out.little(description.newest_transfer_timestamp);
    out.varint(description.totals.size());
    for (auto const& [ledger, sums] : description.totals) {
        out.little(ledger);
        out.varint(sums.debits_pending);
        out.varint(sums.debits_posted);
        out.varint(sums.credits_pending);
        out.varint(sums.credits_posted);
    }
    return value;
}

Result<RunDescription> decode_run_description(ByteView value) {
    ByteReader in{value, "state: run"};
    RunDescription description;
    FLORIN_TRY(description.newest_account_timestamp, in.little<std::uint64_t>());
    FLORIN_TRY(description.newest_transfer_timestamp, in.little<std::uint64_t>());
    FLORIN_TRY(auto const count, in.varint64());
    for (std::uint64_t i = 0; i < count; ++i) {
        FLORIN_TRY(auto const ledger, in.little<std::uint32_t>());
        Balances& sums = description.totals[ledger];
        FLORIN_TRY(sums.debits_pending, in.varint());
        FLORIN_TRY(sums.debits_posted, in.varint());
        FLORIN_TRY(sums.credits_pending, in.varint());
        FLORIN_TRY(sums.credits_posted, in.varint());
    }
    if (!in.at_end()) {
        return fail(Errc::corrupt, "state: run has trailing bytes");
    }
    return description;
}

std::string index_store_key(IndexedField field, u128 value, std::uint64_t timestamp) {
    return std::string{
        ByteView{Bytes{}.big(static_cast<std::uint8_t>(field)).big(value).big(timestamp)}
    };
}

RunBuilder::RunBuilder(Run const& run, LedgerTotals before) : run_{run}, after_{std::move(before)} {
    std::size_t const ids_max = run_.entries.size() + run_.used_ids.size();
    std::size_t const changes = 2 * run_.entries.size();
    scratch_ =
        run_.entries.memory()->take_scratch(ids_max * sizeof(Id) + changes * sizeof(std::uint32_t));
    ids_ = scratch_.as<Id>().first(ids_max);
    order_ = {reinterpret_cast<std::uint32_t*>(ids_.data() + ids_max), changes};
    collect_ids();
    sort_changes();
    close_accounts();
}

RunBuilder::~RunBuilder() {
    run_.entries.memory()->give_back_scratch(std::move(scratch_));
}

// Counts first, then puts every entry's place where its account's entries are.
void RunBuilder::sort_changes() {
    auto const& touched = run_.touched;
    std::uint32_t slots = 0;
    for (auto const& account : touched) {
        slots = std::max(slots, account.slot + 1);
    }
    touched_of_slot_.assign(slots, 0);
    std::vector<std::uint32_t> counts(touched.size());
    for (std::uint32_t i = 0; i < touched.size(); ++i) {
        touched_of_slot_[touched[i].slot] = i;
    }
    for (RunEntry const& entry : run_.entries) {
        ++counts[touched_of_slot_[entry.debit]];
        ++counts[touched_of_slot_[entry.credit]];
    }
    std::vector<std::uint32_t> by_id(touched.size());
    std::iota(by_id.begin(), by_id.end(), 0U);
    std::ranges::sort(by_id, {}, [&](std::uint32_t i) { return touched[i].opening.id; });
    std::vector<std::uint32_t> next(touched.size());
    std::uint32_t first = 0;
    lines_.reserve(touched.size());
    for (std::uint32_t const i : by_id) {
        lines_.push_back({.touched = i, .first = first, .count = counts[i]});
        next[i] = first;
        first += counts[i];
    }
    FLORIN_CHECK(first == order_.size(), "every change is in one account's line");
    for (std::uint32_t place = 0; place < run_.entries.size(); ++place) {
        RunEntry const& entry = run_.entries[place];
        order_[next[touched_of_slot_[entry.debit]]++] = place;
        order_[next[touched_of_slot_[entry.credit]]++] = place;
    }
}

void RunBuilder::close_accounts() {
    closing_.reserve(run_.touched.size());
    for (auto const& touched : run_.touched) {
        closing_.push_back(touched.opening);
    }
    auto const move = [&](RunEntry const& entry, bool credit) {
        Account& account = closing_[touched_of_slot_[credit ? entry.credit : entry.debit]];
        apply_change(account, credit, entry.kind, run_.amount_of(entry), run_.released_of(entry));
        if (credit ? entry.closes_credit : entry.closes_debit) {
            bool const reopens =
                entry.kind == ChangeKind::void_pending || entry.kind == ChangeKind::expired;
            account.flags = static_cast<std::uint16_t>(
                reopens ? account.flags & ~account_closed : account.flags | account_closed
            );
        }
    };
    for (RunEntry const& entry : run_.entries) {
        move(entry, false);
        move(entry, true);
    }
    for (std::size_t i = 0; i < closing_.size(); ++i) {
        Account const& opening = run_.touched[i].opening;
        Account const& closing = closing_[i];
        Balances& sums = after_[closing.ledger];
        sums.debits_pending += closing.debits_pending - opening.debits_pending;
        sums.debits_posted += closing.debits_posted - opening.debits_posted;
        sums.credits_pending += closing.credits_pending - opening.credits_pending;
        sums.credits_posted += closing.credits_posted - opening.credits_posted;
    }
    for (auto const& [ledger, sums] : after_) {
        FLORIN_CHECK(is_balanced(sums), "debits equal credits in every ledger");
    }
}

void RunBuilder::entries(Table table, Sink& sink) const {
    switch (table) {
        case Table::meta:
        case Table::document:
        case Table::timer:
        case Table::event:
        case Table::counter: return;
        case Table::run:
            sink.put(
                Bytes{}.big(run_.boundary),
                encode_run_description(
                    {.newest_account_timestamp = run_.newest_account_timestamp,
                     .newest_transfer_timestamp = run_.newest_transfer_timestamp,
                     .totals = after_}
                )
            );
            return;
        case Table::transfer_id: return put_ids(sink);
        case Table::history: return put_history(sink);
        case Table::account: return put_accounts(sink);
        case Table::account_time:
        case Table::record_time: return put_times(table, sink);
        case Table::pending: return put_pending(sink);
        case Table::expiry: return put_expiries(sink);
        case Table::transfer_index: return put_transfer_index(sink);
        case Table::account_index: return put_account_index(sink);
        case Table::id_hash: return put_id_hashes(sink);
    }
}

void RunBuilder::collect_ids() {
    std::size_t count = 0;
    for (RunEntry const& entry : run_.entries) {
        if (entry.id != 0) {
            ids_[count++] = {entry.id, run_.location_of(entry)};
        }
    }
    for (auto const& [id, sequence] : run_.used_ids) {
        if (sequence <= run_.boundary) {
            ids_[count++] = {id, {.sequence = sequence, .index = Location::kUsedUp}};
        }
    }
    ids_ = ids_.first(count);
    if (!std::ranges::is_sorted(ids_, {}, &Id::id)) {
        std::ranges::sort(ids_, {}, &Id::id);
    }
}

void RunBuilder::put_ids(Sink& sink) const {
    for (Id const& each : ids_) {
        sink.put(Bytes{}.big(each.id), Bytes{}.location(each.location));
    }
}

void RunBuilder::put_id_hashes(Sink& sink) const {
    std::string value;
    for (std::size_t first = 0; first < ids_.size(); first += kIdHashesPerPiece) {
        std::size_t const end = std::min(ids_.size(), first + kIdHashesPerPiece);
        value.clear();
        for (std::size_t i = first; i < end; ++i) {
            IdHash::of(ids_[i].id).put(value);
        }
        auto const piece = static_cast<std::uint32_t>(first / kIdHashesPerPiece);
        sink.put(id_hash_key(run_.boundary, piece), value);
    }
}

void RunBuilder::add_ids(IdFilter& filter) const {
    for (std::size_t i = 0; i < ids_.size(); ++i) {
        filter.prefetch(ids_[std::min(i + 2 * kPrefetchAhead, ids_.size() - 1)].id);
        filter.add(IdHash::of(ids_[i].id));
    }
}

void RunBuilder::put_history(Sink& sink) const {
    HistoryBlock block;
    for (Line const& line : lines_) {
        Account const& opening = run_.touched[line.touched].opening;
        std::uint32_t const slot = run_.touched[line.touched].slot;
        Balances balances = balances_of(opening);
        std::uint32_t number = 0;
        auto const end_block = [&] {
            sink.put(block.key(opening.id, number++), block.value());
            block.clear();
        };
        for (std::uint32_t i = line.first; i < line.first + line.count; ++i) {
            // Entries of one account lie far apart: ask for one that comes soon.
            if (i + kPrefetchAhead < order_.size()) {
                __builtin_prefetch(&run_.entries[order_[i + kPrefetchAhead]]);
            }
            RunEntry const& entry = run_.entries[order_[i]];
            BalanceChange const change = run_.change_of(entry, entry.credit == slot);
            block.add(balances, change);
            apply_change(balances, change.credit, change.kind, change.amount, change.released);
            if (block.bytes() >= kHistoryBlockBytes) {
                end_block();
            }
        }
        if (!block.empty()) {
            end_block();
        }
    }
}

void RunBuilder::put_accounts(Sink& sink) const {
    for (Line const& line : lines_) {
        Account const& account = closing_[line.touched];
        sink.put(
            Bytes{}.big(account.id), {reinterpret_cast<char const*>(&account), sizeof account}
        );
    }
}

void RunBuilder::put_times(Table table, Sink& sink) const {
    if (table == Table::account_time) {
        for (auto const& [timestamp, id] : run_.account_times) {
            sink.put(Bytes{}.big(timestamp), Bytes{}.little(id));
        }
        return;
    }
    for (auto const& record : run_.record_times) {
        sink.put(
            Bytes{}.big(record.timestamp),
            Bytes{}
                .little(record.sequence)
                .little(record.summary.ledgers)
                .little(record.summary.codes)
        );
    }
}

void RunBuilder::put_pending(Sink& sink) const {
    std::vector<std::pair<std::uint64_t, PendingState>> resolved;
    for (auto const& [timestamp, resolution] : run_.resolved) {
        if (resolution.second <= run_.boundary) {
            resolved.emplace_back(timestamp, resolution.first);
        }
    }
    std::ranges::sort(resolved);
    for (auto const& [timestamp, state] : resolved) {
        sink.put(Bytes{}.big(timestamp), Bytes{}.little(static_cast<std::uint8_t>(state)));
    }
}

// One that came and went within the run leaves nothing.
void RunBuilder::put_expiries(Sink& sink) const {
    std::set<Expiry> const removed{run_.expiries_removed.begin(), run_.expiries_removed.end()};
    std::set<Expiry> const added{run_.expiries_added.begin(), run_.expiries_added.end()};
    auto next_added = added.begin();
    auto next_removed = removed.begin();
    while (next_added != added.end() || next_removed != removed.end()) {
        bool const adds = next_removed == removed.end() ||
                          (next_added != added.end() && *next_added < *next_removed);
        if (!adds && next_added != added.end() && *next_added == *next_removed) {
            ++next_added;
            ++next_removed;
        } else if (adds) {
            sink.put(expiry_store_key(*next_added), Bytes{}.location(next_added->location));
            ++next_added;
        } else {
            sink.remove(expiry_store_key(*next_removed));
            ++next_removed;
        }
    }
}

void RunBuilder::put_transfer_index(Sink& sink) const {
    auto indexed = run_.indexed;
    std::ranges::sort(indexed, [](Run::Indexed const& a, Run::Indexed const& b) {
        return std::tie(a.field, a.value, a.timestamp) < std::tie(b.field, b.value, b.timestamp);
    });
    for (Run::Indexed const& each : indexed) {
        sink.put(
            Bytes{}.big(static_cast<std::uint8_t>(each.field)).big(each.value).big(each.timestamp),
            Bytes{}.location(each.location)
        );
    }
}

void RunBuilder::put_account_index(Sink& sink) const {
    std::vector<std::pair<std::string, u128>> entries;
    for (auto const& touched : run_.touched) {
        if (!touched.is_created) {
            continue;
        }
        Account const& account = touched.opening;
        for (auto const& [field, value] : user_data_of<IndexedField>(account)) {
            entries.emplace_back(index_store_key(field, value, account.timestamp), account.id);
        }
    }
    std::ranges::sort(entries);
    for (auto const& [key, id] : entries) {
        sink.put(key, Bytes{}.little(id));
    }
}

}  // namespace florin::ledger
