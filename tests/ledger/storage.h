// Records, groups and changes for the storage tests, and for the process that they kill.
#pragma once

#include "ledger/journal.h"
#include "ledger/record.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace florin::ledger::test {

namespace fs = std::filesystem;

inline constexpr std::array<unsigned char, 16> kLedgerId{
    0xf1, 0x02, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
};

inline Transfer a_transfer(std::uint64_t number) {
    Transfer transfer;
    transfer.id = number;
    transfer.debit_account_id = 1;
    transfer.credit_account_id = 2;
    transfer.amount = number * 100;
    transfer.ledger = 1;
    transfer.code = 7;
    transfer.timestamp = number;
    return transfer;
}

struct RecordShape {
    std::uint32_t transfers = 3;
    std::uint32_t payloads = 0;
    std::uint64_t salt = 0;  // makes two records of one place differ
};

// A record that continues `previous`, with transfers numbered from 1000 * sequence on.
inline std::shared_ptr<EncodedRecord const> a_record(
    Position const& previous, Epoch epoch, RecordShape shape = {}
) {
    RecordHeader header;
    header.ledger_id = kLedgerId;
    header.sequence = previous.sequence + 1;
    header.epoch = epoch;
    header.prev_hash = previous.hash;
    header.time = 5'000 + header.sequence + shape.salt;
    header.count = shape.transfers;
    std::string transfers;
    for (std::uint32_t i = 0; i < shape.transfers; ++i) {
        Transfer const transfer = a_transfer(header.sequence * 1'000 + i);
        transfers.append(reinterpret_cast<char const*>(&transfer), sizeof transfer);
    }
    std::vector<Payload> payloads;
    for (std::uint32_t i = 0; i < shape.payloads; ++i) {
        payloads.push_back(
            "payload " + std::to_string(i) + " of " + std::to_string(header.sequence)
        );
    }
    std::string const effects = "effects " + std::to_string(header.sequence);
    return std::make_shared<EncodedRecord const>(
        encode_record(header, std::move(transfers), effects, std::move(payloads))
    );
}

// `count` records, one after the other.
inline Group a_group(
    Position previous, Epoch epoch, std::size_t count, RecordShape const& shape = {}
) {
    Group group;
    for (std::size_t i = 0; i < count; ++i) {
        group.push_back(a_record(previous, epoch, shape));
        previous = group.back()->position;
    }
    return group;
}

struct Told {
    AppendOutcome outcome;
    std::string why;
};

// Appends and waits for the completion.
inline Told append(Journal& journal, Lease const& lease, Position const& expected, Group group) {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Told> told;
    auto const completion = [&](AppendOutcome outcome, std::string why) {
        std::lock_guard const lock{mutex};
        told = Told{outcome, std::move(why)};
        done.notify_one();
    };
    journal.append(lease, expected, std::move(group), completion);
    std::unique_lock lock{mutex};
    done.wait(lock, [&] { return told.has_value(); });
    return *told;
}

inline Result<std::unique_ptr<LocalJournal>> open_journal(
    fs::path const& folder, bool read_only = false
) {
    return LocalJournal::open(
        {.directory = folder / "log",
         .witness = folder / "HEAD",
         .new_ledger_id = kLedgerId,
         .read_only = read_only,
         .cache_bytes = 1U << 20U}
    );
}
inline Result<std::unique_ptr<StateStore>> open_state(
    fs::path const& folder, bool read_only = false
) {
    return open_rocks_state(
        {.directory = folder / "state", .read_only = read_only, .cache_bytes = 1U << 20U}
    );
}

// The n-th write of the live tables: each of them says n.
inline std::vector<Change> live_changes(std::uint64_t n) {
    std::string const value = std::to_string(n);
    return {
        {Table::meta, "applied", value},
        {Table::document, "document", value},
        {Table::timer, "timer", value},
        {Table::event, "event", value},
        {Table::counter, "counter", value},
    };
}

inline std::string numbered(std::uint64_t n) {
    std::string digits = std::to_string(n);
    return std::string(8 - digits.size(), '0') + digits;
}

// The n-th run: what it put into `pending`, the run after it takes out again.
// A run that somebody wrote down.
class ListedRun final : public RunSource {
public:
    ListedRun(std::vector<Change> changes) : changes_{std::move(changes)} {}
    void entries(Table table, Sink& sink) const override {
        for (Change const& change : changes_) {
            if (change.table == table) {
                change.value ? sink.put(change.key, *change.value) : sink.remove(change.key);
            }
        }
    }

private:
    std::vector<Change> changes_;
};

inline ListedRun run_changes(std::uint64_t n) {
    std::vector<Change> changes{
        {Table::run, numbered(n), "run"},
        {Table::transfer_id, numbered(n), "where"},
        {Table::account, "account", std::to_string(n)},
    };
    if (n > 1) {
        changes.push_back({Table::pending, numbered(n - 1), std::nullopt});
    }
    changes.push_back({Table::pending, numbered(n), "open"});
    return changes;
}

}  // namespace florin::ledger::test
