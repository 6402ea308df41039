// The folder in which payout files are handed over, and what it proves after a crash.
//
// A file is written whole under a private name (".<name>.part"), and it and the folder are synced.
// Only then does a record say that it is about to be handed over, which is a rename. The bank's
// collector may take the file away at any moment after that. So, for a batch whose record says
// `submitting`:
//   private file there     not handed over
//   private file gone      handed over, whether or not the file is still here
// That holds while the kernel is the one that ran then. Another boot id means that the operating
// system went down in between and may have lost the rename: a file under its final name was handed
// over, and without one nothing is proven.
// Thread rule: one thread at a time.
#pragma once

#include "ledger/base/result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace florin::settlement {

class Outbox {
public:
    // `boot_id` of the running kernel.
    Outbox(std::filesystem::path folder, std::string boot_id)
        : folder_{std::move(folder)}, boot_id_{std::move(boot_id)} {}

    // Writes the private file anew, whole and synced. Makes the folder where it is missing.
    Result<void> write(std::string const& name, std::string_view bytes) const;
    // Hands it over. Errc::not_found where there is no private file; Errc::conflict where a file of
    // that name is there already: it is never replaced.
    Result<void> hand_over(std::string const& name) const;

    enum class State { not_submitted, submitted, unknown };
    State state_of(std::string const& name, std::string const& boot_id_then) const;

    std::filesystem::path path_of(std::string const& name) const { return folder_ / name; }
    std::string const& boot_id() const { return boot_id_; }

private:
    std::filesystem::path private_path(std::string const& name) const {
        return folder_ / ("." + name + ".part");
    }
    std::filesystem::path folder_;
    std::string boot_id_;
};

// Of the running kernel; empty where it does not tell.
std::string kernel_boot_id();

}  // namespace florin::settlement
