#include "tests/sim/simulation.h"

#include "ledger/record.h"
#include "tests/sim/answers.h"
#include "tests/sim/failure.h"
#include "tests/sim/faulty_store.h"

#include <algorithm>
#include <utility>

namespace florin::ledger::sim {
namespace {

constexpr std::uint64_t kStart_ns = 1'000'000'000'000;
constexpr unsigned kFaultyOpensMax = 3;

// Every record, checked against the one before; where the chain stood after record `at`.
Result<Position> walk_chain(Journal const& journal, Sequence at) {
    Position previous = genesis_position(journal.ledger_id());
    Position found = previous;
    Epoch epoch = 0;
    auto const check = [&](Journal::StoredRecord const& stored) -> Result<bool> {
        FLORIN_TRY(
            CheckedRecord const checked, check_record(stored, journal.ledger_id(), previous, epoch)
        );
        previous = checked.position;
        epoch = checked.header.epoch;
        if (previous.sequence == at) {
            found = previous;
        }
        return true;
    };
    FLORIN_TRY_VOID(journal.read(1, Journal::Payloads::without, check));
    return found;
}

}  // namespace

class Simulation::Ask final : public PendingRequest {
public:
    explicit Ask(std::shared_ptr<Decided> decided)
        : PendingRequest{decided->request}, decided_{std::move(decided)} {}
    void answer(Result<Answer> given) override {
        ++decided_->answers;
        decided_->answer = std::move(given);
    }

private:
    std::shared_ptr<Decided> decided_;
};

Simulation::Simulation(SimulationShape const& shape, Backend& backend, Random& random)
    : shape_{shape}, backend_{backend}, random_{random}, workload_{random, shape.workload} {
    time_.now = kStart_ns;
}

Simulation::~Simulation() = default;

// ---- lives --------------------------------------------------------------------------------------

void Simulation::run() {
    open_until_it_works();
    for (unsigned life = 0; life < shape_.crashes; ++life) {
        live();
        crash();
        open_until_it_works();
    }
    // A last life without faults must get everything done.
    for (std::uint64_t i = random_.between(1, 8); i > 0; --i) {
        submit();
    }
    settle();
    ensure(!engine_->failure(), "a healthy engine has failed");
    compare();
    ensure(walk_chain(backend_.journal(), 0).has_value(), "the chain is broken");
    figures_.records = engine_->head().sequence;
    engine_.reset();
}

void Simulation::live() {
    backend_.arm();
    try {
        for (std::uint64_t i = random_.below(shape_.steps_max + 1); i > 0 && !backend_.is_dead();
             --i) {
            step();
        }
    } catch (ProcessDied const&) {
        // In the middle of something.
    }
    if (engine_->failure()) {
        ++figures_.failures;
    }
}

void Simulation::step() {
    time_.now += random_.one_in(3) ? random_.below(2 * kNanosecondsPerSecond) : random_.below(50);
    if (random_.one_in(50)) {
        time_.now -= random_.below(kNanosecondsPerSecond);  // wall clocks do that
    }
    std::uint64_t const choice = random_.below(100);
    trace_.add(choice);
    if (choice < 45) {
        // Alone, or in a crowd that shares a record.
        std::uint64_t const count = random_.one_in(6) ? random_.between(2, 6) : 1;
        for (std::uint64_t i = 0; i < count; ++i) {
            submit();
        }
    } else if (choice < 62) {
        send();
    } else if (choice < 82) {
        deliver();
    } else if (choice < 87) {
        pulse();
    } else if (choice < 91) {
        run_job();
    } else if (choice < 94) {
        tell_run();
    } else if (choice < 96) {
        static_cast<void>(engine_->flush());  // what cannot be flushed is replayed
    } else if (choice < 98) {
        settle();
    } else {
        backend_.something_happens();
    }
}

// ---- driving the engine -------------------------------------------------------------------------

std::shared_ptr<Decided> Simulation::note(Decided::Kind kind, DecidedGroup& group) {
    auto decided = std::make_shared<Decided>();
    decided->kind = kind;
    decided->wall_ns = time_.now;
    group.push_back(decided);
    return decided;
}

void Simulation::submit() {
    DecidedGroup alone;
    auto const decided = note(Decided::Kind::request, alone);
    decided->request = workload_.next(std::max(engine_->clock(), std::uint64_t{1'000}));
    ++figures_.requests;
    bool const had_failed = engine_->failure().has_value();
    bool const under_way = engine_->has_decided() || engine_->in_flight();
    engine_->submit(std::make_unique<Ask>(decided));
    if (engine_->failure()) {
        ensure(decided->answers == 1 && !*decided->answer, "a failed engine answers something");
        ensure(
            had_failed || decided->answer->error().code == Errc::closed,
            "a request that stopped the engine is not answered `closed`"
        );
        return;
    }
    bool const was_read_at_once = is_read(decided->request) && !under_way;
    if (was_read_at_once) {
        ensure(decided->answers == 1, "a read with nothing under way is not answered at once");
        bool const could_not = backend_.had_read_error() && !*decided->answer;
        ensure(
            could_not || encode(*decided->answer) == encode(oracle_->read(decided->request)),
            [&] {
                return in_words(decided->request) + " answers " + in_words(*decided->answer) +
                       ", not " + in_words(oracle_->read(decided->request));
            }
        );
        return;
    }
    if (engine_->has_decided()) {
        ensure(decided->answers == 0, "a request is answered before it is durable");
        current_.push_back(decided);
    } else if (engine_->in_flight()) {
        in_flight_.push_back(decided);
    } else {
        ensure(decided->answers == 1 && !*decided->answer, "an effect that no draft holds");
    }
}

void Simulation::pulse() {
    note(Decided::Kind::pulse, current_);
    engine_->pulse();
    if (engine_->failure() || !engine_->has_decided()) {
        current_.pop_back();  // nothing was due
    }
}

void Simulation::send() {
    bool const had_decided = engine_->has_decided();
    bool const was_in_flight = engine_->in_flight();
    if (had_decided || was_in_flight) {
        backend_.before_append();
    }
    arrived_.reset();
    bool const sent = engine_->start_append([this](AppendOutcome outcome, std::string why) {
        arrived_ = {outcome, std::move(why)};
    });
    if (sent && !was_in_flight) {
        in_flight_ = std::exchange(current_, {});
    } else if (!sent && !was_in_flight && had_decided && !engine_->failure()) {
        note(Decided::Kind::sent_nothing, current_);
    }
}

void Simulation::deliver() {
    backend_.deliver();
    auto const arrived = std::exchange(arrived_, std::nullopt);
    if (!arrived) {
        return;
    }
    auto const& [outcome, why] = *arrived;
    trace_.add(static_cast<std::uint64_t>(outcome));
    bool const had_failed = engine_->failure().has_value();
    engine_->complete(outcome, why);
    if (!had_failed && outcome == AppendOutcome::committed &&
        engine_->head().sequence > oracle_->head()) {
        committed();
    }
}

// The group in flight is durable, and its requests have been answered (or told that the engine
// cannot go on).
void Simulation::committed() {
    DecidedGroup const group = std::exchange(in_flight_, {});
    acknowledged_ = engine_->head();
    check_answers(group, false);
    ensure(engine_->head().sequence == oracle_->head(), "a group of another size");
}

// Feeds the oracle what has become durable, and compares every answer that was given with the
// oracle's; teaches the promises.
void Simulation::check_answers(DecidedGroup const& group, bool is_recovered) {
    Sequence const before = oracle_->head();
    auto const expected = oracle_->commit(group);
    bool const may_not_be_read = backend_.had_read_error();
    for (std::size_t i = 0; i < group.size(); ++i) {
        Decided const& decided = *group[i];
        if (decided.kind != Decided::Kind::request) {
            continue;
        }
        ensure(decided.answers <= 1, "a request was answered twice");
        bool const is_answered = decided.answer && *decided.answer;
        bool const stopped =
            !is_answered && (is_recovered || engine_->failure() || may_not_be_read);
        ensure(stopped || decided.answers == 1, "a durable request is not answered");
        ensure(stopped || encode(*decided.answer) == encode(*expected[i]), [&] {
            return in_words(decided.request) + " answered " + in_words(*decided.answer) + ", not " +
                   in_words(*expected[i]);
        });
        trace_.add(encode(*expected[i]));
        if (is_answered) {
            promises_.learn(decided.request, **decided.answer);
            workload_.told(decided.request, **decided.answer);
        } else if (*expected[i]) {
            promises_.learn(decided.request, std::nullopt);
            workload_.told(decided.request, **expected[i]);
        }
    }
    compare_journals(backend_.journal(), oracle_->journal(), before + 1);
}

void Simulation::run_job() {
    if (jobs_.empty()) {
        return;
    }
    auto const job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
}

void Simulation::tell_run() {
    if (auto const ready = std::exchange(run_ready_, std::nullopt)) {
        engine_->run_stored(std::move(*ready));
    }
}

void Simulation::settle() {
    // Bounded: an append that stays unknown stops the engine.
    for (unsigned i = 0; i < 8 && !engine_->failure() && !backend_.is_dead(); ++i) {
        send();
        deliver();
    }
}

// ---- dying and coming back ----------------------------------------------------------------------

void Simulation::crash() {
    ++figures_.crashes;
    engine_.reset();
    jobs_.clear();
    run_ready_.reset();
    arrived_.reset();
    backend_.crash();
}

Result<void> Simulation::open(bool healthy) {
    FLORIN_TRY_VOID(backend_.open(healthy));
    EngineOptions options;
    options.manual_clock = shape_.manual_clock;
    options.run.transfers = shape_.run_transfers;
    options.run.bytes = shape_.run_bytes;
    if (shape_.background_is_held) {
        options.background = [this](std::function<void()> job) { jobs_.push_back(std::move(job)); };
    }
    FLORIN_TRY(engine_, Engine::open(options, backend_.journal(), backend_.store(), time_));
    if (shape_.background_is_held) {
        engine_->on_run_ready([this](Engine::RunOutcome stored) { run_ready_ = std::move(stored); }
        );
    }
    return {};
}

void Simulation::open_until_it_works() {
    for (unsigned attempt = 0;; ++attempt) {
        bool const healthy = attempt == kFaultyOpensMax || !random_.one_in(4);
        bool died = false;
        Result<void> opened;
        try {
            opened = open(healthy);
        } catch (ProcessDied const&) {
            died = true;
        }
        if (opened && !died && !backend_.is_dead()) {
            break;
        }
        ensure(!healthy, [&] { return "opening is refused: " + to_string(opened.error()); });
        ++figures_.refused_opens;
        trace_.add(std::uint64_t{77});
        engine_.reset();
        jobs_.clear();
        run_ready_.reset();
        backend_.crash();
    }
    backend_.heal();
    find_out_what_survived();
    if (shape_.workload.has_big_bodies) {
        // A group's last record may have come to hold nothing and not have been written: then the
        // clock comes back a little earlier, and nobody was told anything that contradicts it.
        time_.now = std::max(time_.now, oracle_->engine().clock() + kNanosecondsPerSecond);
    }
    bool const same_clock = engine_->clock() == oracle_->engine().clock();
    ensure(same_clock || shape_.workload.has_big_bodies, [&] {
        return "the clock came back at " + std::to_string(engine_->clock()) + ", not " +
               std::to_string(oracle_->engine().clock());
    });
    compare();
    trace_.add(backend_.fingerprint());
}

void Simulation::find_out_what_survived() {
    Position const head = engine_->head();
    if (!oracle_) {
        oracle_ = std::make_unique<Oracle>(kSimulatedLedger, shape_.manual_clock, time_.now);
        ensure(head.sequence == 1, "a new ledger does not begin with record 1");
        acknowledged_ = head;
    }
    ensure(head.sequence >= acknowledged_.sequence, [&] {
        return "the ledger came back at record " + std::to_string(head.sequence) + ", but record " +
               std::to_string(acknowledged_.sequence) + " was acknowledged";
    });
    must_stand(acknowledged_);
    DecidedGroup const group = std::exchange(in_flight_, {});
    if (head.sequence > oracle_->head()) {
        ensure(!group.empty(), "the ledger came back with records that nobody sent");
        check_answers(group, true);
        ++figures_.recovered_unanswered;
    } else if (!group.empty()) {
        check_lost(group);
        ++figures_.lost;
    }
    check_lost(std::exchange(current_, {}));
    ensure(head.sequence == oracle_->head(), [&] {
        return "the ledger came back at record " + std::to_string(head.sequence) + ", not " +
               std::to_string(oracle_->head());
    });
    acknowledged_ = head;
}

// The chain is whole, and goes through what was acknowledged.
void Simulation::must_stand(Position const& acknowledged) const {
    auto const found = walk_chain(backend_.journal(), acknowledged.sequence);
    ensure(found.has_value(), [&] { return "the chain is broken: " + to_string(found.error()); });
    ensure(*found == acknowledged, [&] {
        return "record " + std::to_string(acknowledged.sequence) +
               " is not the one that was acknowledged";
    });
}

void Simulation::check_lost(DecidedGroup const& group) const {
    for (auto const& decided : group) {
        bool const is_answered = decided->answer && *decided->answer;
        ensure(!is_answered || !leaves_a_trace(decided->request, **decided->answer), [&] {
            return in_words(decided->request) + " was answered " + in_words(*decided->answer) +
                   ", and is lost";
        });
    }
}

void Simulation::compare() {
    compare_states(*engine_, backend_.store(), *oracle_, workload_);
    promises_.check(*engine_, backend_.store());
    trace_.add(engine_->head().sequence);
    trace_.add(view(engine_->head().hash));
}

}  // namespace florin::ledger::sim
