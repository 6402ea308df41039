// Random requests that mostly make sense: few accounts, transfers that resolve earlier ones,
// retries, documents at the version last seen, and a share of everything that must be refused.
//
// What it remembers is only there to make good guesses; nothing is judged by it. Thread rule: one
// thread.
#pragma once

#include "ledger/command.h"
#include "tests/sim/random.h"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace florin::ledger::sim {

struct WorkloadShape {
    std::uint64_t accounts = 8;
    std::uint64_t events_max = 6;  // in a usual batch
    bool manual_clock = false;
    bool has_big_bodies = false;  // commands that fill records, so that a group has several
};

class Workload {
public:
    Workload(Random& random, WorkloadShape const& shape) : random_{random}, shape_{shape} {}

    // `now` is about what the ledger's clock says, for imported events and timers.
    Request next(std::uint64_t now);
    // What became of a request, so that later ones can build on it.
    void told(Request const& request, Answer const& answer);

    std::vector<DocumentKey> document_keys() const;
    std::set<u128> const& transfer_ids() const { return transfer_ids_; }
    std::set<u128> const& account_ids() const { return account_ids_; }

private:
    Account account();
    Transfer transfer();
    Transfer resolution();
    CreateAccounts create_accounts(std::uint64_t now);
    CreateTransfers create_transfers(std::uint64_t now);
    Command command(std::uint64_t now);
    void add_documents(Command& command);
    void add_timers(Command& command, std::uint64_t now);
    void add_counters(Command& command);
    Request read();
    u128 account_id();
    u128 fresh_id();

    Random& random_;
    WorkloadShape shape_;
    std::uint64_t next_id_ = 100;
    std::set<u128> account_ids_;
    std::set<u128> transfer_ids_;
    std::vector<Transfer> pending_;
    std::deque<Transfer> sent_;  // the newest ones, for retries
    std::map<DocumentKey, std::uint64_t> versions_;
    std::vector<TimerSet> timers_;
    std::vector<std::pair<std::string, std::uint64_t>> held_;
};

}  // namespace florin::ledger::sim
