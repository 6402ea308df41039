// Effects: what a record changes beside creating its transfers.
//
// A replica applies effects and never repeats a decision, so everything that applying needs is in
// them: a posted transfer carries what its pending transfer had reserved, an expiry carries the
// accounts it releases. Grammar of each effect: the fields below in order; numbers little-endian;
// texts as u32 length and bytes. A type number is never reused; an unknown one is refused.
#pragma once

#include "crypto/hash.h"
#include "ledger/base/bytes.h"
#include "ledger/types.h"

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace florin::ledger {

// What the data directory is for. Stored; never renumber.
enum class LedgerKind : std::uint8_t { full = 0, kernel_only = 1 };

// Type 1, in record 1 only.
struct Genesis {
    LedgerKind kind = LedgerKind::full;
};

// Type 2. The batch clock moved to header.time and nothing else happened (manual clock, empty
// batch).
struct ClockAdvanced {};

// Type 3. Account as created, balances zero.
struct AccountCreated {
    Account account;
};

// Type 4. Transfer ids used up by refusals.
struct TransferIdsUsed {
    std::vector<u128> ids;
};

// Type 5. What transfer `index` of this record (a post or a void) resolves.
struct PendingResolved {
    std::uint32_t index = 0;
    PendingState state = PendingState::posted;
    std::uint16_t pending_flags = 0;
    std::uint64_t pending_timestamp = 0;
    std::uint64_t expires_at = 0;  // 0: had no timeout
    u128 pending_amount = 0;
};

// Type 6. A pending transfer ran out of time at `timestamp`, before transfer `transfers_before` of
// this record was decided.
struct PendingExpired {
    u128 pending_id = 0;
    u128 debit_account_id = 0;
    u128 credit_account_id = 0;
    u128 amount = 0;
    std::uint64_t pending_timestamp = 0;
    std::uint64_t expires_at = 0;
    std::uint64_t timestamp = 0;
    std::uint32_t transfers_before = 0;
    std::uint16_t pending_flags = 0;
};

// A body that may be dropped later without touching the chain.
struct PayloadReference {
    std::uint32_t index = 0;  // among this record's payloads
    std::uint32_t length = 0;
    crypto::Digest digest{};
};

// A key of a document: kind, whose it is, and its own id (documents.h).
struct DocumentKey {
    std::uint16_t kind = 0;
    std::string owner;
    std::string id;
    friend auto operator<=>(DocumentKey const&, DocumentKey const&) = default;
    friend bool operator==(DocumentKey const&, DocumentKey const&) = default;
};

// Type 7. A document got a new version; its body is in the record, or beside it.
struct DocumentWritten {
    DocumentKey key;
    std::uint64_t version = 0;
    std::variant<std::string, PayloadReference> body;
};

// Type 8.
struct DocumentRemoved {
    DocumentKey key;
    std::uint64_t version = 0;  // the version that was removed
};

// Type 9. A timer was set, to be fired by a command at or after due_ns.
struct TimerSet {
    std::uint64_t due_ns = 0;
    std::uint16_t kind = 0;
    std::string key;
};

// Type 10. A timer is gone: fired or not needed any more.
struct TimerCleared {
    std::uint64_t due_ns = 0;
    std::uint16_t kind = 0;
    std::string key;
};

// Type 11. Something consumers outside will be told.
struct EventRecorded {
    std::string owner;
    std::string id;
    std::string type;  // "payment_intent.succeeded"
    PayloadReference body;
};

// Type 14. The same about a document that this record writes with its body beside it: consumers are
// shown that body as it was then, and `event.body` says what goes with it.
struct DocumentEventRecorded {
    EventRecorded event;
    std::uint16_t kind = 0;      // of the document
    std::uint32_t document = 0;  // its body, among this record's payloads
};

// Type 12. `holder` got number `value` of a counter and holds it until released.
struct CounterTaken {
    std::string counter;
    std::uint64_t value = 0;
    std::string holder;
};

// Type 13.
struct CounterReleased {
    std::string counter;
    std::uint64_t value = 0;
};

using Effect = std::variant<
    Genesis,
    ClockAdvanced,
    AccountCreated,
    TransferIdsUsed,
    PendingResolved,
    PendingExpired,
    DocumentWritten,
    DocumentRemoved,
    TimerSet,
    TimerCleared,
    EventRecorded,
    CounterTaken,
    CounterReleased,
    DocumentEventRecorded>;

// E: one of the alternatives of Effect.
template <class E>
void encode_effect(std::string& out, E const& effect);
void encode_effect(std::string& out, Effect const& effect);

// Reads one effect after the other. Errc::malformed names the byte; Errc::unsupported a type that
// this version does not know.
class EffectReader {
public:
    explicit EffectReader(ByteView effects) : reader_{effects, "effects"} {}
    bool at_end() const { return reader_.at_end(); }
    Result<Effect> next();

private:
    ByteReader reader_;
};

}  // namespace florin::ledger
