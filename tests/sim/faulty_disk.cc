#include "tests/sim/faulty_disk.h"

#include "ledger/base/check.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace florin::ledger::sim {
namespace {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

// One file, whatever its names are.
struct Inode {
    fs::path cellar;            // a name of it that never goes away
    std::uint64_t written = 0;  // bytes
    std::uint64_t synced = 0;   // bytes that a power loss leaves
    bool sync_has_failed = false;
};
using InodePtr = std::shared_ptr<Inode>;
// One change of a directory, atomic: a name and what it names afterwards (nullptr: nothing).
using NameChange = std::vector<std::pair<std::string, InodePtr>>;
struct Directory {
    std::map<std::string, InodePtr> durable;
    std::map<std::string, InodePtr> now;
    std::vector<NameChange> pending;

    void change(NameChange const& names) {
        apply(names, now);
        auto at = pending.end();
        // Removals that follow each other lie in the order of their names.
        while (is_removal(names) && at != pending.begin() && is_removal(*std::prev(at)) &&
               std::prev(at)->front().first > names.front().first) {
            --at;
        }
        pending.insert(at, names);
    }
    static bool is_removal(NameChange const& names) {
        return names.size() == 1 && names.front().second == nullptr;
    }
    void sync() {
        durable = now;
        pending.clear();
    }
    static void apply(NameChange const& names, std::map<std::string, InodePtr>& to) {
        for (auto const& [name, inode] : names) {
            if (inode) {
                to[name] = inode;
            } else {
                to.erase(name);
            }
        }
    }
};

enum class Call : std::uint8_t { create, write, sync, rename, link, remove, sync_directory };

}  // namespace

class FaultyDisk::Impl {
public:
    Impl(fs::path folder, fs::path cellar, Random& random)
        : folder_{std::move(folder)}, cellar_{std::move(cellar)}, random_{random} {}

    // ---- faults ---------------------------------------------------------------------------------

    // What becomes of a call: nullopt, it goes on as usual; else it fails so. Of a write, `done`
    // bytes happen nevertheless.
    std::optional<IOStatus> meet(
        Call call, std::string const& path, std::uint64_t bytes, std::uint64_t& done
    ) {
        done = 0;
        if (is_dead_) {
            return IOStatus::IOError("the power is gone");
        }
        if (call == Call::remove) {
            // RocksDB removes what it does not need any more in no order of its own: no fault may
            // depend on it. What a power loss makes of it is decided in lose_power.
            return std::nullopt;
        }
        ++calls_;
        trace_.add(static_cast<std::uint64_t>(call));
        trace_.add(fs::path{path}.filename().string());
        trace_.add(bytes);
        if (is_full_ && (call == Call::write || call == Call::create)) {
            return IOStatus::NoSpace("the simulated disk is full");
        }
        if (!armed_ || --armed_->calls_left != 0) {
            return std::nullopt;
        }
        Fault const fault = armed_->fault;
        armed_.reset();
        if (bytes != 0) {
            done = random_.below(bytes + 1);
        }
        switch (fault) {
            case Fault::io_error: return IOStatus::IOError("the simulated disk refuses");
            case Fault::disk_full:
                is_full_ = true;
                return IOStatus::NoSpace("the simulated disk is full");
            case Fault::power_loss: is_dead_ = true; return IOStatus::IOError("the power is gone");
        }
        return std::nullopt;
    }

    // ---- names ----------------------------------------------------------------------------------

    static std::string name_of(std::string const& path) {
        return fs::path{path}.filename().string();
    }
    Directory& directory_of(std::string const& path) {
        return directories_[fs::path{path}.parent_path().lexically_normal()];
    }
    InodePtr inode_of(std::string const& path) {
        auto const& names = directory_of(path).now;
        auto const found = names.find(name_of(path));
        return found == names.end() ? nullptr : found->second;
    }
    // A file that has just been made under `path`.
    InodePtr adopt(std::string const& path) {
        auto inode = std::make_shared<Inode>();
        inode->cellar = cellar_ / std::to_string(next_inode_++);
        fs::create_hard_link(path, inode->cellar);
        directory_of(path).change({{name_of(path), inode}});
        return inode;
    }

    // ---- what is left ---------------------------------------------------------------------------

    void lose_power() {
        std::set<InodePtr> all;
        std::set<InodePtr> left;
        for (auto& [path, directory] : directories_) {
            for (auto const& [name, inode] : directory.now) {
                all.insert(inode);
                std::error_code ignored;
                fs::remove(path / name, ignored);
            }
            for (auto const& [name, inode] : directory.durable) {
                all.insert(inode);
            }
            std::size_t const survives = random_.below(directory.pending.size() + 1);
            for (std::size_t i = 0; i < directory.pending.size(); ++i) {
                for (auto const& [name, inode] : directory.pending[i]) {
                    if (inode) {
                        all.insert(inode);
                    }
                }
                if (i < survives) {
                    Directory::apply(directory.pending[i], directory.durable);
                }
            }
            directory.now = directory.durable;
            directory.pending.clear();
            for (auto const& [name, inode] : directory.now) {
                left.insert(inode);
            }
        }
        tear(left);
        for (auto const& [path, directory] : directories_) {
            fs::create_directories(path);
            for (auto const& [name, inode] : directory.now) {
                std::error_code ignored;
                fs::remove(path / name, ignored);
                fs::create_hard_link(inode->cellar, path / name);
            }
        }
        for (InodePtr const& inode : all) {
            if (!left.contains(inode)) {
                fs::remove(inode->cellar);
            }
        }
    }

    // In the order of their making, so that a seed does the same each time.
    void tear(std::set<InodePtr> const& left) {
        std::vector<InodePtr> files{left.begin(), left.end()};
        std::ranges::sort(files, {}, [](InodePtr const& inode) {
            return std::stoull(inode->cellar.filename().string());
        });
        for (InodePtr const& inode : files) {
            std::uint64_t const unsynced = inode->written - std::min(inode->written, inode->synced);
            std::uint64_t const kept = inode->written - unsynced + random_.below(unsynced + 1);
            fs::resize_file(inode->cellar, kept);
            inode->written = inode->synced = kept;
            inode->sync_has_failed = false;
        }
    }

    std::mutex mutex;
    fs::path folder_;
    fs::path cellar_;
    Random& random_;
    std::map<fs::path, Directory> directories_;
    std::uint64_t next_inode_ = 1;
    struct Armed {
        std::uint64_t calls_left;
        Fault fault;
    };
    std::optional<Armed> armed_;
    bool is_full_ = false;
    bool is_dead_ = false;
    std::uint64_t calls_ = 0;
    Trace trace_;
    std::unique_ptr<SteppedEnv> env_;
};

// ---- files --------------------------------------------------------------------------------------

class FaultyDisk::TrackedFile final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    TrackedFile(
        Impl& disk, std::string path, InodePtr inode, std::unique_ptr<rocksdb::FSWritableFile> real
    )
        : FSWritableFileOwnerWrapper{std::move(real)},
          disk_{disk},
          path_{std::move(path)},
          inode_{std::move(inode)} {}

    IOStatus Append(
        rocksdb::Slice const& data,
        rocksdb::IOOptions const& options,
        rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        auto const fault = disk_.meet(Call::write, path_, data.size(), done);
        rocksdb::Slice const written{data.data(), fault ? done : data.size()};
        auto const status = target()->Append(written, options, debug);
        FLORIN_CHECK(status.ok(), "the real disk under the simulated one works");
        inode_->written += written.size();
        return fault.value_or(status);
    }
    IOStatus Append(
        rocksdb::Slice const& data,
        rocksdb::IOOptions const& options,
        rocksdb::DataVerificationInfo const&,
        rocksdb::IODebugContext* debug
    ) override {
        return Append(data, options, debug);
    }
    IOStatus
    PositionedAppend(rocksdb::Slice const&, std::uint64_t, rocksdb::IOOptions const&, rocksdb::IODebugContext*)
        override {
        return IOStatus::NotSupported("positioned append");
    }
    IOStatus
    PositionedAppend(rocksdb::Slice const&, std::uint64_t, rocksdb::IOOptions const&, rocksdb::DataVerificationInfo const&, rocksdb::IODebugContext*)
        override {
        return IOStatus::NotSupported("positioned append");
    }
    IOStatus Truncate(
        std::uint64_t size, rocksdb::IOOptions const& options, rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        if (disk_.is_dead_) {
            return IOStatus::IOError("the power is gone");
        }
        inode_->written = size;
        inode_->synced = std::min(inode_->synced, size);
        return target()->Truncate(size, options, debug);
    }
    IOStatus Sync(rocksdb::IOOptions const&, rocksdb::IODebugContext*) override { return sync(); }
    IOStatus Fsync(rocksdb::IOOptions const&, rocksdb::IODebugContext*) override { return sync(); }
    IOStatus
    RangeSync(std::uint64_t, std::uint64_t, rocksdb::IOOptions const&, rocksdb::IODebugContext*)
        override {
        return IOStatus::OK();  // starts writing and promises nothing
    }
    IOStatus
    Allocate(std::uint64_t, std::uint64_t, rocksdb::IOOptions const&, rocksdb::IODebugContext*)
        override {
        return IOStatus::OK();
    }
    void PrepareWrite(std::size_t, std::size_t, rocksdb::IOOptions const&, rocksdb::IODebugContext*)
        override {}

private:
    IOStatus sync() {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        auto const fault = disk_.meet(Call::sync, path_, 0, done);
        if (fault) {
            inode_->sync_has_failed = true;
            return *fault;
        }
        if (!inode_->sync_has_failed) {
            inode_->synced = inode_->written;
        }
        return IOStatus::OK();
    }

    Impl& disk_;
    std::string path_;
    InodePtr inode_;
};

class FaultyDisk::TrackedDirectory final : public rocksdb::FSDirectory {
public:
    TrackedDirectory(Impl& disk, std::string path) : disk_{disk}, path_{std::move(path)} {}

    IOStatus Fsync(rocksdb::IOOptions const&, rocksdb::IODebugContext*) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        if (auto const fault = disk_.meet(Call::sync_directory, path_, 0, done)) {
            return *fault;
        }
        // Whatever file lies in it.
        disk_.directory_of(path_ + "/any").sync();
        return IOStatus::OK();
    }
    size_t GetUniqueId(char*, size_t) const override { return 0; }

private:
    Impl& disk_;
    std::string path_;
};

class FaultyDisk::Files final : public rocksdb::FileSystemWrapper {
public:
    explicit Files(Impl& disk) : FileSystemWrapper{rocksdb::FileSystem::Default()}, disk_{disk} {}
    char const* Name() const override { return "FlorinFaultyDisk"; }

    IOStatus NewWritableFile(
        std::string const& path,
        rocksdb::FileOptions const& options,
        std::unique_ptr<rocksdb::FSWritableFile>* file,
        rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        if (auto const fault = disk_.meet(Call::create, path, 0, done)) {
            return *fault;
        }
        std::error_code ignored;
        fs::remove(path, ignored);  // a new file: what had this name may come back
        std::unique_ptr<rocksdb::FSWritableFile> real;
        auto const status = target()->NewWritableFile(path, options, &real, debug);
        if (status.ok()) {
            *file = std::make_unique<TrackedFile>(disk_, path, disk_.adopt(path), std::move(real));
        }
        return status;
    }
    // What is there stays, and is written on.
    IOStatus ReopenWritableFile(
        std::string const& path,
        rocksdb::FileOptions const& options,
        std::unique_ptr<rocksdb::FSWritableFile>* file,
        rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        if (auto const fault = disk_.meet(Call::create, path, 0, done)) {
            return *fault;
        }
        InodePtr const inode = disk_.inode_of(path);
        if (!inode) {
            return IOStatus::PathNotFound(path);
        }
        std::unique_ptr<rocksdb::FSWritableFile> real;
        auto const status = target()->ReopenWritableFile(path, options, &real, debug);
        if (status.ok()) {
            *file = std::make_unique<TrackedFile>(disk_, path, inode, std::move(real));
        }
        return status;
    }
    IOStatus
    ReuseWritableFile(std::string const&, std::string const&, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSWritableFile>*, rocksdb::IODebugContext*)
        override {
        return IOStatus::NotSupported("reusing a file");
    }
    IOStatus
    NewRandomRWFile(std::string const&, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSRandomRWFile>*, rocksdb::IODebugContext*)
        override {
        return IOStatus::NotSupported("writing in the middle of a file");
    }
    IOStatus
    NewDirectory(std::string const& path, rocksdb::IOOptions const&, std::unique_ptr<rocksdb::FSDirectory>* directory, rocksdb::IODebugContext*)
        override {
        *directory = std::make_unique<TrackedDirectory>(disk_, path);
        return IOStatus::OK();
    }
    IOStatus DeleteFile(
        std::string const& path, rocksdb::IOOptions const& options, rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        if (auto const fault = disk_.meet(Call::remove, path, 0, done)) {
            return *fault;
        }
        auto const status = target()->DeleteFile(path, options, debug);
        if (status.ok()) {
            disk_.directory_of(path).change({{Impl::name_of(path), nullptr}});
        }
        return status;
    }
    IOStatus RenameFile(
        std::string const& from,
        std::string const& to,
        rocksdb::IOOptions const& options,
        rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        if (auto const fault = disk_.meet(Call::rename, to, 0, done)) {
            return *fault;
        }
        InodePtr const inode = disk_.inode_of(from);
        auto const status = target()->RenameFile(from, to, options, debug);
        if (status.ok() && inode) {
            FLORIN_CHECK(
                &disk_.directory_of(from) == &disk_.directory_of(to),
                "RocksDB renames inside of a directory"
            );
            disk_.directory_of(to).change(
                {{Impl::name_of(from), nullptr}, {Impl::name_of(to), inode}}
            );
        }
        return status;
    }
    IOStatus LinkFile(
        std::string const& from,
        std::string const& to,
        rocksdb::IOOptions const& options,
        rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        std::uint64_t done = 0;
        if (auto const fault = disk_.meet(Call::link, to, 0, done)) {
            return *fault;
        }
        InodePtr const inode = disk_.inode_of(from);
        auto const status = target()->LinkFile(from, to, options, debug);
        if (status.ok() && inode) {
            disk_.directory_of(to).change({{Impl::name_of(to), inode}});
        }
        return status;
    }
    // Where there is room again, a thread of RocksDB's goes on by itself.
    IOStatus GetFreeSpace(
        std::string const& path,
        rocksdb::IOOptions const& options,
        std::uint64_t* bytes,
        rocksdb::IODebugContext* debug
    ) override {
        std::lock_guard const lock{disk_.mutex};
        if (disk_.is_full_) {
            *bytes = 0;
            return IOStatus::OK();
        }
        return target()->GetFreeSpace(path, options, bytes, debug);
    }

private:
    Impl& disk_;
};

// ---- background work ----------------------------------------------------------------------------

// One thread, one job at a time, and none before it is told to.
class FaultyDisk::SteppedEnv final : public rocksdb::EnvWrapper {
public:
    explicit SteppedEnv(Impl& disk)
        : EnvWrapper{rocksdb::NewCompositeEnv(std::make_shared<Files>(disk))},
          worker_{[this] { run(); }} {}
    ~SteppedEnv() override {
        {
            std::lock_guard const lock{mutex_};
            stopping_ = true;
            wake_.notify_all();
        }
        worker_.join();
    }
    char const* Name() const override { return "FlorinSteppedEnv"; }

    void Schedule(
        void (*function)(void*), void* argument, Priority, void* tag, void (*unschedule)(void*)
    ) override {
        std::lock_guard const lock{mutex_};
        jobs_.push_back({function, argument, tag, unschedule});
        wake_.notify_all();
    }
    int UnSchedule(void* tag, Priority) override {
        std::deque<Job> gone;
        {
            std::lock_guard const lock{mutex_};
            auto const others = std::ranges::stable_partition(jobs_, [&](Job const& job) {
                return job.tag != tag;
            });
            gone.assign(others.begin(), others.end());
            jobs_.erase(others.begin(), others.end());
        }
        for (Job const& job : gone) {
            if (job.unschedule != nullptr) {
                job.unschedule(job.argument);
            }
        }
        return static_cast<int>(gone.size());
    }
    unsigned int GetThreadPoolQueueLen(Priority) const override { return 0; }
    // RocksDB rests for a second after a failed flush.
    void SleepForMicroseconds(int) override {}
    // Part of what it writes: the same in every run.
    rocksdb::Status GetCurrentTime(std::int64_t* unix_time) override {
        *unix_time = 1'700'000'000;
        return rocksdb::Status::OK();
    }

    void at_once(bool yes) {
        std::unique_lock lock{mutex_};
        at_once_ = yes;
        wake_.notify_all();
        if (!yes) {
            wait_until_idle(lock, false);
        }
    }
    void drain() {
        std::unique_lock lock{mutex_};
        bool const before = std::exchange(at_once_, true);
        wake_.notify_all();
        wait_until_idle(lock, true);
        at_once_ = before;
    }

private:
    struct Job {
        void (*function)(void*);
        void* argument;
        void* tag;
        void (*unschedule)(void*);
    };

    void wait_until_idle(std::unique_lock<std::mutex>& lock, bool and_empty) {
        idle_.wait(lock, [&] { return !is_running_ && (!and_empty || jobs_.empty()); });
    }
    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || (at_once_ && !jobs_.empty()); });
            if (stopping_) {
                return;
            }
            Job const job = jobs_.front();
            jobs_.pop_front();
            is_running_ = true;
            lock.unlock();
            job.function(job.argument);
            lock.lock();
            is_running_ = false;
            idle_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::deque<Job> jobs_;
    bool at_once_ = false;
    bool is_running_ = false;
    bool stopping_ = false;
    std::thread worker_;
};

// ---- the disk -----------------------------------------------------------------------------------

FaultyDisk::FaultyDisk(fs::path folder, fs::path cellar, Random& random)
    : impl_{std::make_unique<Impl>(std::move(folder), std::move(cellar), random)} {
    impl_->env_ = std::make_unique<SteppedEnv>(*impl_);
}
FaultyDisk::~FaultyDisk() = default;

rocksdb::Env* FaultyDisk::env() {
    return impl_->env_.get();
}

void FaultyDisk::arm(std::uint64_t k, Fault fault) {
    std::lock_guard const lock{impl_->mutex};
    impl_->armed_ = {k, fault};
}

void FaultyDisk::heal() {
    std::lock_guard const lock{impl_->mutex};
    impl_->armed_.reset();
    impl_->is_full_ = false;
}

bool FaultyDisk::is_dead() const {
    std::lock_guard const lock{impl_->mutex};
    return impl_->is_dead_;
}

void FaultyDisk::stop_counting() {
    std::lock_guard const lock{impl_->mutex};
    impl_->is_dead_ = true;
}

void FaultyDisk::lose_power() {
    std::lock_guard const lock{impl_->mutex};
    impl_->lose_power();
    impl_->is_dead_ = impl_->is_full_ = false;
    impl_->armed_.reset();
}

void FaultyDisk::restart_process() {
    std::lock_guard const lock{impl_->mutex};
    impl_->is_dead_ = impl_->is_full_ = false;
    impl_->armed_.reset();
}

void FaultyDisk::run_background_at_once(bool at_once) {
    impl_->env_->at_once(at_once);
}

void FaultyDisk::drain_background() {
    impl_->env_->drain();
}

std::uint64_t FaultyDisk::trace() const {
    std::lock_guard const lock{impl_->mutex};
    return impl_->trace_.hash();
}

std::uint64_t FaultyDisk::calls() const {
    std::lock_guard const lock{impl_->mutex};
    return impl_->calls_;
}

}  // namespace florin::ledger::sim
