#include "ledger/verify.h"

#include "ledger/memory_state_store.h"
#include "ledger/queries.h"
#include "ledger/replay.h"
#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"

#include <algorithm>
#include <set>

namespace florin::ledger {
namespace {

constexpr std::uint64_t kProgressEvery = 1024;

Result<Sequence> live_applied(StateStore const& store) {
    FLORIN_TRY(auto const value, store.get(Table::meta, "applied"));
    if (!value) {
        return Sequence{0};
    }
    return ByteReader(*value, "state: applied").little<Sequence>();
}

Result<std::set<Sequence>> run_boundaries(StateStore const& store) {
    std::set<Sequence> boundaries;
    auto const add = [&](ByteView key, ByteView) -> Result<bool> {
        if (key.size() != 8) {
            return fail(Errc::corrupt, "state: key of table run");
        }
        boundaries.insert(u64_from_key(key));
        return true;
    };
    FLORIN_TRY_VOID(store.scan({.table = Table::run, .from = {}, .to = {}}, add));
    return boundaries;
}

// Every payload that an effect names: there with its digest, or forgotten.
Result<void> check_payload(
    PayloadReference const& reference, ReplayedRecord const& record, VerifyReport& report
) {
    auto const& payloads = record.stored.payloads;
    if (reference.index >= payloads.size() || !payloads[reference.index]) {
        ++report.payloads_forgotten;
        return {};
    }
    Payload const& body = *payloads[reference.index];
    if (body.size() != reference.length || crypto::sha256(body) != reference.digest) {
        return fail(
            Errc::corrupt,
            "record " + std::to_string(record.checked.position.sequence) + ": payload " +
                std::to_string(reference.index) + " differs from its digest"
        );
    }
    ++report.payloads;
    return {};
}

Result<void> check_payloads(ReplayedRecord const& record, VerifyReport& report) {
    EffectReader reader{record.stored.effects};
    std::size_t named = 0;
    while (!reader.at_end()) {
        FLORIN_TRY(Effect const effect, reader.next());
        PayloadReference const* reference = nullptr;
        if (auto const* event = std::get_if<EventRecorded>(&effect)) {
            reference = &event->body;
        } else if (auto const* written = std::get_if<DocumentWritten>(&effect)) {
            reference = std::get_if<PayloadReference>(&written->body);
        }
        if (reference != nullptr) {
            FLORIN_TRY_VOID(check_payload(*reference, record, report));
            named = std::max<std::size_t>(named, std::size_t{reference->index} + 1);
        }
    }
    if (record.stored.payloads.size() > named) {
        return fail(
            Errc::corrupt,
            "record " + std::to_string(record.checked.position.sequence) +
                ": has a payload that nothing names"
        );
    }
    return {};
}

// Ascending scans of both, side by side.
Result<void> compare_table(
    Table table, StateStore const& stored, StateStore const& rebuilt, VerifyReport& report
) {
    std::vector<std::pair<std::string, std::string>> expected;
    auto const collect = [&](ByteView key, ByteView value) -> Result<bool> {
        expected.emplace_back(key, value);
        return true;
    };
    FLORIN_TRY_VOID(rebuilt.scan({.table = table, .from = {}, .to = {}}, collect));
    std::string const name = "views: table " + std::string{table_name(table)} + ", key ";
    auto next = expected.begin();
    auto const compare = [&](ByteView key, ByteView value) -> Result<bool> {
        if (next == expected.end() || key < next->first) {
            return fail(
                Errc::corrupt,
                name + to_hex(key) + ": is stored, but the journal knows nothing of it"
            );
        }
        if (key > next->first) {
            return fail(Errc::corrupt, name + to_hex(next->first) + ": is missing");
        }
        if (value != next->second) {
            return fail(Errc::corrupt, name + to_hex(key) + ": differs from the journal");
        }
        ++next;
        ++report.view_entries;
        return true;
    };
    FLORIN_TRY_VOID(stored.scan({.table = table, .from = {}, .to = {}}, compare));
    if (next != expected.end()) {
        return fail(Errc::corrupt, name + to_hex(next->first) + ": is missing");
    }
    return {};
}

}  // namespace

Result<VerifyReport> verify_ledger(
    std::filesystem::path const& data_dir,
    std::function<void(VerifyProgress const& progress)> const& progress
) {
    FLORIN_TRY(
        DataDirectory const directory,
        DataDirectory::open(data_dir, DataDirectory::Access::read_only, false)
    );
    progress({.step = "files", .done = 0, .total = 2});
    // The views first: while a daemon writes, the journal may only be ahead of them.
    FLORIN_TRY(
        auto const stored, open_rocks_state({.directory = directory.state(), .read_only = true})
    );
    FLORIN_TRY_VOID(stored->verify_files());
    FLORIN_TRY(
        auto const journal,
        LocalJournal::open(
            {.directory = directory.log(), .witness = directory.witness(), .read_only = true}
        )
    );
    progress({.step = "files", .done = 1, .total = 2});
    FLORIN_TRY_VOID(journal->verify_files());

    VerifyReport report;
    report.ledger_id = journal->ledger_id();
    FLORIN_TRY(Head const head, journal->head());
    FLORIN_TRY(auto const boundaries, run_boundaries(*stored));
    FLORIN_TRY(Sequence const live, live_applied(*stored));
    Sequence const newest = std::max(live, boundaries.empty() ? 0 : *boundaries.rbegin());
    if (newest > head.last.sequence) {
        return fail(
            Errc::corrupt,
            "the views have applied record " + std::to_string(newest) +
                ", but the journal ends at record " + std::to_string(head.last.sequence)
        );
    }

    MemoryStateStore rebuilt;
    Books books{*journal, rebuilt, {}};
    Views views{books, rebuilt};
    FLORIN_TRY_VOID(views.load());
    auto const apply = [&](ReplayedRecord const& record) -> Result<void> {
        FLORIN_TRY_VOID(check_payloads(record, report));
        FLORIN_TRY_VOID(views.replay(record.for_views()));
        Sequence const sequence = record.checked.position.sequence;
        if (sequence <= live) {
            FLORIN_TRY_VOID(views.publish());
        }
        if (boundaries.contains(sequence)) {
            FLORIN_TRY(LedgerTotals after, views.cut_run().store(rebuilt));
            views.run_is_stored(std::move(after));
        }
        books.trim();
        ++report.records;
        report.transfers += record.checked.header.count;
        if (report.records % kProgressEvery == 0) {
            progress({.step = "records", .done = report.records, .total = head.last.sequence});
        }
        return {};
    };
    FLORIN_TRY(ReplayEnd const end, replay_journal(*journal, 1, Journal::Payloads::with, apply));
    if (end.last != head.last) {
        return fail(
            Errc::corrupt,
            "reading the journal ends at record " + std::to_string(end.last.sequence) +
                ", its head is record " + std::to_string(head.last.sequence)
        );
    }
    report.head = end.last;
    FLORIN_TRY_VOID(ledger_kind(*journal));

    for (std::size_t i = 0; i < kTableCount; ++i) {
        progress({.step = "views", .done = i, .total = kTableCount});
        FLORIN_TRY_VOID(compare_table(static_cast<Table>(i), *stored, rebuilt, report));
    }
    auto const count_account = [&](Account const&) -> Result<bool> {
        ++report.accounts;
        return true;
    };
    FLORIN_TRY_VOID(each_account(books, count_account));
    auto const count_document = [&](ByteView, ByteView) -> Result<bool> {
        ++report.documents;
        return true;
    };
    FLORIN_TRY_VOID(rebuilt.scan({.table = Table::document, .from = {}, .to = {}}, count_document));
    return report;
}

}  // namespace florin::ledger
