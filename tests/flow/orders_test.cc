// The same evidence in every order, repeated, through the real flow on a real ledger: what comes of
// it is the same.
//
// A set is an operation that the bank does not answer, and pieces of evidence about it: answers to
// the repeats, late answers, lines of reports and statements, what two persons decide. Every order
// of a set is one payment. Answers to the sends of one message come in the order of the sends, as
// they do on a link; everything else comes in any order, and comes twice.
//
// What came of it is compared in two canonical texts:
//   money      what each account changed by, what the payment says was taken and given back
//   documents  that, and the states of intent, charges, refunds and attempts, and the types of the
//              events. Left out: ids, times and numbers of messages, which are made anew each time,
//              and the evidence itself with what counts it (`sends`, the code of the last answer):
//              that is what went in, in the order in which it went in.
// Not every piece can be given in every order: a repeat that nobody needs any more is not sent, and
// so not answered; and what two persons want is refused where the bank was faster, as it should be.
// What was refused is not in the set: orders are compared with those that took the same decisions.
//
// Sets leave out what rightly depends on the order, because a message leaves because of it:
//   - an approval before or after the time-out: before, it is the answer; after, the reversal is
//   out
//     (both are tested by themselves below);
//   - an approval after two "not found" together with a report that has it: who hears of the
//   approval
//     first reverses once more, who sees the report first refunds;
//   - two persons who say that a capture was not booked, and a bank that says so only to a repeat
//   that
//     is not sent after that;
//   - a bank that says no and yes about one refund: the first ends it; a yes after that is booked
//   in suspense, and a no is only told.
// With persons and a late approval together the reversals are not compared: what persons decide
// ends a reversal that nothing was said to, and an approval then has one of its own; in another
// order the first one goes on. What counts is that the bank keeps nothing, and that is checked in
// every order.
//
// FLORIN_SOAK=1: longer sets, every code.
#include "connectors/iso8583/response_codes.h"
#include "daemon/flow/resolution.h"
#include "tests/flow/patient_bank.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>

using namespace florin;
using namespace florin::flow;
using namespace florin::flow::test;
using nlohmann::json;

namespace {

constexpr std::int64_t kAmount = 1'000;
constexpr std::int64_t kRefunded = 400;

Person const kAnna{.name = "Anna", .key_id = "key1"};
Person const kBen{.name = "Ben", .key_id = "key2"};

// A piece of evidence.
struct Piece {
    enum class Source { answer, late, report_line, statement_line, operators };
    Source source;
    std::string operation;  // it is about, or answers
    Outcome outcome = Outcome::unknown;
    std::string code{};
    std::string decision{};  // of operators

    std::string text() const {
        static constexpr char const* kNames[] = {
            "answer", "late", "report", "statement", "persons"
        };
        return std::string{kNames[static_cast<std::size_t>(source)]} + " " + operation + " " +
               (decision.empty() ? std::string{connectors::outcome_name(outcome)} : decision) +
               (code.empty() ? "" : " " + code);
    }
};

Piece answer(std::string operation, std::string code) {
    using connectors::iso8583::meaning_of;
    Outcome const outcome = code == "-"   ? Outcome::unknown
                            : code == "x" ? Outcome::not_sent
                                          : meaning_of(code).outcome;
    return {Piece::Source::answer, std::move(operation), outcome, code.size() == 2 ? code : ""};
}
Piece late(Outcome outcome) {
    return {Piece::Source::late, "authorise", outcome, outcome == Outcome::approved ? "00" : "05"};
}
Piece report(std::string operation) {
    return {Piece::Source::report_line, std::move(operation), Outcome::approved};
}
Piece statement(std::string operation) {
    return {Piece::Source::statement_line, std::move(operation), Outcome::approved};
}
Piece persons(std::string operation, std::string decision) {
    Piece piece{Piece::Source::operators, std::move(operation)};
    piece.decision = std::move(decision);
    return piece;
}

struct Set {
    std::string operation;      // that is not answered
    std::vector<Piece> pieces;  // answers in their order
};

std::string name_of(Set const& set) {
    std::string name = set.operation + ":";
    for (Piece const& piece : set.pieces) {
        name += " [" + piece.text() + "]";
    }
    return name;
}

// What one order came to.
struct End {
    std::string money, documents;
    std::string decisions;  // that were taken
};

class World {
public:
    explicit World(std::string operation) : operation_{std::move(operation)} {}
    World(World const&) = delete;
    World& operator=(World const&) = delete;
    ~World() { bank_.say_yes(true); }  // whatever still waits after a failure

    End play(std::vector<Piece> const& order) {
        bank_.forget_sent();
        before_ = accounts();
        first_event_ = rig_.ids().make("evt");
        decisions_.clear();
        leave_unanswered();
        propose(order);
        for (int round = 0; round < 2; ++round) {
            for (Piece const& piece : order) {
                bool const is_repeated = round == 0 && piece.source != Piece::Source::answer;
                bool const is_once = round == 1 && (piece.source == Piece::Source::answer ||
                                                    piece.source == Piece::Source::operators);
                if (is_once) {
                    continue;
                }
                give(piece);
                if (is_repeated && piece.source != Piece::Source::operators) {
                    give(piece);
                }
            }
        }
        // A repeat that was out when the refund was decided is not one more piece of evidence.
        if (operation_ == "refund" && first("refund").closed != 0 && bank_.waiting("refund") > 0) {
            bank_.answer("refund", says(Outcome::unknown));
        }
        bank_.say_yes(true);
        bool const is_over =
            eventually([&] { return is_quiet() && bank_.waiting() == 0 && rig_.all_closed(); });
        bank_.say_yes(false);
        REQUIRE(is_over);
        check_money();
        auto const is_late_approval = [](Piece const& piece) {
            return piece.source == Piece::Source::late && piece.outcome == Outcome::approved;
        };
        bool const is_late = std::ranges::any_of(order, is_late_approval);
        if (operation_ == "authorise" && is_late) {
            check_bank_keeps_nothing();
        }
        bool const is_decided = !decisions_.empty();
        return end(!(is_late && is_decided));
    }

private:
    using Accounts = std::map<std::string, ledger::Account>;

    // Everything that was said is stored, and what has to be repeated is with the bank again: what
    // is in flight when something else comes does not depend on how fast this machine is.
    bool is_quiet() {
        std::size_t const waits = bank_.waiting();
        bool const is_asking = asking_.valid() && asking_.wait_for(std::chrono::seconds{0}) !=
                                                      std::future_status::ready;
        bool const is_stored =
            rig_.payments().background() + (is_asking ? 1 : 0) == waits && bank_.waiting() == waits;
        if (!is_stored) {
            return false;
        }
        std::map<std::string, std::size_t> repeated;
        for (auto const& attempt : attempts()) {
            bool const is_sent = attempt.closed == 0 && attempt.operation != "authorise";
            repeated[attempt.operation] += is_sent ? 1 : 0;
        }
        return std::ranges::all_of(repeated, [&](auto const& each) {
            return bank_.waiting(each.first) >= each.second;
        });
    }
    void settle() {
        REQUIRE(eventually([&] { return is_quiet(); }));
    }

    // The bank has the first message of the operation and its time is up.
    void leave_unanswered() {
        bool const is_held = operation_ == "void" || operation_ == "authorise";
        if (operation_ != "authorise") {
            bank_.answer("authorise", says(Outcome::approved, "00"));
        }
        if (operation_ == "refund") {
            bank_.answer("capture", says(Outcome::approved, "00"));
        }
        asking_ = rig_.begin(rig_.paying(kAmount, is_held ? "manual" : "automatic", "", ""));
        payment_ = rig_.last_intent;
        if (operation_ == "void" || operation_ == "refund") {
            REQUIRE(asking_.get().has_value());
            asking_ =
                operation_ == "void"
                    ? rig_.begin(rig_.payments().cancel(rig_.caller(), payment_, "", rig_.render()))
                    : rig_.begin(rig_.payments().refund(
                          rig_.caller(), payment_, {.amount = kRefunded}, rig_.render_refund()
                      ));
        }
        REQUIRE(eventually([&] { return bank_.sent(operation_).size() == 1; }));
        bank_.answer(operation_, says(Outcome::unknown));
        auto const answered = asking_.get();
        REQUIRE(answered.has_value());
        CHECK(answered->body.ends_with(operation_ == "refund" ? " pending" : " processing"));
        settle();
    }

    void propose(std::vector<Piece> const& order) {
        for (Piece const& piece : order) {
            if (piece.source == Piece::Source::operators) {
                auto const proposed = rig_.wait(resolutions_.propose(
                    Rig::kOwner, first(piece.operation).id, piece.decision, "they called", kAnna
                ));
                REQUIRE(proposed.has_value());
                proposal_ = proposed->id;
            }
        }
    }

    void give(Piece const& piece) {
        using enum Piece::Source;
        switch (piece.source) {
            case answer: {
                bank_.answer(piece.operation, says(piece.outcome, piece.code));
                REQUIRE(eventually([&] {
                    bool const is_wanted = std::ranges::any_of(attempts(), [&](auto const& each) {
                        return each.operation == piece.operation && each.closed == 0;
                    });
                    return is_quiet() && (!bank_.has_answers_left() ||
                                          (!is_wanted && bank_.waiting(piece.operation) == 0));
                }));
                bank_.forget_answers();
                break;
            }
            case late: {
                auto const message = bank_.sent("authorise").at(0);
                rig_.payments().late_reply(
                    {.connector = bank_.id(),
                     .mti = "0110",
                     .stan = message.identity.stan,
                     .transmission_time = message.identity.transmission_time,
                     .rrn = message.identity.rrn,
                     .terminal_id = "TERM0001",
                     .reply = says(piece.outcome, piece.code)}
                );
                break;
            }
            case report_line:
            case statement_line: {
                model::Evidence const evidence{
                    .source = piece.source == report_line ? "report_line" : "statement_line",
                    .outcome = "approved",
                    .code = {},
                    .amount = kAmount,
                    .time_ms = rig_.ids().now_ms(),
                    .reference = "2026-11-24/1",
                };
                auto const taken = rig_.wait(
                    rig_.payments().take_evidence(Rig::kOwner, first(piece.operation).id, evidence)
                );
                REQUIRE(taken.has_value());
                break;
            }
            case operators: {
                auto const confirmed = rig_.wait(resolutions_.confirm(
                    Rig::kOwner, first(piece.operation).id, proposal_, "their letter", kBen
                ));
                if (confirmed) {
                    decisions_ += piece.text() + ";";
                } else {
                    CHECK(confirmed.error().code == Errc::conflict);
                }
                break;
            }
        }
        settle();
        check_money();
    }

    // ---- looking at it --------------------------------------------------------------------------

    // Of this payment, by operation and age. They are the newest.
    std::vector<model::Attempt> attempts() {
        constexpr std::size_t kMost = 8;
        auto const newest = rig_.documents().list(
            {.kind = static_cast<std::uint16_t>(model::Kind::attempt),
             .owner = Rig::kOwner,
             .after = {},
             .newest_first = true,
             .limit = kMost}
        );
        std::vector<model::Attempt> found;
        for (ledger::Document const& document : *newest) {
            auto attempt = *model::from_text<model::Attempt>(*document.body);
            if (attempt.payment_intent == payment_) {
                found.push_back(std::move(attempt));
            }
        }
        REQUIRE(found.size() < kMost);
        std::ranges::sort(found, {}, [](auto const& each) {
            return std::pair{each.operation, each.id};
        });
        return found;
    }
    std::vector<std::string> events() {
        auto const found = rig_.documents().list_events(
            {.owner = Rig::kOwner,
             .after = {},
             .least = first_event_,
             .newest_first = true,
             .limit = 100}
        );
        std::vector<std::string> types;
        for (auto const& each : *found) {
            types.push_back(each.type);
        }
        std::ranges::sort(types);
        return types;
    }
    model::Attempt first(std::string const& operation) {
        auto const found = attempts();
        auto const it = std::ranges::find(found, operation, &model::Attempt::operation);
        REQUIRE(it != found.end());
        return *it;
    }
    Accounts accounts() {
        using model::Role;
        return {
            {"receivable", rig_.account(Role::receivable, "bank")},
            {"merchant_pending", rig_.account(Role::merchant_pending, "acct_1")},
            {"merchant_available", rig_.account(Role::merchant_available, "acct_1")},
            {"fee_revenue", rig_.account(Role::fee_revenue, "")},
            {"suspense", rig_.account(Role::suspense, "")},
        };
    }
    static std::int64_t change(u128 now, u128 before) {
        return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
    }

    void check_money() {
        auto const now = accounts();
        u128 debits = 0, credits = 0, debits_pending = 0, credits_pending = 0;
        for (auto const& [name, account] : now) {
            debits += account.debits_posted;
            credits += account.credits_posted;
            debits_pending += account.debits_pending;
            credits_pending += account.credits_pending;
        }
        REQUIRE(debits == credits);
        REQUIRE(debits_pending == credits_pending);
        auto const intent = rig_.intent(payment_);
        REQUIRE(intent.amount_received <= intent.amount);
        REQUIRE(intent.amount_refunding <= intent.amount_received);
        auto const& bank = now.at("receivable");
        auto const& bank_before = before_.at("receivable");
        auto const taken = change(bank.debits_posted, bank_before.debits_posted);
        auto const given = change(bank.credits_posted, bank_before.credits_posted);
        auto const held = change(bank.debits_pending, bank_before.debits_pending);
        auto const returning = change(bank.credits_pending, bank_before.credits_pending);
        REQUIRE(taken + held <= 2 * kAmount);  // a stray capture stands beside the reservation
        REQUIRE(taken <= kAmount);
        REQUIRE(given + returning <= taken);
        // What nobody knows about stays where it is.
        for (auto const& attempt : attempts()) {
            if (attempt.closed != 0) {
                continue;
            }
            if (attempt.operation == "authorise" || attempt.operation == "capture") {
                REQUIRE(held == kAmount);
            }
            if (attempt.operation == "refund") {
                REQUIRE(returning == attempt.amount);
            }
        }
    }

    // It acknowledged a reversal that it found, or said twice to the one for its approval that
    // there is nothing; or it refunds what it has booked.
    void check_bank_keeps_nothing() {
        auto const authorisation = first("authorise");
        bool const is_reversed = std::ranges::any_of(attempts(), [&](auto const& each) {
            return each.reason == "late_approval" && is_reversal_over(authorisation, each.id);
        });
        bool const is_found = std::ranges::any_of(authorisation.evidence, [](auto const& each) {
            return each.source == "reversal_ack" && each.outcome == "reversed";
        });
        CHECK((is_reversed || is_found || is_being_refunded(authorisation)));
    }

    End end(bool compares_reversals) {
        End made{.money = {}, .documents = {}, .decisions = decisions_};
        auto const now = accounts();
        auto const intent = rig_.intent(payment_);
        json money = json::object();
        for (auto const& [name, account] : now) {
            auto const& before = before_.at(name);
            money[name] = {
                change(account.debits_posted, before.debits_posted),
                change(account.credits_posted, before.credits_posted),
                change(account.debits_pending, before.debits_pending),
                change(account.credits_pending, before.credits_pending),
            };
        }
        money["intent"] = {
            intent.amount_capturable, intent.amount_received, intent.amount_refunding
        };
        made.money = money.dump();
        json documents = {{"money", money}};
        documents["intent"] = {
            intent.status,
            intent.is_canceling,
            intent.last_payment_error.code,
            intent.live_attempt.empty(),
            intent.captured_attempt.empty(),
            intent.payment_method.empty(),
            intent.expiry_timer_ns != 0,
        };
        auto const charge =
            *load_known<model::Charge>(rig_.documents(), Rig::kOwner, intent.latest_charge);
        documents["charge"] = {
            charge.value.status,
            charge.value.captured,
            charge.value.paid,
            charge.value.refunded,
            charge.value.amount_captured,
            charge.value.amount_refunded,
            charge.value.fee,
            charge.value.failure_code,
            charge.value.outcome_type,
            charge.value.outcome_network_status,
            charge.value.balance_transaction.empty(),
        };
        documents["attempts"] = json::array();
        for (auto const& attempt : attempts()) {
            bool const is_reversal = attempt.operation == "void";
            if (is_reversal && !compares_reversals) {
                continue;
            }
            // Which of the bank's answers ended a reversal is what went in.
            documents["attempts"].push_back(
                {attempt.operation,
                 attempt.reason,
                 is_reversal ? "" : attempt.state,
                 attempt.amount,
                 attempt.closed != 0,
                 attempt.timer_ns != 0,
                 attempt.idempotency_key}
            );
            if (!attempt.refund.empty()) {
                auto const refund =
                    *load_known<model::Refund>(rig_.documents(), Rig::kOwner, attempt.refund);
                documents["refunds"].push_back(
                    {refund.value.status,
                     refund.value.failure_reason,
                     refund.value.amount,
                     refund.value.balance_transaction.empty()}
                );
            }
        }
        documents["events"] = events();
        made.documents = documents.dump();
        return made;
    }

    std::string const operation_;
    PatientBank bank_{"bank"};
    Rig rig_{
        {&bank_},
        {.retry_first_ms = 1, .retry_most_ms = 1, .timer_tick_ms = 1},
        Rig::Ways{.keeps_pauses = true, .is_durable = false}
    };
    Resolutions resolutions_{rig_.client(), rig_.payments(), rig_.ids()};
    Accounts before_;
    std::string first_event_, payment_, proposal_, decisions_;
    std::future<api::ApiResult<Done>> asking_;
};

// Every order of the set in which the answers keep theirs.
std::vector<std::vector<Piece>> orders_of(std::vector<Piece> const& pieces) {
    std::vector<std::size_t> places(pieces.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
        places[i] = i;
    }
    std::vector<std::vector<Piece>> orders;
    do {
        std::size_t last = 0;
        bool is_possible = true;
        std::vector<Piece> order;
        for (std::size_t const place : places) {
            if (pieces[place].source == Piece::Source::answer) {
                is_possible = is_possible && place >= last;
                last = place;
            }
            order.push_back(pieces[place]);
        }
        if (is_possible) {
            orders.push_back(std::move(order));
        }
    } while (std::ranges::next_permutation(places).found);
    return orders;
}

// Plays every order of every set; returns how many.
std::size_t compare(std::vector<Set> const& sets) {
    std::size_t played = 0;
    std::map<std::string, std::unique_ptr<World>> worlds;
    for (Set const& set : sets) {
        CAPTURE(name_of(set));
        auto& world = worlds[set.operation];
        if (!world) {
            world = std::make_unique<World>(set.operation);
        }
        std::map<std::string, std::pair<End, std::string>>
            first;  // by the decisions that were taken
        for (auto const& order : orders_of(set.pieces)) {
            std::string const text = name_of({set.operation, order});
            CAPTURE(text);
            End const end = world->play(order);
            ++played;
            auto const [known, is_new] = first.try_emplace(end.decisions, end, text);
            CAPTURE(known->second.second);
            CHECK(end.money == known->second.first.money);
            CHECK(end.documents == known->second.first.documents);
        }
        // Either the persons were in time or they were not.
        CHECK(first.size() <= 2);
    }
    return played;
}

bool is_soak() {
    return std::getenv("FLORIN_SOAK") != nullptr;
}

// What a bank may say to the sends of a reversal, until it is over: "-" no answer, "x" not sent.
std::vector<std::vector<std::string>> acknowledgements() {
    std::vector<std::vector<std::string>> codes{
        {"00"}, {"25", "25"}, {"x", "25", "00"}, {"12", "-", "00"}
    };
    if (is_soak()) {
        for (auto const& meaning : connectors::iso8583::response_table()) {
            codes.push_back({std::string{meaning.code}, "25", "25"});
        }
        codes.push_back({"25", "-", "25"});
        codes.push_back({"-", "25", "x", "25"});
    }
    return codes;
}

Set with(std::string operation, std::vector<std::string> const& codes, std::vector<Piece> more) {
    std::string const sent = operation == "authorise" ? "void" : operation;
    for (std::string const& code : codes) {
        more.push_back(answer(sent, code));
    }
    return {std::move(operation), std::move(more)};
}

}  // namespace

TEST_CASE("every order of what is said about an authorisation comes to the same") {
    std::vector<Set> sets;
    for (auto const& codes : acknowledgements()) {
        sets.push_back(with("authorise", codes, {late(Outcome::approved)}));
        sets.push_back(with("authorise", codes, {late(Outcome::declined)}));
        sets.push_back(with("authorise", codes, {report("authorise")}));
        for (char const* const decision : {"reversed", "declined"}) {
            sets.push_back(with("authorise", codes, {persons("authorise", decision)}));
            sets.push_back(
                with("authorise", codes, {late(Outcome::approved), persons("authorise", decision)})
            );
        }
    }
    sets.push_back(
        with("authorise", {"25", "00"}, {late(Outcome::declined), late(Outcome::approved)})
    );
    sets.push_back(with("authorise", {"12", "12"}, {report("authorise"), statement("authorise")}));
    sets.push_back(with("authorise", {"00"}, {report("authorise"), late(Outcome::approved)}));
    if (is_soak()) {
        for (char const* const decision : {"reversed", "declined"}) {
            sets.push_back(with(
                "authorise",
                {"25", "25", "00"},
                {late(Outcome::approved), late(Outcome::declined), persons("authorise", decision)}
            ));
        }
    }
    CHECK(compare(sets) > 200);
}

TEST_CASE("every order of what is said about a reversal comes to the same") {
    std::vector<Set> sets;
    for (auto const& codes : acknowledgements()) {
        sets.push_back(with("void", codes, {persons("void", "reversed")}));
        sets.push_back(with("void", codes, {late(Outcome::approved), late(Outcome::declined)}));
    }
    CHECK(compare(sets) > 40);
}

TEST_CASE("every order of what is said about a capture comes to the same") {
    std::vector<Set> sets;
    for (std::vector<std::string> const& codes :
         std::vector<std::vector<std::string>>{{"00"}, {"05", "00"}, {"x", "94", "00"}}) {
        sets.push_back(with("capture", codes, {report("capture")}));
        sets.push_back(with("capture", codes, {report("capture"), statement("capture")}));
        sets.push_back(with("capture", codes, {persons("capture", "approved")}));
        sets.push_back(with("capture", codes, {report("capture"), persons("capture", "approved")}));
        sets.push_back(with("capture", codes, {late(Outcome::approved), late(Outcome::declined)}));
    }
    // The bank has booked what two persons said it had not: it is given back.
    sets.push_back(with("capture", {"00"}, {persons("capture", "declined")}));
    CHECK(compare(sets) > 50);
}

TEST_CASE("every order of what is said about a refund comes to the same") {
    std::vector<Set> sets;
    for (std::vector<std::string> const& codes :
         std::vector<std::vector<std::string>>{{"00"}, {"25", "00"}, {"x", "94", "00"}}) {
        sets.push_back(with("refund", codes, {report("refund")}));
        sets.push_back(with("refund", codes, {report("refund"), statement("refund")}));
        sets.push_back(with("refund", codes, {persons("refund", "approved")}));
        sets.push_back(with("refund", codes, {report("refund"), persons("refund", "approved")}));
    }
    for (std::vector<std::string> const& codes :
         std::vector<std::vector<std::string>>{{"57"}, {"-", "57"}, {"25", "-", "57"}}) {
        sets.push_back(with("refund", codes, {persons("refund", "declined")}));
    }
    CHECK(compare(sets) > 40);
}
