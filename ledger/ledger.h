// The ledger as the daemon and the tools use it: a data directory, its lock, journal and views, and
// the one thread that decides.
//
//   D/LOCK            held by the process that writes (its pid inside)
//   D/FORMAT          "florin data directory, format 2"
//   D/ledger/log/     RocksDB: the journal
//   D/ledger/state/   RocksDB: the views
//   D/ledger/HEAD     witness of the last synced record
//
// Thread rule: submit, documents and stop may be called from any thread.
#pragma once

#include "ledger/base/clock.h"
#include "ledger/command.h"
#include "ledger/documents.h"
#include "ledger/memory_limits.h"

#include <array>
#include <filesystem>
#include <functional>
#include <memory>

namespace florin::ledger {

struct LedgerOptions {
    std::filesystem::path data_dir;
    LedgerKind kind = LedgerKind::full;  // of a directory that is created now
    bool create = true;                  // Errc::not_found otherwise, where it does not exist
    bool manual_clock = false;           // starts at 0 and moves by AdvanceClock and creations only
    std::size_t queue_requests_max = 16'384;
    std::size_t group_bytes_max = 4U << 20U;
    std::uint64_t run_transfers = 500'000;    // transfers in one run of the views
    std::uint64_t run_bytes = 256ULL << 20U;  // or this much journal, whichever comes first
    std::size_t cache_bytes = 64U << 20U;     // block cache of each store
    MemoryLimits memory;
    bool sync = true;  // false is for measurements only: acknowledged work may be lost
};

class Ledger {
public:
    // Opens or creates, replays what the views have not seen, starts the ledger thread. `clock`
    // outlives the ledger. Errc::already_held names the pid that holds the directory, Errc::corrupt
    // what is damaged, Errc::unsupported a format of another version.
    static Result<std::unique_ptr<Ledger>> open(LedgerOptions options, Clock const& clock);

    Ledger() = default;
    Ledger(Ledger const&) = delete;
    Ledger& operator=(Ledger const&) = delete;
    virtual ~Ledger() = default;  // stops

    // Hands a request to the ledger thread. A full queue answers Errc::overloaded at once.
    virtual void submit(std::unique_ptr<PendingRequest> request) = 0;
    // Submits and waits; for tools and tests, never on an io thread.
    Result<Answer> call(Request request);

    virtual DocumentReader const& documents() const = 0;
    // The body of a payload; nullopt where it was forgotten.
    virtual Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index)
        const = 0;

    // Records from `from` on, without their payloads, until the visitor answers false or the head
    // is reached.
    virtual Result<void> read(Sequence from, Journal::Visitor const& visit) const = 0;
    // Forgets bodies, for ever; see Journal. What views hold of them stays there.
    virtual Result<void> drop_payloads(std::vector<PayloadPlace> const& places) = 0;

    // Head of the committed chain.
    virtual Position head() const = 0;
    virtual std::array<unsigned char, 16> id() const = 0;
    virtual LedgerKind kind() const = 0;

    // Called on the ledger thread when the journal failed and nothing more can be written: the
    // daemon stops serving and exits; the restart replays.
    virtual void on_failure(std::function<void(Error)> callback) = 0;

    struct Figures {
        std::uint64_t queued = 0;     // requests waiting for the ledger thread
        std::uint64_t groups = 0;     // appended since the start
        std::uint64_t records = 0;    // appended since the start
        std::uint64_t transfers = 0;  // created since the start
        std::uint64_t requests = 0;   // decided or read since the start
        std::uint64_t replayed = 0;   // records applied again at the start
    };
    virtual Figures figures() const = 0;

    // Decides what is queued, makes it durable, answers it, then ends the thread. Idempotent.
    virtual void stop() = 0;
};

}  // namespace florin::ledger
