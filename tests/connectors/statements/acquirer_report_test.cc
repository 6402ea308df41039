#include "connectors/statements/acquirer_report.h"

#include "tests/connectors/statements/sink.h"

#include <doctest/doctest.h>

#include <sstream>

using namespace florin;
using namespace florin::connectors::statements;
using namespace florin::connectors::statements::test;

namespace {

Result<void> read(std::string const& text, StatementSink& sink) {
    std::istringstream in{text};
    return read_acquirer_report(in, sink);
}

std::string const kCapture =
    "D,banksim-2026-11-24-EUR,capture,4500,45.00,22,0.22,EUR,000018,632913000018,A00001,"
    "************4242,1124130405,2026-11-24,TERM0001\n";
std::string const kSums = "S,banksim-2026-11-24-EUR,EUR,4,4500,500,1000,122,2878\n";

}  // namespace

TEST_CASE("the acquirer's report is read as the golden file says") {
    Recorder sink;
    auto const done = read(sample("acquirer_report.csv"), sink);
    CHECK_MESSAGE(done, (done ? "" : to_string(done.error())));
    CHECK(sink.text == sample("acquirer_report.golden"));
}

TEST_CASE("a report of a day without transactions is sound") {
    Recorder sink;
    auto text = sample("acquirer_report.csv");
    text.resize(text.find("\nD,") + 1);
    REQUIRE(read(text + "T,0,0\n", sink));
    CHECK(sink.lines.empty());
    CHECK(sink.heads.size() == 1);
}

TEST_CASE("an acquirer's report that does not agree with itself is refused whole") {
    struct Case {
        std::string from, to;
        Errc code;
        std::string_view says;
    };
    auto const later = Errc::unsupported;
    auto const bad = Errc::malformed;
    Case const cases[] = {
        {"H,florin-acquirer-report,1", "H,other,1", bad, "line 1: format: not a florin"},
        {"report,1,", "report,2,", later, "line 1: version: '2' is not 1"},
        {",banksim,2026-11-24\n", ",banksim,2026-11-24,x\n", bad, "line 1: cells: a line of 6"},
        {",banksim,2026", ",bank sim,2026", bad, "line 1: acquirer"},
        {",banksim,2026", ",banksimbanksimbanksim,2026", bad, "line 1: acquirer"},
        {",banksim,2026-11-24", ",banksim,2026-02-29", bad, "line 1: business_date: '2026-02-29'"},
        {"C,payout", "X,payout", bad, "line 2: first cell: 'X' is not C"},
        {"amount_minor,amount", "amount,amount_minor", later, "line 2: amount_minor: 'amount'"},
        {",terminal\n", "\n", bad, "line 2: cells: a line of 14"},
        {"D,banksim-2026-11-24-EUR,capture",
         "D,other-2026-11-24-EUR,capture",
         bad,
         "line 3: payout_reference: 'other-2026-11-24-EUR' is not banksim-2026-11-24-EUR"},
        {"D,banksim-2026-11-24-EUR,capture",
         "D,banksim-2026-11-25-EUR,capture",
         bad,
         "line 3: payout_reference"},
        {"D,banksim-2026-11-24-EUR,capture",
         "D,banksim-2026-11-24-JPY,capture",
         bad,
         "line 3: payout_reference"},
        {"EUR,capture", "EUR,sale", bad, "line 3: type: 'sale'"},
        {"EUR,capture", "EUR,entry", bad, "line 3: type: 'entry'"},
        {"capture,4500,45.00",
         "capture,4500,45.01",
         bad,
         "line 3: amount: '45.01' where amount_minor says 45.00"},
        {"capture,4500,45.00", "capture,4500,45", bad, "line 3: amount: '45'"},
        {"capture,4500,", "capture,-4500,", bad, "line 3: amount_minor: '-4500'"},
        {"capture,4500,", "capture,04500,", bad, "line 3: amount_minor: '04500'"},
        {"capture,4500,", "capture,+4500,", bad, "line 3: amount_minor"},
        {"capture,4500,", "capture,9223372036854775808,", bad, "line 3: amount_minor"},
        {",22,0.22,", ",22,0.2,", bad, "line 3: fee: '0.2'"},
        {"refund,500,5.00,0,0.00", "refund,500,5.00,1,0.01", bad, "line 4: fee_minor"},
        {"0.22,EUR", "0.22,eur", bad, "line 3: currency: 'eur'"},
        {"0.22,EUR", "0.22,XYZ", bad, "line 3: currency: 'XYZ'"},
        {"EUR,000018", "EUR,00018", bad, "line 3: stan: '00018'"},
        {"EUR,000018", "EUR,", bad, "line 3: stan: ''"},
        {"000018,632913000018", "000018,6329130000181", bad, "line 3: rrn"},
        {"000018,632913000018", "000018,", bad, "line 3: rrn"},
        {"A00001", "A000011", bad, "line 3: authorization_code"},
        {"************4242", "4242424242424242", bad, "line 3: pan: not a masked card number"},
        {"************4242", "***********24242", bad, "line 3: pan: not a masked card number"},
        {"************4242", "424242******4242", bad, "line 3: pan: not a masked card number"},
        {"1124130405", "1324130405", bad, "line 3: transmission_time: '1324130405'"},
        {"1124130405", "1124240405", bad, "line 3: transmission_time"},
        {"1124130405,2026-11-24", "1124130405,2026-11-25", bad, "line 3: business_date"},
        {"TERM0001", "TERM00011", bad, "line 3: terminal"},
        {"TERM0001", "TERM\x01", bad, "line 3: terminal: 'TERM?'"},
        {"TERM0001", "TERM,001", bad, "line 3: cells: a line of 16"},
        {"EUR,,,,,,2026-11-24,\n", "EUR,000021,,,,,2026-11-24,\n", bad, "line 7: stan: a fee"},
        {"S,banksim", "D,banksim", bad, "line 8: cells"},
    };
    for (auto const& each : cases) {
        CAPTURE(each.from);
        CAPTURE(each.to);
        Recorder sink;
        auto const done = read(with(sample("acquirer_report.csv"), each.from, each.to), sink);
        REQUIRE_FALSE(done);
        CHECK(done.error().code == each.code);
        CHECK_MESSAGE(
            done.error().context.find(each.says) != std::string::npos, done.error().context
        );
        CHECK(sink.text.find("end ") == std::string::npos);
        CHECK(done.error().context.find("4242") == std::string::npos);
    }
}

TEST_CASE("counts and sums of an acquirer's report are those of its lines") {
    struct Case {
        std::string from, to;
        std::string_view says;
    };
    Case const cases[] = {
        {"EUR,4,4500,500,1000,122,2878",
         "EUR,5,4500,500,1000,122,2878",
         "line 8: lines: '5' where there are 4"},
        {"EUR,4,4500,", "EUR,4,4501,", "line 8: captures: '4501' where the lines have 4500"},
        {",4500,500,1000", ",4500,501,1000", "line 8: refunds"},
        {",500,1000,122", ",500,1001,122", "line 8: chargebacks"},
        {",1000,122,2878", ",1000,121,2878", "line 8: fees"},
        {"122,2878", "122,2879", "line 8: net: '2879' where the lines have 2878"},
        {"122,2878", "122,2878,0", "line 8: cells"},
        {kSums, "", "line 9: S lines: none for banksim-2026-11-24-EUR"},
        {kSums, kSums + kSums, "line 9: payout_reference: it has an S line already"},
        {kSums, kSums + kCapture, "line 9: first cell: a D line stands after an S line"},
        {"S,banksim-2026-11-24-EUR,EUR",
         "S,banksim-2026-11-24-USD,USD",
         "line 8: payout_reference: no D line"},
        {"S,banksim-2026-11-24-EUR,EUR",
         "S,banksim-2026-11-24-EUR,USD",
         "line 8: payout_reference: 'banksim-2026-11-24-EUR' is not"},
        {kCapture, "", "line 7: lines: '4' where there are 3"},
        {kCapture, kCapture + kCapture, "line 9: lines: '4' where there are 5"},
        {"T,5,2", "T,6,2", "line 10: D lines: '6' where there are 5"},
        {"T,5,2", "T,5,1", "line 10: S lines: '1' where there are 2"},
        {"T,5,2", "T,5", "line 10: cells"},
        {"T,5,2\n", "T,5,2", "line 10: end: the file ends inside a line"},
        {"T,5,2\n", "", "line 10: end: the file ends before the T line"},
        {"T,5,2\n", "T,5,2\n\n", "line 11: first cell: the file goes on"},
        {"T,5,2\n", "T,5,2\r\n", "line 10: S lines: '2?'"},
        {"T,5,2\n", "\nT,5,2\n", "line 10: first cell: '' is not D, S or T"},
    };
    for (auto const& each : cases) {
        CAPTURE(each.to);
        Recorder sink;
        auto const done = read(with(sample("acquirer_report.csv"), each.from, each.to), sink);
        REQUIRE_FALSE(done);
        CHECK(done.error().code == Errc::malformed);
        CHECK_MESSAGE(
            done.error().context.find(each.says) != std::string::npos, done.error().context
        );
        CHECK(sink.text.find("end ") == std::string::npos);
    }
}

TEST_CASE("an acquirer's report cut anywhere is refused") {
    auto const whole = sample("acquirer_report.csv");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Recorder sink;
        CHECK_FALSE(read(whole.substr(0, size), sink));
    }
}

TEST_CASE("a line without end does not fill the memory") {
    Recorder sink;
    auto const done =
        read(with(sample("acquirer_report.csv"), "TERM0001", std::string(100'000, 'x')), sink);
    REQUIRE_FALSE(done);
    CHECK(done.error().context == "line 3: end: a line of more than 1024 bytes");
}

TEST_CASE("sums of amounts that do not fit are refused") {
    Recorder sink;
    auto text = with(
        sample("acquirer_report.csv"), "4500,45.00", "9223372036854775807,92233720368547758.07"
    );
    auto const first = text.find("D,");
    auto const line = text.substr(first, text.find('\n', first) + 1 - first);
    auto const twice = read(text.insert(first, line), sink);
    REQUIRE_FALSE(twice);
    CHECK(twice.error().code == Errc::out_of_range);
    CHECK(twice.error().context == "line 4: amount_minor: the sum is too large");
}

TEST_CASE("what a sink refuses is what the reader answers") {
    struct Refuser final : StatementSink {
        Result<void> begin(StatementHead const&) override { return {}; }
        Result<void> line(StatementLine line) override {
            return line.number == 2 ? fail(Errc::conflict, "no more") : Result<void>{};
        }
        Result<void> end(StatementHead const&) override { return {}; }
    } sink;
    auto const done = read(sample("acquirer_report.csv"), sink);
    REQUIRE_FALSE(done);
    CHECK(to_string(done.error()) == "conflict: no more");
}
