#include "ledger/reader.h"

#include "ledger/overlay_store.h"
#include "ledger/replay.h"
#include "ledger/store/data_dir.h"
#include "ledger/store/local_journal.h"
#include "ledger/store/rocks_state_store.h"
#include "ledger/store/snapshot.h"

namespace florin::ledger {
namespace {

class LocalReader final : public LedgerReader {
public:
    explicit LocalReader(ReadableDirectory readable) : readable_{std::move(readable)} {}

    Result<void> open() {
        FLORIN_TRY(
            DataDirectory const directory,
            DataDirectory::open(readable_.path(), DataDirectory::Access::read_only, false)
        );
        FLORIN_TRY(
            journal_,
            LocalJournal::open(
                {.directory = directory.log(), .witness = directory.witness(), .read_only = true}
            )
        );
        FLORIN_TRY(stored_, open_rocks_state({.directory = directory.state(), .read_only = true}));
        overlay_ = std::make_unique<OverlayStateStore>(*stored_);
        books_ = std::make_unique<Books>(*journal_, *overlay_, BooksOptions{});
        views_ = std::make_unique<Views>(*books_, *overlay_);
        FLORIN_TRY_VOID(views_->load());
        FLORIN_TRY(Head const head, journal_->head());
        head_ = head.last;
        if (views_->run_applied() > head_.sequence || views_->live_applied() > head_.sequence) {
            return fail(
                Errc::corrupt,
                directory.path().string() + ": the views have applied more than the journal holds"
            );
        }
        FLORIN_TRY(kind_, ledger_kind(*journal_));
        auto const apply = [&](ReplayedRecord const& record) {
            return views_->replay(record.for_views());
        };
        FLORIN_TRY_VOID(
            replay_journal(*journal_, views_->applied() + 1, Journal::Payloads::with, apply)
        );
        FLORIN_TRY_VOID(views_->publish(Views::Publish::position_too));
        documents_ = std::make_unique<DocumentReader>(*overlay_);
        queries_ = std::make_unique<Queries>(*books_);
        return {};
    }

    Position head() const override { return head_; }
    std::array<unsigned char, 16> id() const override { return journal_->ledger_id(); }
    LedgerKind kind() const override { return kind_; }
    Journal const& journal() const override { return *journal_; }
    DocumentReader const& documents() const override { return *documents_; }
    Queries& queries() override { return *queries_; }
    Result<void> accounts(std::function<Result<bool>(Account const& account)> const& visit
    ) override {
        return each_account(*books_, visit);
    }

private:
    ReadableDirectory readable_;  // goes last
    std::unique_ptr<LocalJournal> journal_;
    std::unique_ptr<StateStore> stored_;
    std::unique_ptr<OverlayStateStore> overlay_;
    std::unique_ptr<Books> books_;
    std::unique_ptr<Views> views_;
    std::unique_ptr<DocumentReader> documents_;
    std::unique_ptr<Queries> queries_;
    Position head_;
    LedgerKind kind_ = LedgerKind::full;
};

}  // namespace

Result<std::unique_ptr<LedgerReader>> LedgerReader::open(std::filesystem::path const& data_dir) {
    FLORIN_TRY(auto readable, ReadableDirectory::of(data_dir));
    auto reader = std::make_unique<LocalReader>(std::move(readable));
    FLORIN_TRY_VOID(reader->open());
    return reader;
}

}  // namespace florin::ledger
