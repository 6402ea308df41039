#include "ledger/store/compaction.h"

#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"

namespace florin::ledger {

Result<void> compact_data_directory(std::filesystem::path const& data_dir) {
    FLORIN_TRY(
        DataDirectory const directory,
        DataDirectory::open(data_dir, DataDirectory::Access::exclusive, false)
    );
    FLORIN_TRY(
        auto const journal,
        LocalJournal::open({.directory = directory.log(), .witness = directory.witness()})
    );
    FLORIN_TRY_VOID(journal->compact());
    FLORIN_TRY(auto const state, open_rocks_state({.directory = directory.state()}));
    return state->compact();
}

}  // namespace florin::ledger
