// Where records become durable: the one seam between the ledger machine and its storage.
//
// LocalJournal (RocksDB, one sync per group) is the embedded default, MemoryJournal serves tests
// and the simulator, a replicated journal can be added without touching the machine.
//
// Rules every implementation keeps:
//  - append is a compare-and-set on (sequence, previous hash, epoch): a group is written whole, in
//    order, right after `expected`, or not at all.
//  - append is idempotent: the same record already at its position answers committed.
//  - unknown means that nobody can tell; the caller repeats the identical bytes, never others.
//  - one group is in flight at a time.
#pragma once

#include "crypto/hash.h"
#include "ledger/base/bytes.h"
#include "ledger/base/result.h"
#include "ledger/types.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace florin::ledger {

using Sequence = std::uint64_t;  // records are numbered from 1
using Epoch = std::uint64_t;

// A place in the chain. Sequence 0 is the beginning: its hash is SHA-256 of the ledger id.
struct Position {
    Sequence sequence = 0;
    crypto::Digest hash{};
    friend bool operator==(Position const&, Position const&) = default;
};

// The right to append, held by one process at a time.
struct Lease {
    Epoch epoch = 0;
    std::array<unsigned char, 16> leader_id{};
};

// A forgettable body kept beside its record and named there by digest (record.h).
using Payload = std::string;

// One record on its way to the journal.
struct EncodedRecord {
    Position position;  // of this record
    std::string header;
    std::string transfers;  // Transfer[count], the first part of the body
    std::string effects;    // the rest of the body
    std::vector<Payload> payloads;

    std::size_t bytes() const {
        std::size_t total = header.size() + transfers.size() + effects.size();
        for (Payload const& payload : payloads) {
            total += payload.size();
        }
        return total;
    }
};
using Group = std::vector<std::shared_ptr<EncodedRecord const>>;

enum class AppendOutcome : std::uint8_t {
    committed,  // durable
    conflict,   // another record is at that place, or `expected` is not the head; definitive
    fenced,     // another process holds a newer epoch; definitive, step down
    not_sent,   // certainly not written, nothing left the process
    unknown,    // may or may not have been written, now or later
};

// Called exactly once per append, on a thread of the journal's choice. `why` is empty on committed.
using AppendCompletion = std::function<void(AppendOutcome outcome, std::string why)>;

struct Head {
    Position last;
    Epoch epoch = 0;
};

// A payload: `index` of record `sequence`.
struct PayloadPlace {
    Sequence sequence = 0;
    std::uint32_t index = 0;
};

// Thread rule: append by the lease holder's one thread; the reading functions by any thread.
class Journal {
public:
    Journal() = default;
    Journal(Journal const&) = delete;
    Journal& operator=(Journal const&) = delete;
    virtual ~Journal() = default;

    // The largest group append takes, in bytes of records and payloads together.
    virtual std::size_t group_bytes_max() const = 0;
    virtual std::array<unsigned char, 16> ledger_id() const = 0;

    // Takes the epoch after `observed`; Errc::conflict where it has moved on.
    virtual Result<Lease> acquire(Epoch observed) = 0;
    // Gives the lease back: what is appended under it afterwards is fenced.
    virtual Result<void> release(Lease const& lease) = 0;

    // A group that cannot be (empty, too large, not a chain from `expected` on) is not_sent.
    virtual void append(
        Lease const& lease, Position expected, Group group, AppendCompletion completion
    ) = 0;

    // The last record, from the write side. Errc::corrupt for a damaged chain end.
    virtual Result<Head> head() const = 0;

    // Records from `from` on, in order, without gaps, until the visitor answers false or the head
    // is reached. Payloads are left out unless asked for; a dropped payload arrives as nullopt.
    struct StoredRecord {
        ByteView header;
        ByteView transfers;
        ByteView effects;
        std::vector<std::optional<Payload>> payloads;
    };
    using Visitor = std::function<Result<bool>(StoredRecord const& record)>;
    enum class Payloads : bool { without, with };
    virtual Result<void> read(Sequence from, Payloads payloads, Visitor const& visit) const = 0;

    // Transfer `index` of record `sequence`; a missing one is Errc::corrupt, since only what an
    // index names is asked for.
    virtual Result<Transfer> transfer(Sequence sequence, std::uint32_t index) const = 0;

    // The body of a payload; nullopt where it was dropped or never was.
    virtual Result<std::optional<Payload>> payload(Sequence sequence, std::uint32_t index)
        const = 0;

    // Forgets payloads; the chain and every balance stay verifiable. Dropping one twice is fine, or
    // one that never was. Durable on return.
    virtual Result<void> drop_payloads(std::vector<PayloadPlace> const& places) = 0;
};

}  // namespace florin::ledger
