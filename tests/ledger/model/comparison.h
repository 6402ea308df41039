// Runs one history of steps through the engine and through the naive model, and tells the first
// difference.
//
// A history is a list of values: it can be run again, cut short and printed, so a difference is
// shrunk by leaving out what is not needed for it. Thread rule: one thread.
#pragma once

#include "ledger/command.h"
#include "tests/ledger/model/naive_ledger.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace florin::ledger::test {

struct Step {
    enum class Kind : std::uint8_t {
        call,              // the requests one after the other, each answered before the next
        pipeline,          // all of them before the first is durable
        crash,             // the process dies when everything is durable, and starts again
        crash_group_kept,  // it dies while the first half of the requests is on its way to the
                           // journal, where it arrived, and the second half is only decided
        crash_group_lost,  // the same, and nothing of it arrived
        flush,             // the live tables become durable
        store_runs,        // the background stores the runs that wait
        audit,             // everything there is, is compared
    };
    Kind kind = Kind::call;
    std::vector<Request> requests;
};

struct RunShape {
    std::uint64_t run_transfers = 100;  // the engine's runs are this long
    bool runs_wait = false;             // runs are stored at store_runs only, not at once
};

struct Difference {
    std::size_t step;
    std::string text;
};

// How often each status was answered, and how much was compared.
struct Tally {
    std::map<CreateAccountStatus, std::uint64_t> accounts;
    std::map<CreateTransferStatus, std::uint64_t> transfers;
    std::uint64_t events = 0;
    std::uint64_t reads = 0;
    std::uint64_t crashes = 0;
    std::uint64_t audits = 0;
};

class Comparison {
public:
    explicit Comparison(RunShape shape);
    ~Comparison();

    // nullopt: engine and model agree.
    std::optional<std::string> run(Step const& step);
    NaiveLedger const& model() const;
    Tally const& tally() const;

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

// The first difference in the whole history, if there is one.
std::optional<Difference> run_history(RunShape shape, std::vector<Step> const& history);
// A history that still ends in a difference, from which nothing more can be left out (or not in
// `tries_most` runs).
std::vector<Step> shrink(RunShape shape, std::vector<Step> history, unsigned tries_most);

std::string describe(Request const& request);
std::string describe(Step const& step);

}  // namespace florin::ledger::test
