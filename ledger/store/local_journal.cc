#include "ledger/store/local_journal.h"

#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"
#include "ledger/record.h"
#include "ledger/store/head_witness.h"
#include "ledger/store/rocks.h"
#include "ledger/store/stored_log.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <utility>

namespace florin::ledger {
namespace {

constexpr std::size_t kGroupBytesMax = 16U << 20U;
// Opening checks this many records at most; reading from the start checks them all.
constexpr Sequence kCheckedOnOpen = 256;

class RocksLocalJournal final : public LocalJournal {
public:
    explicit RocksLocalJournal(LocalJournalOptions options) : options_{std::move(options)} {}

    ~RocksLocalJournal() override {
        {
            std::lock_guard const lock{mutex_};
            stopping_ = true;
            wake_.notify_one();
        }
        if (writer_.joinable()) {
            writer_.join();
            // Where this fails, the witness is behind, as it may be.
            static_cast<void>(witness_.sync());
        }
    }

    Result<void> open();

    std::size_t group_bytes_max() const override { return kGroupBytesMax; }
    std::array<unsigned char, 16> ledger_id() const override { return ledger_id_; }

    Result<Lease> acquire(Epoch observed) override {
        FLORIN_TRY_VOID(must_write());
        std::lock_guard const lock{mutex_};
        if (observed != epoch_) {
            return fail(
                Errc::conflict,
                "the journal is at epoch " + std::to_string(epoch_) + ", not " +
                    std::to_string(observed)
            );
        }
        ++epoch_;
        is_leased_ = true;
        return Lease{.epoch = epoch_, .leader_id = {}};
    }

    Result<void> release(Lease const& lease) override {
        std::lock_guard const lock{mutex_};
        if (lease.epoch == epoch_) {
            is_leased_ = false;
        }
        return {};
    }

    void append(Lease const& lease, Position expected, Group group, AppendCompletion completion)
        override {
        std::unique_lock lock{mutex_};
        FLORIN_CHECK(!job_, "one group is in flight at a time");
        if (stopping_ || options_.read_only) {
            lock.unlock();
            completion(AppendOutcome::not_sent, "the journal is closed for writing");
            return;
        }
        job_ = Job{lease, expected, std::move(group), std::move(completion)};
        wake_.notify_one();
    }

    Result<Head> head() const override {
        std::lock_guard const lock{mutex_};
        return Head{.last = head_, .epoch = epoch_};
    }

    Result<void> read(Sequence from, Payloads payloads, Visitor const& visit) const override {
        FLORIN_TRY(Head const now, head());
        return log_.read(from, now.last.sequence, payloads, visit);
    }
    Result<Transfer> transfer(Sequence sequence, std::uint32_t index) const override {
        return log_.transfer(sequence, index);
    }
    Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index) const override {
        return log_.payload(sequence, index);
    }
    Result<void> drop_payloads(std::vector<PayloadPlace> const& places) override {
        FLORIN_TRY_VOID(must_write());
        return log_.drop_payloads(places);
    }
    Result<void> verify_files() const override {
        FLORIN_TRY_VOID(log_.verify_files());
        return HeadWitness::verify(options_.witness);
    }

    Result<void> compact() override {
        FLORIN_TRY_VOID(must_write());
        return log_.compact();
    }

private:
    struct Job {
        Lease lease;
        Position expected;
        Group group;
        AppendCompletion completion;
    };
    struct Told {
        AppendOutcome outcome;
        std::string why;
    };

    Result<void> must_write() const {
        if (options_.read_only) {
            return fail(
                Errc::unsupported, options_.directory.string() + ": is open for reading only"
            );
        }
        return {};
    }

    Result<bool> open_witness();
    Result<void> open_without_witness();

    void run();
    Told write(Job const& job, Head const& head, bool is_leased);
    Told compare_with_stored(Job const& job, Position const& head) const;

    LocalJournalOptions options_;
    StoredLog log_;
    HeadWitness witness_;  // after opening: the journal thread only
    std::array<unsigned char, 16> ledger_id_{};
    std::optional<std::string> poisoned_;  // the journal thread only

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<Job> job_;
    Position head_;
    Epoch epoch_ = 0;
    bool is_leased_ = false;
    bool stopping_ = false;
    std::thread writer_;
};

// ---- opening ------------------------------------------------------------------------------------

// What a log says about itself, checked.
struct ChainEnd {
    std::array<unsigned char, 16> ledger_id{};
    Head head;
};

// Where the chain stood after `sequence`, by the record itself.
Result<Position> position_at(
    StoredLog const& log, std::array<unsigned char, 16> const& ledger_id, Sequence sequence
) {
    Position found = genesis_position(ledger_id);
    if (sequence == 0) {
        return found;
    }
    auto const take = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        found = {sequence, record_hash(stored.header, stored.transfers, stored.effects)};
        return false;
    };
    FLORIN_TRY_VOID(log.read(sequence, sequence, Journal::Payloads::without, take));
    return found;
}

// The newest records, whole and chained, against the witness: everything after it as far as that is
// sensible, and the last record in any case.
Result<ChainEnd> check_end(
    StoredLog const& log, LocalJournalOptions const& options, Position const& known
) {
    std::string const path = options.directory.string();
    ChainEnd end;
    FLORIN_TRY(auto const stored_id, log.ledger_id());
    FLORIN_TRY(Sequence const last, log.last_sequence());
    if (known.sequence > last) {
        return fail(
            Errc::corrupt,
            path + ": the journal ends at record " + std::to_string(last) + ", but record " +
                std::to_string(known.sequence) + " was written and synced"
        );
    }
    if (!stored_id) {
        return fail(Errc::corrupt, path + ": the journal has no ledger id");
    }
    end.ledger_id = *stored_id;
    FLORIN_TRY(Position const at_known, position_at(log, end.ledger_id, known.sequence));
    if (at_known != known) {
        return fail(
            Errc::corrupt,
            log.name(known.sequence) + ": is not the one that " + options.witness.string() +
                " has seen"
        );
    }
    end.head.last = genesis_position(end.ledger_id);
    if (last == 0) {
        return end;
    }
    Sequence const bounded = last > kCheckedOnOpen ? last - kCheckedOnOpen : 0;
    Sequence const from = std::max({known.sequence, bounded, Sequence{1}});
    std::optional<Position> previous;
    if (from == 1) {
        previous = end.head.last;
    }
    auto const check = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        if (!previous) {
            FLORIN_TRY(RecordHeader const header, decode_header(stored.header));
            previous = Position{from - 1, header.prev_hash};
        }
        FLORIN_TRY(
            CheckedRecord const checked,
            check_record(stored, end.ledger_id, *previous, end.head.epoch)
        );
        previous = end.head.last = checked.position;
        end.head.epoch = checked.header.epoch;
        return true;
    };
    FLORIN_TRY_VOID(log.read(from, last, Journal::Payloads::without, check));
    return end;
}

Result<void> RocksLocalJournal::open() {
    FLORIN_TRY(bool const has_witness, open_witness());
    StoreAccess const access = options_.read_only ? StoreAccess::read_only : StoreAccess::write;
    if (!has_witness) {
        FLORIN_TRY_VOID(open_without_witness());
    } else {
        if (!options_.read_only) {
            // Opening for writing cuts a torn tail and rewrites what is left: nothing of that
            // before it is certain that the tail was never acknowledged.
            StoredLog look;
            FLORIN_TRY_VOID(look.open(
                options_.directory, StoreAccess::read_only, options_.cache_bytes, options_.env
            ));
            FLORIN_TRY_VOID(check_end(look, options_, witness_.known()));
        }
        FLORIN_TRY_VOID(log_.open(options_.directory, access, options_.cache_bytes, options_.env));
    }
    FLORIN_TRY(ChainEnd const end, check_end(log_, options_, witness_.known()));
    ledger_id_ = end.ledger_id;
    head_ = end.head.last;
    epoch_ = end.head.epoch;
    if (!options_.read_only) {
        if (head_ != witness_.known()) {
            FLORIN_TRY_VOID(witness_.write(head_));
            FLORIN_TRY_VOID(witness_.sync());
        }
        writer_ = std::thread{[this] { run(); }};
        pthread_setname_np(writer_.native_handle(), "florin-journal");
    }
    return {};
}

// The witness is made last, so where it is, there is a log: never make a new one in its place.
Result<bool> RocksLocalJournal::open_witness() {
    auto const opened = witness_.open(options_.witness, options_.read_only);
    if (!opened && opened.error().code == Errc::not_found) {
        return false;
    }
    FLORIN_TRY_VOID(opened);
    std::error_code error;
    if (!std::filesystem::exists(options_.directory / "CURRENT", error)) {
        return fail(
            Errc::corrupt,
            options_.directory.string() + ": the journal is gone, but " +
                options_.witness.string() + " has seen record " +
                std::to_string(witness_.known().sequence)
        );
    }
    return true;
}

// A new journal, or one whose creation did not come to its end. Records need a witness.
Result<void> RocksLocalJournal::open_without_witness() {
    std::error_code error;
    bool holds_records = std::filesystem::exists(options_.directory / "CURRENT", error);
    if (holds_records) {
        FLORIN_TRY(holds_records, StoredLog::is_complete(options_.directory, options_.env));
    }
    if (holds_records) {
        StoredLog look;
        FLORIN_TRY_VOID(look.open(
            options_.directory, StoreAccess::read_only, options_.cache_bytes, options_.env
        ));
        FLORIN_TRY(Sequence const last, look.last_sequence());
        if (last != 0) {
            return fail(
                Errc::corrupt,
                options_.witness.string() +
                    ": is gone, so nobody can tell whether the journal has lost its end; it ends "
                    "at record " +
                    std::to_string(last)
            );
        }
    }
    if (options_.read_only) {
        return fail(Errc::not_found, options_.directory.string() + ": there is no journal");
    }
    FLORIN_TRY_VOID(
        log_.open(options_.directory, StoreAccess::write, options_.cache_bytes, options_.env)
    );
    FLORIN_TRY(auto const stored_id, log_.ledger_id());
    if (!stored_id) {
        FLORIN_TRY_VOID(log_.write_ledger_id(options_.new_ledger_id));
    }
    return witness_.create(
        options_.witness, genesis_position(stored_id.value_or(options_.new_ledger_id))
    );
}

// ---- the journal thread -------------------------------------------------------------------------

void RocksLocalJournal::run() {
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || job_; });
        if (!job_) {
            return;
        }
        Job job = std::move(*job_);
        Head const head{.last = head_, .epoch = epoch_};
        bool const is_leased = is_leased_;
        lock.unlock();
        auto [outcome, why] = write(job, head, is_leased);
        lock.lock();
        if (outcome == AppendOutcome::committed &&
            job.group.back()->position.sequence > head_.sequence) {
            head_ = job.group.back()->position;
        }
        job_.reset();
        lock.unlock();
        job.completion(outcome, std::move(why));
        lock.lock();
    }
}

RocksLocalJournal::Told RocksLocalJournal::write(Job const& job, Head const& head, bool is_leased) {
    if (poisoned_) {
        return {AppendOutcome::not_sent, *poisoned_};
    }
    if (job.lease.epoch != head.epoch || !is_leased) {
        return {
            AppendOutcome::fenced,
            "the journal is at epoch " + std::to_string(head.epoch) +
                (is_leased ? "" : ", which was given back")
        };
    }
    if (auto const sound = check_group(job.group, ledger_id_, job.lease, job.expected); !sound) {
        return {AppendOutcome::not_sent, sound.error().context};
    }
    if (std::size_t const bytes = group_bytes(job.group); bytes > kGroupBytesMax) {
        return {AppendOutcome::not_sent, "a group of " + std::to_string(bytes) + " bytes"};
    }
    if (job.expected != head.last) {
        return compare_with_stored(job, head.last);
    }
    FLORIN_FAILPOINT("journal", "before_write");
    if (auto const written = log_.write(job.group, options_.sync); !written) {
        poisoned_ = written.error().context;
        return {AppendOutcome::unknown, *poisoned_};
    }
    FLORIN_FAILPOINT("journal", "written");
    if (auto const seen = witness_.write(job.group.back()->position); !seen) {
        // The group is durable. Nothing more is written that the witness would not know of.
        poisoned_ = seen.error().context;
    }
    FLORIN_FAILPOINT("journal", "witnessed");
    return {AppendOutcome::committed, {}};
}

// A repeated append finds its own records; anything else is somebody else's.
RocksLocalJournal::Told RocksLocalJournal::compare_with_stored(Job const& job, Position const& head)
    const {
    Position const& wanted = job.group.back()->position;
    if (wanted.sequence <= head.sequence) {
        auto const stored = position_at(log_, ledger_id_, wanted.sequence);
        if (!stored) {
            return {AppendOutcome::unknown, stored.error().context};
        }
        if (*stored == wanted) {
            return {AppendOutcome::committed, {}};
        }
    }
    return {
        AppendOutcome::conflict,
        "the journal's head is record " + std::to_string(head.sequence) + ", not record " +
            std::to_string(job.expected.sequence) + " with the expected hash"
    };
}

}  // namespace

Result<std::unique_ptr<LocalJournal>> LocalJournal::open(LocalJournalOptions const& options) {
    auto journal = std::make_unique<RocksLocalJournal>(options);
    FLORIN_TRY_VOID(journal->open());
    return journal;
}

}  // namespace florin::ledger
