// Reads bank statements in ISO 20022 camt.053.001.02 to .08, as a stream.
//
//   Document / BkToCstmrStmt / Stmt*        one statement of one account
//     Id, Acct, Bal*                        in front of the entries
//     Ntry*                                 booked, pending or informative
//       NtryDtls* / TxDtls*                 the transactions of a batch-booked entry
//
// What is read and what is refused is docs/formats/camt053.md. Promises: a document type
// declaration or an entity ends the reading before anything of it is expanded; depth, texts,
// attributes, tags and the number of lines are bounded, so memory does not grow with the file;
// where a statement has opening and closing balance, opening + booked entries = closing. Errors
// name the line of the file and the path of the element.
// Thread rule: the sink is called on the caller's thread.
#pragma once

#include "connectors/statements/statement.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <istream>
#include <string_view>

namespace florin::connectors::statements {

// The namespace of every version, without its two digits.
inline constexpr std::string_view kCamt053Namespace =
    "urn:iso:std:iso:20022:tech:xsd:camt.053.001.";

struct Camt053Limits {
    std::size_t depth_max = 32;
    std::size_t text_bytes_max = 4'096;      // of one element
    std::size_t attributes_max = 16;         // of one element, namespace declarations included
    std::size_t markup_bytes_max = 1 << 20;  // of one tag, comment or instruction
    std::uint64_t lines_max = 20'000'000;
    std::size_t batch_max = 50'000;  // transactions of an entry; a larger batch is one line
};

// Errc::malformed, Errc::unsupported (another message or version), Errc::out_of_range (a bound),
// Errc::io.
Result<void> read_camt053(std::istream& in, StatementSink& sink, Camt053Limits const& limits = {});

}  // namespace florin::connectors::statements
