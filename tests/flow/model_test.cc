#include "crypto/random.h"
#include "daemon/model/chart.h"
#include "daemon/model/documents.h"
#include "daemon/model/ids.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <string>

using namespace florin;
using namespace florin::model;

namespace {

Book book(char const* currency, Mode mode) {
    return {*Currency::from_alphabetic(currency), mode};
}

// A clock that stands still: ids must increase all the same.
class StoppedClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return 1'700'000'000'000'000'000; }
    std::uint64_t steady_ns() const override { return 0; }
};

}  // namespace

TEST_CASE("accounts are told apart by role, owner, currency and mode") {
    std::set<std::string> ids;
    for (Role const role : {Role::receivable, Role::merchant_pending, Role::fee_revenue}) {
        for (char const* owner : {"acct_a", "acct_b"}) {
            for (char const* currency : {"EUR", "JPY"}) {
                for (Mode const mode : {Mode::test, Mode::live}) {
                    auto const account = model::account(role, owner, book(currency, mode));
                    CHECK(account.code == static_cast<std::uint16_t>(role));
                    ids.insert(to_string(account.id));
                }
            }
        }
    }
    CHECK(ids.size() == 24);
    CHECK(book("EUR", Mode::live).ledger() == 978);
    CHECK(book("EUR", Mode::test).ledger() == 100'978);
    CHECK(
        (account_id(Role::bank, "x", book("EUR", Mode::live)) ==
         account_id(Role::bank, "x", book("EUR", Mode::live)))
    );
}

TEST_CASE("the chart of accounts in conf/ names every role with its code") {
    std::ifstream file{FLORIN_SOURCE_DIR "/conf/chart_of_accounts.csv"};
    REQUIRE(file);
    std::string line;
    std::getline(file, line);
    std::size_t rows = 0;
    while (std::getline(file, line)) {
        auto const first = line.find(',');
        auto const second = line.find(',', first + 1);
        auto const role = static_cast<Role>(std::stoi(line.substr(0, first)));
        CHECK(line.substr(first + 1, second - first - 1) == role_name(role));
        ++rows;
    }
    CHECK(rows == 13);
}

TEST_CASE("the fee is a part rounded half to even and a fixed sum, and never above the amount") {
    Merchant merchant;
    merchant.fee_basis_points = 150;
    merchant.fee_fixed_minor = 25;
    CHECK(fee_of(merchant, 10'000) == 175);
    CHECK(fee_of(merchant, 1'500) == 22 + 25);
    CHECK(fee_of(merchant, 4'500) == 68 + 25);
    CHECK(fee_of(merchant, 10) == 10);
}

TEST_CASE("a capture posts the gross and the fee as one chain's legs") {
    auto const transfers = capture(book("EUR", Mode::test), "at_1", 99, "acct_a", 1'000, 40);
    REQUIRE(transfers.size() == 2);
    CHECK(transfers[0].has(ledger::post_pending_transfer));
    CHECK((transfers[0].pending_id == 99 && transfers[0].amount == 1'000));
    CHECK((transfers[1].amount == 40));
    CHECK(transfers[1].code == static_cast<std::uint16_t>(Posting::fee));
    CHECK(capture(book("EUR", Mode::test), "at_1", 99, "acct_a", 1'000, 0).size() == 1);
}

TEST_CASE("ids sort by when they were made, also within one tick of the clock") {
    StoppedClock const clock;
    crypto::SystemRandom random;
    IdMaker ids{clock, random};
    std::string last;
    for (int i = 0; i < 1'000; ++i) {
        std::string const id = ids.make("pi");
        CHECK(id > last);
        CHECK(id.starts_with("pi_"));
        CHECK(id.size() == 27);
        last = id;
    }
}

TEST_CASE("documents come back from their text, and what is missing has its default") {
    PaymentIntent intent;
    intent.id = "pi_1";
    intent.amount = 4'500;
    intent.currency = "EUR";
    intent.metadata["order"] = "17";
    intent.shipping.address.city = "Köln";
    auto const again = from_text<PaymentIntent>(to_text(intent));
    REQUIRE(again.has_value());
    CHECK(again->amount == 4'500);
    CHECK(again->metadata.at("order") == "17");
    CHECK(again->shipping.address.city == "Köln");
    auto const empty = from_text<PaymentIntent>("{}");
    REQUIRE(empty.has_value());
    CHECK(empty->capture_method == "automatic");
    CHECK(from_text<PaymentIntent>("[").error().code == Errc::corrupt);
}
