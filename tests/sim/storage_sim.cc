#include "tests/sim/storage_sim.h"

#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"
#include "tests/sim/failure.h"
#include "tests/sim/faulty_disk.h"
#include "tests/sim/simulation.h"
#include "tests/support/temp_dir.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace florin::ledger::sim {
namespace {

namespace fs = std::filesystem;

// A journal whose appends are over when append() returns, so that a seed does the same each time;
// their completions come when they are let.
class SteppedJournal final : public Journal {
public:
    SteppedJournal(Journal& inner, FaultyDisk& disk) : inner_{inner}, disk_{disk} {}

    void hold_completions(bool hold) { hold_ = hold; }
    void pump() {
        if (auto const told = std::exchange(told_, std::nullopt)) {
            told->completion(told->outcome, told->why);
        }
    }

    std::size_t group_bytes_max() const override { return inner_.group_bytes_max(); }
    std::array<unsigned char, 16> ledger_id() const override { return inner_.ledger_id(); }
    Result<Lease> acquire(Epoch observed) override { return inner_.acquire(observed); }
    Result<void> release(Lease const& lease) override { return inner_.release(lease); }
    void append(Lease const& lease, Position expected, Group group, AppendCompletion completion)
        override {
        std::mutex mutex;
        std::condition_variable done;
        std::optional<std::pair<AppendOutcome, std::string>> arrived;
        auto const arrive = [&](AppendOutcome outcome, std::string why) {
            std::lock_guard const lock{mutex};
            arrived = {outcome, std::move(why)};
            done.notify_one();
        };
        inner_.append(lease, expected, std::move(group), arrive);
        {
            std::unique_lock lock{mutex};
            done.wait(lock, [&] { return arrived.has_value(); });
        }
        disk_.drain_background();
        told_ = {std::move(completion), arrived->first, std::move(arrived->second)};
        if (!hold_) {
            pump();
        }
    }
    Result<Head> head() const override { return inner_.head(); }
    Result<void> read(Sequence from, Payloads payloads, Visitor const& visit) const override {
        return inner_.read(from, payloads, visit);
    }
    Result<Transfer> transfer(Sequence sequence, std::uint32_t index) const override {
        return inner_.transfer(sequence, index);
    }
    Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index) const override {
        return inner_.payload(sequence, index);
    }
    Result<void> drop_payloads(std::vector<PayloadPlace> const& places) override {
        return inner_.drop_payloads(places);
    }

private:
    struct Told {
        AppendCompletion completion;
        AppendOutcome outcome;
        std::string why;
    };
    Journal& inner_;
    FaultyDisk& disk_;
    bool hold_ = false;
    std::optional<Told> told_;
};

// A store whose background work is over when a call returns.
class SteppedStore final : public StateStore {
public:
    SteppedStore(StateStore& inner, FaultyDisk& disk) : inner_{inner}, disk_{disk} {}

    Result<std::optional<std::string>> get(Table table, ByteView key) const override {
        return inner_.get(table, key);
    }
    Result<void> scan(Range const& range, Visitor const& visit) const override {
        return inner_.scan(range, visit);
    }
    Result<void> write(std::vector<Change> const& changes) override {
        return over(inner_.write(changes));
    }
    Result<void> ingest(RunSource const& run) override { return over(inner_.ingest(run)); }
    Result<void> flush() override {
        // Waits for the background thread.
        disk_.run_background_at_once(true);
        auto const flushed = inner_.flush();
        disk_.run_background_at_once(false);
        return over(flushed);
    }
    Result<void> verify_files() const override { return inner_.verify_files(); }

private:
    Result<void> over(Result<void> result) {
        disk_.drain_background();
        return result;
    }
    StateStore& inner_;
    FaultyDisk& disk_;
};

std::string bytes_of(fs::path const& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

// The HEAD file's part in a power loss. It is written in place and hardly ever synced, so the disk
// may hold it as it was after any write since the last sync, or half way to the next one.
class WitnessOnDisk {
public:
    WitnessOnDisk(fs::path path, Random& random) : path_{std::move(path)}, random_{random} {}

    void was_written() {
        std::string now = bytes_of(path_);
        if (!now.empty() && (states_.empty() || now != states_.back())) {
            states_.push_back(std::move(now));
        }
    }
    // Opening syncs what it changes, and creates the file synced.
    void was_opened() {
        if (std::string now = bytes_of(path_); states_.empty() || now != states_.back()) {
            states_ = {std::move(now)};
        }
    }
    void lose_power() {
        if (states_.empty()) {
            return;
        }
        std::size_t const kept = random_.below(states_.size());
        std::string left = states_[kept];
        if (kept + 1 < states_.size() && random_.one_in(2)) {
            // One write is 64 bytes, inside a sector; it may be torn, two of them at once may not.
            std::string const& next = states_[kept + 1];
            bool const same_first = next.compare(0, 64, left, 0, 64) == 0;
            bool const same_second = next.compare(64, 64, left, 64, 64) == 0;
            if (same_first != same_second) {
                std::size_t const torn = random_.below(64) + (same_first ? 64 : 0);
                std::copy_n(next.begin(), torn, left.begin());
            }
        }
        std::ofstream{path_, std::ios::binary | std::ios::trunc} << left;
        states_ = {left};
    }

private:
    fs::path path_;
    Random& random_;
    std::vector<std::string> states_;  // the first is synced
};

class DiskBackend final : public Backend {
public:
    explicit DiskBackend(Random& random)
        : random_{random},
          disk_{folder_.path() / "disk", cellar(), random},
          witness_{folder_.path() / "disk" / "HEAD", random} {}
    ~DiskBackend() override { close(); }

    Result<void> open(bool healthy) override {
        if (!healthy) {
            arm_disk(random_.one_in(2) ? 40 : 250);
        }
        auto opened = open_stores();
        disk_.drain_background();
        return opened;
    }
    Journal& journal() override { return *journal_; }
    StateStore& store() override { return *store_; }

    void arm() override {
        journal_->hold_completions(true);
        if (!random_.one_in(4)) {
            arm_disk(random_.one_in(4) ? 150 : 20);  // an append takes two or three
        }
    }
    void heal() override {
        witness_.was_opened();
        disk_.heal();
        journal_->hold_completions(true);
    }
    void deliver() override {
        witness_.was_written();
        journal_->pump();
    }
    bool is_dead() const override { return disk_.is_dead(); }
    void crash() override {
        witness_.was_written();
        close();
        if (random_.one_in(3)) {
            disk_.restart_process();
        } else {
            disk_.lose_power();
            witness_.lose_power();
        }
    }
    std::uint64_t fingerprint() const override { return disk_.trace(); }

private:
    fs::path cellar() {
        fs::create_directories(folder_.path() / "disk");
        fs::create_directories(folder_.path() / "cellar");
        return folder_.path() / "cellar";
    }
    Result<void> open_stores() {
        FLORIN_TRY(
            local_journal_,
            LocalJournal::open(
                {.directory = folder_.path() / "disk" / "log",
                 .witness = folder_.path() / "disk" / "HEAD",
                 .new_ledger_id = kSimulatedLedger,
                 .cache_bytes = 1U << 20U,
                 .env = disk_.env()}
            )
        );
        journal_ = std::make_unique<SteppedJournal>(*local_journal_, disk_);
        disk_.drain_background();
        FLORIN_TRY(
            rocks_store_,
            open_rocks_state(
                {.directory = folder_.path() / "disk" / "state",
                 .cache_bytes = 1U << 20U,
                 .env = disk_.env()}
            )
        );
        store_ = std::make_unique<SteppedStore>(*rocks_store_, disk_);
        return {};
    }
    void close() {
        disk_.stop_counting();
        disk_.run_background_at_once(true);
        store_.reset();
        rocks_store_.reset();
        journal_.reset();
        local_journal_.reset();
        disk_.run_background_at_once(false);
    }
    void arm_disk(std::uint64_t calls_max) {
        using Fault = FaultyDisk::Fault;
        static constexpr Fault kFaults[] = {Fault::power_loss, Fault::io_error, Fault::disk_full};
        disk_.arm(random_.between(1, calls_max), kFaults[random_.below(std::size(kFaults))]);
    }

    Random& random_;
    test::TempDir folder_;
    FaultyDisk disk_;
    WitnessOnDisk witness_;
    std::unique_ptr<LocalJournal> local_journal_;
    std::unique_ptr<SteppedJournal> journal_;
    std::unique_ptr<StateStore> rocks_store_;
    std::unique_ptr<SteppedStore> store_;
};

}  // namespace

Outcome simulate_on_disk(std::uint64_t seed) {
    Random random{seed};
    SimulationShape shape;
    shape.crashes = static_cast<unsigned>(random.between(1, 3));
    shape.steps_max = static_cast<unsigned>(random.between(10, 80));
    shape.manual_clock = random.one_in(2);
    shape.background_is_held = random.one_in(2);
    shape.run_transfers = random.one_in(4) ? 2'000 : random.between(1, 20);
    shape.workload.accounts = random.between(3, 10);
    shape.workload.manual_clock = shape.manual_clock;
    DiskBackend backend{random};
    Simulation simulation{shape, backend, random};
    simulation.run();
    return {.trace = simulation.trace(), .figures = simulation.figures()};
}

}  // namespace florin::ledger::sim
