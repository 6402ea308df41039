// A data directory read by somebody who does not own it: a tool, an auditor. Nothing on disk
// changes.
//
// Opens journal and views read-only and applies to a copy in memory what the stored views have not
// seen yet. While a daemon writes, what is seen is the moment of opening.
// Thread rule: one thread.
#pragma once

#include "ledger/documents.h"
#include "ledger/journal.h"
#include "ledger/queries.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace florin::ledger {

class LedgerReader {
public:
    // Errc::not_found where there is no ledger, Errc::corrupt naming what is damaged.
    static Result<std::unique_ptr<LedgerReader>> open(std::filesystem::path const& data_dir);

    LedgerReader() = default;
    LedgerReader(LedgerReader const&) = delete;
    LedgerReader& operator=(LedgerReader const&) = delete;
    virtual ~LedgerReader() = default;

    virtual Position head() const = 0;
    virtual std::array<unsigned char, 16> id() const = 0;
    virtual LedgerKind kind() const = 0;
    virtual Journal const& journal() const = 0;
    virtual DocumentReader const& documents() const = 0;
    virtual Queries& queries() = 0;
    virtual Result<void> accounts(std::function<Result<bool>(Account const& account)> const& visit
    ) = 0;
};

}  // namespace florin::ledger
