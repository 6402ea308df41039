// A process for the crash tests to kill: it works on a store and tells what is durable, line by
// line, until it dies. crash_child MODE DIRECTORY [NUMBER]
#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"
#include "tests/ledger/storage.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

namespace florin::ledger::test {
namespace {

// At once, since the next moment may be the last.
void tell(std::string const& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

template <class T>
T or_exit(Result<T> result) {
    if (!result) {
        tell("failed " + to_string(result.error()));
        std::exit(3);
    }
    return std::move(*result);
}
void or_exit(Result<void> const& result) {
    if (!result) {
        tell("failed " + to_string(result.error()));
        std::exit(3);
    }
}

// Groups of two records until somebody ends it.
void append_for_ever(fs::path const& folder) {
    auto const journal = or_exit(open_journal(folder));
    Head const start = or_exit(journal->head());
    Lease const lease = or_exit(journal->acquire(start.epoch));
    Position head = start.last;
    for (;;) {
        Group const group = a_group(head, lease.epoch, 2, {.transfers = 70, .payloads = 1});
        Told const told = append(*journal, lease, head, group);
        if (told.outcome != AppendOutcome::committed) {
            tell("failed " + told.why);
            std::exit(3);
        }
        head = group.back()->position;
        tell(std::to_string(head.sequence));
    }
}

// Files may not grow beyond `bytes`: sooner or later a write fails, as on a full disk.
void append_until_full(fs::path const& folder, rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto const journal = or_exit(open_journal(folder));
    Head const start = or_exit(journal->head());
    Lease const lease = or_exit(journal->acquire(start.epoch));
    rlimit const limit{.rlim_cur = bytes, .rlim_max = bytes};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        std::exit(3);
    }
    Position head = start.last;
    int failures = 0;
    while (failures < 3) {
        Group const group = a_group(head, lease.epoch, 1, {.transfers = 64});
        Told const told = append(*journal, lease, head, group);
        if (told.outcome == AppendOutcome::committed) {
            head = group.back()->position;
            tell("committed " + std::to_string(head.sequence));
            continue;
        }
        ++failures;
        tell(
            told.outcome == AppendOutcome::unknown    ? "unknown " + told.why
            : told.outcome == AppendOutcome::not_sent ? "not_sent " + told.why
                                                      : "other " + told.why
        );
    }
    ::_exit(0);  // as a process does whose journal is poisoned
}

// Live writes all the time, a flush now and then, a run now and then.
void store_for_ever(fs::path const& folder) {
    auto const store = or_exit(open_state(folder));
    auto const applied = or_exit(store->get(Table::meta, "applied"));
    std::uint64_t const start = applied ? std::stoull(*applied) : 0;
    std::uint64_t run = 0;
    auto const newest = [&](ByteView key, ByteView) -> Result<bool> {
        run = std::stoull(std::string{key});
        return false;
    };
    or_exit(store->scan({.table = Table::run, .from = {}, .to = {}, .reverse = true}, newest));
    for (std::uint64_t i = start + 1;; ++i) {
        or_exit(store->write(live_changes(i)));
        if (i % 7 == 0) {
            ++run;
            or_exit(store->ingest(run_changes(run)));
            tell("ingested " + std::to_string(run));
        }
        if (i % 5 == 0) {
            or_exit(store->flush());
            tell("flushed " + std::to_string(i));
        }
    }
}

// So much to one table that memory fills up and is flushed without being asked; then waits.
void fill_memory(fs::path const& folder, std::uint64_t writes) {
    auto const store = or_exit(open_state(folder));
    for (std::uint64_t i = 1; i <= writes; ++i) {
        auto changes = live_changes(i);
        changes[1].value->append(1, ' ').append(1U << 20U, 'x');
        or_exit(store->write(changes));
    }
    tell("written");
    for (;;) {
        ::pause();
    }
}

void hold_for_ever(fs::path const& folder) {
    auto const held = or_exit(DataDirectory::open(folder, DataDirectory::Access::exclusive, true));
    tell("held");
    for (;;) {
        ::pause();
    }
}

int run(std::string_view mode, fs::path const& folder, std::uint64_t number) {
    if (mode == "append") {
        append_for_ever(folder);
    } else if (mode == "append-until-full") {
        append_until_full(folder, number);
    } else if (mode == "store") {
        store_for_ever(folder);
    } else if (mode == "fill-memory") {
        fill_memory(folder, number);
    } else if (mode == "hold") {
        hold_for_ever(folder);
    }
    return 2;
}

}  // namespace
}  // namespace florin::ledger::test

int main(int count, char** arguments) {
    if (count < 3) {
        return 2;
    }
    return florin::ledger::test::run(
        arguments[1], arguments[2], count > 3 ? std::stoull(arguments[3]) : 0
    );
}
