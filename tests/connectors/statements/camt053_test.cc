#include "connectors/statements/camt053.h"

#include "tests/connectors/statements/sink.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <streambuf>

using namespace florin;
using namespace florin::connectors::statements;
using namespace florin::connectors::statements::test;

namespace {

Result<void> read(std::string const& text, StatementSink& sink, Camt053Limits const& limits = {}) {
    std::istringstream in{text};
    return read_camt053(in, sink, limits);
}

// The reading must fail with that code, and say that.
void check_refused(
    std::string const& text, Errc code, std::string_view says, Camt053Limits const& limits = {}
) {
    Recorder sink;
    auto const done = read(text, sink, limits);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == code);
    CHECK_MESSAGE(done.error().context.find(says) != std::string::npos, done.error().context);
}

std::string const kBatch = "camt053_v02_batch.xml";
std::string const kTwo = "camt053_v04_two_accounts.xml";

// A statement of any length that is never there as a whole.
class Endless final : public std::streambuf {
public:
    explicit Endless(std::uint64_t entries) : left_{entries} {
        piece_ = R"(<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.04"><BkToCstmrStmt>
<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-25T02:00:00Z</CreDtTm></GrpHdr><Stmt><Id>1</Id>
<CreDtTm>2026-11-25T02:00:00Z</CreDtTm><Acct><Id><IBAN>DE02120300000000202051</IBAN></Id></Acct>
)";
        bytes_ = piece_.size();
        setg(piece_.data(), piece_.data(), piece_.data() + piece_.size());
    }
    std::uint64_t bytes() const { return bytes_; }

protected:
    int_type underflow() override {
        if (is_ended_) {
            return traits_type::eof();
        }
        piece_ = left_ == 0 ? "</Stmt></BkToCstmrStmt></Document>\n" : kEntry;
        is_ended_ = left_ == 0;
        left_ -= left_ == 0 ? 0 : 1;
        bytes_ += piece_.size();
        setg(piece_.data(), piece_.data(), piece_.data() + piece_.size());
        return traits_type::to_int_type(piece_[0]);
    }

private:
    static constexpr char const* kEntry =
        R"(<Ntry><NtryRef>1</NtryRef><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<Sts>BOOK</Sts><BookgDt><Dt>2026-11-24</Dt></BookgDt><ValDt><Dt>2026-11-24</Dt></ValDt>
<AcctSvcrRef>BANK-1</AcctSvcrRef><BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>
<NtryDtls><TxDtls><Refs><EndToEndId>E2E-1</EndToEndId></Refs><Amt Ccy="EUR">12.34</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><RltdPties><Dbtr><Nm>Somebody &amp; Sons</Nm></Dbtr></RltdPties>
<RmtInf><Ustrd>Invoice 4711 of 2026-11-20</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
)";
    std::string piece_;
    std::uint64_t left_;
    std::uint64_t bytes_ = 0;
    bool is_ended_ = false;
};

// Kilobytes of memory that the process has at this moment: "VmRSS:    1234 kB".
std::uint64_t resident_kib() {
    std::ifstream status{"/proc/self/status"};
    std::string word;
    while (status >> word) {
        if (word == "VmRSS:") {
            std::uint64_t kib = 0;
            status >> kib;
            return kib;
        }
    }
    return 0;
}

}  // namespace

TEST_CASE("statements are read as the golden files say") {
    for (std::string const name :
         {"camt053_v02_batch", "camt053_v04_two_accounts", "camt053_v08_prefixed"}) {
        CAPTURE(name);
        Recorder sink;
        auto const done = read(sample(name + ".xml"), sink);
        CHECK_MESSAGE(done, (done ? "" : to_string(done.error())));
        CHECK(sink.text == sample(name + ".golden"));
    }
}

TEST_CASE("every version from 02 to 08 reads alike, no other is read") {
    for (std::string const version : {"02", "03", "04", "05", "06", "07", "08"}) {
        CAPTURE(version);
        Recorder sink;
        CHECK(read(with(sample(kTwo), "camt.053.001.04", "camt.053.001." + version), sink));
        CHECK(sink.text == sample("camt053_v04_two_accounts.golden"));
    }
    for (std::string const version : {"01", "09", "12", "4", "004", ""}) {
        CAPTURE(version);
        check_refused(
            with(sample(kTwo), "camt.053.001.04", "camt.053.001." + version),
            Errc::unsupported,
            "camt.053.001." + version + " is not one of .02 to .08"
        );
    }
    check_refused(
        with(sample(kTwo), "camt.053", "camt.052"), Errc::unsupported, "is not a camt.053 document"
    );
    check_refused(
        "<Document xmlns='urn:x'/>", Errc::unsupported, "line 1: 'Document' of namespace 'urn:x'"
    );
    check_refused("<html/>", Errc::unsupported, "'html' of namespace ''");
}

TEST_CASE("statements that contradict themselves or break their form are refused") {
    struct Case {
        std::string from, to;
        std::string_view says;
    };
    std::string const stmt = "Document/BkToCstmrStmt/Stmt";
    Case const cases[] = {
        {">240.50<",
         ">240.51<",
         "Stmt: opening balance and booked entries make 240.50 EUR, the closing balance is 240.51"},
        {"<CdtDbtInd>DBIT</CdtDbtInd>\n        <Dt><Dt>2026-11-23",
         "<CdtDbtInd>CRDT</CdtDbtInd>\n        <Dt><Dt>2026-11-23",
         "make 260.50 EUR"},
        {"<Sts>PDNG</Sts>", "<Sts>BOOK</Sts>", "make 1240.49 EUR"},
        {"<Sts>PDNG</Sts>", "<Sts>OTHR</Sts>", "Stmt/Ntry: Sts 'OTHR' is not known"},
        {"<Sts>PDNG</Sts>", "", "Stmt/Ntry: an entry without Amt, CdtDbtInd or Sts"},
        {R"(<Amt Ccy="EUR">300.5</Amt>)", "", "an entry without Amt, CdtDbtInd or Sts"},
        {R"(<Amt Ccy="EUR">300.5<)",
         R"(<Amt Ccy="EUR">300.505<)",
         "Stmt/Ntry/Amt: '300.505' is not an amount in EUR"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt Ccy="EUR">-300.5<)", "Ntry/Amt: '-300.5'"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt Ccy="EUR">3e2<)", "Ntry/Amt: '3e2'"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt Ccy="EUR">300,5<)", "Ntry/Amt: '300,5'"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt Ccy="EUR"><)", "Ntry/Amt: ''"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt Ccy="EUR">9223372036854775808<)", "Ntry/Amt: '92"},
        {R"(<Amt Ccy="EUR">300.5<)",
         R"(<Amt Ccy="USD">300.5<)",
         "Stmt/Ntry: an amount in USD on an account in EUR"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt Ccy="eur">300.5<)", "'eur' is not a currency"},
        {R"(<Amt Ccy="EUR">300.5<)", R"(<Amt>300.5<)", "Ntry/Amt: '' is not a currency"},
        {R"(<Amt Ccy="EUR">300.5<)",
         R"(<Amt xmlns:a="urn:a" a:Ccy="EUR">300.5<)",
         "Ntry/Amt: '' is not a currency"},
        {R"(<Amt Ccy="EUR">300.5</Amt>)",
         R"(<Amt Ccy="EUR">300.5</Amt><Amt Ccy="EUR">300.5</Amt>)",
         "Ntry/Amt: is there twice"},
        {"<NtryRef>7</NtryRef>",
         "<NtryRef>7</NtryRef><NtryRef>8</NtryRef>",
         "Ntry/NtryRef: is there twice"},
        {"<CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK",
         "<CdtDbtInd>C</CdtDbtInd><Sts>BOOK",
         "Ntry/CdtDbtInd: 'C' is not CRDT or DBIT"},
        {"<CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK",
         "<CdtDbtInd>CRDT</CdtDbtInd><RvslInd>yes</RvslInd><Sts>BOOK",
         "RvslInd 'yes'"},
        {"<BookgDt><Dt>2026-11-24<",
         "<BookgDt><Dt>2026-11-31<",
         "Ntry/BookgDt/Dt: '2026-11-31' is not a date"},
        {"<BookgDt><Dt>2026-11-24<", "<BookgDt><Dt>24.11.2026<", "Ntry/BookgDt/Dt: '24.11.2026'"},
        {"<BookgDt><Dt>2026-11-24<", "<BookgDt><Dt>2026-11-24x<", "Ntry/BookgDt/Dt"},
        {"<Id>2026-228</Id>", "", "Stmt/Ntry: a statement without Id or account"},
        {"<IBAN>DE02120300000000202051</IBAN>", "<Prxy/>", "a statement without Id or account"},
        {"<CreDtTm>2026-11-25T02:00:00+01:00</CreDtTm>\n      <Acct>", "<Acct>", ""},
        {"<Amt Ccy=\"EUR\">240.50</Amt>", "", "Stmt/Bal: a balance without Amt or CdtDbtInd"},
        {"<Cd>PRCD</Cd>", "<Cd>CLBD</Cd>", "Stmt/Bal: a second balance CLBD"},
        {"<Amt Ccy=\"EUR\">240.50</Amt>",
         "<Amt Ccy=\"USD\">240.50</Amt>",
         "Stmt/Bal: an amount in USD on an account in EUR"},
        {"</Ntry>\n    </Stmt>", "</Ntry><Bal/></Stmt>", "Stmt/Bal: stands behind an entry"},
        {"</Ntry>\n    </Stmt>", "</Ntry><Acct/></Stmt>", "Stmt/Acct: stands behind an entry"},
        {"<Btch>", "<x:Btch xmlns:x='urn:x'/><Btch>", "'Btch' is of another namespace: 'urn:x'"},
        {"<NtryDtls>", "<y:NtryDtls>", "not well-formed: Namespace prefix y"},
        {"</NtryDtls>", "</Ntry>", "not well-formed"},
        {"<Btch>", "<Btch>&#0;", "not well-formed"},
        {"<Btch>", "<Btch>\x01", "not well-formed"},
        {"<Btch>", "<Btch>\xff", "not well-formed"},
        {"<Btch>", "<Btch>&who;", "not well-formed: Entity 'who' not defined"},
        {"</Document>", "", "not well-formed"},
        {"</Document>", "</Document><Document/>", "not well-formed"},
        {"<Stmt>", "<Stmtx>", "not well-formed"},
    };
    for (auto const& each : cases) {
        CAPTURE(each.from);
        CAPTURE(each.to);
        auto const changed = with(sample(kBatch), each.from, each.to);
        if (each.says.empty()) {
            Recorder sink;
            CHECK(read(changed, sink));  // a closing balance has the date as well
            continue;
        }
        check_refused(changed, Errc::malformed, each.says);
    }
    check_refused("", Errc::malformed, "not well-formed");
    check_refused(
        R"(<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.04"/>)",
        Errc::malformed,
        "the file holds no statement"
    );
}

TEST_CASE("five encodings are read and no other") {
    auto const changed = [](std::string const& declaration) {
        return with(sample(kBatch), R"(<?xml version="1.0" encoding="UTF-8"?>)", declaration);
    };
    for (std::string const name :
         {"UTF-8", "utf-8", "US-ASCII", "ISO-8859-1", "iso-8859-15", "Windows-1252"}) {
        CAPTURE(name);
        Recorder sink;
        CHECK(read(changed("<?xml version='1.0' encoding='" + name + "'?>"), sink));
    }
    Recorder sink;
    CHECK(read(changed(R"(<?xml version="1.0"?>)"), sink));
    CHECK(read("\xef\xbb\xbf" + sample(kBatch), sink));
    for (std::string const name :
         {"UTF-7", "UTF-16", "ISO-2022-JP", "EBCDIC-US", "UTF-8//IGNORE"}) {
        CAPTURE(name);
        check_refused(
            changed("<?xml version='1.0' encoding='" + name + "'?>"),
            Errc::unsupported,
            "line 1: the encoding '" + name + "' is not read"
        );
    }
    check_refused("\xff\xfe<", Errc::unsupported, "'UTF-16' is not read");
    check_refused(std::string("\0<\0?", 4), Errc::unsupported, "'UTF-16' is not read");
    check_refused(changed("<?xml encoding=?>"), Errc::malformed, "line 1: the XML declaration");
    check_refused(
        with(sample(kBatch), "Invoice 1", "Invoice \xe4"), Errc::malformed, "not well-formed"
    );
}

TEST_CASE("an error names the line of the file and the path of the element") {
    Recorder sink;
    auto const done = read(with(sample(kBatch), ">300.5<", ">300.505<"), sink);
    REQUIRE_FALSE(done);
    CHECK(
        done.error().context ==
        "line 27: Document/BkToCstmrStmt/Stmt/Ntry/Amt: '300.505' is not an amount in EUR"
    );
}

TEST_CASE("a batch whose transactions do not make up the entry is one line") {
    struct Case {
        std::string from, to;
    };
    Case const cases[] = {
        {R"(<Amt Ccy="EUR">0.50</Amt>)", R"(<Amt Ccy="EUR">0.51</Amt>)"},
        {R"(<Amt Ccy="EUR">0.50</Amt>)", R"(<Amt Ccy="USD">0.50</Amt>)"},
        {R"(<TxAmt><Amt Ccy="EUR">0.50</Amt></TxAmt>)", ""},
    };
    for (auto const& each : cases) {
        CAPTURE(each.to);
        Recorder sink;
        REQUIRE(read(with(sample(kBatch), each.from, each.to), sink));
        REQUIRE(sink.lines.size() == 2);
        CHECK(sink.lines[0].amount.minor == 30'050);
        CHECK(sink.lines[0].reference == "7");
        CHECK(sink.lines[0].counterparty_name.empty());
    }
    // So is one with more transactions than are kept in memory.
    Recorder sink;
    REQUIRE(read(sample(kBatch), sink, {.batch_max = 2}));
    REQUIRE(sink.lines.size() == 2);
    CHECK(sink.lines[0].amount.minor == 30'050);
}

TEST_CASE("a document type and its entities are refused before anything is expanded") {
    auto const with_type = [](std::string const& type, std::string const& text) {
        auto document = with(sample(kBatch), "?>\n", "?>\n" + type + "\n");
        return with(document, "<MsgId>M-0001<", "<MsgId>" + text + "<");
    };
    std::string lol = R"(<!DOCTYPE Document [<!ENTITY a0 "lol">)";
    for (int i = 1; i < 10; ++i) {
        auto const name = "&a" + std::to_string(i - 1) + ";";
        lol += "<!ENTITY a" + std::to_string(i) + " \"";
        for (int k = 0; k < 10; ++k) {
            lol += name;
        }
        lol += "\">";
    }
    std::string_view const says = "line 2: a document type declaration is not read";
    check_refused(with_type(lol + "]>", "&a9;"), Errc::malformed, says);
    check_refused(
        with_type(R"(<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/passwd">]>)", "&x;"),
        Errc::malformed,
        says
    );
    check_refused(
        with_type(R"(<!DOCTYPE Document SYSTEM "http://127.0.0.1:1/x.dtd">)", "x"),
        Errc::malformed,
        says
    );
    check_refused(
        with_type(R"(<!DOCTYPE Document [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]>)", "x"),
        Errc::malformed,
        says
    );
    check_refused(with_type("<!DOCTYPE Document>", "x"), Errc::malformed, says);
}

TEST_CASE("depth, texts, names, attributes, tags and lines are bounded") {
    auto const inside = [](std::string const& what) {
        return with(sample(kBatch), "<Btch>", what + "<Btch>");
    };
    auto const nested = [](std::size_t depth) {
        std::string open, close;
        for (std::size_t i = 0; i < depth; ++i) {
            open += "<a>";
            close += "</a>";
        }
        return open + close;
    };
    auto const range = Errc::out_of_range;
    Recorder sink;
    CHECK(read(inside(nested(27)), sink));
    check_refused(inside(nested(28)), range, "/a/a/a: elements nest too deeply");
    check_refused(inside(nested(100'000)), range, "elements nest too deeply");
    // Also in what is skipped otherwise.
    check_refused(
        inside("<SplmtryData>" + nested(100) + "</SplmtryData>"), range, "elements nest too deeply"
    );
    CHECK(read(inside("<a>" + std::string(4'096, 'x') + "</a>"), sink));
    check_refused(
        inside("<a>" + std::string(4'097, 'x') + "</a>"), range, "Ntry/NtryDtls/a: the text is too"
    );
    check_refused(inside("<a>" + std::string(20 << 20, 'x') + "</a>"), range, "the text is too");
    check_refused(
        inside("<a><![CDATA[" + std::string(5'000, 'x') + "]]></a>"), range, "the text is too long"
    );
    check_refused(inside("<a>" + std::string(5'000, ' ') + "</a>"), range, "the text is too long");
    check_refused(inside("<" + std::string(65, 'a') + "/>"), range, "name is too long");
    std::string attributes;
    for (int i = 0; i < 17; ++i) {
        attributes += " a" + std::to_string(i) + "=''";
    }
    check_refused(inside("<a" + attributes + "/>"), range, "too many attributes");
    std::string spaces;
    for (int i = 0; i < 17; ++i) {
        spaces += " xmlns:a" + std::to_string(i) + "='urn:a'";
    }
    check_refused(inside("<a" + spaces + "/>"), range, "too many attributes");
    for (std::string const start : {"<a b='", "<!--", "<?pi ", "<"}) {
        CAPTURE(start);
        Recorder refused;
        CHECK_FALSE(read(inside(start + std::string(8 << 20, 'x')), refused));
    }
    std::string remittance;
    for (int i = 0; i < 40; ++i) {
        remittance += "<Ustrd>" + std::string(140, 'x') + "</Ustrd>";
    }
    check_refused(
        with(sample(kBatch), "<Ustrd>Invoice 1</Ustrd>", remittance),
        range,
        "the remittance information is too long"
    );
    CHECK(read(sample(kBatch), sink, {.lines_max = 4}));
    check_refused(sample(kBatch), range, "Stmt/Ntry: more than 3 lines", {.lines_max = 3});
}

TEST_CASE("a statement cut anywhere is refused, whatever the size of its pieces") {
    auto const whole = sample(kBatch);
    auto const last = whole.rfind('>');
    for (std::size_t size = 0; size <= last; size += 7) {
        Recorder sink;
        CHECK_FALSE(read(whole.substr(0, size), sink));
    }
}

TEST_CASE("what a sink refuses is what the reader of statements answers") {
    struct Refuser final : StatementSink {
        Result<void> begin(StatementHead const&) override { return {}; }
        Result<void> line(StatementLine line) override {
            return line.number == 2 ? fail(Errc::conflict, "no more") : Result<void>{};
        }
        Result<void> end(StatementHead const&) override { return {}; }
    } sink;
    auto const done = read(sample(kBatch), sink);
    REQUIRE_FALSE(done);
    CHECK(to_string(done.error()) == "conflict: no more");
}

TEST_CASE("a large statement is read in little memory") {
    // About 6 MB; the long version has more than 200 MB.
    bool const is_soak = std::getenv("FLORIN_SOAK") != nullptr;
    std::uint64_t const entries = is_soak ? 420'000 : 12'000;
    Counter warm_up;
    Endless small{10};
    std::istream warm{&small};
    REQUIRE(read_camt053(warm, warm_up));
    auto const before = resident_kib();
    Endless source{entries};
    std::istream in{&source};
    Counter sink;
    REQUIRE(read_camt053(in, sink));
    CHECK(sink.statements == 1);
    CHECK(sink.lines == entries);
    CHECK(sink.minor == static_cast<std::int64_t>(entries) * 1'234);
    auto const grown_kib = resident_kib() - std::min(before, resident_kib());
    MESSAGE(source.bytes(), " bytes, memory grew by ", grown_kib, " KiB");
    if (is_soak) {
        CHECK(source.bytes() > 200'000'000);
    }
#if !defined(__SANITIZE_ADDRESS__)  // which keeps freed memory for a while
    CHECK(grown_kib < 4 * 1'024);
#endif
}
