#include "ledger/verify.h"

#include "ledger/compare_views.h"
#include "ledger/queries.h"
#include "ledger/replay.h"
#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <system_error>

namespace florin::ledger {
namespace {

constexpr std::uint64_t kProgressEvery = 256;
// A ledger stores a run long before it has so many transfers.
constexpr std::uint64_t kUnstoredMax = 16'000'000;

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
        } else if (auto const* about = std::get_if<DocumentEventRecorded>(&effect)) {
            reference = &about->event.body;
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

// Where the views are rebuilt; gone when the verification is over.
class Scratch {
public:
    Scratch() = default;
    Scratch(Scratch const&) = delete;
    Scratch& operator=(Scratch const&) = delete;
    ~Scratch() {
        if (!path_.empty()) {
            std::error_code error;
            std::filesystem::remove_all(path_, error);
        }
    }
    Result<void> create(std::filesystem::path const& parent) {
        std::error_code error;
        auto const place = parent.empty() ? std::filesystem::temp_directory_path(error) : parent;
        std::string name = (place / "florin-verify-XXXXXX").string();
        if (error || ::mkdtemp(name.data()) == nullptr) {
            return fail(
                Errc::io,
                place.string() + ": cannot make a scratch directory: " +
                    (error ? error.message() : std::generic_category().message(errno))
            );
        }
        path_ = name;
        return {};
    }
    std::filesystem::path const& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// Everything of a verification, step by step.
class Verification {
public:
    Verification(
        VerifyOptions const& options, std::function<void(VerifyProgress const& progress)> progress
    )
        : options_{options}, progress_{std::move(progress)} {}

    Result<VerifyReport> run();

private:
    Result<void> open(DataDirectory const& directory);
    Result<void> rebuild();
    Result<void> take(ReplayedRecord const& record);
    Result<void> compare();

    VerifyOptions const& options_;
    std::function<void(VerifyProgress const& progress)> progress_;
    VerifyReport report_;
    Scratch scratch_;
    std::unique_ptr<LocalJournal> journal_;
    std::unique_ptr<StateStore> stored_;
    std::unique_ptr<StateStore> rebuilt_;
    std::unique_ptr<Books> books_;
    std::unique_ptr<Views> views_;
    Head head_;
    std::set<Sequence> boundaries_;  // of the stored runs
    Sequence live_ = 0;              // what the stored live tables have applied
};

Result<void> Verification::open(DataDirectory const& directory) {
    progress_({.step = "files", .done = 0, .total = 2});
    // The views first: while a daemon writes, the journal may only be ahead of them.
    FLORIN_TRY(stored_, open_rocks_state({.directory = directory.state(), .read_only = true}));
    FLORIN_TRY_VOID(stored_->verify_files());
    FLORIN_TRY(
        journal_,
        LocalJournal::open(
            {.directory = directory.log(), .witness = directory.witness(), .read_only = true}
        )
    );
    progress_({.step = "files", .done = 1, .total = 2});
    FLORIN_TRY_VOID(journal_->verify_files());
    report_.ledger_id = journal_->ledger_id();
    FLORIN_TRY(head_, journal_->head());
    FLORIN_TRY(boundaries_, run_boundaries(*stored_));
    FLORIN_TRY(live_, live_applied(*stored_));
    Sequence const newest = std::max(live_, boundaries_.empty() ? 0 : *boundaries_.rbegin());
    if (newest > head_.last.sequence) {
        return fail(
            Errc::corrupt,
            "the views have applied record " + std::to_string(newest) +
                ", but the journal ends at record " + std::to_string(head_.last.sequence)
        );
    }
    return {};
}

Result<void> Verification::take(ReplayedRecord const& record) {
    FLORIN_TRY_VOID(check_payloads(record, report_));
    FLORIN_TRY_VOID(views_->replay(record.for_views()));
    Sequence const sequence = record.checked.position.sequence;
    if (sequence <= live_) {
        FLORIN_TRY_VOID(views_->publish(Views::Publish::position_too));
    }
    if (boundaries_.contains(sequence)) {
        FLORIN_TRY(StoredRun stored, views_->cut_run().store(*rebuilt_));
        views_->run_is_stored(std::move(stored));
    } else if (views_->is_run_full({.transfers = kUnstoredMax, .bytes = ~std::uint64_t{0}})) {
        return fail(
            Errc::corrupt,
            "the stored views end long before record " + std::to_string(sequence) +
                ": no run was stored for the last " + std::to_string(kUnstoredMax) + " transfers"
        );
    }
    books_->trim();
    ++report_.records;
    report_.transfers += record.checked.header.count;
    if (report_.records % kProgressEvery == 0) {
        progress_({.step = "records", .done = report_.records, .total = head_.last.sequence});
    }
    return {};
}

Result<void> Verification::rebuild() {
    FLORIN_TRY_VOID(scratch_.create(options_.scratch));
    FLORIN_TRY(rebuilt_, open_rocks_state({.directory = scratch_.path() / "state"}));
    books_ = std::make_unique<Books>(
        *journal_, *rebuilt_, BooksOptions{.memory = {.id_filter_bytes_max = 0}}
    );
    views_ = std::make_unique<Views>(*books_, *rebuilt_);
    FLORIN_TRY_VOID(views_->load());
    auto const each = [this](ReplayedRecord const& record) { return take(record); };
    FLORIN_TRY(ReplayEnd const end, replay_journal(*journal_, 1, Journal::Payloads::with, each));
    if (end.last != head_.last) {
        return fail(
            Errc::corrupt,
            "reading the journal ends at record " + std::to_string(end.last.sequence) +
                ", its head is record " + std::to_string(head_.last.sequence)
        );
    }
    report_.head = end.last;
    FLORIN_TRY_VOID(ledger_kind(*journal_));
    return {};
}

Result<void> Verification::compare() {
    for (std::size_t i = 0; i < kTableCount; ++i) {
        auto const table = static_cast<Table>(i);
        auto const compared = [&](std::uint64_t count) {
            progress_({.step = "views", .done = report_.view_entries + count, .total = 0});
        };
        FLORIN_TRY(auto const count, compare_table(table, *stored_, *rebuilt_, compared));
        report_.view_entries += count;
        if (table == Table::document) {
            report_.documents = count;
        }
    }
    return {};
}

Result<VerifyReport> Verification::run() {
    FLORIN_TRY(
        DataDirectory const directory,
        DataDirectory::open(options_.data_dir, DataDirectory::Access::read_only, false)
    );
    FLORIN_TRY_VOID(open(directory));
    FLORIN_TRY_VOID(rebuild());
    FLORIN_TRY_VOID(compare());
    auto const count_account = [&](u128) -> Result<bool> {
        ++report_.accounts;
        return true;
    };
    FLORIN_TRY_VOID(visit_account_ids(*books_, {}, count_account));
    return report_;
}

}  // namespace

Result<VerifyReport> verify_ledger(
    VerifyOptions const& options,
    std::function<void(VerifyProgress const& progress)> const& progress
) {
    return Verification{options, progress}.run();
}

}  // namespace florin::ledger
