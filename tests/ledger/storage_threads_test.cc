// Readers at work while one writes: for ThreadSanitizer, and for what readers may see.
#include "ledger/memory_state_store.h"
#include "tests/ledger/support.h"

#include <atomic>
#include <thread>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

struct InMemory {
    MemoryStateStore store;
    StateStore& get() { return store; }
};
struct OnDisk {
    TemporaryFolder folder;
    std::unique_ptr<StateStore> store = must(open_state(folder.path()));
    StateStore& get() { return *store; }
};

// One pair of equal values, written together.
std::vector<Change> pair_of(std::uint64_t n) {
    return {{Table::event, "a", std::to_string(n)}, {Table::event, "b", std::to_string(n)}};
}

}  // namespace

TEST_CASE("readers of the journal see whole records up to a head that only grows") {
    TemporaryFolder folder;
    auto const journal = must(open_journal(folder.path()));
    Lease const lease = must(journal->acquire(0));
    extend(*journal, lease, 1, {.transfers = 40, .payloads = 2});
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::atomic<int> reads{0};
    auto const reader = [&] {
        Sequence before = 0;
        while (!stop) {
            auto const head = journal->head();
            wrong += !head || head->last.sequence < before;
            before = head ? head->last.sequence : before;
            Sequence last = 0;
            Position previous = genesis_position(kLedgerId);
            auto const check = [&](Journal::StoredRecord const& stored) -> Result<bool> {
                FLORIN_TRY(auto const checked, check_record(stored, kLedgerId, previous, 0));
                previous = checked.position;
                last = previous.sequence;
                return true;
            };
            wrong += !journal->read(1, Journal::Payloads::with, check) || last < before;
            wrong += !journal->transfer(before, 39);
            wrong += !journal->payload(before, 1);
            ++reads;
        }
    };
    std::thread one{reader};
    std::thread two{reader};
    for (int i = 0; i < 60 || reads < 4; ++i) {
        extend(*journal, lease, 2, {.transfers = 40, .payloads = 2});
        must(journal->drop_payloads({{static_cast<Sequence>(i) + 1, 0}}));
    }
    stop = true;
    one.join();
    two.join();
    CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("readers of a store never see half a write or half a run", S, InMemory, OnDisk) {
    S holder;
    StateStore& store = holder.get();
    must(store.write(pair_of(0)));
    must(store.ingest(run_changes(1)));
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::atomic<int> reads{0};
    auto const reader = [&] {
        while (!stop) {
            std::vector<std::string> values;
            auto const live = store.scan(
                {.table = Table::event, .from = {}, .to = {}},
                [&](ByteView, ByteView value) -> Result<bool> {
                    values.emplace_back(value);
                    return true;
                }
            );
            wrong += !live || values.size() != 2 || values[0] != values[1];
            int open = 0;
            auto const runs = store.scan(
                {.table = Table::pending, .from = {}, .to = {}, .reverse = true},
                [&](ByteView, ByteView) -> Result<bool> {
                    ++open;
                    return true;
                }
            );
            wrong += !runs || open != 1;
            // What an account says is ingested can be found by id.
            auto const run = store.get(Table::account, "account");
            bool const found =
                run && *run && store.get(Table::transfer_id, numbered(std::stoull(**run)));
            wrong += !found;
            ++reads;
        }
    };
    auto const runs = [&] {
        for (std::uint64_t n = 2; !stop; ++n) {
            wrong += !store.ingest(run_changes(n)) || !store.flush();
        }
    };
    std::thread one{reader};
    std::thread two{reader};
    std::thread three{runs};
    for (std::uint64_t n = 1; n < 300 || reads < 20; ++n) {
        must(store.write(pair_of(n)));
    }
    stop = true;
    one.join();
    two.join();
    three.join();
    CHECK(wrong == 0);
}
