// Verify: is everything that is stored exactly what the journal says?
//
// Checks every file of journal and views against its checksum, re-reads every record, recomputes
// the hash chain up to the head and the digest of every payload that has not been forgotten,
// rebuilds all views from nothing and compares them with the stored ones, key by key. Memory stays
// bounded: the views are rebuilt into a scratch directory, which is removed. Nothing in the data
// directory changes. Thread rule: one thread.
#pragma once

#include "ledger/journal.h"

#include <filesystem>
#include <functional>

namespace florin::ledger {

struct VerifyProgress {
    char const* step = "";  // what is being done, for people
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

struct VerifyReport {
    Position head;
    std::array<unsigned char, 16> ledger_id{};
    std::uint64_t records = 0;
    std::uint64_t transfers = 0;
    std::uint64_t accounts = 0;
    std::uint64_t documents = 0;
    std::uint64_t payloads = 0;
    std::uint64_t payloads_forgotten = 0;
    std::uint64_t view_entries = 0;
};

struct VerifyOptions {
    std::filesystem::path data_dir;
    // Where the scratch directory is made; empty: the system's place for temporary files. It takes
    // about as much as the views do.
    std::filesystem::path scratch;
};

// Errc::corrupt: something differs, and the text names the record, key and field; Errc::not_found:
// no ledger there; anything else: it could not be read.
Result<VerifyReport> verify_ledger(
    VerifyOptions const& options,
    std::function<void(VerifyProgress const& progress)> const& progress
);

}  // namespace florin::ledger
