// Totals at the cut-over: the messages of both versions in every packaging, and what answers mean.
#include "connectors/iso8583/totals.h"
#include "tests/connectors/iso8583_rig.h"

#include <doctest/doctest.h>

#include <string>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

Totals some_totals() {
    Totals totals;
    totals.debits_number = 3;
    totals.debits_amount = 12'345;
    totals.credits_number = 1;
    totals.credits_amount = 345;
    return totals;
}

TotalsRequest a_request(bool is_advice = false, bool repeat = false) {
    return {
        .identity = identity(17),
        .date = "2026-11-23",
        .currency = *Currency::from_alphabetic("EUR"),
        .totals = some_totals(),
        .is_advice = is_advice,
        .repeat = repeat,
    };
}

Iso8583Options options_with(std::string const& packaging) {
    Iso8583Options options{.id = ConnectorId{"bank"}};
    options.link.packaging = packaging_of(packaging);
    options.acquirer_id = "123456";
    return options;
}

// As the other side reads it.
Message sent(TotalsRequest const& request, Iso8583Options const& options) {
    auto const message = totals_message(request, options, kNow);
    REQUIRE_MESSAGE(message, (message ? "" : message.error().context));
    auto const bytes = encode(*message, options.link.packaging);
    REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().context));
    auto const decoded = decode(*bytes, options.link.packaging);
    REQUIRE(decoded);
    return *decoded;
}

void check_totals(Message const& message) {
    CHECK(message.get(7) == "1124130405");
    CHECK(message.get(11) == "000017");
    CHECK(message.get(32) == "123456");
    CHECK(message.get(37) == "632913000017");
    CHECK(message.get(50) == "978");
    CHECK(message.get(74) == "0000000001");
    CHECK(message.get(75) == "0000000000");
    CHECK(message.get(76) == "0000000003");
    CHECK(message.get(77) == "0000000000");
    CHECK(message.get(86) == "0000000000000345");
    CHECK(message.get(87) == "0000000000000000");
    CHECK(message.get(88) == "0000000000012345");
    CHECK(message.get(89) == "0000000000000000");
    CHECK(message.get(97) == "D0000000000012000");
    // What belongs to one payment or one terminal.
    for (int const field : {2, 3, 4, 41, 42, 49}) {
        CHECK_FALSE(message.has(field));
    }
}

// The answer with the request's own totals.
Message answer_to(Message const& request) {
    auto answer = request;
    answer.set_mti(answer_mti(request.mti()));
    return answer;
}

}  // namespace

TEST_CASE("totals of 1987, in every packaging") {
    for (char const* const packaging : {"1987_ascii", "1987_bcd", "1987_ebcdic"}) {
        CAPTURE(packaging);
        auto const options = options_with(packaging);
        auto const message = sent(a_request(), options);
        CHECK(message.mti() == "0500");
        CHECK(message.get(15) == "1123");
        CHECK_FALSE(message.has(12));
        CHECK_FALSE(message.has(28));
        CHECK_FALSE(message.has(66));
        check_totals(message);
    }
}

TEST_CASE("totals of 1993") {
    auto const options = options_with("1993_ascii");
    auto const message = sent(a_request(), options);
    CHECK(message.mti() == "1500");
    CHECK(message.get(12) == "261124130405");
    CHECK(message.get(24) == "502");
    CHECK(message.get(28) == "261123");
    CHECK_FALSE(message.has(15));
    check_totals(message);
}

TEST_CASE("a repeat is the same message under another MTI") {
    for (char const* const packaging : {"1987_bcd", "1993_ascii"}) {
        auto const options = options_with(packaging);
        std::string const version = options.link.packaging.version == "1993" ? "1" : "0";
        for (bool const is_advice : {false, true}) {
            auto first = sent(a_request(is_advice), options);
            auto const again = sent(a_request(is_advice, true), options);
            CHECK(first.mti() == version + (is_advice ? "520" : "500"));
            CHECK(again.mti() == version + (is_advice ? "521" : "501"));
            CHECK(answer_mti(again.mti()) == answer_mti(first.mti()));
            first.set_mti(again.mti());
            CHECK(first == again);
        }
    }
}

TEST_CASE("the net has the sign of what exceeds") {
    auto const options = options_with("1987_ascii");
    struct Row {
        std::int64_t debits, credits;
        char const* net;
    };
    constexpr Row kRows[] = {
        {12'345, 345, "D0000000000012000"},
        {345, 12'345, "C0000000000012000"},
        {345, 345, "C0000000000000000"},
        {9'999'999'999'999'999, 0, "D9999999999999999"},
    };
    for (Row const& row : kRows) {
        auto request = a_request();
        request.totals.debits_amount = row.debits;
        request.totals.credits_amount = row.credits;
        CHECK(sent(request, options).get(97) == row.net);
    }
}

TEST_CASE("what the fields cannot hold is not sent") {
    auto const options = options_with("1987_ascii");
    auto const refusal = [&](auto change) {
        auto request = a_request();
        change(request);
        auto const message = totals_message(request, options, kNow);
        auto const bytes = message ? encode(*message, options.link.packaging)
                                   : Result<std::string>{std::unexpected{message.error()}};
        REQUIRE_FALSE(bytes);
        return bytes.error().code;
    };
    auto const out_of_range = Errc::out_of_range;
    CHECK(refusal([](auto& it) {
              it.totals.debits_amount = 10'000'000'000'012'345;
          }) == out_of_range);
    CHECK(refusal([](auto& it) {
              it.totals.debits_amount = it.totals.credits_amount = 10'000'000'000'000'000;
          }) == out_of_range);
    CHECK(refusal([](auto& it) { it.totals.credits_number = 10'000'000'000; }) == out_of_range);
    CHECK(refusal([](auto& it) { it.totals.debits_amount = -1; }) == out_of_range);
    CHECK(refusal([](auto& it) { it.date = "20261123"; }) == Errc::malformed);
    CHECK(refusal([](auto& it) { it.date = "2026-11-2x"; }) == Errc::malformed);
}

TEST_CASE("a bank may have fewer digits: its packaging says so") {
    auto options = options_with("1987_ascii");
    for (int const field : {86, 87, 88, 89}) {
        options.link.packaging.fields[static_cast<std::size_t>(field)]->length = 15;
    }
    auto const request = a_request();
    auto const message = sent(request, options);
    CHECK(message.get(88) == "000000000012345");
    auto answer = answer_to(message);
    answer.set(66, "1");
    auto const reply = totals_reply_of(answer, request, options.link.packaging);
    CHECK(reply.totals == said(request.totals));
}

TEST_CASE("what an answer claims is told by field 66 of 1987 and field 39 of 1993") {
    struct Row {
        char const* packaging;
        bool is_advice;
        char const* settlement_code;  // field 66; empty: absent
        char const* response;         // field 39; empty: absent
        BalanceClaim claim;
    };
    constexpr Row kRows[] = {
        {"1987_ascii", false, "1", "", BalanceClaim::in_balance},
        {"1987_ascii", false, "1", "00", BalanceClaim::in_balance},
        {"1987_ascii", true, "2", "", BalanceClaim::out_of_balance},
        {"1987_ascii", false, "2", "95", BalanceClaim::out_of_balance},
        {"1987_ascii", false, "", "95", BalanceClaim::out_of_balance},
        {"1987_ascii", true, "", "00", BalanceClaim::none},
        {"1987_ascii", true, "", "", BalanceClaim::none},
        {"1987_ascii", false, "0", "", BalanceClaim::refused},
        {"1987_ascii", false, "3", "00", BalanceClaim::refused},
        {"1987_ascii", false, "", "40", BalanceClaim::refused},
        {"1993_ascii", false, "", "500", BalanceClaim::in_balance},
        {"1993_ascii", true, "", "501", BalanceClaim::out_of_balance},
        {"1993_ascii", false, "", "502", BalanceClaim::none},
        {"1993_ascii", false, "", "504", BalanceClaim::none},
        {"1993_ascii", false, "", "503", BalanceClaim::refused},
        {"1993_ascii", true, "", "900", BalanceClaim::none},
        {"1993_ascii", false, "", "900", BalanceClaim::refused},
        {"1993_ascii", false, "", "904", BalanceClaim::refused},
        {"1993_ascii", false, "", "", BalanceClaim::refused},
    };
    for (Row const& row : kRows) {
        CAPTURE(row.packaging);
        CAPTURE(row.settlement_code);
        CAPTURE(row.response);
        auto const options = options_with(row.packaging);
        auto const request = a_request(row.is_advice);
        auto answer = answer_to(sent(request, options));
        std::string code;
        for (auto const& [field, value] :
             {std::pair{39, row.response}, {66, row.settlement_code}}) {
            if (*value != '\0') {
                answer.set(field, value);
                code = value;
            }
        }
        auto const reply = totals_reply_of(answer, request, options.link.packaging);
        CHECK(reply.end == TotalsReply::End::answered);
        CHECK(reply.claim == row.claim);
        CHECK(reply.code == code);
        CHECK(reply.totals == said(some_totals()));
    }
}

TEST_CASE("an answer about another date or currency compares nothing") {
    for (auto const& [packaging, field, value] :
         {std::tuple{"1987_ascii", 15, "1124"},
          {"1993_ascii", 28, "251123"},
          {"1987_bcd", 50, "840"}}) {
        CAPTURE(packaging);
        auto const options = options_with(packaging);
        auto answer = answer_to(sent(a_request(), options));
        answer.set(66, "1");
        answer.set(39, "500");
        answer.set(field, value);
        auto const reply = totals_reply_of(answer, a_request(), options.link.packaging);
        CHECK(reply.claim == BalanceClaim::refused);
        CHECK(reply.totals.empty());
        CHECK_FALSE(reply.detail.empty());
    }
}

TEST_CASE("a net credit is read as it was written, and what is left out stays out") {
    auto const options = options_with("1987_ascii");
    auto answer = answer_to(sent(a_request(), options));
    answer.set(97, "C0000000000000055");
    answer.erase(74);
    answer.erase(89);
    auto const reply = totals_reply_of(answer, a_request(), options.link.packaging);
    CHECK(reply.totals.at("net") == -55);
    CHECK_FALSE(reply.totals.contains("credits_number"));
    CHECK_FALSE(reply.totals.contains("debits_reversal_amount"));
    CHECK(reply.totals.size() == 7);
}

TEST_CASE("who says that it is in balance has to show it") {
    using enum TotalsResult;
    Totals const ours = some_totals();
    struct Row {
        char const* what;
        BalanceClaim claim;
        SaidTotals theirs;
        TotalsResult result;
        std::vector<std::string> differing;
    };
    SaidTotals const equal = said(ours);
    auto const with = [&](std::string const& name, std::int64_t value) {
        SaidTotals changed = equal;
        changed[name] = value;
        return changed;
    };
    SaidTotals const debits{{"debits_number", 3}, {"debits_amount", 12'345}};
    SaidTotals without_zeros;
    for (auto const& [name, value] : equal) {
        if (value != 0) {
            without_zeros[name] = value;
        }
    }
    std::vector<Row> const rows{
        {"equal", BalanceClaim::in_balance, equal, in_balance, {}},
        {"equal, and nothing claimed", BalanceClaim::none, equal, in_balance, {}},
        {"equal, zeros left out", BalanceClaim::in_balance, without_zeros, in_balance, {}},
        {"equal, but it says no", BalanceClaim::out_of_balance, equal, out_of_balance, {}},
        {"a claim and another amount",
         BalanceClaim::in_balance,
         with("debits_amount", 12'346),
         out_of_balance,
         {"debits_amount"}},
        {"a reversal that we do not know",
         BalanceClaim::in_balance,
         with("credits_reversal_number", 1),
         out_of_balance,
         {"credits_reversal_number"}},
        {"only the net", BalanceClaim::none, with("net", -12'000), out_of_balance, {"net"}},
        {"a claim without numbers", BalanceClaim::in_balance, {}, unconfirmed, {}},
        {"a part of the numbers", BalanceClaim::in_balance, debits, unconfirmed, {}},
        {"a word without numbers", BalanceClaim::out_of_balance, {}, out_of_balance, {}},
        {"taken", BalanceClaim::none, {}, unconfirmed, {}},
        {"not taken", BalanceClaim::refused, {}, refused, {}},
        {"not taken, with numbers", BalanceClaim::refused, with("net", 1), refused, {}},
    };
    for (Row const& row : rows) {
        CAPTURE(row.what);
        auto const verdict = judge(ours, row.theirs, row.claim);
        CHECK(verdict.result == row.result);
        CHECK(verdict.differing == row.differing);
    }
    // Nothing on either side is only a balance where the other side says so in numbers.
    CHECK(judge(Totals{}, {}, BalanceClaim::in_balance).result == unconfirmed);
    CHECK(judge(Totals{}, said(Totals{}), BalanceClaim::none).result == in_balance);
}

TEST_CASE("what was reversed counts against its side in the net") {
    Totals totals = some_totals();
    totals.debits_reversal_amount = 45;
    totals.credits_reversal_amount = 5;
    CHECK(totals.net() == 12'345 - 45 - 345 + 5);
}
