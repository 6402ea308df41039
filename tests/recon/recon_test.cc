#include "crypto/hash.h"
#include "crypto/random.h"
#include "daemon/flow/identity.h"
#include "daemon/flow/payments.h"
#include "daemon/model/chart.h"
#include "daemon/recon/digest.h"
#include "daemon/recon/reconciliation.h"
#include "ledger/base/calendar.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace florin;
using namespace florin::recon;
using model::Mode;
using model::StatementDocument;
using model::StatementLineDocument;

namespace {

constexpr std::int64_t kToday = 20'000 * kDay + 3'600;
constexpr char const* kIban = "DE02120300000000202051";
constexpr char const* kReference = "acq-1-EUR";
Importer const kIna{.name = "Ina", .key_id = "key1"};
Importer const kJo{.name = "Jo", .key_id = "key2"};

// A line with what every line has; the rest is for the test to say.
StatementLineDocument a_line(char const* type, std::int64_t amount) {
    StatementLineDocument line;
    line.type = type;
    line.currency = "EUR";
    line.amount = amount;
    line.reference = kReference;
    line.booking_date = utc_date(kToday);
    return line;
}

// A ledger with attempts that wait to be reported, and reconciliation on top of it.
class Rig {
public:
    Rig() {
        auto opened = ledger::Ledger::open({.data_dir = folder_.path() / "data"}, clock_);
        REQUIRE(opened.has_value());
        ledger_ = std::move(*opened);
        client_ = std::make_unique<LedgerClient>(*ledger_);
        recon_ = std::make_unique<Reconciliation>(Reconciliation::Parts{
            .ledger = *client_,
            .take_evidence =
                [this](std::string owner, std::string attempt, model::Evidence evidence) {
                    return close(std::move(owner), std::move(attempt), std::move(evidence));
                },
            .ids = ids_,
            .mode = Mode::test,
            .acquirers = {{.connector = "bank", .name = "acq"}},
            .bank_accounts = {{.name = "client-money", .iban = kIban}},
        });
    }

    template <class T>
    Result<T> await(boost::asio::awaitable<Result<T>> work) {
        boost::asio::io_context context;
        auto future = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
        context.run();
        return future.get();
    }

    // An attempt that the bank acknowledged, or (`is_open`) one whose outcome is unknown.
    model::Attempt attempt(char const* operation, std::int64_t amount, bool is_open = false) {
        model::Attempt made;
        made.stan = ++last_;
        made.id = "at_" + std::to_string(made.stan);
        made.operation = operation;
        made.connector = "bank";
        made.currency = "EUR";
        made.amount = amount;
        made.state = is_open ? "unknown" : "approved";
        made.created = kToday;
        made.closed = is_open ? 0 : kToday;
        made.authorization_code = "A" + std::to_string(10'000 + made.stan);
        flow::Change change{"acct_a/test"};
        change.put(made.id, made, 0);
        change.put_for(
            model::connector_owner("bank", Mode::test),
            made.id,
            model::ExpectedLine{
                .owner = "acct_a/test",
                .attempt = made.id,
                .operation = operation,
                .currency = "EUR",
                .amount = amount,
                .created = kToday,
            },
            0
        );
        commit(std::move(change));
        return made;
    }
    // An authorisation or a capture that was given up, and is remembered by what the bank knows it
    // by.
    model::Attempt given_up(char const* operation, std::int64_t amount) {
        model::Attempt made;
        made.stan = ++last_;
        made.id = "at_" + std::to_string(made.stan);
        made.operation = operation;
        made.connector = "bank";
        made.currency = "EUR";
        made.amount = amount;
        made.state = "declined";
        made.created = made.closed = kToday;
        made.transmission_time = "1124130405";
        flow::Change change{"acct_a/test"};
        change.put(made.id, made, 0);
        auto const key = flow::given_up_key(made);
        change.put_for(key.owner, key.id, model::GivenUp{"acct_a/test", made.id}, 0);
        commit(std::move(change));
        return made;
    }
    // The line that reports it.
    static StatementLineDocument report(model::Attempt const& attempt, std::int64_t fee = 0) {
        bool const is_capture = attempt.operation == "capture";
        auto line =
            a_line(attempt.operation.c_str(), is_capture ? attempt.amount : -attempt.amount);
        line.fee = fee;
        line.stan = flow::stan_text(attempt);
        line.rrn = flow::retrieval_reference(attempt);
        line.authorization_code = attempt.authorization_code;
        return line;
    }
    model::Payout payout(std::int64_t amount) {
        model::Payout made;
        made.id = "po_" + std::to_string(++last_);
        made.batch = "stl-test-1";
        made.merchant = "acct_a";
        made.currency = "EUR";
        made.state = "prepared";
        made.amount = amount;
        made.iban = "DE89370400440532013000";
        made.created = kToday;
        flow::Change change{"acct_a/test"};
        change.put(made.id, made, 0);
        change.command.ensure_accounts = model::payout_accounts(book(), "acct_a", "client-money");
        change.command.transfers.push_back(model::payout(book(), made.id, "acct_a", amount));
        commit(std::move(change));
        return made;
    }

    static StatementDocument head(
        char const* level, std::string const& id, std::vector<StatementLineDocument>& lines
    ) {
        StatementDocument statement;
        statement.level = level;
        statement.account = std::string_view{level} == "bank" ? kIban : "acq";
        statement.id = id;
        statement.date = utc_date(kToday);
        statement.currency = "EUR";
        statement.lines = static_cast<std::int64_t>(lines.size());
        StatementDigest digest;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            lines[i].number = static_cast<std::int64_t>(i + 1);
            digest.add(lines[i]);
        }
        statement.digest = digest.finish(statement);
        return statement;
    }
    void import(char const* level, std::vector<StatementLineDocument> lines) {
        auto const statement = head(level, "statement-" + std::to_string(++last_), lines);
        REQUIRE(await(recon_->begin_import(statement, kIna)).has_value());
        REQUIRE(await(recon_->add_lines(statement, lines)).has_value());
        REQUIRE(await(recon_->complete_import(statement, kIna)).has_value());
    }
    RunReport run() {
        auto const report = await(recon_->run());
        REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().context));
        return *report;
    }
    std::vector<std::string> breaks(bool all = false) {
        auto const found = recon_->breaks(all);
        REQUIRE(found.has_value());
        std::vector<std::string> types;
        for (auto const& each : *found) {
            types.push_back(each.type + (each.state == "open" ? "" : " resolved"));
        }
        std::ranges::sort(types);
        return types;
    }
    // Debits less credits, posted.
    std::int64_t balance(model::Role role, std::string const& owner) {
        auto const id = model::account_id(role, owner, book());
        auto const answer = ledger_->call(ledger::LookupAccounts{{id}});
        REQUIRE(answer.has_value());
        auto const& accounts = std::get<ledger::AccountsAnswer>(*answer).accounts;
        if (accounts.empty()) {
            return 0;
        }
        return static_cast<std::int64_t>(accounts[0].debits_posted) -
               static_cast<std::int64_t>(accounts[0].credits_posted);
    }
    std::int64_t clearing(std::string const& reference = kReference) {
        return balance(model::Role::clearing, "bank|" + reference);
    }
    std::int64_t receivable() { return balance(model::Role::receivable, "bank"); }
    std::int64_t costs() { return balance(model::Role::costs, "bank"); }
    std::int64_t at_bank() { return balance(model::Role::bank, "client-money"); }

    Reconciliation& recon() { return *recon_; }
    std::string decided;  // what became of attempts, whatever the evidence
    std::vector<std::string> const& evidence() const { return evidence_; }

private:
    static model::Book book() { return {*Currency::from_alphabetic("EUR"), Mode::test}; }

    // What the flow does: the attempt is approved from here on.
    boost::asio::awaitable<Result<void>> close(
        std::string owner, std::string attempt, model::Evidence evidence
    ) {
        evidence_.push_back(attempt + " " + evidence.source + " " + evidence.outcome);
        FLORIN_CO_TRY(
            auto stored, flow::load_known<model::Attempt>(ledger_->documents(), owner, attempt)
        );
        bool const was_open = stored.value.closed == 0;
        stored.value.state = decided.empty() ? evidence.outcome : decided;
        stored.value.closed = kToday;
        flow::Change change{owner};
        change.put(attempt, stored);
        if (was_open && stored.value.state != "approved") {
            change.remove_for(
                model::connector_owner("bank", Mode::test), model::Kind::expected_line, attempt, 1
            );
        }
        commit(std::move(change));
        co_return Result<void>{};
    }
    void commit(flow::Change change) {
        auto const answer = ledger_->call(std::move(change.command));
        REQUIRE(answer.has_value());
        REQUIRE(std::get<ledger::Receipt>(*answer).committed());
    }

    test::TempDir folder_;
    SystemClock clock_;
    crypto::SystemRandom random_;
    model::IdMaker ids_{clock_, random_};
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<LedgerClient> client_;
    std::unique_ptr<Reconciliation> recon_;
    std::vector<std::string> evidence_;
    std::uint64_t last_ = 0;
};

using Types = std::vector<std::string>;

}  // namespace

TEST_CASE("a reported capture and refund move from receivable to clearing, with the cost") {
    Rig rig;
    auto const capture = rig.attempt("capture", 4'500);
    auto const refund = rig.attempt("refund", 500);
    rig.import("acquirer", {Rig::report(capture, 22), Rig::report(refund)});
    auto const report = rig.run();
    CHECK(report.acquirer.matched == 2);
    CHECK(report.acquirer.matched_by.at("reference") == 2);
    CHECK(rig.receivable() == -4'500 + 500);
    CHECK(rig.clearing() == 4'500 - 500 - 22);
    CHECK(rig.costs() == 22);
    CHECK(rig.breaks().empty());
    CHECK(rig.evidence().empty());

    SUBCASE("running again moves nothing") {
        auto const again = rig.run();
        CHECK(again.acquirer.lines == 0);
        CHECK(rig.clearing() == 3'978);
    }
    SUBCASE("the same transaction in another report is a duplicate") {
        rig.import("acquirer", {Rig::report(capture, 22)});
        rig.run();
        CHECK(rig.breaks() == Types{"duplicate_line"});
        CHECK(rig.clearing() == 3'978);
    }
    SUBCASE("the bank's net line closes the reference") {
        rig.import("bank", {a_line("entry", 3'978)});
        CHECK(rig.run().bank.matched_by.at("reference") == 1);
        CHECK(rig.clearing() == 0);
        CHECK(rig.at_bank() == 3'978);
    }
    SUBCASE("two lines of one reference are its net together") {
        rig.import("bank", {a_line("entry", 3'000), a_line("entry", 978)});
        CHECK(rig.run().bank.matched_by.at("net_sum") == 2);
        CHECK(rig.clearing() == 0);
    }
    SUBCASE("another net is a break, and moves nothing") {
        rig.import("bank", {a_line("entry", 3'977)});
        CHECK(rig.run().bank.matched == 0);
        CHECK(rig.breaks() == Types{"net_mismatch"});
        CHECK(rig.at_bank() == 0);
    }
    SUBCASE("a line without its reference is found by amount and date") {
        auto line = a_line("entry", 3'978);
        line.reference = "NOTPROVIDED";
        rig.import("bank", {line});
        CHECK(rig.run().bank.matched_by.at("amount_date") == 1);
        CHECK(rig.at_bank() == 3'978);
    }
    SUBCASE("a chargeback takes money from clearing and waits for somebody to decide") {
        auto back = Rig::report(capture);
        back.type = "chargeback";
        back.amount = -4'500;
        rig.import("acquirer", {back});
        CHECK(rig.run().acquirer.matched == 1);
        CHECK(rig.clearing() == 3'978 - 4'500);
        CHECK(rig.breaks() == Types{"chargeback"});
        rig.run();
        CHECK(rig.breaks() == Types{"chargeback"});
        // The bank takes the difference.
        rig.import("bank", {a_line("entry", 3'978 - 4'500)});
        rig.run();
        CHECK(rig.at_bank() == 3'978 - 4'500);
    }
}

TEST_CASE("a line is the evidence that ends an unknown outcome") {
    Rig rig;
    auto const capture = rig.attempt("capture", 777, true);
    rig.import("acquirer", {Rig::report(capture)});
    auto const report = rig.run();
    REQUIRE(report.unknowns_resolved.size() == 1);
    CHECK(report.unknowns_resolved[0].attempt == capture.id);
    CHECK(rig.evidence() == Types{capture.id + " report_line approved"});
    CHECK(rig.clearing() == 777);
}

TEST_CASE("a line does not overrule what two people decided") {
    Rig rig;
    auto const refund = rig.attempt("refund", 300, true);
    rig.decided = "declined";
    rig.import("acquirer", {Rig::report(refund)});
    auto const report = rig.run();
    CHECK(report.acquirer.matched == 0);
    CHECK(report.unknowns_resolved.empty());
    CHECK(rig.breaks() == Types{"outcome_conflict"});
    CHECK(rig.clearing() == 0);
}

TEST_CASE("a line about what was given up is booked, and told to the flow, which gives it back") {
    Rig rig;
    rig.decided = "declined";  // it stays given up
    auto const given_up = rig.given_up("authorise", 900);
    auto line = a_line("capture", 900);
    line.stan = flow::stan_text(given_up);
    line.rrn = flow::retrieval_reference(given_up);
    line.transmission_time = given_up.transmission_time;
    SUBCASE("it is the same") {
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 1);
        CHECK(rig.evidence() == Types{given_up.id + " report_line approved"});
        CHECK(rig.breaks().empty());
        CHECK(rig.clearing() == 900);
        CHECK(rig.receivable() == -900);  // until the flow's postings are there
        // Once more it is a duplicate.
        rig.import("acquirer", {line});
        rig.run();
        CHECK(rig.evidence().size() == 1);
        CHECK(rig.breaks() == Types{"duplicate_line"});
    }
    SUBCASE("another amount, time or reference is not it") {
        auto other_amount = line;
        other_amount.amount = 901;
        auto other_time = line;
        other_time.transmission_time = "1124130406";
        auto other_reference = line;
        other_reference.rrn = "000000000000";
        rig.import("acquirer", {other_amount, other_time, other_reference});
        CHECK(rig.run().acquirer.matched == 0);
        CHECK(rig.evidence().empty());
        CHECK(rig.breaks().size() == 3);
        CHECK(rig.clearing() == 0);
    }
}

TEST_CASE("a line about a refund that was over as failed is booked, and told to the flow") {
    Rig rig;
    rig.decided = "declined";  // it stays given up
    auto const given_up = rig.given_up("refund", 300);
    auto line = rig.report(given_up);
    line.transmission_time = given_up.transmission_time;
    SUBCASE("it is the same") {
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 1);
        CHECK(rig.evidence() == Types{given_up.id + " report_line approved"});
        CHECK(rig.breaks().empty());
        CHECK(rig.clearing() == -300);
        CHECK(rig.receivable() == 300);  // until the flow's posting is there
    }
    SUBCASE("a capture of that number is not it") {
        line.type = "capture";
        line.amount = 300;
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 0);
        CHECK(rig.evidence().empty());
        CHECK(rig.breaks() == Types{"line_without_attempt"});
    }
}

TEST_CASE("what only one side has is a break, and closes when the other catches up") {
    Rig rig;
    auto const known = rig.attempt("capture", 1'000);
    auto const late = rig.attempt("capture", 2'000);
    auto const open = rig.attempt("refund", 300, true);
    auto stranger = a_line("capture", 5'000);
    stranger.rrn = "999999999999";
    stranger.stan = "999999";
    rig.import("acquirer", {Rig::report(known), stranger});
    CHECK(rig.run().breaks_open == 3);
    CHECK(rig.breaks() == Types{"line_without_attempt", "missing_in_report", "unknown_outcome"});
    CHECK(rig.clearing() == 1'000);
    rig.import("acquirer", {Rig::report(late), Rig::report(open)});
    CHECK(rig.run().breaks_open == 1);
    CHECK(
        rig.breaks(true) ==
        Types{"line_without_attempt", "missing_in_report resolved", "unknown_outcome resolved"}
    );
}

TEST_CASE("another amount under the same reference is a break and not a match") {
    Rig rig;
    auto const capture = rig.attempt("capture", 1'000);
    auto line = Rig::report(capture);
    line.amount = 1'001;
    rig.import("acquirer", {line});
    CHECK(rig.run().acquirer.matched == 0);
    CHECK(rig.breaks() == Types{"amount_mismatch", "missing_in_report"});
    CHECK(rig.clearing() == 0);
}

TEST_CASE("without its reference a line is matched only where one attempt fits") {
    Rig rig;
    auto const capture = rig.attempt("capture", 1'000);
    auto line = Rig::report(capture);
    line.rrn.clear();
    line.stan.clear();
    SUBCASE("one fits") {
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched_by.at("amount_date") == 1);
    }
    SUBCASE("two fit") {
        line.authorization_code.clear();
        rig.attempt("capture", 1'000);
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 0);
    }
    SUBCASE("the authorisation code is another one's") {
        line.authorization_code = "B99999";
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 0);
    }
    SUBCASE("too long ago") {
        line.booking_date = utc_date(kToday + 4 * kDay);
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 0);
    }
    SUBCASE("a refund is no capture") {
        line.type = "refund";
        line.amount = -1'000;
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 0);
    }
    SUBCASE("a reference that is not ours, and no code") {
        line.rrn = "123456789012";
        line.stan = "123456";
        line.authorization_code.clear();
        rig.import("acquirer", {line});
        CHECK(rig.run().acquirer.matched == 0);
    }
}

TEST_CASE("one bank line may pay several references, where only one set of them adds up") {
    Rig rig;
    auto const report = [&](char const* reference, std::int64_t amount) {
        auto line = Rig::report(rig.attempt("capture", amount));
        line.reference = reference;
        return line;
    };
    rig.import("acquirer", {report("ref-a", 100), report("ref-b", 250), report("ref-c", 400)});
    rig.run();
    auto line = a_line("entry", 350);
    line.reference = "together";
    SUBCASE("it does") {
        rig.import("bank", {line});
        CHECK(rig.run().bank.matched_by.at("net_sum") == 1);
        CHECK(rig.clearing("ref-a") == 0);
        CHECK(rig.clearing("ref-b") == 0);
        CHECK(rig.clearing("ref-c") == 400);
        CHECK(rig.at_bank() == 350);
        // The statement covers the day, and the third reference is not on it.
        CHECK(rig.breaks() == Types{"missing_at_bank"});
    }
    SUBCASE("two sets do") {
        rig.import("acquirer", {report("ref-d", 150), report("ref-e", 200)});
        rig.run();
        rig.import("bank", {line});
        CHECK(rig.run().bank.matched == 0);
        CHECK(rig.at_bank() == 0);
    }
}

TEST_CASE("a payout is paid by its debit, and is the merchant's again when it comes back") {
    Rig rig;
    auto const payout = rig.payout(900);
    auto debit = a_line("entry", -900);
    debit.reference = model::end_to_end_id(payout.id);
    SUBCASE("by its reference") {
        rig.import("bank", {debit});
        CHECK(rig.run().bank.matched == 1);
        CHECK(rig.balance(model::Role::merchant_in_transit, "acct_a") == 0);
        CHECK(rig.at_bank() == -900);
        auto credit = debit;
        credit.amount = 900;
        credit.is_reversal = true;
        rig.import("bank", {credit});
        CHECK(rig.run().bank.matched == 1);
        CHECK(rig.at_bank() == 0);
        CHECK(rig.balance(model::Role::merchant_available, "acct_a") == 0);
    }
    SUBCASE("by its amount, where the account agrees") {
        debit.reference.clear();
        debit.counterparty_account = payout.iban;
        rig.import("bank", {debit});
        CHECK(rig.run().bank.matched_by.at("amount_date") == 1);
    }
    SUBCASE("not by its amount to another account") {
        debit.reference.clear();
        debit.counterparty_account = "DE75512108001245126199";
        rig.import("bank", {debit});
        CHECK(rig.run().bank.matched == 0);
        CHECK(rig.breaks() == Types{"bank_line_unknown"});
    }
    SUBCASE("not with another amount") {
        debit.amount = -901;
        rig.import("bank", {debit});
        CHECK(rig.run().bank.matched == 0);
        CHECK(rig.breaks() == Types{"net_mismatch"});
    }
}

TEST_CASE("a statement counts when it is whole") {
    Rig rig;
    auto const capture = rig.attempt("capture", 1'000);
    auto const other = rig.attempt("capture", 2'000);
    std::vector<StatementLineDocument> lines{Rig::report(capture), Rig::report(other)};
    auto const statement = Rig::head("acquirer", "s1", lines);
    auto& recon = rig.recon();
    REQUIRE(rig.await(recon.begin_import(statement, kIna)).has_value());
    CHECK(rig.await(recon.add_lines(statement, {lines[0]})) == 1);
    CHECK(rig.await(recon.complete_import(statement, kIna)).error().code == Errc::conflict);
    CHECK(rig.run().acquirer.lines == 0);

    // After a crash the import begins again; what is there stays.
    CHECK(rig.await(recon.begin_import(statement, kIna))->state == "importing");
    CHECK(rig.await(recon.add_lines(statement, lines)) == 1);
    REQUIRE(rig.await(recon.complete_import(statement, kIna)).has_value());
    CHECK(rig.run().acquirer.matched == 2);
    CHECK(rig.await(recon.begin_import(statement, kIna))->state == "complete");
    CHECK(rig.await(recon.add_lines(statement, lines)).error().code == Errc::conflict);

    auto changed = statement;
    changed.digest = std::string(64, '0');
    CHECK(rig.await(recon.begin_import(changed, kIna)).error().code == Errc::conflict);
    auto foreign = statement;
    foreign.account = "somebody";
    CHECK(rig.await(recon.begin_import(foreign, kIna)).error().code == Errc::refused);
    auto undated = statement;
    undated.id = "s2";
    undated.date = "2026-02-30";
    CHECK(rig.await(recon.begin_import(undated, kIna)).error().code == Errc::malformed);
}

TEST_CASE("a statement says who brought it and who completed it") {
    Rig rig;
    std::vector<StatementLineDocument> lines{Rig::report(rig.attempt("capture", 1'000))};
    auto statement = Rig::head("acquirer", "s1", lines);
    // What a request claims about that does not count.
    statement.imported_by = "Somebody";
    statement.completed_by = "Somebody";
    auto& recon = rig.recon();
    auto const begun = rig.await(recon.begin_import(statement, kIna));
    REQUIRE(begun.has_value());
    CHECK(begun->imported_by == "Ina");
    CHECK(begun->imported_key == "key1");
    CHECK(begun->completed_by.empty());
    CHECK(rig.await(recon.add_lines(statement, lines)) == 1);
    REQUIRE(rig.await(recon.complete_import(statement, kJo)).has_value());
    auto const kept = rig.await(recon.begin_import(statement, kJo));
    CHECK(kept->imported_by == "Ina");
    CHECK(kept->completed_by == "Jo");
    CHECK(kept->completed_key == "key2");
}

TEST_CASE("lines that are not those of the digest are refused, and removed") {
    Rig rig;
    auto const capture = rig.attempt("capture", 1'000);
    std::vector<StatementLineDocument> lines{
        Rig::report(capture), Rig::report(rig.attempt("capture", 2'000))
    };
    auto const statement = Rig::head("acquirer", "s1", lines);
    auto& recon = rig.recon();
    auto forged = lines;
    auto head = statement;
    SUBCASE("another amount") {
        forged[1].amount = 9'000;
    }
    SUBCASE("another payout reference") {
        forged[0].reference = "acq-2-EUR";
    }
    SUBCASE("another head") {
        head.date = utc_date(kToday + kDay);
    }
    REQUIRE(rig.await(recon.begin_import(head, kIna)).has_value());
    CHECK(rig.await(recon.add_lines(head, forged)) == 2);
    auto const refused = rig.await(recon.complete_import(head, kIna));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::malformed);
    CHECK(rig.run().acquirer.lines == 0);
    // The name is free again for what is right.
    CHECK(rig.await(recon.begin_import(statement, kJo))->imported_by == "Jo");
    CHECK(rig.await(recon.add_lines(statement, lines)) == 2);
    REQUIRE(rig.await(recon.complete_import(statement, kJo)).has_value());
    CHECK(rig.run().acquirer.matched == 2);
}

TEST_CASE("an import that nobody ended does not keep its name from another one") {
    Rig rig;
    std::vector<StatementLineDocument> many(450, a_line("capture", 5));
    auto const left = Rig::head("acquirer", "s1", many);
    auto& recon = rig.recon();
    REQUIRE(rig.await(recon.begin_import(left, kIna)).has_value());
    CHECK(rig.await(recon.add_lines(left, many)) == 450);
    std::vector<StatementLineDocument> lines{Rig::report(rig.attempt("capture", 1'000))};
    auto const statement = Rig::head("acquirer", "s1", lines);
    REQUIRE(rig.await(recon.begin_import(statement, kJo)).has_value());
    CHECK(rig.await(recon.add_lines(left, many)).error().code == Errc::conflict);
    CHECK(rig.await(recon.add_lines(statement, lines)) == 1);
    REQUIRE(rig.await(recon.complete_import(statement, kJo)).has_value());
    CHECK(rig.run().acquirer.lines == 1);
}

TEST_CASE("card numbers come masked or not at all") {
    Rig rig;
    constexpr char const* kNumber = "4242424242424242";
    struct Row {
        std::string StatementLineDocument::* member;
        std::string text;
        bool is_refused;
    };
    std::vector<Row> const rows{
        {&StatementLineDocument::masked_pan, "424242******4242", false},
        {&StatementLineDocument::masked_pan, kNumber, true},
        {&StatementLineDocument::reference, kNumber, true},
        {&StatementLineDocument::rrn, kNumber, true},
        {&StatementLineDocument::remittance, "card 4242 4242 4242 4242", true},
        {&StatementLineDocument::bank_reference, kNumber, true},
        {&StatementLineDocument::counterparty_name, kNumber, true},
        {&StatementLineDocument::counterparty_account, kNumber, true},
        {&StatementLineDocument::counterparty_account, kIban, false},
        {&StatementLineDocument::entry_reference, "sk_live_0123456789abcdefghij", true},
    };
    int number = 0;
    for (Row const& row : rows) {
        CAPTURE(row.text);
        std::vector<StatementLineDocument> lines{a_line("capture", 5)};
        lines[0].*row.member = row.text;
        auto const statement = Rig::head("acquirer", "s" + std::to_string(++number), lines);
        REQUIRE(rig.await(rig.recon().begin_import(statement, kIna)).has_value());
        auto const added = rig.await(rig.recon().add_lines(statement, lines));
        CHECK(added.has_value() != row.is_refused);
        if (row.is_refused) {
            CHECK(added.error().code == Errc::malformed);
            CHECK(added.error().context.find(row.text) == std::string::npos);
        }
    }
    std::vector<StatementLineDocument> none;
    auto const named = Rig::head("acquirer", kNumber, none);
    auto const refused = rig.await(rig.recon().begin_import(named, kIna));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().context.find(kNumber) == std::string::npos);
}
