#include "tests/ledger/model/comparison.h"

#include "ledger/queries.h"
#include "tests/ledger/machine.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <utility>
#include <variant>

namespace florin::ledger::test {
namespace {

// ---- as text -----------------------------------------------------------------------------------

class Text {
public:
    template <class Number>
    Text& field(char const* name, Number value) {
        if (value != 0) {
            out_ << (is_first_ ? "" : " ") << name << '=' << to_string(u128{value});
            is_first_ = false;
        }
        return *this;
    }
    std::string str() const { return "{" + out_.str() + "}"; }

private:
    std::ostringstream out_;
    bool is_first_ = true;
};

std::string describe(u128 id) {
    return to_string(id);
}
std::string describe(Account const& a) {
    Text text;
    text.field("id", a.id).field("flags", a.flags).field("ledger", a.ledger).field("code", a.code);
    text.field("debits_pending", a.debits_pending).field("debits_posted", a.debits_posted);
    text.field("credits_pending", a.credits_pending).field("credits_posted", a.credits_posted);
    text.field("user_data_128", a.user_data_128).field("user_data_64", a.user_data_64);
    text.field("user_data_32", a.user_data_32).field("reserved", a.reserved);
    return text.field("timestamp", a.timestamp).str();
}
std::string describe(Transfer const& t) {
    Text text;
    text.field("id", t.id).field("flags", t.flags).field("debit", t.debit_account_id);
    text.field("credit", t.credit_account_id).field("amount", t.amount);
    text.field("pending_id", t.pending_id).field("timeout", t.timeout).field("ledger", t.ledger);
    text.field("code", t.code).field("user_data_128", t.user_data_128);
    text.field("user_data_64", t.user_data_64).field("user_data_32", t.user_data_32);
    return text.field("timestamp", t.timestamp).str();
}
std::string describe(AccountBalance const& b) {
    Text text;
    text.field("timestamp", b.timestamp).field("debits_pending", b.debits_pending);
    text.field("debits_posted", b.debits_posted).field("credits_pending", b.credits_pending);
    return text.field("credits_posted", b.credits_posted).str();
}
template <class Filter>
std::string describe_filter(Filter const& f) {
    Text text;
    if constexpr (requires { f.account_id; }) {
        text.field("account_id", f.account_id);
    } else {
        text.field("ledger", f.ledger);
    }
    text.field("user_data_128", f.user_data_128).field("user_data_64", f.user_data_64);
    text.field("user_data_32", f.user_data_32).field("code", f.code);
    text.field("timestamp_min", f.timestamp_min).field("timestamp_max", f.timestamp_max);
    return text.field("limit", f.limit).field("flags", f.flags).str();
}
template <class Status>
std::string describe(EventResult<Status> const& result) {
    return std::string{status_name(result.status)} + " at " + std::to_string(result.timestamp);
}
template <class Element>
std::string describe_all(std::vector<Element> const& elements) {
    std::string text;
    for (Element const& each : elements) {
        text += "\n    " + describe(each);
    }
    return text;
}

// ---- comparing answers -------------------------------------------------------------------------

template <class Status>
bool is_same(EventResult<Status> const& a, EventResult<Status> const& b) {
    return a.status == b.status && a.timestamp == b.timestamp;
}
template <class Object>
bool is_same(Object const& a, Object const& b) {
    return a == b;
}
template <class Element>
std::optional<std::string> difference(
    std::vector<Element> const& engine, std::vector<Element> const& model
) {
    std::size_t const both = std::min(engine.size(), model.size());
    for (std::size_t i = 0; i < both; ++i) {
        if (!is_same(engine[i], model[i])) {
            return "element " + std::to_string(i) + "\n  engine: " + describe(engine[i]) +
                   "\n  model:  " + describe(model[i]);
        }
    }
    if (engine.size() != model.size()) {
        auto const& longer = engine.size() > model.size() ? engine : model;
        return "engine answers " + std::to_string(engine.size()) + ", model " +
               std::to_string(model.size()) +
               "; the first that is too much: " + describe(longer[both]);
    }
    return std::nullopt;
}

bool moves_clock(Request const& request) {
    return std::holds_alternative<CreateAccounts>(request) ||
           std::holds_alternative<CreateTransfers>(request) ||
           std::holds_alternative<AdvanceClock>(request);
}

std::optional<std::string> difference(Result<Answer> const& engine, Result<Answer> const& model) {
    if (!engine || !model) {
        if (!engine && !model && engine.error().code == model.error().code) {
            return std::nullopt;
        }
        return "engine: " + (engine ? "an answer" : to_string(engine.error())) +
               "; model: " + (model ? "an answer" : to_string(model.error()));
    }
    if (engine->index() != model->index()) {
        return "answers of different kinds";
    }
    auto const compare = [&](auto const& given) -> std::optional<std::string> {
        using Given = std::decay_t<decltype(given)>;
        auto const& wanted = std::get<Given>(*model);
        if constexpr (requires { given.results; }) {
            return difference(given.results, wanted.results);
        } else if constexpr (requires { given.accounts; }) {
            return difference(given.accounts, wanted.accounts);
        } else if constexpr (requires { given.transfers; }) {
            return difference(given.transfers, wanted.transfers);
        } else if constexpr (requires { given.balances; }) {
            return difference(given.balances, wanted.balances);
        } else if constexpr (requires { given.clock; }) {
            return given.clock == wanted.clock
                       ? std::nullopt
                       : std::optional{
                             "clock: engine " + std::to_string(given.clock) + ", model " +
                             std::to_string(wanted.clock)
                         };
        } else {
            return "an answer that the kernel does not give";
        }
    };
    return std::visit(compare, *engine);
}

}  // namespace

std::string describe(Request const& request) {
    auto const text = [](auto const& wanted) -> std::string {
        using Wanted = std::decay_t<decltype(wanted)>;
        if constexpr (std::is_same_v<Wanted, CreateAccounts>) {
            return "create_accounts" + describe_all(wanted.events);
        } else if constexpr (std::is_same_v<Wanted, CreateTransfers>) {
            return "create_transfers" + describe_all(wanted.events);
        } else if constexpr (std::is_same_v<Wanted, AdvanceClock>) {
            return "advance_clock " + std::to_string(wanted.ns);
        } else if constexpr (std::is_same_v<Wanted, LookupAccounts>) {
            return "lookup_accounts" + describe_all(wanted.ids);
        } else if constexpr (std::is_same_v<Wanted, LookupTransfers>) {
            return "lookup_transfers" + describe_all(wanted.ids);
        } else if constexpr (std::is_same_v<Wanted, GetAccountTransfers>) {
            return "get_account_transfers " + describe_filter(wanted.filter);
        } else if constexpr (std::is_same_v<Wanted, GetAccountBalances>) {
            return "get_account_balances " + describe_filter(wanted.filter);
        } else if constexpr (std::is_same_v<Wanted, QueryAccounts>) {
            return "query_accounts " + describe_filter(wanted.filter);
        } else if constexpr (std::is_same_v<Wanted, QueryTransfers>) {
            return "query_transfers " + describe_filter(wanted.filter);
        } else {
            return "command";
        }
    };
    return std::visit(text, request);
}

std::string describe(Step const& step) {
    static constexpr std::array<char const*, 8> kNames{
        "call",
        "pipeline",
        "crash",
        "crash, the group on its way is kept",
        "crash, the group on its way is lost",
        "flush",
        "store the runs that wait",
        "audit",
    };
    std::string text = kNames[static_cast<std::size_t>(step.kind)];
    for (Request const& request : step.requests) {
        text += "\n  " + describe(request);
    }
    return text;
}

// ---- running -----------------------------------------------------------------------------------

struct Comparison::Inside {
    explicit Inside(RunShape shape) : machine{options(shape)} {}

    EngineOptions options(RunShape shape) {
        EngineOptions options{.manual_clock = true};
        options.run.transfers = shape.run_transfers;
        if (shape.runs_wait) {
            options.background = [this](std::function<void()> job) {
                jobs.push_back(std::move(job));
            };
        }
        return options;
    }
    void count(Request const& request, Result<Answer> const& answer) {
        if (!std::holds_alternative<CreateAccounts>(request) &&
            !std::holds_alternative<CreateTransfers>(request)) {
            ++tally.reads;
        }
        if (!answer) {
            return;
        }
        if (auto const* accounts = std::get_if<CreateAccountsAnswer>(&*answer)) {
            tally.events += accounts->results.size();
            for (auto const& result : accounts->results) {
                ++tally.accounts[result.status];
            }
        } else if (auto const* transfers = std::get_if<CreateTransfersAnswer>(&*answer)) {
            tally.events += transfers->results.size();
            for (auto const& result : transfers->results) {
                ++tally.transfers[result.status];
            }
        }
    }
    std::optional<std::string> compare(Request const& request, Result<Answer> const& engine) {
        auto const wanted = model.execute(request);
        count(request, wanted);
        auto const found = difference(engine, wanted);
        return found ? std::optional{describe(request) + "\n" + *found} : std::nullopt;
    }
    std::optional<std::string> ask(Request const& request) {
        return compare(request, machine.call(request));
    }

    std::optional<std::string> pipeline(std::vector<Request> const& requests);
    std::optional<std::string> compare_group(
        std::vector<Request> const& requests,
        std::deque<std::optional<Result<Answer>>> const& answers,
        std::size_t from,
        std::size_t to
    );
    std::optional<std::string> crash(std::vector<Request> const& requests, bool is_kept);
    void restart(MemoryJournal::Tail tail);
    std::optional<std::string> audit();
    std::optional<std::string> audit_accounts();
    std::optional<std::string> audit_transfers();
    std::optional<std::string> audit_history();
    std::optional<std::string> audit_balance(
        Queries& queries, Account const& account, std::uint64_t moment
    );
    std::optional<std::string> audit_statement(
        Queries& queries, u128 id, std::uint64_t from, std::uint64_t to
    );

    std::deque<std::function<void()>> jobs;
    Machine machine;
    NaiveLedger model;
    Tally tally;
};

// Half of the requests are on their way to the journal while the other half is decided.
std::optional<std::string> Comparison::Inside::pipeline(std::vector<Request> const& requests) {
    std::deque<std::optional<Result<Answer>>> answers(requests.size());
    std::size_t const half = requests.size() / 2;
    auto const completion = [this](AppendOutcome outcome, std::string const& why) {
        machine.engine->complete(outcome, why);
    };
    machine.journal.hold_completions(true);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (i == half) {
            machine.engine->start_append(completion);
        }
        machine.submit(requests[i], answers[i]);
    }
    machine.journal.pump();
    machine.journal.hold_completions(false);
    machine.settle();
    auto found = compare_group(requests, answers, 0, half);
    return found ? found : compare_group(requests, answers, half, requests.size());
}

// What went to the journal together. A read may be answered from its own place in the group or from
// the end of it, where everything is durable, and never from what was decided later.
std::optional<std::string> Comparison::Inside::compare_group(
    std::vector<Request> const& requests,
    std::deque<std::optional<Result<Answer>>> const& answers,
    std::size_t from,
    std::size_t to
) {
    std::vector<std::size_t> again;
    for (std::size_t i = from; i < to; ++i) {
        if (!answers[i]) {
            return describe(requests[i]) + "\nwas never answered";
        }
        if (auto found = compare(requests[i], *answers[i])) {
            if (moves_clock(requests[i])) {
                return found;
            }
            again.push_back(i);
        }
    }
    for (std::size_t const i : again) {
        if (auto found = compare(requests[i], *answers[i])) {
            return "a read in a pipeline: " + *found;
        }
    }
    return std::nullopt;
}

std::optional<std::string> Comparison::Inside::crash(
    std::vector<Request> const& requests, bool is_kept
) {
    std::deque<std::optional<Result<Answer>>> answers(requests.size());
    std::size_t const half = requests.size() / 2;
    machine.journal.hold_completions(true);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (i == half) {
            machine.engine->start_append([](AppendOutcome, std::string const&) {});
        }
        machine.submit(requests[i], answers[i]);
        if (i < half && is_kept) {
            count(requests[i], model.execute(requests[i]));
        }
    }
    restart(is_kept ? MemoryJournal::Tail::whole : MemoryJournal::Tail::torn);
    machine.journal.hold_completions(false);
    return audit();
}

void Comparison::Inside::restart(MemoryJournal::Tail tail) {
    ++tally.crashes;
    machine.engine.reset();
    jobs.clear();
    machine.journal.crash(false, tail);
    machine.store.crash();
    machine.open();
}

std::optional<std::string> Comparison::Inside::audit() {
    ++tally.audits;
    if (machine.engine->clock() != model.clock()) {
        return "clock: engine " + std::to_string(machine.engine->clock()) + ", model " +
               std::to_string(model.clock());
    }
    auto found = audit_accounts();
    found = found ? found : audit_transfers();
    return found ? found : audit_history();
}

// Balances as of moments, and what lies between two of them: from the engine's blocks, and from the
// model's list.
std::optional<std::string> Comparison::Inside::audit_history() {
    Queries queries{machine.engine->books()};
    for (auto const& [id, account] : model.accounts()) {
        auto const& moved = model.moved(id);
        std::vector<std::uint64_t> moments{account.timestamp, model.clock()};
        for (std::size_t i = 0; i < moved.size(); i += 1 + moved.size() / 7) {
            moments.push_back(moved[i].timestamp);
            moments.push_back(moved[i].timestamp - 1);
        }
        std::ranges::sort(moments);
        for (std::size_t i = 0; i < moments.size(); ++i) {
            std::uint64_t const from = moments[i / 2] + 1;
            if (auto found = audit_balance(queries, account, moments[i])) {
                return found;
            }
            if (auto found = audit_statement(queries, id, from, moments[i])) {
                return found;
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> Comparison::Inside::audit_balance(
    Queries& queries, Account const& account, std::uint64_t moment
) {
    std::string const what =
        "balance of account " + to_string(account.id) + " at " + std::to_string(moment);
    auto const answer = queries.balance_at(account.id, moment);
    if (!answer) {
        return what + ": " + to_string(answer.error());
    }
    if (answer->has_value() != (account.timestamp <= moment)) {
        return what + ": there is an account or not";
    }
    if (!*answer) {
        return std::nullopt;
    }
    AccountBalance expected;
    std::size_t const count = model.moved_by(account.id, moment);
    if (count > 0) {
        expected = model.moved(account.id)[count - 1].after;
    }
    expected.timestamp = moment;
    return **answer == expected ? std::nullopt : std::optional{what + " differs"};
}

std::optional<std::string> Comparison::Inside::audit_statement(
    Queries& queries, u128 id, std::uint64_t from, std::uint64_t to
) {
    std::string const what = "statement of account " + to_string(id) + " from " +
                             std::to_string(from) + " to " + std::to_string(to);
    std::size_t next = from > to ? model.moved_by(id, to) : model.moved_by(id, from - 1);
    std::size_t const end = model.moved_by(id, to);
    bool differs = false;
    auto const line = [&](StatementLine const& given) -> Result<bool> {
        if (next >= end) {
            differs = true;
            return false;
        }
        auto const& expected = model.moved(id)[next++];
        differs = differs || given.change.timestamp != expected.timestamp ||
                  given.transfer.has_value() == expected.is_expiry;
        return !differs;
    };
    if (from <= to) {
        if (auto const done = queries.statement(id, from, to, line); !done) {
            return what + ": " + to_string(done.error());
        }
    }
    return differs || next != end ? std::optional{what + " differs"} : std::nullopt;
}

std::optional<std::string> Comparison::Inside::audit_accounts() {
    LookupAccounts lookup;
    QueryFilter everything;
    everything.limit = ~0U;
    if (auto found = ask(QueryAccounts{everything})) {
        return found;
    }
    for (auto const& [id, account] : model.accounts()) {
        lookup.ids.push_back(id);
        AccountFilter filter;
        filter.account_id = id;
        filter.limit = ~0U;
        for (std::uint32_t const flags :
             {kFilterDebits | kFilterCredits, kFilterCredits | kFilterReversed}) {
            filter.flags = flags;
            auto found = ask(GetAccountTransfers{filter});
            found = found ? found : ask(GetAccountBalances{filter});
            if (found) {
                return found;
            }
        }
    }
    return ask(lookup);
}

std::optional<std::string> Comparison::Inside::audit_transfers() {
    LookupTransfers lookup;
    std::set<std::uint64_t> timestamps;
    for (auto const& [id, transfer] : model.transfers()) {
        lookup.ids.push_back(id);
        timestamps.insert(transfer.timestamp);
    }
    QueryFilter page;
    page.limit = 8'189;
    for (std::uint32_t const flags : {0U, kQueryReversed}) {
        page.flags = flags;
        if (auto found = ask(QueryTransfers{page})) {
            return found;
        }
    }
    if (!timestamps.empty()) {  // the second half again, from a moment in the middle
        page.flags = 0;
        page.timestamp_min =
            *std::next(timestamps.begin(), static_cast<std::ptrdiff_t>(timestamps.size() / 2));
        if (auto found = ask(QueryTransfers{page})) {
            return found;
        }
    }
    return ask(lookup);
}

Comparison::Comparison(RunShape shape) : inside_{std::make_unique<Inside>(shape)} {}
Comparison::~Comparison() = default;

NaiveLedger const& Comparison::model() const {
    return inside_->model;
}
Tally const& Comparison::tally() const {
    return inside_->tally;
}

std::optional<std::string> Comparison::run(Step const& step) {
    switch (step.kind) {
        case Step::Kind::call:
            for (Request const& request : step.requests) {
                if (auto found = inside_->ask(request)) {
                    return found;
                }
            }
            return std::nullopt;
        case Step::Kind::pipeline: return inside_->pipeline(step.requests);
        case Step::Kind::crash:
            inside_->restart(MemoryJournal::Tail::whole);
            return inside_->audit();
        case Step::Kind::crash_group_kept: return inside_->crash(step.requests, true);
        case Step::Kind::crash_group_lost: return inside_->crash(step.requests, false);
        case Step::Kind::flush:
            return inside_->machine.engine->flush() ? std::nullopt
                                                    : std::optional<std::string>{"flush failed"};
        case Step::Kind::store_runs:
            while (!inside_->jobs.empty()) {
                auto const job = std::move(inside_->jobs.front());
                inside_->jobs.pop_front();
                job();
            }
            return std::nullopt;
        case Step::Kind::audit: return inside_->audit();
    }
    return std::nullopt;
}

std::optional<Difference> run_history(RunShape shape, std::vector<Step> const& history) {
    Comparison comparison{shape};
    for (std::size_t i = 0; i < history.size(); ++i) {
        if (auto found = comparison.run(history[i])) {
            return Difference{i, *found};
        }
    }
    return std::nullopt;
}

// ---- shrinking ---------------------------------------------------------------------------------

namespace {

class Shrinking {
public:
    Shrinking(RunShape shape, std::vector<Step> history, unsigned tries_most)
        : shape_{shape}, history_{std::move(history)}, tries_{tries_most} {}

    std::vector<Step> run() {
        if (!accept(history_)) {
            return history_;
        }
        leave_out_steps();
        leave_out_events();
        leave_out_steps();
        return history_;
    }

private:
    // True where it still ends in a difference; what comes after that is cut off.
    bool accept(std::vector<Step> candidate) {
        if (tries_ == 0) {
            return false;
        }
        --tries_;
        auto const found = run_history(shape_, candidate);
        if (!found) {
            return false;
        }
        candidate.resize(found->step + 1);
        history_ = std::move(candidate);
        return true;
    }
    void leave_out_steps() {
        for (std::size_t size = history_.size() / 2; size > 0; size /= 2) {
            for (std::size_t at = 0; at + 1 < history_.size();) {
                auto candidate = history_;
                std::size_t const most = std::min(size, candidate.size() - 1 - at);
                auto const from = candidate.begin() + static_cast<std::ptrdiff_t>(at);
                candidate.erase(from, from + static_cast<std::ptrdiff_t>(most));
                at += accept(std::move(candidate)) ? 0 : size;
            }
        }
    }
    template <class Wanted>
    void leave_out_events_of(std::size_t step, std::size_t request) {
        for (std::size_t i = 0;;) {
            auto candidate = history_;
            if (step >= candidate.size()) {
                return;
            }
            auto* wanted = std::get_if<Wanted>(&candidate[step].requests[request]);
            if (wanted == nullptr || i >= wanted->events.size()) {
                return;
            }
            wanted->events.erase(wanted->events.begin() + static_cast<std::ptrdiff_t>(i));
            i += accept(std::move(candidate)) ? 0U : 1U;
        }
    }
    void leave_out_events() {
        for (std::size_t step = 0; step < history_.size(); ++step) {
            for (std::size_t i = 0; step < history_.size() && i < history_[step].requests.size();
                 ++i) {
                leave_out_events_of<CreateAccounts>(step, i);
                leave_out_events_of<CreateTransfers>(step, i);
            }
        }
    }

    RunShape shape_;
    std::vector<Step> history_;
    unsigned tries_;
};

}  // namespace

std::vector<Step> shrink(RunShape shape, std::vector<Step> history, unsigned tries_most) {
    return Shrinking{shape, std::move(history), tries_most}.run();
}

}  // namespace florin::ledger::test
