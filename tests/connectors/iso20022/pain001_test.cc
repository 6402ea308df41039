#include "connectors/iso20022/pain001.h"

#include "tests/connectors/iso20022/sample.h"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <iterator>

using namespace florin;
using namespace florin::connectors::iso20022;
using namespace florin::connectors::iso20022::test;

namespace {

std::string golden() {
    std::ifstream file{
        FLORIN_SOURCE_DIR "/tests/connectors/iso20022/pain001.golden.xml", std::ios::binary
    };
    return {std::istreambuf_iterator<char>{file}, {}};
}

bool holds(std::string const& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
}

std::string repeated(std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

}  // namespace

TEST_CASE("a payout file is the golden one, byte by byte, each time") {
    auto const first = write_pain001(sample());
    REQUIRE(first);
    CHECK(*first == golden());
    CHECK(write_pain001(sample()) == *first);
}

TEST_CASE("counts and sums are exact at both levels, over currencies of different decimals") {
    auto initiation = sample();
    auto const document = write_pain001(initiation);
    REQUIRE(document);
    // 3978.00 + 0.05 EUR, 1.250 KWD.
    CHECK(holds(*document, "<NbOfTxs>3</NbOfTxs>\n      <CtrlSum>3979.300</CtrlSum>"));
    CHECK(holds(*document, "<NbOfTxs>2</NbOfTxs>\n      <CtrlSum>3978.05</CtrlSum>"));
    CHECK(holds(*document, "<NbOfTxs>1</NbOfTxs>\n      <CtrlSum>1.250</CtrlSum>"));

    initiation.groups.pop_back();
    auto& group = initiation.groups[0];
    group.currency = *Currency::from_alphabetic("JPY");
    group.transfers[0].amount = money(999'999'999'999'999'000, "JPY");
    group.transfers[1].amount = money(999, "JPY");
    auto const yen = write_pain001(initiation);
    REQUIRE(yen);
    CHECK(holds(*yen, "<CtrlSum>999999999999999999</CtrlSum>"));
    group.transfers[1].amount = money(1'000, "JPY");
    auto const more = write_pain001(initiation);
    REQUIRE_FALSE(more);
    CHECK(
        to_string(more.error()) ==
        "out_of_range: groups[0].transfers: the sum has more than 18 digits"
    );
}

TEST_CASE("names and remittance information may have any character that XML has, to the bound") {
    auto initiation = sample();
    auto& transfer = initiation.groups[0].transfers[0];
    transfer.creditor_name = repeated("ü", 140);
    transfer.remittance = repeated("𝄞", 140);
    initiation.initiating_party = "]]> & ' \" <b>";
    auto const document = write_pain001(initiation);
    REQUIRE(document);
    CHECK(holds(*document, repeated("ü", 140)));
    CHECK(holds(*document, "]]&gt; &amp; ' \" &lt;b&gt;"));
}

TEST_CASE("what may not stand in a field is refused by the field's name") {
    using Change = std::function<void(CreditTransferInitiation&)>;
    struct Case {
        Change change;
        Errc code;
        std::string_view says;
    };
    auto const id = [](std::string text) {
        return [text](CreditTransferInitiation& all) {
            all.groups[0].transfers[1].end_to_end_id = text;
        };
    };
    auto const name = [](std::string text) {
        return [text](CreditTransferInitiation& all) {
            all.groups[1].transfers[0].creditor_name = text;
        };
    };
    auto const uetr = [](std::string text) {
        return [text](CreditTransferInitiation& all) { all.groups[0].transfers[1].uetr = text; };
    };
    auto const amount = [](Money money) {
        return
            [money](CreditTransferInitiation& all) { all.groups[0].transfers[1].amount = money; };
    };
    auto const created = [](std::string text) {
        return [text](CreditTransferInitiation& all) { all.created = text; };
    };
    auto const bad = Errc::malformed;
    auto const range = Errc::out_of_range;
    using All = CreditTransferInitiation;
    Case const cases[] = {
        {[](All& all) { all.message_id = ""; }, range, "message_id: 1 to 35"},
        {[](All& all) { all.message_id = std::string(36, 'x'); }, range, "message_id: 1 to 35"},
        {[](All& all) { all.message_id = "a_b"; }, bad, "message_id: a character outside"},
        {[](All& all) { all.initiating_party = ""; }, range, "initiating_party: 1 to 140"},
        {[](All& all) { all.groups.clear(); }, bad, "groups: there are none"},
        {[](All& all) { all.groups[1].transfers.clear(); }, bad, "groups[1].transfers: there are"},
        {[](All& all) { all.groups[1].payment_information_id = "/x"; },
         bad,
         "groups[1].payment_information_id: a slash"},
        {[](All& all) {
             all.groups[1].payment_information_id = all.groups[0].payment_information_id;
         },
         Errc::conflict,
         "groups[1].payment_information_id: another group has it"},
        {[](All& all) { all.groups[0].requested_execution_date = "2026-02-30"; },
         bad,
         "groups[0].requested_execution_date: not a date"},
        {[](All& all) { all.groups[0].requested_execution_date = "2026-11-25T"; },
         bad,
         "groups[0].requested_execution_date"},
        {[](All& all) { all.groups[0].debtor_name = "a\nb"; }, bad, "groups[0].debtor_name: not"},
        {[](All& all) { all.groups[0].debtor_iban = "DE03120300000000202051"; },
         bad,
         "groups[0].debtor_iban: not an IBAN"},
        {[](All& all) { all.groups[0].transfers[1].creditor_iban = ""; },
         bad,
         "groups[0].transfers[1].creditor_iban: not an IBAN"},
        {[](All& all) { all.groups[0].transfers[0].instruction_id = "a//b"; },
         bad,
         "groups[0].transfers[0].instruction_id: a slash at an end or two"},
        {[](All& all) { all.groups[0].transfers[0].remittance = repeated("ü", 141); },
         range,
         "groups[0].transfers[0].remittance: 1 to 140"},
        {[](All& all) { all.groups[1].currency = *Currency::from_alphabetic("USD"); },
         Errc::conflict,
         "groups[1].transfers[0].amount: in KWD in a group in USD"},
        {id(""), range, "groups[0].transfers[1].end_to_end_id: 1 to 35"},
        {id(std::string(36, '1')), range, "end_to_end_id: 1 to 35"},
        {id("PO-ü"), bad, "end_to_end_id: a character outside the SEPA Latin set"},
        {id("a&b"), bad, "end_to_end_id: a character outside"},
        {id("a\tb"), bad, "end_to_end_id: a character outside"},
        {id(" a"), bad, "end_to_end_id: a blank at an end"},
        {id("a/"), bad, "end_to_end_id: a slash"},
        {id("PO-000003"), Errc::conflict, "groups[1].transfers[0].end_to_end_id: another"},
        {uetr(""), bad, "groups[0].transfers[1].uetr: not a version 4 UUID"},
        {uetr("6F2C2F58-6f0f-4e5d-9f1a-0d5f3f9d2b12"), bad, "uetr: not"},
        {uetr("6f2c2f58-6f0f-1e5d-9f1a-0d5f3f9d2b12"), bad, "uetr: not"},
        {uetr("6f2c2f58-6f0f-4e5d-7f1a-0d5f3f9d2b12"), bad, "uetr: not"},
        {uetr("6f2c2f58-6f0f-4e5d-9f1a-0d5f3f9d2b12 "), bad, "uetr: not"},
        {uetr("6f2c2f58-6f0f-4e5d-8f1a-0d5f3f9d2b11"),
         Errc::conflict,
         "groups[0].transfers[1].uetr: another transfer has it"},
        {amount(money(0, "EUR")), range, "groups[0].transfers[1].amount: not above zero"},
        {amount(money(-1, "EUR")), range, "amount: not above zero"},
        {amount(money(1'000'000'000'000'000'000, "EUR")), range, "amount: more than 18 digits"},
        {amount(money(5, "USD")), Errc::conflict, "amount: in USD in a group in EUR"},
        {name(""), range, "groups[1].transfers[0].creditor_name: 1 to 140"},
        {name(std::string(141, 'x')), range, "creditor_name: 1 to 140"},
        {name("a\x01"), bad, "creditor_name: not UTF-8 text"},
        {name(std::string("a\0b", 3)), bad, "creditor_name: not UTF-8 text"},
        {name("a\x7f"), bad, "creditor_name: not UTF-8 text"},
        {name("\xff"), bad, "creditor_name: not UTF-8 text"},
        {name("\xc3"), bad, "creditor_name: not UTF-8 text"},
        {name("\xc0\xaf"), bad, "creditor_name: not UTF-8 text"},
        {name("\xe0\x80\xaf"), bad, "creditor_name: not UTF-8 text"},
        {name("\xed\xa0\x80"), bad, "creditor_name: not UTF-8 text"},
        {name("\xef\xbf\xbe"), bad, "creditor_name: not UTF-8 text"},
        {name("\xf4\x90\x80\x80"), bad, "creditor_name: not UTF-8 text"},
        {created(""), bad, "created: not an ISO date and time"},
        {created("2026-11-24"), bad, "created"},
        {created("2026-11-24 18:30:00"), bad, "created"},
        {created("2026-11-24T24:00:00"), bad, "created"},
        {created("2026-11-24T18:30:60"), bad, "created"},
        {created("2026-11-24T18:30:00+1:00"), bad, "created"},
        {created("2026-11-24T18:30:00Zx"), bad, "created"},
    };
    for (auto const& each : cases) {
        CAPTURE(each.says);
        auto initiation = sample();
        each.change(initiation);
        auto const document = write_pain001(initiation);
        REQUIRE_FALSE(document);
        CHECK(document.error().code == each.code);
        CHECK_MESSAGE(holds(document.error().context, each.says), document.error().context);
    }
}

TEST_CASE("a time of creation may have a zone or none") {
    for (auto const* const text :
         {"2026-11-24T18:30:00", "2026-11-24T18:30:00Z", "2026-11-24T18:30:00+01:00"}) {
        auto initiation = sample();
        initiation.created = text;
        CHECK(write_pain001(initiation));
    }
}
