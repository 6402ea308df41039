#include "ledger/ledger.h"

#include "ledger/body_codec.h"
#include "ledger/ledger_thread.h"
#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace florin::ledger {
namespace {

// Runs one job after the other on a thread of its own, and ends when told to.
class BackgroundThread {
public:
    BackgroundThread() : thread_{[this] { run(); }} {
        pthread_setname_np(thread_.native_handle(), "florin-runs");
    }
    BackgroundThread(BackgroundThread const&) = delete;
    BackgroundThread& operator=(BackgroundThread const&) = delete;
    ~BackgroundThread() {
        {
            std::lock_guard const lock{mutex_};
            stopping_ = true;
            wake_.notify_one();
        }
        thread_.join();
    }
    void post(std::function<void()> job) {
        std::lock_guard const lock{mutex_};
        job_ = std::move(job);
        wake_.notify_one();
    }

private:
    static constexpr int kNiceness = 5;

    void run() {
        // Whoever waits for an answer comes first; the run only has to be done before the next is
        // full.
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || job_; });
            if (!job_) {
                return;
            }
            auto const job = std::exchange(job_, nullptr);
            lock.unlock();
            job();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::function<void()> job_;
    bool stopping_ = false;
    std::thread thread_;
};

Result<std::array<unsigned char, 16>> random_id() {
    std::array<unsigned char, 16> id{};
    std::ifstream source{"/dev/urandom", std::ios::binary};
    source.read(reinterpret_cast<char*>(id.data()), id.size());
    if (!source) {
        return fail(Errc::io, "/dev/urandom: cannot read");
    }
    return id;
}

class LocalLedger final : public Ledger {
public:
    LocalLedger(DataDirectory directory, Clock const& clock)
        : directory_{std::move(directory)}, clock_{clock} {}

    ~LocalLedger() override { stop(); }

    Result<void> open(LedgerOptions const& options) {
        FLORIN_TRY(auto const new_id, random_id());
        FLORIN_TRY(
            journal_,
            LocalJournal::open(
                {.directory = directory_.log(),
                 .witness = directory_.witness(),
                 .new_ledger_id = new_id,
                 .sync = options.sync,
                 .cache_bytes = options.cache_bytes / 2}
            )
        );
        FLORIN_TRY(
            store_,
            open_rocks_state({.directory = directory_.state(), .cache_bytes = options.cache_bytes})
        );
        documents_ = std::make_unique<DocumentReader>(*store_);
        EngineOptions engine_options{
            .kind = options.kind,
            .manual_clock = options.manual_clock,
            .group_bytes_max = options.group_bytes_max,
            .run = {.transfers = options.run_transfers, .bytes = options.run_bytes},
            .books = {.memory = options.memory},
            .leader_id = {},
            .background = [this](std::function<void()> job) { background_.post(std::move(job)); },
        };
        FLORIN_TRY(engine_options.leader_id, random_id());
        FLORIN_TRY(auto engine, Engine::open(engine_options, *journal_, *store_, clock_));
        kind_ = engine->kind();
        thread_ = std::make_unique<LedgerThread>(
            std::move(engine), clock_, options.queue_requests_max, options.group_bytes_max
        );
        return {};
    }

    void submit(std::unique_ptr<PendingRequest> request) override {
        if (auto* const command = std::get_if<Command>(&request->request)) {
            pack_bodies(*command);
        }
        thread_->submit(std::move(request));
    }
    DocumentReader const& documents() const override { return *documents_; }
    Result<void> read(Sequence from, Journal::Visitor const& visit) const override {
        return journal_->read(from, Journal::Payloads::without, visit);
    }
    Result<void> drop_payloads(std::vector<PayloadPlace> const& places) override {
        return journal_->drop_payloads(places);
    }
    Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index) const override {
        FLORIN_TRY(auto const stored, journal_->payload(sequence, index));
        if (!stored) {
            return std::nullopt;
        }
        FLORIN_TRY(Payload body, unpack_body(*stored));
        return body;
    }
    Position head() const override { return thread_->head(); }
    std::array<unsigned char, 16> id() const override { return journal_->ledger_id(); }
    LedgerKind kind() const override { return kind_; }
    void on_failure(std::function<void(Error)> callback) override {
        thread_->on_failure(std::move(callback));
    }
    Figures figures() const override {
        auto const engine = thread_->figures();
        return {
            .queued = thread_->queued(),
            .groups = engine.groups,
            .records = engine.records,
            .transfers = engine.transfers,
            .requests = engine.requests,
            .replayed = engine.replayed,
        };
    }
    void stop() override {
        if (thread_) {
            thread_->stop();
        }
    }

private:
    DataDirectory directory_;  // the lock goes last
    Clock const& clock_;
    std::unique_ptr<LocalJournal> journal_;
    std::unique_ptr<StateStore> store_;
    std::unique_ptr<DocumentReader> documents_;
    BackgroundThread background_;
    std::unique_ptr<LedgerThread> thread_;
    LedgerKind kind_ = LedgerKind::full;
};

// A caller that waits.
struct Call {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<Answer>> answer;
};
class CallingRequest final : public PendingRequest {
public:
    CallingRequest(Request wanted, Call& call) : PendingRequest{std::move(wanted)}, call_{call} {}
    void answer(Result<Answer> given) override {
        std::lock_guard const lock{call_.mutex};
        call_.answer = std::move(given);
        call_.done.notify_one();
    }

private:
    Call& call_;
};

}  // namespace

Result<Answer> Ledger::call(Request request) {
    Call call;
    submit(std::make_unique<CallingRequest>(std::move(request), call));
    std::unique_lock lock{call.mutex};
    call.done.wait(lock, [&] { return call.answer.has_value(); });
    return std::move(*call.answer);
}

Result<std::unique_ptr<Ledger>> Ledger::open(LedgerOptions options, Clock const& clock) {
    FLORIN_TRY(
        DataDirectory directory,
        DataDirectory::open(options.data_dir, DataDirectory::Access::exclusive, options.create)
    );
    auto ledger = std::make_unique<LocalLedger>(std::move(directory), clock);
    FLORIN_TRY_VOID(ledger->open(options));
    return ledger;
}

}  // namespace florin::ledger
