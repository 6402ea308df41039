// Payment files at the simulated bank: executed once, refused whole, seen on its statement. The
// files are written by our writer and the statements read by our reader.
#include "connectors/statements/reader.h"
#include "tests/connectors/iso20022/sample.h"
#include "tests/connectors/statements/sink.h"
#include "tests/tools/banksim/bank_rig.h"
#include "tools/banksim/payment_file.h"
#include "tools/banksim/reports.h"

#include <fstream>
#include <sstream>

using namespace florin;
using namespace florin::banksim;
using namespace florin::banksim::test;
namespace iso20022 = florin::connectors::iso20022;
namespace statements = florin::connectors::statements;
using statements::test::with;

namespace {

// A clock that tests move on by days.
class DayClock final : public Clock {
public:
    std::uint64_t wall_ns() const override {
        return 1'795'525'445'000'000'000 + day * 86'400'000'000'000;
    }
    std::uint64_t steady_ns() const override { return 0; }
    std::uint64_t day = 0;  // 0: 2026-11-24
};

// A book without a port.
struct Branch {
    Branch() {
        auto opened = Book::open(dir.path(), BookOptions{.fee_basis_points = 50}, clock);
        REQUIRE(opened);
        book.emplace(std::move(*opened));
    }
    std::string command(std::string const& line) { return control(line, *book, faults); }
    std::string collect_text(std::string const& text) {
        auto const path = dir.path() + "/payments.xml";
        std::ofstream{path, std::ios::binary} << text;
        return command(R"({"collect":")" + path + "\"}");
    }
    // The statement of a date, as our reader understands it.
    std::string statement(std::string const& date) {
        auto const bytes = camt053(*book, date);
        REQUIRE_MESSAGE(bytes, to_string(bytes.error()));
        REQUIRE(statements::recognise(*bytes) == statements::Format::camt053);
        std::istringstream in{*bytes};
        statements::test::Recorder sink;
        auto const done = statements::read_statement(in, statements::Format::camt053, sink);
        CHECK_MESSAGE(done, (done ? "" : to_string(done.error())));
        return sink.text;
    }

    TempDir dir;
    DayClock clock;
    Faults faults;
    std::optional<Book> book;
};

std::string payments() {
    return *iso20022::write_pain001(iso20022::test::sample());
}

std::string const kDone =
    R"({"already":false,"message_id":"PAYOUT-2026-11-24/1","ok":true,"transfers":3})"
    "\n";
std::string const kAgain =
    R"({"already":true,"message_id":"PAYOUT-2026-11-24/1","ok":true,"transfers":3})"
    "\n";

}  // namespace

TEST_CASE("a payment file is read as it was meant") {
    auto const file = parse_payment_file(payments());
    REQUIRE_MESSAGE(file, to_string(file.error()));
    auto const meant = iso20022::test::sample();
    CHECK(file->message_id == meant.message_id);
    REQUIRE(file->orders.size() == 3);
    std::size_t at = 0;
    for (auto const& group : meant.groups) {
        for (auto const& transfer : group.transfers) {
            auto const& order = file->orders[at++];
            CHECK(order.payment_information_id == group.payment_information_id);
            CHECK(order.end_to_end_id == transfer.end_to_end_id);
            CHECK(order.amount == transfer.amount);
            CHECK(order.creditor_name == transfer.creditor_name);
            CHECK(order.creditor_iban == transfer.creditor_iban);
            CHECK(order.remittance == transfer.remittance);
        }
    }
}

TEST_CASE("a transfer is on the statement of its day, also in a currency that only pays out") {
    Branch bank;
    CHECK(bank.collect_text(payments()) == kDone);
    CHECK(
        bank.statement("2026-11-24") ==
        "begin bank DE02120300000000202051 banksim-2026-11-24-EUR EUR 2026-11-24 "
        "opening=0.00 EUR closing=-3978.05 EUR\n"
        "1 entry -3978.00 EUR ref=PO-000001 booked=2026-11-24 value=2026-11-24 bank=TRANSFER-1 "
        "entry=TRANSFER-1 name=Café \"Zur Post\" account=DE89370400440532013000 "
        "text=Settlement of 2026-11-23, 45 payments\n"
        "2 entry -0.05 EUR ref=PO-000002 booked=2026-11-24 value=2026-11-24 bank=TRANSFER-2 "
        "entry=TRANSFER-2 name=Bookshop Ltd account=GB29NWBK60161331926819\n"
        "end banksim-2026-11-24-EUR\n"
        "begin bank DE02120300000000202051 banksim-2026-11-24-KWD KWD 2026-11-24 "
        "opening=0.000 KWD closing=-1.250 KWD\n"
        "3 entry -1.250 KWD ref=PO-000003 booked=2026-11-24 value=2026-11-24 bank=TRANSFER-3 "
        "entry=TRANSFER-3 name=متجر account=KW81CBKU0000000000001234560101 "
        "text=Settlement of 2026-11-23\n"
        "end banksim-2026-11-24-KWD\n"
    );
    CHECK(holds(bank.command(R"({"counts":true})"), R"("transfers":3)"));
    // The acquirer's report is about cards.
    CHECK(holds(*transaction_report(*bank.book, "2026-11-24"), "\nT,0,0\n"));
}

TEST_CASE("a payment file is executed once, however often it is collected") {
    Branch bank;
    CHECK(bank.collect_text(payments()) == kDone);
    auto const first = bank.statement("2026-11-24");
    CHECK(bank.collect_text(payments()) == kAgain);
    bank.clock.day = 1;
    CHECK(bank.collect_text(payments()) == kAgain);
    CHECK(bank.statement("2026-11-24") == first);
    CHECK(holds(bank.statement("2026-11-25"), "opening=-3978.05 EUR closing=-3978.05 EUR"));
    CHECK(holds(bank.command(R"({"counts":true})"), R"("transfers":3)"));
    // The same message id with other transfers is another file, and refused.
    auto other = iso20022::test::sample();
    other.groups[0].transfers[1].amount.minor = 6;
    CHECK(holds(
        bank.collect_text(*iso20022::write_pain001(other)),
        "conflict: another payment file had the MsgId PAYOUT-2026-11-24/1"
    ));
    other.groups.pop_back();
    CHECK(holds(bank.collect_text(*iso20022::write_pain001(other)), "conflict"));
    CHECK(holds(bank.command(R"({"counts":true})"), R"("transfers":3)"));
    // The same transfers in another message are others.
    auto next = iso20022::test::sample();
    next.message_id = "PAYOUT-2026-11-25/1";
    CHECK(holds(bank.collect_text(*iso20022::write_pain001(next)), R"("already":false)"));
    CHECK(holds(bank.statement("2026-11-25"), "opening=-3978.05 EUR closing=-7956.10 EUR"));
}

TEST_CASE("a transfer that came back is a credit of the same name, once") {
    Branch bank;
    CHECK(bank.collect_text(payments()) == kDone);
    auto const paid = bank.statement("2026-11-24");
    auto const back = R"({"return":{"end_to_end_id":"PO-000001"}})";
    bank.clock.day = 2;
    CHECK(bank.command(back) == "{\"already\":false,\"ok\":true}\n");
    bank.clock.day = 3;
    CHECK(bank.command(back) == "{\"already\":true,\"ok\":true}\n");
    CHECK(holds(bank.command(R"({"return":{"end_to_end_id":"PO-9"}})"), "not_found"));
    CHECK(holds(bank.command(R"({"return":{}})"), "not_found"));
    CHECK(bank.statement("2026-11-24") == paid);
    CHECK(holds(bank.statement("2026-11-25"), "opening=-3978.05 EUR closing=-3978.05 EUR"));
    CHECK(holds(
        bank.statement("2026-11-26"),
        "opening=-3978.05 EUR closing=-0.05 EUR\n"
        "1 entry 3978.00 EUR reversal ref=PO-000001 booked=2026-11-26 value=2026-11-26 "
        "bank=RETURN-1 entry=RETURN-1 name=Café \"Zur Post\" account=DE89370400440532013000 "
    ));
    CHECK(holds(bank.statement("2026-11-27"), "opening=-0.05 EUR closing=-0.05 EUR"));
    CHECK(holds(bank.command(R"({"counts":true})"), R"("returns":1)"));
}

TEST_CASE("a transfer that comes back on its own day leaves two lines") {
    Branch bank;
    CHECK(bank.collect_text(payments()) == kDone);
    CHECK(holds(bank.command(R"({"return":{"end_to_end_id":"PO-000003"}})"), "\"ok\":true"));
    auto const text = bank.statement("2026-11-24");
    CHECK(holds(text, "opening=0.000 KWD closing=0.000 KWD"));
    CHECK(holds(text, "3 entry -1.250 KWD ref=PO-000003"));
    CHECK(holds(text, "4 entry 1.250 KWD reversal ref=PO-000003"));
}

TEST_CASE("card payouts and transfers share the account") {
    TempDir dir;
    BankRig bank{dir.path()};
    auto const code = bank.authorise(1).authorization_code;
    REQUIRE(bank.capture(2, eur(4500), 1, code).outcome == Outcome::approved);
    auto const path = dir.path() + "/payments.xml";
    std::ofstream{path, std::ios::binary} << payments();
    CHECK(bank.command(R"({"collect":")" + path + "\"}") == kDone);
    bank.loop.call([&] {
        std::istringstream in{*camt053(*bank.book, "2026-11-24")};
        statements::test::Recorder sink;
        REQUIRE(statements::read_statement(in, statements::Format::camt053, sink));
        CHECK(holds(sink.text, "opening=0.00 EUR closing=-3933.27 EUR\n1 entry 44.78 EUR"));

        // What both papers say, and what the book has.
        std::istringstream report{*transaction_report(*bank.book, "2026-11-24")};
        statements::test::Recorder lines;
        REQUIRE(statements::read_statement(report, statements::Format::acquirer_report, lines));
        auto const entries = bank.book->entries("2026-11-24");
        REQUIRE(entries->size() == lines.lines.size());
        for (std::size_t i = 0; i < entries->size(); ++i) {
            auto const& entry = (*entries)[i];
            auto const& line = lines.lines[i];
            CHECK(line.amount == entry.amount);
            CHECK(line.fee_minor == entry.fee.minor);
            CHECK(line.stan == entry.stan);
            CHECK(line.rrn == entry.rrn);
            CHECK(line.reference == sink.lines[0].reference);
        }
    });
}

TEST_CASE("a payment file that is wrong anywhere is refused whole") {
    struct Case {
        std::string from, to;
        std::string_view says;
    };
    std::string const head = "<NbOfTxs>3</NbOfTxs>";
    Case const cases[] = {
        {"<NbOfTxs>3<", "<NbOfTxs>4<", "GrpHdr/NbOfTxs says 4, there are 3"},
        {"<NbOfTxs>3<", "<NbOfTxs>x<", "GrpHdr/NbOfTxs says x"},
        {head, "", "no NbOfTxs in GrpHdr"},
        {head, head + head, "more than one NbOfTxs in GrpHdr"},
        {">3979.300<", ">3979.301<", "GrpHdr/CtrlSum says 3979.301"},
        {">3979.300<", ">-3979.300<", "GrpHdr/CtrlSum"},
        {">3979.300<", ">.<", "GrpHdr/CtrlSum"},
        {">3979.300<", ">1e3<", "GrpHdr/CtrlSum"},
        {"<NbOfTxs>2<", "<NbOfTxs>1<", "PmtInf/NbOfTxs says 1, there are 2"},
        {">3978.05<", ">3978.06<", "PmtInf/CtrlSum says 3978.06"},
        {">3978.00<", ">3978.01<", "PmtInf/CtrlSum says 3978.05"},
        {">0.05<", ">0<", "InstdAmt of PO-000002 is not an amount above zero"},
        {">0.05<", ">-0.05<", "InstdAmt of PO-000002"},
        {">0.05<", ">0.055<", "InstdAmt of PO-000002"},
        {">0.05<", "><x/><", "InstdAmt is not a text"},
        {R"(Ccy="EUR">0.05)", R"(Ccy="USD">0.05)", "PO-000002 is not in the currency"},
        {R"(Ccy="EUR">0.05)", R"(Ccy="EURO">0.05)", "InstdAmt of PO-000002 has no currency"},
        {"pain.001.001.09", "pain.001.001.03", "unsupported"},
        {"<IBAN>DE02120300000000202051<",
         "<IBAN>DE89370400440532013000<",
         "refused: payment file: the debtor's account is not of this bank"},
        {"<MsgId>PAYOUT-2026-11-24/1<", "<MsgId><", "MsgId is not a text of 1 to 35"},
        {"<EndToEndId>PO-000002<", "<EndToEndId>PO-000001<", "two transfers have the EndToEndId"},
        {"<EndToEndId>PO-000002</EndToEndId>", "", "no EndToEndId in PmtId"},
        {"<EndToEndId>PO-000002<", "<EndToEndId>PO\t2<", "control characters"},
        {"<PmtMtd>TRF<", "<PmtMtd>CHK<", "PmtMtd CHK is not TRF"},
        {"<Nm>Bookshop Ltd</Nm>", "", "no Nm in Cdtr"},
        {"<IBAN>GB29NWBK60161331926819</IBAN>", "<Othr><Id>1</Id></Othr>", "no IBAN in Id"},
        {"<Document", "<!DOCTYPE Document [<!ENTITY a \"b\">]><Document", "document type"},
        {"</CstmrCdtTrfInitn>", "", "not well-formed"},
        {"</Document>", "</Document><Document/>", "more than one Document"},
        {"<CstmrCdtTrfInitn>", "<CstmrCdtTrfInitn><GrpHdr/>", "more than one GrpHdr"},
    };
    Branch bank;
    for (auto const& each : cases) {
        CAPTURE(each.from);
        CAPTURE(each.to);
        auto const answer = bank.collect_text(with(payments(), each.from, each.to));
        CHECK_MESSAGE(holds(answer, "\"ok\":false"), answer);
        CHECK_MESSAGE(holds(answer, each.says), answer);
        CHECK(holds(bank.command(R"({"counts":true})"), R"("transfers":0)"));
    }
    CHECK(holds(bank.collect_text(""), "not well-formed"));
    CHECK(holds(bank.command(R"({"collect":"/nonexistent"})"), "cannot read /nonexistent"));
    CHECK(holds(bank.command(R"({"collect":7})"), "\"ok\":false"));
    CHECK(holds(bank.collect_text(std::string(17 << 20, ' ')), "more than 16 MiB"));
}
