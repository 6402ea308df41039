#include "tests/tools/banksim/bank_rig.h"

using namespace florin;
using namespace florin::banksim::test;

TEST_CASE("the bank answers each test card with its code, and others with an approval") {
    TempDir dir;
    BankRig bank{dir.path()};
    struct Row {
        char const* pan;
        char const* code;
    };
    constexpr Row kRows[] = {
        {"4000000000000002", "05"},
        {"4000000000009995", "51"},
        {"4000000000009987", "41"},
        {"4000000000009979", "43"},
        {"4000000000006975", "61"},
        {"4000000000000069", "54"},
        {"4000000000000127", "82"},
        {"4000000000000119", "96"},
    };
    std::uint32_t stan = 0;
    for (auto const& row : kRows) {
        auto const reply = bank.authorise_with(row.pan, ++stan);
        CHECK(reply.outcome == Outcome::declined);
        CHECK(reply.response_code == row.code);
        CHECK(reply.authorization_code.empty());
    }
    auto const reply = bank.authorise(++stan);
    CHECK(reply.outcome == Outcome::approved);
    CHECK(reply.authorization_code.size() == 6);
    CHECK(bank.counts().authorisations == 1);
}

TEST_CASE("repeats get the first answer and book nothing, also after the bank restarts") {
    TempDir dir;
    std::string code;
    {
        BankRig bank{dir.path()};
        code = bank.authorise(1).authorization_code;
        CHECK(bank.capture(2, eur(4000), 1, code).outcome == Outcome::approved);
        CHECK(bank.capture(2, eur(4000), 1, code, true).outcome == Outcome::approved);
        CHECK(bank.counts().captures == 1);
    }
    BankRig bank{dir.path()};
    auto const again = bank.capture(2, eur(4000), 1, code, true);
    CHECK(again.outcome == Outcome::approved);
    CHECK(again.approved == eur(4000));
    CHECK(again.authorization_code == code);
    // The same authorisation message again is no second authorisation.
    CHECK(bank.authorise(1).authorization_code == code);
    CHECK(bank.refund(3, eur(1000), 2).outcome == Outcome::approved);
    CHECK(bank.refund(3, eur(1000), 2, true).outcome == Outcome::approved);
    // The same identity for another amount is not answered for.
    CHECK(bank.refund(3, eur(999), 2, true).response_code == "94");
    CHECK(bank.counts().authorisations == 1);
    CHECK(bank.counts().captures == 1);
    CHECK(bank.counts().refunds == 1);
}

TEST_CASE("a capture needs its authorisation, its code and enough of its amount") {
    TempDir dir;
    BankRig bank{dir.path()};
    auto const code = bank.authorise(1).authorization_code;
    CHECK(bank.capture(2, eur(100), 9, code).response_code == "25");
    CHECK(bank.capture(3, eur(100), 1, "WRONG1").response_code == "25");
    CHECK(bank.capture(4, eur(4501), 1, code).response_code == "13");
    CHECK(
        bank.capture(5, Money{100, *Currency::from_alphabetic("USD")}, 1, code).response_code ==
        "13"
    );
    CHECK(bank.capture(6, eur(4000), 1, code).response_code == "00");
    CHECK(bank.capture(7, eur(501), 1, code).response_code == "13");
    CHECK(bank.capture(8, eur(500), 1, code).response_code == "00");
    CHECK(bank.refund(9, eur(4501), 8).response_code == "13");
    CHECK(bank.refund(10, eur(4500), 8).response_code == "00");
    CHECK(bank.refund(11, eur(1), 6).response_code == "13");
    CHECK(bank.refund(12, eur(1), 77).response_code == "25");
    CHECK(bank.reverse(13, 1).response_code == "12");  // captured: too late
    CHECK(bank.counts().captures == 2);
}

TEST_CASE("a reversal finds its authorisation or says that it does not know it") {
    TempDir dir;
    BankRig bank{dir.path()};
    auto const code = bank.authorise(1).authorization_code;
    CHECK(bank.reverse(2, 1).outcome == Outcome::approved);
    CHECK(bank.reverse(2, 1, true).outcome == Outcome::approved);
    CHECK(bank.reverse(3, 1).outcome == Outcome::approved);
    CHECK(bank.capture(4, eur(100), 1, code).response_code == "12");
    CHECK(bank.counts().authorisations == 0);

    auto const unknown = bank.reverse(5, 6);
    CHECK(unknown.outcome == Outcome::unknown);
    CHECK(unknown.response_code == "25");
    // It comes after its reversal: refused, and a repeat of the reversal still finds nothing.
    CHECK(bank.authorise(6).response_code == "94");
    CHECK(bank.reverse(5, 6, true).response_code == "25");
    CHECK(bank.reverse(7, 6).response_code == "25");
    CHECK(bank.counts().authorisations == 0);
    CHECK(bank.counts().refused_after_reversal == 1);
    CHECK(bank.counts().reversals == 2);
}

TEST_CASE("a partial reversal leaves what stays authorised") {
    TempDir dir;
    BankRig bank{dir.path()};
    auto const code = bank.authorise(1).authorization_code;
    CHECK(bank.reverse(2, 1, false, eur(4500)).response_code == "13");
    CHECK(bank.reverse(3, 1, false, eur(1000)).response_code == "00");
    CHECK(bank.capture(4, eur(1001), 1, code).response_code == "13");
    CHECK(bank.capture(5, eur(1000), 1, code).response_code == "00");
}

TEST_CASE("a silent bank has booked, and says so when it is asked again") {
    TempDir dir;
    BankRig bank{dir.path(), 40};
    auto const code = bank.authorise(1).authorization_code;
    bank.command(R"({"silence":true,"match":{"mti":"0220","amount_minor":4000,"currency":"EUR"}})");
    CHECK(bank.capture(2, eur(4000), 1, code).outcome == Outcome::unknown);
    CHECK(bank.capture(2, eur(4000), 1, code, true).outcome == Outcome::approved);
    CHECK(bank.capture(3, eur(100), 1, code).outcome == Outcome::approved);
    CHECK(bank.counts().captures == 2);
}

TEST_CASE("a lost authorisation is not found by its reversal") {
    TempDir dir;
    BankRig bank{dir.path(), 40};
    bank.command(R"({"lose":1,"times":1})");
    CHECK(bank.authorise(1).outcome == Outcome::unknown);
    CHECK(bank.reverse(2, 1).response_code == "25");
}

TEST_CASE("an authorisation that the bank decides late is refused after its reversal") {
    TempDir dir;
    BankRig bank{dir.path(), 40};
    bank.command(R"({"delay_ms":150,"match":{"mti":"0100"}})");
    CHECK(bank.authorise(1).outcome == Outcome::unknown);
    CHECK(bank.reverse(2, 1).response_code == "25");
    REQUIRE(eventually([&] { return bank.sink.replies().size() == 1; }));
    CHECK(bank.sink.replies()[0].reply.response_code == "94");
    CHECK(bank.counts().refused_after_reversal == 1);
}

TEST_CASE("a late approval reaches the sink, and its reversal finds it") {
    TempDir dir;
    BankRig bank{dir.path(), 40};
    bank.command(R"({"late_ms":120,"match":{"mti":"0100","pan_suffix":"4242"},"times":1})");
    CHECK(bank.authorise(1).outcome == Outcome::unknown);
    CHECK(bank.reverse(2, 1).outcome == Outcome::approved);
    REQUIRE(eventually([&] { return bank.sink.replies().size() == 1; }));
    CHECK(bank.sink.replies()[0].reply.outcome == Outcome::approved);
    CHECK(bank.sink.replies()[0].stan == 1);
}

TEST_CASE("the other faults: duplicate, decline, partial approval, disconnect") {
    TempDir dir;
    BankRig bank{dir.path()};
    bank.command(R"({"duplicate":1,"match":{"mti":"0100"},"times":1})");
    CHECK(bank.authorise(1).outcome == Outcome::approved);
    CHECK(eventually([&] { return bank.connector->links()[0].counters.duplicate == 1; }));

    bank.command(R"({"decline":"91","times":1})");
    CHECK(bank.authorise(2).response_code == "91");

    bank.command(R"({"partial_minor":3000,"times":1})");
    auto const partial = bank.authorise(3);
    CHECK(partial.outcome == Outcome::approved);
    CHECK(partial.approved == eur(3000));
    CHECK(bank.authorise(3).approved == eur(3000));

    bank.command(R"({"disconnect":true,"times":1})");
    CHECK(bank.authorise(4).outcome == Outcome::unknown);
    REQUIRE(bank.is_ready());
    CHECK(bank.reverse(5, 4).outcome == Outcome::approved);
    CHECK(bank.counts().authorisations == 2);
}

TEST_CASE("the dice of a seed fall alike") {
    auto const run = [](char const* rule) {
        banksim::Faults faults;
        REQUIRE(faults.add(rule));
        std::string fates;
        Message const message{"0100"};
        for (int i = 0; i < 64; ++i) {
            fates += faults.fate_of(message).is_silent ? 'x' : '.';
        }
        return fates;
    };
    auto const first = run(R"({"silence":0.5,"seed":7})");
    CHECK(first == run(R"({"silence":0.5,"seed":7})"));
    CHECK(first != run(R"({"silence":0.5,"seed":8})"));
    CHECK(first.find('x') != std::string::npos);
    CHECK(first.find('.') != std::string::npos);
    CHECK(run(R"({"silence":0})") == std::string(64, '.'));
    CHECK(run(R"({"silence":true,"match":{"mti":"0800"}})") == std::string(64, '.'));
}

TEST_CASE("what is no fault rule is refused with a reason") {
    banksim::Faults faults;
    for (char const* const rule :
         {"",
          "[]",
          "{\"silent\":true}",
          "{\"silence\":2}",
          "{\"silence\":\"yes\"}",
          "{\"delay_ms\":-1}",
          "{\"delay_ms\":1.5}",
          "{\"times\":0}",
          "{\"decline\":\"5\"}",
          "{\"decline\":5}",
          "{\"match\":1}",
          "{\"match\":{\"pan\":\"1\"}}",
          "{\"match\":{\"currency\":\"ZZZ\"}}"}) {
        CAPTURE(rule);
        auto const added = faults.add(rule);
        REQUIRE_FALSE(added);
        CHECK(added.error().code == Errc::malformed);
    }
    CHECK(faults.size() == 0);
    CHECK(faults.load("/nonexistent/faults").error().code == Errc::io);
}

namespace {

MacOptions mac_options(crypto::MacAlgorithm algorithm, bool is_exchanged) {
    MacOptions options{.algorithm = algorithm, .key = {}, .key_encryption_key = {}};
    (is_exchanged ? options.key_encryption_key : options.key) =
        KeyBytes{*from_hex("0123456789abcdeffedcba9876543210")};
    return options;
}

}  // namespace

TEST_CASE("a payment goes through in every packaging, with and without MACs") {
    for (auto const* const name : {"1987_ascii", "1987_bcd", "1987_ebcdic", "1993_ascii"}) {
        for (auto const& mac :
             {MacOptions{},
              mac_options(crypto::MacAlgorithm::aes_cmac, false),
              mac_options(crypto::MacAlgorithm::tdes_cmac, true),
              mac_options(crypto::MacAlgorithm::x919, true)}) {
            CAPTURE(name);
            TempDir dir;
            BankRig bank{dir.path(), 10'000, packaging_of(name), mac};
            auto const approved = bank.authorise(1);
            CHECK(approved.outcome == Outcome::approved);
            CHECK(approved.network_transaction_id == "BS11241304000001");
            auto const& code = approved.authorization_code;
            CHECK(bank.capture(2, eur(4000), 1, code).outcome == Outcome::approved);
            CHECK(bank.capture(2, eur(4000), 1, code, true).outcome == Outcome::approved);
            CHECK(bank.refund(3, eur(1000), 2).outcome == Outcome::approved);
            CHECK(bank.authorise(4).outcome == Outcome::approved);
            CHECK(bank.reverse(5, 4, false, eur(500)).outcome == Outcome::approved);
            CHECK(bank.reverse(6, 4).outcome == Outcome::approved);
            CHECK(bank.reverse(7, 99).outcome == Outcome::unknown);
            CHECK(bank.authorise_with("4000000000009995", 8).outcome == Outcome::declined);
            CHECK(bank.counts().authorisations == 1);
            CHECK(bank.counts().captures == 1);
            CHECK(bank.counts().refunds == 1);
            CHECK(bank.connector->links()[0].counters.bad_mac == 0);
        }
    }
}

TEST_CASE("the bank changes the key while payments are under way") {
    for (auto const* const name : {"1987_ascii", "1993_ascii"}) {
        TempDir dir;
        auto const mac = mac_options(crypto::MacAlgorithm::aes_cmac, true);
        BankRig bank{dir.path(), 10'000, packaging_of(name), mac};
        // Decided and sealed now, sent when another key is in force.
        REQUIRE(
            bank.command(R"({"late_ms":200,"match":{"mti":"0100"},"times":1})").find("true") !=
            std::string::npos
        );
        auto late = bank.callers.spawn(bank.connector->authorise(authorise_request(1)));
        REQUIRE(eventually([&] { return bank.counts().authorisations == 1; }));
        for (std::uint32_t stan = 2; stan <= 20; ++stan) {
            CHECK(bank.loop.call([&] { return bank.host->change_keys(); }) == 1);
            CHECK(bank.authorise(stan).outcome == Outcome::approved);
        }
        CHECK(bank.counts().authorisations == 20);
        // Eight keys are kept: this one is too old.
        REQUIRE(eventually([&] { return bank.connector->links()[0].counters.bad_mac == 1; }));
        CHECK(late.wait_for(std::chrono::milliseconds{0}) == std::future_status::timeout);
    }
}

TEST_CASE("an answer with a wrong MAC leaves the payment unknown, and its reversal finds it") {
    TempDir dir;
    BankRig bank{
        dir.path(), 200, default_packaging(), mac_options(crypto::MacAlgorithm::x919, false)
    };
    REQUIRE(
        bank.command(R"({"break_mac":true,"match":{"mti":"0100"},"times":1})").find("true") !=
        std::string::npos
    );
    CHECK(bank.authorise(1).outcome == Outcome::unknown);
    CHECK(bank.connector->links()[0].counters.bad_mac == 1);
    CHECK(bank.counts().authorisations == 1);
    CHECK(bank.reverse(2, 1).outcome == Outcome::approved);
    CHECK(bank.counts().authorisations == 0);
    CHECK(bank.authorise(3).outcome == Outcome::approved);
}

TEST_CASE("a link with another key gets no answer to its sign-on") {
    TempDir dir;
    BankRig bank{
        dir.path(), 200, default_packaging(), mac_options(crypto::MacAlgorithm::aes_cmac, false)
    };
    Iso8583Options options{.id = ConnectorId{"stranger"}};
    options.link.host = "127.0.0.1";
    options.link.port = bank.port;
    options.link.network_timeout_ms = 100;
    options.link.mac = mac_options(crypto::MacAlgorithm::tdes_cmac, false);
    Iso8583Connector stranger{bank.home.executor(), options, bank.sink, bank.clock};
    stranger.start();
    CHECK(eventually([&] { return stranger.links()[0].counters.disconnected >= 1; }));
    CHECK(stranger.links()[0].counters.signed_on == 0);
    bank.callers.spawn(stranger.stop()).get();
}
