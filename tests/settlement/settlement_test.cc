#include "daemon/settlement/settlement.h"

#include "crypto/hash.h"
#include "crypto/random.h"
#include "daemon/model/chart.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

using namespace florin;
using namespace florin::settlement;
using model::Mode;

namespace {

namespace fs = std::filesystem;

constexpr char const* kBoot = "boot-1";

// "EUR 990/0;" for each currency: available and pending. Settlement renders nothing else.
class BalanceText final : public flow::Renderer {
public:
    std::string intent(flow::Objects const&) const override { return {}; }
    std::string charge(flow::Objects const&) const override { return {}; }
    std::string refund(flow::Objects const&) const override { return {}; }
    std::string method(flow::Objects const&) const override { return {}; }
    std::string previous(std::string const&, std::string const&) const override { return {}; }
    Result<std::string> document(model::Kind, std::string const&, std::string_view) const override {
        return std::string{};
    }
    std::string balance(flow::Balance const& balance) const override {
        std::string text;
        for (flow::CurrencyBalance const& each : balance.currencies) {
            text += std::string{each.currency.alphabetic()} + " " + std::to_string(each.available) +
                    "/" + std::to_string(each.pending) + ";";
        }
        return '"' + text + '"';
    }
};

// A ledger with merchants, and settlement on top of it.
class Rig {
public:
    Rig() { start(kBoot); }

    // As after a restart of the process.
    void start(std::string boot_id) {
        settlement_ = std::make_unique<Settlement>(Settlement::Parts{
            .ledger = client(),
            .ids = ids_,
            .renderer = renderer_,
            .mode = Mode::test,
            .bank_accounts =
                {{.name = "client-money",
                  .iban = "DE02120300000000202051",
                  .holder = "Florin client money"}},
            .outbox = {outbox(), std::move(boot_id)},
        });
    }

    fs::path outbox() const { return folder_.path() / "outbox"; }

    template <class T>
    Result<T> await(boost::asio::awaitable<Result<T>> work) {
        boost::asio::io_context context;
        auto future = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
        context.run();
        return future.get();
    }
    Result<model::SettlementBatch> run() { return await(settlement_->run()); }
    model::SettlementBatch must_run() {
        auto batch = run();
        REQUIRE_MESSAGE(batch.has_value(), (batch ? "" : batch.error().context));
        return *batch;
    }
    Result<void> recover() { return await(settlement_->recover()); }
    std::vector<model::Payout> payouts(model::SettlementBatch const& batch) {
        auto found = settlement_->payouts(batch.id);
        REQUIRE(found.has_value());
        return *found;
    }
    std::string file_bytes(model::SettlementBatch const& batch) {
        std::ifstream in{settlement_->file_of(batch), std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    void merchant(std::string const& id, std::string const& iban) {
        model::Merchant merchant;
        merchant.id = id;
        merchant.iban = iban;
        merchant.account_holder = "Holder of " + id;
        flow::Change change{model::owner_of("platform", Mode::test)};
        change.put(id, merchant, 0);
        commit(std::move(change));
    }
    // A captured payment whose money becomes available at `due`.
    void captured(
        std::string const& merchant, char const* currency, std::int64_t gross, std::int64_t due = 0
    ) {
        constexpr std::int64_t kFee = 10;
        std::string const row = "txn_" + std::to_string(last_ + 1);
        std::string const attempt = "at_" + std::to_string(++last_);
        model::Book const book = book_of(currency);
        flow::Change change{model::owner_of(merchant, Mode::test)};
        change.command.ensure_accounts = model::payment_accounts(book, "bank", merchant);
        auto reservation = model::authorisation(book, attempt, "bank", merchant, gross);
        change.post(reservation);
        change.post(model::capture(book, attempt, reservation[0].id, merchant, gross, kFee));
        change.put(
            model::availability_id(currency, due, row),
            model::Availability{
                .attempt = attempt,
                .currency = currency,
                .gross = gross,
                .fee = kFee,
                .due = due,
            },
            0
        );
        auto const known =
            flow::load<model::MerchantCurrency>(ledger_->documents(), change.owner(), currency);
        REQUIRE(known.has_value());
        if (!*known) {
            change.put(currency, model::MerchantCurrency{currency}, 0);
        }
        commit(std::move(change));
    }
    // Reserved, and confirmed, refused or left open.
    void refund(std::string const& merchant, char const* currency, std::int64_t amount, char how) {
        std::string const attempt = "at_" + std::to_string(++last_);
        auto const reserved = model::refund(book_of(currency), attempt, "bank", merchant, amount);
        flow::Change change{model::owner_of(merchant, Mode::test)};
        change.post(reserved);
        if (how == 'c') {
            change.post(model::refund_confirmed(attempt, reserved[0].id));
        } else if (how == 'r') {
            change.post(model::release(attempt, reserved[0].id));
        }
        commit(std::move(change));
    }
    // Credits less debits, posted.
    std::int64_t balance(model::Role role, std::string const& owner, char const* currency) {
        auto const id = model::account_id(role, owner, book_of(currency));
        auto const answer = ledger_->call(ledger::LookupAccounts{{id}});
        REQUIRE(answer.has_value());
        auto const& accounts = std::get<ledger::AccountsAnswer>(*answer).accounts;
        return accounts.empty()
                   ? 0
                   : *signed_minor(accounts[0].credits_posted, accounts[0].debits_posted);
    }
    void commit(flow::Change change) {
        auto const answer = ledger_->call(std::move(change.command));
        REQUIRE(answer.has_value());
        auto const& receipt = std::get<ledger::Receipt>(*answer);
        REQUIRE_MESSAGE(receipt.committed(), ledger::status_name(receipt.transfer_status));
    }
    // Ids of the rows that the payout of this number lists.
    std::vector<std::string> rows(
        std::string const& merchant, char const* currency, std::int64_t number
    ) {
        std::string const prefix = model::link_id(model::payout_rows(currency, number), "");
        auto const links = ledger_->documents().list(
            {.kind = static_cast<std::uint16_t>(model::Kind::payout_transaction),
             .owner = model::owner_of(merchant, Mode::test),
             .after = prefix,
             .newest_first = false,
             .limit = 1'000}
        );
        REQUIRE(links.has_value());
        std::vector<std::string> ids;
        for (ledger::Document const& link : *links) {
            if (link.key.id.starts_with(prefix)) {
                ids.push_back(link.key.id.substr(prefix.size()));
            }
        }
        return ids;
    }
    // What was announced to merchants, in order: "acct_a/test EUR 990/0;"
    std::vector<std::string> announced() {
        std::vector<std::string> told;
        auto const owners = ledger_->documents().event_owners({}, 1'000);
        REQUIRE(owners.has_value());
        std::vector<ledger::Event> events;
        for (auto const& [sequence, owner] : *owners) {
            auto const found = ledger_->documents().events_of(owner, sequence, 0, 1'000);
            REQUIRE(found.has_value());
            std::ranges::copy_if(*found, std::back_inserter(events), [&](auto const& event) {
                return event.sequence == sequence;
            });
        }
        for (ledger::Event const& event : events) {
            CHECK(event.type == "balance.available");
            auto const body = ledger_->payload(event.sequence, event.payload_index);
            REQUIRE(body.has_value());
            REQUIRE(body->has_value());
            std::string const& text = **body;
            auto const begin = text.find("\"object\":\"") + 10;
            told.push_back(event.owner + " " + text.substr(begin, text.find('"', begin) - begin));
        }
        return told;
    }
    // Blocks or frees the place where the outbox has to be.
    void block_outbox() { std::ofstream{outbox()} << "in the way"; }
    void free_outbox() { fs::remove(outbox()); }

    ledger::Ledger& ledger() { return *ledger_; }

private:
    static model::Book book_of(char const* currency) {
        return {*Currency::from_alphabetic(currency), Mode::test};
    }
    LedgerClient& client() {
        if (!ledger_) {
            auto opened = ledger::Ledger::open({.data_dir = folder_.path() / "data"}, clock_);
            REQUIRE(opened.has_value());
            ledger_ = std::move(*opened);
            client_ = std::make_unique<LedgerClient>(*ledger_);
        }
        return *client_;
    }

    test::TempDir folder_;
    SystemClock clock_;
    crypto::SystemRandom random_;
    BalanceText renderer_;
    model::IdMaker ids_{clock_, random_};
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<LedgerClient> client_;
    std::unique_ptr<Settlement> settlement_;
    int last_ = 0;
};

constexpr char const* kIban = "DE89370400440532013000";

}  // namespace

TEST_CASE("a payout is what became available, less what was given back") {
    Rig rig;
    rig.merchant("acct_a", kIban);
    rig.captured("acct_a", "EUR", 10'000);
    rig.captured("acct_a", "EUR", 5'000);
    rig.captured("acct_a", "JPY", 700);
    rig.refund("acct_a", "EUR", 1'000, 'c');
    rig.refund("acct_a", "EUR", 200, 'r');  // refused by the bank: nothing went away
    rig.refund("acct_a", "EUR", 30, 'o');   // under way: held back

    auto const batch = rig.must_run();
    CHECK(batch.state == "submitted");
    CHECK(batch.availabilities == 3);
    auto const payouts = rig.payouts(batch);
    REQUIRE(payouts.size() == 2);
    model::PayoutLines const& euro = payouts[0].lines;
    CHECK(payouts[0].currency == "EUR");
    CHECK(euro.gross == 15'000);
    CHECK(euro.fees == 20);
    CHECK(euro.refunds == 1'030);
    CHECK(euro.available == 13'950);
    CHECK(payouts[0].amount == 13'950);
    CHECK(payouts[1].amount == 690);
    CHECK(rig.balance(model::Role::merchant_in_transit, "acct_a", "EUR") == 13'950);
    CHECK(rig.balance(model::Role::merchant_pending, "acct_a", "EUR") == 0);
    std::string const file = rig.file_bytes(batch);
    CHECK(crypto::hex(crypto::sha256(file)) == batch.file_sha256);
    CHECK(file.find(model::end_to_end_id(payouts[0].id)) != std::string::npos);
    CHECK(file.find("139.50") != std::string::npos);
}

TEST_CASE("merchants are told once for each currency what became available") {
    Rig rig;
    rig.merchant("acct_a", "");
    rig.merchant("acct_b", "");
    rig.captured("acct_a", "EUR", 1'000);
    rig.captured("acct_a", "EUR", 500, 4'000'000'000);
    rig.captured("acct_a", "JPY", 700);
    rig.captured("acct_b", "EUR", 200);
    rig.must_run();
    CHECK(
        rig.announced() ==
        std::vector<std::string>{
            "acct_a/test EUR 990/490;JPY 0/690;",
            "acct_a/test EUR 990/490;JPY 690/0;",
            "acct_b/test EUR 190/0;",
        }
    );
    rig.must_run();
    CHECK(rig.announced().size() == 3);
}

TEST_CASE("more than one command's worth of payments is announced once") {
    Rig rig;
    rig.merchant("acct_a", kIban);
    for (int i = 0; i < 400; ++i) {
        rig.captured("acct_a", "EUR", 110);
    }
    CHECK(rig.must_run().availabilities == 400);
    CHECK(rig.announced() == std::vector<std::string>{"acct_a/test EUR 40000/0;"});
    CHECK(rig.rows("acct_a", "EUR", 1).size() == 401);
    rig.captured("acct_a", "EUR", 20);
    rig.must_run();
    CHECK(rig.announced().size() == 2);
}

TEST_CASE("a payout lists the rows that it is made of, also from runs that paid nothing") {
    Rig rig;
    rig.merchant("acct_a", kIban);
    rig.captured("acct_a", "EUR", 1'000);
    rig.captured("acct_a", "EUR", 2'000);
    auto const first = rig.payouts(rig.must_run());
    REQUIRE(first.size() == 1);
    CHECK(first[0].number == 1);
    CHECK(rig.rows("acct_a", "EUR", 1).size() == 3);

    rig.captured("acct_a", "EUR", 100);
    rig.refund("acct_a", "EUR", 500, 'c');
    CHECK(rig.must_run().state == "empty");
    rig.captured("acct_a", "EUR", 1'000);
    auto const second = rig.payouts(rig.must_run());
    REQUIRE(second.size() == 1);
    CHECK(second[0].number == 2);
    CHECK(second[0].amount == 90 + 990 - 500);
    CHECK(rig.rows("acct_a", "EUR", 2).size() == 3);
    CHECK(rig.rows("acct_a", "EUR", 3).empty());

    // The payout's own row says what went away.
    auto const row = flow::load_known<model::BalanceTransaction>(
        rig.ledger().documents(),
        model::owner_of("acct_a", Mode::test),
        second[0].balance_transaction
    );
    REQUIRE(row.has_value());
    CHECK(row->value.type == "payout");
    CHECK(row->value.source == second[0].id);
    CHECK(row->value.net() == -second[0].amount);
    auto const listed = rig.rows("acct_a", "EUR", 2);
    CHECK(std::ranges::count(listed, second[0].balance_transaction) == 1);
}

TEST_CASE("the next batch opens where the last one ended") {
    Rig rig;
    rig.merchant("acct_a", kIban);
    rig.captured("acct_a", "EUR", 10'000);
    rig.refund("acct_a", "EUR", 30, 'o');
    auto const first = rig.payouts(rig.must_run());
    REQUIRE(first.size() == 1);
    CHECK(first[0].amount == 9'960);
    CHECK(rig.must_run().state == "empty");

    rig.captured("acct_a", "EUR", 1'000);
    auto const second = rig.payouts(rig.must_run());
    REQUIRE(second.size() == 1);
    CHECK(second[0].amount == 990);
    CHECK(second[0].lines.gross == 1'000);
    CHECK(second[0].id != first[0].id);
}

TEST_CASE("money is left alone before its day, below zero, and without an account to go to") {
    Rig rig;
    rig.merchant("acct_later", kIban);
    rig.merchant("acct_owes", kIban);
    rig.merchant("acct_nowhere", "");
    rig.captured("acct_later", "EUR", 1'000, 4'000'000'000);
    rig.captured("acct_owes", "EUR", 1'000);
    rig.refund("acct_owes", "EUR", 5'000, 'c');
    rig.captured("acct_nowhere", "EUR", 1'000);
    auto const batch = rig.must_run();
    CHECK(batch.state == "empty");
    CHECK(batch.availabilities == 2);
    CHECK(rig.balance(model::Role::merchant_pending, "acct_later", "EUR") == 990);
    CHECK(rig.balance(model::Role::merchant_available, "acct_owes", "EUR") == -4'010);
    CHECK(rig.balance(model::Role::merchant_available, "acct_nowhere", "EUR") == 990);
}

TEST_CASE("a run that could not write its file is finished by the next, and pays once") {
    Rig rig;
    rig.merchant("acct_a", kIban);
    rig.captured("acct_a", "EUR", 10'000);
    rig.block_outbox();
    auto const failed = rig.run();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Errc::io);
    CHECK(rig.run().error().code == Errc::io);
    CHECK(rig.balance(model::Role::merchant_in_transit, "acct_a", "EUR") == 9'990);

    rig.captured("acct_a", "EUR", 500);  // after the cut: not of this batch
    rig.free_outbox();
    rig.start(kBoot);
    auto const batch = rig.must_run();
    CHECK(batch.state == "submitted");
    REQUIRE(rig.payouts(batch).size() == 1);
    CHECK(rig.payouts(batch)[0].amount == 9'990);
    CHECK(rig.balance(model::Role::merchant_in_transit, "acct_a", "EUR") == 9'990);
}

TEST_CASE("after a crash around the handing over, record and folder say what happened") {
    struct Row {
        char const* name;
        bool is_private_there, is_final_there;
        char const* boot_then;
        char const* recovered;  // state after recover()
        char const* after_run;  // state of this batch after the next run
    };
    Row const rows[] = {
        {"before the rename", true, false, kBoot, "submitting", "submitted"},
        {"after the rename", false, true, kBoot, "submitted", "submitted"},
        {"after the bank took the file", false, false, kBoot, "submitted", "submitted"},
        {"the machine went down, the file is there", false, true, "boot-0", "submitted", "submitted"
        },
        {"the machine went down, the rename is gone", true, false, "boot-0", "unknown", "unknown"},
        {"the machine went down, nothing is there", false, false, "boot-0", "unknown", "unknown"},
    };
    for (Row const& row : rows) {
        CAPTURE(row.name);
        Rig rig;
        rig.merchant("acct_a", kIban);
        rig.captured("acct_a", "EUR", 10'000);
        rig.block_outbox();
        REQUIRE_FALSE(rig.run().has_value());
        rig.free_outbox();
        // The record that comes before the rename.
        std::string const platform = model::owner_of("platform", Mode::test);
        auto const list = rig.ledger().documents().list(
            {.kind = static_cast<std::uint16_t>(model::Kind::settlement_batch), .owner = platform}
        );
        REQUIRE(list.has_value());
        auto batch = flow::load_known<model::SettlementBatch>(
            rig.ledger().documents(), platform, list->at(0).key.id
        );
        REQUIRE(batch.has_value());
        REQUIRE(batch->value.state == "prepared");
        batch->value.state = "submitting";
        batch->value.file = batch->value.id + ".pain.001.xml";
        batch->value.boot_id = row.boot_then;
        flow::Change change{platform};
        change.put(batch->value.id, *batch);
        rig.commit(std::move(change));
        fs::create_directories(rig.outbox());
        if (row.is_private_there) {
            std::ofstream{rig.outbox() / ("." + batch->value.file + ".part")} << "payouts";
        }
        if (row.is_final_there) {
            std::ofstream{rig.outbox() / batch->value.file} << "payouts";
        }

        rig.start(kBoot);
        REQUIRE(rig.recover().has_value());
        auto const state = [&] {
            return flow::load_known<model::SettlementBatch>(
                       rig.ledger().documents(), platform, batch->value.id
            )
                ->value.state;
        };
        CHECK(state() == row.recovered);
        REQUIRE(rig.run().has_value());
        CHECK(state() == row.after_run);
        // Whatever happened, the money went into transit once.
        CHECK(rig.balance(model::Role::merchant_in_transit, "acct_a", "EUR") == 9'990);
        CHECK(rig.recover().has_value());
        CHECK(state() == row.after_run);
    }
}

TEST_CASE("an account whose lines and balance disagree is not paid out") {
    Rig rig;
    rig.merchant("acct_a", kIban);
    rig.captured("acct_a", "EUR", 10'000);
    flow::Change change{model::owner_of("acct_a", Mode::test)};
    change.put(
        "EUR", model::SettlementPosition{.batch = "stl-test-0", .cut_ns = 1, .available = 1}, 0
    );
    rig.commit(std::move(change));
    auto const failed = rig.run();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Errc::corrupt);
    CHECK(failed.error().context.find("acct_a/test EUR: opening 1") != std::string::npos);
    CHECK(rig.balance(model::Role::merchant_in_transit, "acct_a", "EUR") == 0);
}
