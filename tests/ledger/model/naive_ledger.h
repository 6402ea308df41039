// A second opinion on the ledger kernel: the same requests, answered with maps and loops.
//
// Nothing here is clever and nothing is shared with the engine but the words: types.h, status.h and
// the requests and answers of command.h. It knows no journal, no runs and no caches; it keeps
// everything, answers by looking through everything, and undoes a broken chain step by step. Where
// it and the engine disagree, one of them is wrong about the reference.
//
// The clock is the manual one: it starts at 0, a request that creates moves it by 1 + n, and
// AdvanceClock moves it by so many nanoseconds and expires what is due.
//
// Thread rule: one thread.
#pragma once

#include "ledger/command.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

namespace florin::ledger::test {

class NaiveLedger {
public:
    // Errc::out_of_range where the clock would pass the last timestamp (nothing has happened then),
    // Errc::unsupported for commands, which are not the kernel's.
    Result<Answer> execute(Request const& request);

    std::uint64_t clock() const { return clock_; }
    std::map<u128, Account> const& accounts() const { return accounts_; }
    std::map<u128, Transfer> const& transfers() const { return transfers_; }
    // What happened to an account, in order.
    struct Moved {
        std::uint64_t timestamp;
        bool is_expiry;
        AccountBalance after;
    };
    std::vector<Moved> const& moved(u128 account_id) const;
    // How many of these come before the balances at a time: all up to the last transfer that
    // happened by then, and the expiries that followed by then.
    std::size_t moved_by(u128 account_id, std::uint64_t timestamp) const;
    // The next moment at which a pending transfer expires; 0: none will.
    std::uint64_t next_expiry() const;

private:
    // What one event of a batch is judged by.
    struct Moment {
        std::uint64_t batch;  // the clock after the batch has moved it
        std::uint64_t event;  // the event's own place in it
    };
    // What create_accounts and create_transfers do alike: chains, imports, own timestamps.
    template <class Object, class Status>
    std::vector<EventResult<Status>> create(std::vector<Object> const& events);

    EventResult<CreateAccountStatus> judge(Account const& event, Moment now);
    EventResult<CreateTransferStatus> judge(Transfer const& event, Moment now);
    CreateTransferStatus retried(Transfer const& event, Transfer const& before) const;
    CreateTransferStatus move(Transfer event, Moment now);
    CreateTransferStatus resolve(Transfer event, Moment now);
    bool is_imported_too_early(std::uint64_t timestamp, bool is_account) const;

    void keep(Account const& account);
    void keep(Transfer const& transfer, Account const& debit, Account const& credit);
    void set_account(Account const& account);
    void expire_due();

    std::vector<Transfer> matching(AccountFilter const& filter) const;
    std::vector<AccountBalance> balances(AccountFilter const& filter) const;

    std::uint64_t clock_ = 0;
    std::map<u128, Account> accounts_;
    std::map<u128, Transfer> transfers_;
    std::map<std::uint64_t, u128> accounts_in_time_;
    std::map<std::uint64_t, u128> transfers_in_time_;
    std::map<u128, PendingState> pending_;  // by the id of the pending transfer
    std::set<u128> used_up_;                // ids of transfers that failed for a passing reason
    std::map<u128, std::map<std::uint64_t, AccountBalance>> history_;
    std::map<u128, std::vector<Moved>> moved_;
    std::vector<std::function<void()>> undo_;  // of the chain that is under way, last done last
};

}  // namespace florin::ledger::test
