// The rules: requests against the books, in order of precedence, as a pure function of both.
//
// No clock, no input or output beside the books, no randomness: the batch clock comes in, effects
// go into the draft. decide_accounts.cc, decide_transfers.cc and decide_command.cc hold one subject
// each. Thread rule: the ledger thread only.
#pragma once

#include "ledger/books.h"
#include "ledger/command.h"
#include "ledger/draft.h"
#include "ledger/live.h"

namespace florin::ledger {

class Decider {
public:
    Decider(Books& books, LiveFront& live) : books_{books}, live_{live} {}

    // Event i of n gets timestamp clock - n + i + 1. An Error means that the store could not be
    // read: the process must not go on.
    Result<CreateAccountsAnswer> decide(
        CreateAccounts const& request, std::uint64_t clock, RecordDraft& draft
    );
    Result<CreateTransfersAnswer> decide(
        CreateTransfers const& request, std::uint64_t clock, RecordDraft& draft
    );
    // What is written is taken out of `command`.
    Result<Receipt> decide(Command&& command, std::uint64_t clock, RecordDraft& draft);

    // How many timestamps a command needs: one per account and transfer, at least one.
    static std::uint64_t timestamps_of(Command const& command);

    // Expires the pending transfers whose time has come at `clock`, at most `limit` of them. Each
    // gets its own timestamp when `spread`, ending at the clock; else all get the clock.
    Result<std::size_t> expire(
        std::uint64_t clock, std::size_t limit, bool spread, RecordDraft& draft
    );

private:
    // decide_accounts.cc
    struct AccountOutcome {
        CreateAccountStatus status;
        std::uint64_t timestamp;
    };
    Result<AccountOutcome> create_account(
        Account event, std::uint64_t timestamp, RecordDraft& draft
    );

    // decide_transfers.cc
    struct TransferOutcome {
        CreateTransferStatus status;
        std::uint64_t timestamp;
    };
    Result<TransferOutcome> create_transfer(
        Transfer const& event, std::uint64_t timestamp, std::uint64_t now, RecordDraft& draft
    );
    Result<TransferOutcome> compare_with_existing(
        Transfer const& event, Location location, std::uint64_t now
    );
    Result<CreateTransferStatus> create_single(
        Transfer event, std::uint64_t timestamp, RecordDraft& draft
    );
    Result<CreateTransferStatus> resolve_pending(
        Transfer event, std::uint64_t timestamp, std::uint64_t now, RecordDraft& draft
    );
    Result<bool> import_regresses(std::uint64_t timestamp, bool is_account);
    void use_up_id(u128 id);

    // decide_command.cc
    Result<Receipt> check_documents(Command const& command);
    Result<Receipt> check_guards(Command const& command);
    Result<Receipt> check_timers(Command const& command);
    Result<Receipt> choose_counters(Command const& command, std::vector<CounterTaken>& taken);
    Result<Receipt> move_money(Command const& command, std::uint64_t clock, RecordDraft& draft);
    Result<void> write_documents(
        Command&& command, std::vector<CounterTaken> const& taken, RecordDraft& draft
    );
    void write_events(
        std::vector<NewEvent>& events,
        std::vector<std::uint32_t> const& about,
        std::size_t found,
        RecordDraft& draft
    );
    Result<std::uint64_t> document_version(DocumentKey const& key);
    template <class E>
    void add_live(E const& effect, RecordDraft& draft, std::uint32_t event_index = 0);

    Books& books_;
    LiveFront& live_;
    std::vector<u128> failed_ids_;  // of the request being decided
};

}  // namespace florin::ledger
