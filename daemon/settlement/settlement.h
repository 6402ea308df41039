// Settlement: what merchants have earned becomes payouts, exactly once, in two phases.
//
// prepare: availability that is due is posted; then a cut is fixed, and everything up to that
// record belongs to the batch; then, for each merchant and currency, one command moves what is
// available into transit and stores the payout. Each step is small, is found done when it is done
// again, and leaves payments alone: they go on meanwhile.
// commit: the payout file, whose bytes are a function of the batch, is written under a private
// name and synced; then a record says that it is about to go; then a rename hands it over.
// After a crash the record and the file together say what happened (see outbox.h).
//
// Files: settlement.cc is the story, batches.cc shows what it has made, account_lines.cc reads what
// moved an account, outbox.cc has the file.
// Thread rule: run and recover are awaited on the background executor, one at a time; the rest from
// any thread.
#pragma once

#include "daemon/flow/payments.h"
#include "daemon/flow/store.h"
#include "daemon/ledger_client.h"
#include "daemon/model/settlement.h"
#include "daemon/settlement/outbox.h"
#include "ledger/base/currency.h"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace florin::settlement {

// Where payouts leave from.
struct BankAccount {
    std::string name, iban, holder;
};

struct Progress {
    std::string step;  // for people: "availability", "payouts", "file"
    std::uint64_t done = 0;
};

class Settlement {
public:
    struct Parts {
        LedgerClient& ledger;
        model::IdMaker& ids;
        flow::Renderer const& renderer;  // of balance.available
        model::Mode mode;
        std::vector<BankAccount> bank_accounts;  // of this mode; payouts leave from the first
        Outbox outbox;
    };
    explicit Settlement(Parts parts) : parts_{std::move(parts)} {}

    // Finishes the batch that is under way, or makes a new one. Errc::conflict: another run is
    // under way; Errc::refused: there is no bank account to pay from; Errc::corrupt: an account's
    // lines and its balance disagree, and nothing more was paid out.
    boost::asio::awaitable<Result<model::SettlementBatch>> run();
    // After a start: finds out what became of a file that was about to be handed over.
    boost::asio::awaitable<Result<void>> recover();

    // Newest first.
    Result<std::vector<model::SettlementBatch>> batches(std::size_t limit) const;
    // nullopt: there is no such batch.
    Result<std::optional<model::SettlementBatch>> batch(std::string const& id) const;
    Result<std::vector<model::Payout>> payouts(std::string const& batch) const;
    std::filesystem::path file_of(model::SettlementBatch const& batch) const;

    Progress progress() const;

private:
    using Batch = flow::Stored<model::SettlementBatch>;
    struct Account {
        std::string owner, merchant;
        Currency currency;
    };

    std::string platform() const { return model::owner_of("platform", parts_.mode); }
    boost::asio::awaitable<Result<Batch>> open_batch();
    boost::asio::awaitable<Result<void>> post_availability(Batch& batch);
    boost::asio::awaitable<Result<std::int64_t>> post_due(Account account, std::int64_t now_s);
    boost::asio::awaitable<Result<std::string>> balance_after(
        Account account, std::int64_t made_available
    );
    boost::asio::awaitable<Result<void>> fix_cut(Batch& batch);
    boost::asio::awaitable<Result<void>> make_payouts(Batch& batch);
    boost::asio::awaitable<Result<bool>> settle_account(
        model::SettlementBatch batch, Account account
    );
    // What a payout is to be.
    struct Plan {
        model::PayoutLines lines;
        std::int64_t amount = 0;
        std::int64_t number = 0;
    };
    boost::asio::awaitable<Result<ledger::Receipt>> pay_out(
        flow::Change change,
        model::SettlementBatch batch,
        Account account,
        model::Merchant merchant,
        Plan plan,
        std::int64_t attempt
    );
    boost::asio::awaitable<Result<model::PayoutLines>> lines_since(
        Account account, model::SettlementPosition position, std::uint64_t cut_ns
    );
    boost::asio::awaitable<Result<std::int64_t>> available_at(
        Account account, std::uint64_t cut_ns
    );
    boost::asio::awaitable<Result<std::int64_t>> available_now(Account account);
    boost::asio::awaitable<Result<void>> hand_over(Batch& batch);
    boost::asio::awaitable<Result<void>> store(Batch& batch);
    Result<std::vector<Account>> accounts() const;
    Result<std::string> file_bytes(model::SettlementBatch const& batch) const;
    void show(std::string step, std::uint64_t done);

    Parts parts_;
    std::atomic<bool> running_ = false;
    mutable std::mutex progress_mutex_;
    Progress progress_;
};

// Credits less debits, also below zero. Errc::out_of_range beyond 64 bits.
Result<std::int64_t> signed_minor(u128 credits, u128 debits);

}  // namespace florin::settlement
