// `florin ledger export`: the books for programs that others wrote (docs/ledger-export.md).
// Thread rule: one thread.
#pragma once

#include "ledger/journal.h"

#include <filesystem>
#include <optional>

namespace florin::tools {

enum class ExportFormat { hledger, beancount, jsonl };

struct ExportOptions {
    ExportFormat format = ExportFormat::hledger;
    std::optional<ledger::Sequence> to;  // the last record; the head where absent
    std::filesystem::path output;        // empty: standard output
};

int ledger_export(std::filesystem::path const& data_dir, ExportOptions const& options);

}  // namespace florin::tools
