// What ISO 8583:1993 says elsewhere than ISO 8583:1987.
#include "connectors/iso8583/connector.h"
#include "connectors/iso8583/dialect.h"
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

Packaging of_1993() {
    return packaging_of("1993_ascii");
}

Iso8583Options options_of_1993() {
    Iso8583Options options{.id = ConnectorId{"bank"}};
    options.link.packaging = of_1993();
    options.acquirer_id = "123456";
    return options;
}

// Every message must fit the packaging that it is for.
Message sendable(Result<Message> const& message, Iso8583Options const& options) {
    REQUIRE_MESSAGE(message, (message ? "" : message.error().context));
    auto const bytes = encode(*message, options.link.packaging);
    REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().context));
    auto const decoded = decode(*bytes, options.link.packaging);
    REQUIRE(decoded);
    return *decoded;
}

}  // namespace

TEST_CASE("an authorisation of 1993 has its fields where 1993 has them") {
    auto const options = options_of_1993();
    auto request = authorise_request(17);
    auto const message = sendable(authorise_message(request, options, kNow), options);
    CHECK(message.mti() == "1100");
    CHECK(message.get(3) == "000000");
    CHECK(message.get(4) == "000000004500");
    CHECK(message.get(7) == "1124130405");
    CHECK(message.get(12) == "261124130405");
    CHECK_FALSE(message.has(13));
    CHECK_FALSE(message.has(18));
    CHECK(message.get(22) == "100010100110");
    CHECK(message.get(24) == "100");
    CHECK_FALSE(message.has(25));
    CHECK(message.get(26) == "5999");
    CHECK(message.get(43) == terminal().name_location);
    CHECK(message.get(48) == "9203123");
    request.is_mail_or_telephone = true;
    CHECK(sendable(authorise_message(request, options, kNow), options).get(22) == "100020100110");
}

TEST_CASE("captures and refunds of 1993 name their original in field 56") {
    auto const options = options_of_1993();
    CaptureRequest capture{
        .identity = identity(18),
        .amount = eur(4000),
        .card = card(),
        .terminal = terminal(),
        .original = original(17, "0100", "A1B2C3"),
    };
    auto first = sendable(capture_message(capture, options, kNow), options);
    CHECK(first.mti() == "1220");
    CHECK(first.get(38) == "A1B2C3");
    CHECK(first.get(24) == "201");
    CHECK(first.get(56) == "110000001726112413040506123456");
    CHECK_FALSE(first.has(90));
    capture.original.approved = eur(4000);
    CHECK(sendable(capture_message(capture, options, kNow), options) == first);
    capture.original.approved = eur(4500);
    capture.repeat = true;
    auto const repeat = sendable(capture_message(capture, options, kNow), options);
    CHECK(repeat.mti() == "1221");
    CHECK(repeat.get(24) == "202");
    CHECK(repeat.get(30) == "000000004500000000000000");

    RefundRequest const refund{
        .identity = identity(20),
        .amount = eur(100),
        .card = card(),
        .terminal = terminal(),
        .original = original(18, "0220", "A1B2C3"),
    };
    auto const refunding = sendable(refund_message(refund, options, kNow), options);
    CHECK(refunding.mti() == "1200");
    CHECK(refunding.get(3) == "200000");
    CHECK(refunding.get(24) == "200");
    CHECK(refunding.get(56).substr(0, 10) == "1220000018");
}

TEST_CASE("a reversal of 1993 says why in field 25 and what was in field 30") {
    auto const options = options_of_1993();
    ReverseRequest reverse{
        .identity = identity(19),
        .amount = eur(4500),
        .remaining = eur(1000),
        .card = card(),
        .terminal = terminal(),
        .original = original(17, "0100"),
        .reason = ReversalReason::cancelled,
        .repeat = true,
    };
    auto const part = sendable(reverse_message(reverse, options, kNow), options);
    CHECK(part.mti() == "1421");
    CHECK(part.get(24) == "401");
    CHECK(part.get(25) == "4000");
    CHECK(part.get(4) == "000000001000");
    CHECK(part.get(30) == "000000004500000000000000");
    CHECK_FALSE(part.has(39));
    CHECK_FALSE(part.has(95));
    reverse.remaining.reset();
    reverse.reason = ReversalReason::no_answer;
    auto const whole = sendable(reverse_message(reverse, options, kNow), options);
    CHECK(whole.get(24) == "400");
    CHECK(whole.get(25) == "4021");
    CHECK(whole.get(4) == "000000004500");
    CHECK_FALSE(whole.has(30));
}

TEST_CASE("network management is 0800 with field 70, and 1804 with field 24") {
    struct Row {
        NetworkCode code;
        char const* of_1987;
        char const* of_1993;
    };
    constexpr Row kRows[] = {
        {NetworkCode::sign_on, "001", "801"},
        {NetworkCode::sign_off, "002", "802"},
        {NetworkCode::key_exchange, "101", "811"},
        {NetworkCode::echo, "301", "831"},
    };
    Dialect const& old = dialect_of(default_packaging());
    Dialect const& later = dialect_of(of_1993());
    for (auto const& row : kRows) {
        auto const before = old.network_request(row.code, "1124130405", kNow);
        CHECK(before.mti() == "0800");
        CHECK(before.get(70) == row.of_1987);
        CHECK(old.network_code(before) == row.code);
        auto const after = later.network_request(row.code, "1124130405", kNow);
        CHECK(after.mti() == "1804");
        CHECK(after.get(24) == row.of_1993);
        CHECK(after.get(12) == "261124130405");
        CHECK(later.network_code(after) == row.code);
        CHECK_FALSE(later.network_code(before));
    }
}

TEST_CASE("an approval counts only for the kind of message that it belongs to") {
    struct Row {
        char const* mti;
        char const* code;
        Outcome outcome;
    };
    constexpr Row kRows[] = {
        {"1110", "000", Outcome::approved},
        {"1110", "400", Outcome::unknown},
        {"1230", "901", Outcome::approved},
        {"1230", "000", Outcome::approved},
        {"1230", "900", Outcome::unknown},
        {"1110", "901", Outcome::unknown},
        {"1210", "901", Outcome::unknown},
        {"1430", "400", Outcome::approved},
        {"1430", "000", Outcome::unknown},
        {"1430", "901", Outcome::unknown},
        {"1430", "914", Outcome::unknown},
        {"1110", "800", Outcome::unknown},
        {"1110", "00", Outcome::unknown},  // no field 39 of 1993
        {"1110", "116", Outcome::declined},
    };
    for (auto const& row : kRows) {
        CAPTURE(row.mti);
        CAPTURE(row.code);
        Message answer{row.mti};
        answer.set(39, row.code);
        CHECK(reply_of(answer, std::nullopt, of_1993()).outcome == row.outcome);
    }
    Message answer{"0110"};
    answer.set(39, "000");
    CHECK(reply_of(answer, std::nullopt, default_packaging()).outcome == Outcome::unknown);
}

TEST_CASE("a partial approval of 1993 is what field 4 says") {
    Message answer{"1110"};
    answer.set(39, "002");
    answer.set(4, "000000003000");
    answer.set(49, "978");
    auto const reply = reply_of(answer, eur(4500), of_1993());
    CHECK(reply.outcome == Outcome::approved);
    CHECK(reply.approved == eur(3000));
}

TEST_CASE("only an authorisation is approved in part, and only a whole reversal is one") {
    struct Row {
        std::string_view mti, code;
        std::int64_t amount;  // of field 4; 0: without
        Outcome outcome;
    };
    constexpr Row kRows[] = {
        {"0110", "10", 3000, Outcome::approved},
        {"0110", "10", 0, Outcome::unknown},
        {"0110", "10", 4501, Outcome::unknown},
        {"0210", "10", 3000, Outcome::unknown},
        {"0230", "10", 3000, Outcome::unknown},
        {"0230", "10", 4500, Outcome::unknown},
        {"0230", "00", 0, Outcome::approved},
        {"0430", "00", 0, Outcome::approved},
        {"0430", "00", 4500, Outcome::approved},
        {"0430", "00", 100, Outcome::unknown},
        {"0430", "10", 100, Outcome::unknown},
        {"0430", "08", 0, Outcome::unknown},
        {"0430", "11", 0, Outcome::unknown},
        {"0430", "16", 0, Outcome::unknown},
        {"0430", "05", 0, Outcome::declined},
    };
    for (auto const& row : kRows) {
        CAPTURE(row.mti);
        CAPTURE(row.code);
        CAPTURE(row.amount);
        Message answer{std::string{row.mti}};
        answer.set(39, row.code);
        if (row.amount != 0) {
            REQUIRE(answer.set_amount(eur(row.amount)).has_value());
        }
        CHECK(reply_of(answer, eur(4500), default_packaging()).outcome == row.outcome);
    }
}

TEST_CASE("what comes late is held against what was asked for when that is known") {
    Message answer{"0110"};
    answer.set(39, "10");
    auto without = reply_of(answer, std::nullopt, default_packaging());
    CHECK(without.outcome == Outcome::approved);
    hold_against(without, eur(4500), true);
    CHECK(without.outcome == Outcome::unknown);  // a part, and not how large
    answer.set(4, "000000003000");
    auto part = reply_of(answer, std::nullopt, default_packaging());
    hold_against(part, eur(4500), true);
    CHECK(part.outcome == Outcome::approved);
    CHECK(part.approved == eur(3000));
    hold_against(part, eur(4500), true);  // and once more
    CHECK(part.approved == eur(3000));
    answer.set(39, "00");
    auto other = reply_of(answer, std::nullopt, default_packaging());
    hold_against(other, eur(4500), true);
    CHECK(other.outcome == Outcome::unknown);
    CHECK(other.approves_otherwise);
    CHECK_FALSE(part.approves_otherwise);
    CHECK_FALSE(other.approved);
    answer.set(4, "000000004500");
    answer.set(49, "840");
    auto foreign = reply_of(answer, std::nullopt, default_packaging());
    hold_against(foreign, eur(4500), true);
    CHECK(foreign.outcome == Outcome::unknown);
}

TEST_CASE("the year of a time without one is the nearest") {
    CHECK(year_near("1124130405", kNow) == "26");
    CHECK(year_near("0101000000", kNow) == "27");  // in five weeks, not eleven months ago
    CHECK(year_near("0601000000", kNow) == "26");
    constexpr std::int64_t kNewYear = 1'798'761'600;  // 2027-01-01T00:00:00Z
    CHECK(year_near("1231235959", kNewYear) == "26");
    CHECK(year_near("0101000000", kNewYear) == "27");
    CHECK(year_near("0229120000", 1'835'438'400) == "28");  // 2028-02-29T12:00:00Z
    CHECK(year_near("0229120000", kNow) == "00");           // 2025, 2026 and 2027 have none
    CHECK(year_near("", kNow) == "00");
    CHECK(year_near("1332999999", kNow) == "00");
}
