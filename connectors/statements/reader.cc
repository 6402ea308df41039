#include "connectors/statements/reader.h"

#include "connectors/statements/acquirer_report.h"
#include "connectors/statements/camt053.h"
#include "connectors/statements/text.h"

#include <algorithm>

namespace florin::connectors::statements {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kIso20022Namespace = "urn:iso:std:iso:20022:tech:xsd:";

}  // namespace

std::string_view format_name(Format format) {
    switch (format) {
        case Format::acquirer_report: return "acquirer-report";
        case Format::camt053: return "camt053";
    }
    return "";
}

std::optional<Format> format_from(std::string_view name) {
    for (auto const format : {Format::acquirer_report, Format::camt053}) {
        if (format_name(format) == name) {
            return format;
        }
    }
    return std::nullopt;
}

Result<Format> recognise(std::string_view prefix) {
    prefix = prefix.substr(0, kRecogniseBytes);
    if (prefix.starts_with(kAcquirerReportStart)) {
        return Format::acquirer_report;
    }
    if (prefix.starts_with(kByteOrderMark)) {
        prefix.remove_prefix(kByteOrderMark.size());
    }
    prefix.remove_prefix(std::min(prefix.find_first_not_of(" \t\r\n"), prefix.size()));
    if (!prefix.starts_with('<')) {
        return fail(Errc::unsupported, "neither an acquirer's report nor XML");
    }
    // Which version, and whether it is one that is read, the reader says.
    auto const at = prefix.find(kIso20022Namespace);
    if (at == std::string_view::npos) {
        return fail(Errc::unsupported, "XML, but not of ISO 20022");
    }
    prefix.remove_prefix(at);
    if (prefix.starts_with(kCamt053Namespace)) {
        return Format::camt053;
    }
    prefix.remove_prefix(kIso20022Namespace.size());
    return fail(
        Errc::unsupported,
        "an ISO 20022 message that is no statement: " +
            shown(prefix.substr(0, std::min(prefix.find_first_of("\"' \r\n>"), std::size_t{20})))
    );
}

Result<void> read_statement(std::istream& in, Format format, StatementSink& sink) {
    switch (format) {
        case Format::acquirer_report: return read_acquirer_report(in, sink);
        case Format::camt053: return read_camt053(in, sink);
    }
    return fail(Errc::unsupported, "no such format");
}

}  // namespace florin::connectors::statements
