// One door to all statement formats: which one a file is, and its reader.
// Thread rule: the sink is called on the caller's thread.
#pragma once

#include "connectors/statements/statement.h"
#include "ledger/base/result.h"

#include <istream>
#include <optional>
#include <string_view>

namespace florin::connectors::statements {

enum class Format { acquirer_report, camt053 };
std::string_view format_name(Format format);  // "acquirer-report", "camt053"
std::optional<Format> format_from(std::string_view name);

// How many bytes of a file recognise() wants to see; a shorter file is given whole.
inline constexpr std::size_t kRecogniseBytes = 4'096;

// By the first bytes of a file. Errc::unsupported names what it seems to be instead.
Result<Format> recognise(std::string_view prefix);

// Reads the whole stream with its format's reader; errors are the reader's.
Result<void> read_statement(std::istream& in, Format format, StatementSink& sink);

}  // namespace florin::connectors::statements
