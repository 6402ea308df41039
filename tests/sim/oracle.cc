#include "tests/sim/oracle.h"

#include "tests/sim/answers.h"
#include "tests/sim/failure.h"

#include <utility>

namespace florin::ledger::sim {
namespace {

class Ask final : public PendingRequest {
public:
    Ask(Request wanted, std::optional<Result<Answer>>& into)
        : PendingRequest{std::move(wanted)}, into_{into} {}
    void answer(Result<Answer> given) override { into_ = std::move(given); }

private:
    std::optional<Result<Answer>>& into_;
};

struct Entry {
    std::string key;
    std::string value;
    friend bool operator==(Entry const&, Entry const&) = default;
};

std::vector<Entry> entries_of(StateStore const& store, Table table) {
    std::vector<Entry> entries;
    auto const collect = [&](ByteView key, ByteView value) -> Result<bool> {
        entries.push_back({std::string{key}, std::string{value}});
        return true;
    };
    auto const scanned = store.scan({.table = table, .from = {}, .to = {}}, collect);
    ensure(scanned.has_value(), "a table cannot be read");
    return entries;
}

struct StoredBytes {
    Sequence sequence;
    std::string body;  // transfers, effects, payloads
};

std::vector<StoredBytes> records_of(Journal const& journal, Sequence from) {
    std::vector<StoredBytes> records;
    auto const collect = [&](Journal::StoredRecord const& record) -> Result<bool> {
        std::string body;
        ByteWriter out{body};
        out.sized(record.transfers);
        out.sized(record.effects);
        for (auto const& payload : record.payloads) {
            out.sized(payload ? *payload : std::string{});
        }
        records.push_back({from + records.size(), std::move(body)});
        return true;
    };
    auto const read = journal.read(from, Journal::Payloads::with, collect);
    ensure(read.has_value(), [&] {
        return "the journal cannot be read: " + to_string(read.error());
    });
    return records;
}

}  // namespace

Result<Answer> ask(Engine& engine, Request const& request) {
    std::optional<Result<Answer>> answer;
    engine.submit(std::make_unique<Ask>(request, answer));
    ensure(answer.has_value(), "a read with nothing under way is not answered at once");
    return *answer;
}

Oracle::Oracle(
    std::array<unsigned char, 16> const& ledger_id, bool manual_clock, std::uint64_t wall_ns
)
    : journal_{ledger_id} {
    time_.now = wall_ns;
    EngineOptions options;
    options.manual_clock = manual_clock;
    auto opened = Engine::open(options, journal_, store_, time_);
    ensure(opened.has_value(), "the oracle cannot be opened");
    engine_ = std::move(*opened);
}

bool Oracle::send() {
    return engine_->start_append([this](AppendOutcome outcome, std::string const& why) {
        engine_->complete(outcome, why);
    });
}

std::vector<std::optional<Result<Answer>>> Oracle::commit(DecidedGroup const& group) {
    std::vector<std::optional<Result<Answer>>> answers(group.size());
    for (std::size_t i = 0; i < group.size(); ++i) {
        time_.now = group[i]->wall_ns;
        switch (group[i]->kind) {
            case Decided::Kind::request:
                engine_->submit(std::make_unique<Ask>(group[i]->request, answers[i]));
                break;
            case Decided::Kind::pulse: engine_->pulse(); break;
            case Decided::Kind::sent_nothing:
                ensure(!send(), "what left no trace leaves one in the oracle");
                break;
        }
    }
    send();
    return answers;
}

Result<Answer> Oracle::read(Request const& request) {
    return ask(*engine_, request);
}

void compare_journals(Journal const& tested, Journal const& expected, Sequence from) {
    auto const got = records_of(tested, from);
    auto const wanted = records_of(expected, from);
    ensure(got.size() == wanted.size(), [&] {
        return "the journal holds " + std::to_string(got.size()) + " records from record " +
               std::to_string(from) + " on, not " + std::to_string(wanted.size());
    });
    for (std::size_t i = 0; i < got.size(); ++i) {
        ensure(got[i].body == wanted[i].body, [&] {
            return "record " + std::to_string(got[i].sequence) + " is not what was decided";
        });
    }
}

void compare_states(
    Engine& tested, StateStore const& tested_store, Oracle& oracle, Workload const& workload
) {
    constexpr std::uint32_t kAll = kBatchEventsMax;
    std::vector<Request> questions{
        QueryAccounts{{.limit = kAll}},
        QueryTransfers{{.limit = kAll}},
        QueryTransfers{{.limit = 7, .flags = kQueryReversed}},
        QueryTransfers{{.user_data_128 = 2, .limit = kAll}},
        LookupTransfers{{workload.transfer_ids().begin(), workload.transfer_ids().end()}},
        LookupAccounts{{workload.account_ids().begin(), workload.account_ids().end()}},
    };
    for (u128 const id : workload.account_ids()) {
        AccountFilter const filter{
            .account_id = id, .limit = kAll, .flags = kFilterDebits | kFilterCredits
        };
        questions.emplace_back(GetAccountTransfers{filter});
        questions.emplace_back(GetAccountBalances{filter});
    }
    for (Request const& question : questions) {
        auto const got = ask(tested, question);
        auto const wanted = oracle.read(question);
        ensure(encode(got) == encode(wanted), [&] {
            return in_words(question) + " answers " + in_words(got) + ", not the expected " +
                   in_words(wanted);
        });
    }
    for (std::size_t i = 0; i < kTableCount; ++i) {
        auto const table = static_cast<Table>(i);
        // What is in the run tables depends on where runs end, and the position of the live ones on
        // when it was last worth writing; the questions above see what matters.
        if (is_run_table(table) || table == Table::meta) {
            continue;
        }
        ensure(entries_of(tested_store, table) == entries_of(oracle.store(), table), [&] {
            return "table " + std::string{table_name(table)} + " is not as expected at record " +
                   std::to_string(oracle.head());
        });
    }
    ensure(tested.next_expiry() == oracle.engine().next_expiry(), "the next expiry differs");
}

}  // namespace florin::ledger::sim
