// The items of an export as books that hledger and ledger, or beancount, read
// (docs/ledger-export.md).
//
// Memory grows with the number of accounts, about 250 bytes each, and with nothing else: the
// balances are kept, so that the file ends with what they must come to. Thread rule: one thread.
#pragma once

#include "tools/florin/byte_output.h"
#include "tools/florin/export_items.h"

#include <array>
#include <memory>

namespace florin::tools {

enum class BooksFormat { hledger, beancount };

// `output` outlives the writer. With beancount, more than it can add up exactly is
// Errc::out_of_range.
std::unique_ptr<ExportWriter> make_books_writer(
    BooksFormat format,
    ByteOutput& output,
    std::array<unsigned char, 16> const& ledger_id,
    ledger::LedgerKind kind
);

}  // namespace florin::tools
