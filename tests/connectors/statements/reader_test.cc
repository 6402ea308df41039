#include "connectors/statements/reader.h"

#include "tests/connectors/statements/sink.h"

#include <doctest/doctest.h>

#include <sstream>

using namespace florin;
using namespace florin::connectors::statements;
using namespace florin::connectors::statements::test;

TEST_CASE("a file is recognised by its first bytes and read by its reader") {
    struct Case {
        std::string file;
        Format format;
    };
    for (auto const& each :
         {Case{"acquirer_report.csv", Format::acquirer_report},
          Case{"camt053_v02_batch.xml", Format::camt053},
          Case{"camt053_v04_two_accounts.xml", Format::camt053},
          Case{"camt053_v08_prefixed.xml", Format::camt053}}) {
        CAPTURE(each.file);
        auto const bytes = sample(each.file);
        CHECK(recognise(bytes) == each.format);
        CHECK(recognise(bytes.substr(0, 300)) == each.format);
        std::istringstream in{bytes};
        Recorder sink;
        CHECK(read_statement(in, each.format, sink));
        CHECK(sink.text == sample(each.file.substr(0, each.file.rfind('.')) + ".golden"));
    }
}

TEST_CASE("a file of another kind is named") {
    struct Case {
        std::string_view bytes;
        std::string_view says;
    };
    Case const cases[] = {
        {"", "neither"},
        {"hello", "neither"},
        {"H,florin-acquirer", "neither"},
        {":20:STARTUMS", "neither"},
        {"\xff\xfe<\0?\0", "neither"},
        {"<html>", "XML, but not of ISO 20022"},
        {"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.054.001.04'>",
         "no statement: camt.054.001.04"},
        {"<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\">",
         "no statement: pain.001.001.09"},
    };
    for (auto const& each : cases) {
        CAPTURE(each.bytes);
        auto const format = recognise(each.bytes);
        REQUIRE_FALSE(format);
        CHECK(format.error().code == Errc::unsupported);
        CHECK(format.error().context.find(each.says) != std::string::npos);
    }
    CHECK(
        recognise("\xef\xbb\xbf\n<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.99'"
        ) == Format::camt053
    );
}

TEST_CASE("formats, levels and types of lines are stored by name") {
    CHECK(format_from("camt053") == Format::camt053);
    CHECK(format_from("acquirer-report") == Format::acquirer_report);
    CHECK_FALSE(format_from("mt940"));
    CHECK(level_name(Level::bank) == "bank");
    for (auto const type :
         {LineType::capture, LineType::refund, LineType::chargeback, LineType::fee, LineType::entry
         }) {
        CHECK(line_type_from(line_type_name(type)) == type);
    }
    CHECK_FALSE(line_type_from("sale"));
}
