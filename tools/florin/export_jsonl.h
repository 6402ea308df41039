// The items of an export as JSON lines (docs/ledger-export.md). Thread rule: one thread.
#pragma once

#include "tools/florin/byte_output.h"
#include "tools/florin/export_items.h"

#include <array>
#include <memory>

namespace florin::tools {

// `output` outlives the writer.
std::unique_ptr<ExportWriter> make_jsonl_writer(
    ByteOutput& output, std::array<unsigned char, 16> const& ledger_id, ledger::LedgerKind kind
);

}  // namespace florin::tools
