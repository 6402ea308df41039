// Commands: what somebody wants of the ledger, decided whole or not at all by the ledger thread.
//
// Requests and answers are values; a command is decided against everything decided before it, and
// its answer is given only when its effects are durable. Reads are requests too and see everything
// that was answered before them. Thread rule: values.
#pragma once

#include "ledger/base/result.h"
#include "ledger/effects.h"
#include "ledger/journal.h"
#include "ledger/status.h"
#include "ledger/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace florin::ledger {

// ---- the kernel's own requests: batches of at most kBatchEventsMax events, a status for each ----

struct CreateAccounts {
    std::vector<Account> events;
};
struct CreateTransfers {
    std::vector<Transfer> events;
};
template <class Status>
struct EventResult {
    Status status;
    std::uint64_t timestamp;  // of the object; of the original for `exists`
};
struct CreateAccountsAnswer {
    std::vector<EventResult<CreateAccountStatus>> results;
};
struct CreateTransfersAnswer {
    std::vector<EventResult<CreateTransferStatus>> results;
};

// Moves a manual clock; pending transfers whose time has come expire.
struct AdvanceClock {
    std::uint64_t ns = 0;
};
struct AdvanceClockAnswer {
    std::uint64_t clock = 0;
};

struct LookupAccounts {
    std::vector<u128> ids;
};
struct LookupTransfers {
    std::vector<u128> ids;
};

// Bits of the filters' flags.
inline constexpr std::uint32_t kFilterDebits = 1U << 0U;
inline constexpr std::uint32_t kFilterCredits = 1U << 1U;
inline constexpr std::uint32_t kFilterReversed = 1U << 2U;
inline constexpr std::uint32_t kQueryReversed = 1U << 0U;

// Zero in a field means any. An invalid filter answers an empty list.
struct AccountFilter {
    u128 account_id = 0;
    u128 user_data_128 = 0;
    std::uint64_t user_data_64 = 0;
    std::uint32_t user_data_32 = 0;
    std::uint16_t code = 0;
    std::uint64_t timestamp_min = 0;
    std::uint64_t timestamp_max = 0;
    std::uint32_t limit = 0;
    std::uint32_t flags = 0;
};
struct GetAccountTransfers {
    AccountFilter filter;
};
struct GetAccountBalances {
    AccountFilter filter;
};
struct QueryFilter {
    u128 user_data_128 = 0;
    std::uint64_t user_data_64 = 0;
    std::uint32_t user_data_32 = 0;
    std::uint32_t ledger = 0;
    std::uint16_t code = 0;
    std::uint64_t timestamp_min = 0;
    std::uint64_t timestamp_max = 0;
    std::uint32_t limit = 0;
    std::uint32_t flags = 0;
};
struct QueryAccounts {
    QueryFilter filter;
};
struct QueryTransfers {
    QueryFilter filter;
};
struct AccountBalance {
    std::uint64_t timestamp = 0;
    u128 debits_pending = 0;
    u128 debits_posted = 0;
    u128 credits_pending = 0;
    u128 credits_posted = 0;
    friend bool operator==(AccountBalance const&, AccountBalance const&) = default;
};
struct AccountsAnswer {
    std::vector<Account> accounts;
};
struct TransfersAnswer {
    std::vector<Transfer> transfers;
};
struct BalancesAnswer {
    std::vector<AccountBalance> balances;
};

// ---- commands: transfers, documents, guards, timers, events under one roof
// -----------------------

// Version 0 means: must not exist yet. Versions count up by one.
struct DocumentPut {
    DocumentKey key;
    std::uint64_t expected_version = 0;
    std::string body;
    bool detached = true;  // kept beside the record by digest, so that it can be forgotten
};
struct DocumentRemove {
    DocumentKey key;
    std::uint64_t expected_version = 0;
};
// The document is still at this version (0: still absent), though the command does not write it.
struct DocumentGuard {
    DocumentKey key;
    std::uint64_t version = 0;
};
// The posted credit balance, less posted and pending debits, is at least this much before the
// command's transfers (a payout never takes more than is there).
struct AvailableGuard {
    u128 account_id = 0;
    u128 at_least = 0;
};
using Guard = std::variant<DocumentGuard, AvailableGuard>;

struct NewEvent {
    std::string owner;
    std::string id;
    std::string type;
    // Of the whole event, or what goes with `document`. Stored once where the event before it in
    // the command has the same.
    std::string body;
    // What the event is about; the command writes it, with its body beside the record.
    std::optional<DocumentKey> document{};
};
// The lowest number after the last one given, wrapping inside [min, max], that nobody holds.
struct TakeCounter {
    std::string counter;
    std::uint64_t min = 1;
    std::uint64_t max = 0;
    std::string holder;
};

struct Command {
    std::vector<Guard> guards;
    std::vector<Account> ensure_accounts;  // created where absent; flags, ledger, code must agree
    std::vector<Transfer> transfers;       // an atomic chain; `linked` is set by the ledger
    std::vector<DocumentPut> puts;
    std::vector<DocumentRemove> removes;
    std::vector<TimerSet> set_timers;
    std::vector<TimerCleared> clear_timers;  // each must be there: a timer fires once
    std::vector<NewEvent> events;
    std::vector<TakeCounter> take_counters;
    std::vector<CounterReleased> release_counters;
};

// Why a command was refused; nothing of it happened, except that a transfer id may be used up.
enum class CommandStatus : std::uint8_t {
    committed = 0,
    document_conflict = 1,  // read the document again and decide anew
    guard_failed = 2,       // the money is not there
    account_refused = 3,    // never right with these values
    transfer_refused = 4,   // see transfer_status
    timer_missing = 5,      // fired or cleared already
    counter_exhausted = 6,  // every number of the range is held
};
std::string_view status_name(CommandStatus status);

struct Receipt {
    CommandStatus status = CommandStatus::committed;
    std::uint32_t index = 0;  // which guard, put, account, transfer… was refused
    CreateTransferStatus transfer_status = CreateTransferStatus::created;
    CreateAccountStatus account_status = CreateAccountStatus::created;
    std::uint64_t current_version = 0;    // on document_conflict
    Sequence sequence = 0;                // record that holds the effects; 0 where there are none
    std::uint64_t time_ns = 0;            // batch clock of the decision
    std::vector<std::uint64_t> counters;  // one per take_counters
    std::vector<std::uint64_t> transfer_timestamps;  // one per transfer

    bool committed() const { return status == CommandStatus::committed; }
};

using Request = std::variant<
    CreateAccounts,
    CreateTransfers,
    AdvanceClock,
    Command,
    LookupAccounts,
    LookupTransfers,
    GetAccountTransfers,
    GetAccountBalances,
    QueryAccounts,
    QueryTransfers>;

using Answer = std::variant<
    CreateAccountsAnswer,
    CreateTransfersAnswer,
    AdvanceClockAnswer,
    Receipt,
    AccountsAnswer,
    TransfersAnswer,
    BalancesAnswer>;

// A request on its way through the ledger thread, and whom to tell.
class PendingRequest {
public:
    explicit PendingRequest(Request wanted) : request{std::move(wanted)} {}
    PendingRequest(PendingRequest const&) = delete;
    PendingRequest& operator=(PendingRequest const&) = delete;
    virtual ~PendingRequest() = default;

    // Called exactly once, on the ledger thread, after the effects are durable. An Error means that
    // the ledger is stopping or overloaded: overloaded = not decided and never will be; closed =
    // the outcome is not known here, ask again after the restart. Must not block or throw.
    virtual void answer(Result<Answer> answer) = 0;

    Request request;
};

}  // namespace florin::ledger
