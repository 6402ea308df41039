#include "daemon/settlement/settlement.h"

#include "crypto/hash.h"
#include "daemon/log/log.h"
#include "daemon/model/chart.h"
#include "ledger/base/calendar.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

#include <fmt/format.h>

#include <algorithm>

namespace florin::settlement {
namespace {

namespace asio = boost::asio;
using flow::Change;
using model::Kind;

// Payments made available by one command.
constexpr std::size_t kChunk = 200;
// Ids of a payout that are tried before the run gives up.
constexpr std::int64_t kAttemptsMax = 20;

// "20261125"
std::string compact_date(std::int64_t seconds) {
    std::string text = utc_date(seconds);
    std::erase(text, '-');
    return text;
}

bool is_finished(model::SettlementBatch const& batch) {
    return batch.state == "submitted" || batch.state == "empty" || batch.state == "unknown";
}

// One run at a time.
class Turn {
public:
    explicit Turn(std::atomic<bool>& taken) : taken_{taken}, owns_{!taken.exchange(true)} {}
    Turn(Turn const&) = delete;
    Turn& operator=(Turn const&) = delete;
    ~Turn() {
        if (owns_) {
            taken_ = false;
        }
    }
    bool owns() const { return owns_; }

private:
    std::atomic<bool>& taken_;
    bool owns_;
};

std::string batch_payout_id(
    std::string const& batch, std::string const& merchant, Currency const& currency
) {
    return fmt::format("{}/{}/{}", batch, merchant, currency.alphabetic());
}

}  // namespace

asio::awaitable<Result<model::SettlementBatch>> Settlement::run() {
    Turn const turn{running_};
    if (!turn.owns()) {
        co_return fail(Errc::conflict, "a settlement is under way");
    }
    if (parts_.bank_accounts.empty()) {
        co_return fail(
            Errc::refused,
            "no bank account to pay from: the configuration has no [[bank_account]] of mode " +
                std::string{model::mode_name(parts_.mode)}
        );
    }
    FLORIN_CO_TRY(Batch batch, co_await open_batch());
    if (batch.value.state == "opened") {
        FLORIN_CO_TRY_VOID(co_await post_availability(batch));
        FLORIN_CO_TRY_VOID(co_await fix_cut(batch));
        FLORIN_FAILPOINT("settlement", "cut");
    }
    if (batch.value.state == "preparing") {
        FLORIN_CO_TRY_VOID(co_await make_payouts(batch));
        FLORIN_FAILPOINT("settlement", "prepared");
    }
    if (batch.value.state == "prepared" || batch.value.state == "submitting") {
        FLORIN_CO_TRY_VOID(co_await hand_over(batch));
    }
    log::info(
        "settlement.done",
        {{"batch", batch.value.id},
         {"state", batch.value.state},
         {"payouts", batch.value.payouts},
         {"cut", batch.value.cut_sequence}}
    );
    co_return batch.value;
}

asio::awaitable<Result<void>> Settlement::recover() {
    FLORIN_CO_TRY(auto const newest, batches(1));
    if (newest.empty() || newest[0].state != "submitting") {
        co_return Result<void>{};
    }
    FLORIN_CO_TRY(
        Batch batch,
        flow::load_known<model::SettlementBatch>(
            parts_.ledger.documents(), platform(), newest[0].id
        )
    );
    switch (parts_.outbox.state_of(batch.value.file, batch.value.boot_id)) {
        case Outbox::State::not_submitted: co_return Result<void>{};  // the next run hands it over
        case Outbox::State::submitted: batch.value.state = "submitted"; break;
        case Outbox::State::unknown: batch.value.state = "unknown"; break;
    }
    batch.value.closed = parts_.ids.now_s();
    log::warn("settlement.recovered", {{"batch", batch.value.id}, {"state", batch.value.state}});
    co_return co_await store(batch);
}

// The one under way, or a new one whose id follows the last one's.
asio::awaitable<Result<Settlement::Batch>> Settlement::open_batch() {
    FLORIN_CO_TRY(auto const newest, batches(1));
    if (!newest.empty() && !is_finished(newest[0])) {
        co_return flow::load_known<model::SettlementBatch>(
            parts_.ledger.documents(), platform(), newest[0].id
        );
    }
    std::int64_t const now = parts_.ids.now_s();
    std::string const day = compact_date(now);
    std::string const prefix = fmt::format("stl-{}-{}-", model::mode_name(parts_.mode), day);
    int number = 1;
    if (!newest.empty() && newest[0].id.starts_with(prefix)) {
        number = std::stoi(newest[0].id.substr(prefix.size())) + 1;
    }
    Batch batch;
    batch.value.id = fmt::format("{}{:04}", prefix, number);
    batch.value.mode = model::mode_name(parts_.mode);
    batch.value.state = "opened";
    batch.value.date = utc_date(now);
    batch.value.created = now;
    FLORIN_CO_TRY_VOID(co_await store(batch));
    co_return batch;
}

Result<std::vector<Settlement::Account>> Settlement::accounts() const {
    std::vector<Account> found;
    auto const add = [&](ledger::Document const& document) -> Result<bool> {
        auto const currency = Currency::from_alphabetic(document.key.id);
        if (currency && model::mode_of(document.key.owner) == parts_.mode) {
            std::string const& owner = document.key.owner;
            found.push_back({owner, owner.substr(0, owner.find('/')), *currency});
        }
        return true;
    };
    FLORIN_TRY_VOID(
        parts_.ledger.documents().each(static_cast<std::uint16_t>(Kind::merchant_currency), add)
    );
    return found;
}

asio::awaitable<Result<void>> Settlement::post_availability(Batch& batch) {
    FLORIN_CO_TRY(auto const all, accounts());
    std::int64_t const now = parts_.ids.now_s();
    std::int64_t done = 0;
    show("availability", 0);
    for (Account const& account : all) {
        for (;;) {
            FLORIN_CO_TRY(std::int64_t const posted, co_await post_due(account, now));
            if (posted == 0) {
                break;
            }
            done += posted;
            show("availability", static_cast<std::uint64_t>(done));
        }
    }
    batch.value.availabilities += done;
    co_return Result<void>{};
}

// The merchant's balance as it will be when so much more of this account is available.
asio::awaitable<Result<std::string>> Settlement::balance_after(
    Account account, std::int64_t made_available
) {
    FLORIN_CO_TRY(auto balance, co_await flow::read_balance(parts_.ledger, account.owner));
    for (flow::CurrencyBalance& each : balance.currencies) {
        if (each.currency == account.currency) {
            each.available += made_available;
            each.pending -= made_available;
        }
    }
    co_return parts_.renderer.balance(balance);
}

// One chunk of what is due; 0 where nothing is. The last one of a run announces the balance, so
// that a merchant is told once for each currency.
asio::awaitable<Result<std::int64_t>> Settlement::post_due(Account account, std::int64_t now_s) {
    std::string const prefix = std::string{account.currency.alphabetic()} + "/";
    FLORIN_CO_TRY(
        auto const documents,
        parts_.ledger.documents().list(
            {.kind = static_cast<std::uint16_t>(Kind::availability),
             .owner = account.owner,
             .after = prefix,
             .newest_first = false,
             .limit = kChunk + 1}
        )
    );
    FLORIN_CO_TRY(
        auto const position,
        flow::load<model::SettlementPosition>(
            parts_.ledger.documents(), account.owner, std::string{account.currency.alphabetic()}
        )
    );
    // Nobody else than this run makes payouts, so they belong to the next one.
    std::string const rows = model::payout_rows(
        account.currency.alphabetic(), (position ? position->value.payouts : 0) + 1
    );
    model::Book const book{account.currency, parts_.mode};
    Change change{account.owner};
    std::int64_t made_available = 0;
    bool is_last = true;
    for (ledger::Document const& document : documents) {
        if (!document.key.id.starts_with(prefix)) {
            break;
        }
        FLORIN_CO_TRY(
            auto const due, model::from_text<model::Availability>(document.body.value_or(""))
        );
        if (due.due > now_s) {
            break;
        }
        if (change.command.transfers.size() == kChunk) {
            is_last = false;
            break;
        }
        change.command.transfers.push_back(
            model::availability(book, due.attempt, account.merchant, due.gross, due.fee)
        );
        change.remove(Kind::availability, document.key.id, document.version);
        made_available += due.gross - due.fee;
        if (auto const row = model::transaction_of(document.key.id); !row.empty()) {
            change.link(Kind::payout_transaction, rows, row);
        }
    }
    auto const count = static_cast<std::int64_t>(change.command.transfers.size());
    if (count > 0) {
        if (is_last) {
            FLORIN_CO_TRY(std::string balance, co_await balance_after(account, made_available));
            change.event(parts_.ids, "balance.available", std::move(balance));
        }
        FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), account.owner));
    }
    co_return count;
}

// Everything up to this command's own record and time belongs to the batch. Which those are is
// known when it is committed, and stored by the next; a crash in between only means another cut,
// because nothing of the batch exists before the cut is stored.
asio::awaitable<Result<void>> Settlement::fix_cut(Batch& batch) {
    Change cut{platform()};
    cut.put(batch.value.id, batch);
    FLORIN_CO_TRY(
        auto const receipt, co_await parts_.ledger.commit(std::move(cut.command), "the cut")
    );
    ++batch.version;
    batch.value.cut_sequence = receipt.sequence;
    batch.value.cut_ns = receipt.time_ns;
    batch.value.date = utc_date(seconds_of(receipt.time_ns));
    batch.value.state = "preparing";
    co_return co_await store(batch);
}

asio::awaitable<Result<void>> Settlement::make_payouts(Batch& batch) {
    FLORIN_CO_TRY(auto const all, accounts());
    std::uint64_t done = 0;
    show("payouts", 0);
    for (Account const& account : all) {
        for (bool is_settled = false; !is_settled;) {
            FLORIN_CO_TRY(is_settled, co_await settle_account(batch.value, account));
        }
        show("payouts", ++done);
    }
    FLORIN_CO_TRY(auto const made, payouts(batch.value.id));
    batch.value.payouts = static_cast<std::int64_t>(made.size());
    batch.value.state = made.empty() ? "empty" : "prepared";
    batch.value.closed = made.empty() ? parts_.ids.now_s() : 0;
    co_return co_await store(batch);
}

// One merchant in one currency: asserted, then paid out with one command. False: somebody else
// changed something first, try again.
asio::awaitable<Result<bool>> Settlement::settle_account(
    model::SettlementBatch batch, Account account
) {
    std::string const currency{account.currency.alphabetic()};
    auto const& reader = parts_.ledger.documents();
    FLORIN_CO_TRY(
        auto known, flow::load<model::SettlementPosition>(reader, account.owner, currency)
    );
    flow::Stored<model::SettlementPosition> position;
    if (known) {
        position = std::move(*known);
    }
    if (position.value.batch == batch.id) {
        co_return true;  // done before a crash
    }
    FLORIN_CO_TRY(auto const lines, co_await lines_since(account, position.value, batch.cut_ns));
    FLORIN_CO_TRY(std::int64_t const balance, co_await available_at(account, batch.cut_ns));
    if (lines.available != balance) {
        co_return fail(
            Errc::corrupt,
            fmt::format(
                "{} {}: opening {} + gross {} - fees {} - refunds {} + returned {} - payouts {} + "
                "other {} = {}, but the account has {} available at the cut",
                account.owner,
                currency,
                lines.opening,
                lines.gross,
                lines.fees,
                lines.refunds,
                lines.returned,
                lines.payouts,
                lines.other,
                lines.available,
                balance
            )
        );
    }
    FLORIN_CO_TRY(
        auto const merchant, flow::load_known<model::Merchant>(reader, platform(), account.merchant)
    );
    // Refunds since the cut may have taken some of it away again.
    FLORIN_CO_TRY(std::int64_t const now, co_await available_now(account));
    std::int64_t const amount = std::min(lines.available, now);
    bool const pays = amount > 0 && !merchant.value.iban.empty();
    Change change{account.owner};
    position.value = {
        .batch = batch.id,
        .cut_ns = batch.cut_ns,
        .available = lines.available,
        .payouts = position.value.payouts + (pays ? 1 : 0),
    };
    change.put(currency, position);
    if (pays) {
        Plan const plan{.lines = lines, .amount = amount, .number = position.value.payouts};
        // An id whose transfer was refused is used up: the next attempt has another.
        for (std::int64_t attempt = 1; attempt <= kAttemptsMax; ++attempt) {
            FLORIN_CO_TRY(
                auto const receipt,
                co_await pay_out(change, batch, account, merchant.value, plan, attempt)
            );
            if (receipt.committed()) {
                co_return true;
            }
            if (receipt.status == ledger::CommandStatus::guard_failed) {
                co_return false;
            }
            if (receipt.transfer_status != ledger::CreateTransferStatus::id_already_failed) {
                co_return fail(
                    Errc::conflict,
                    fmt::format(
                        "payout of {} {}: {}, {}",
                        account.owner,
                        currency,
                        status_name(receipt.status),
                        ledger::status_name(receipt.transfer_status)
                    )
                );
            }
        }
        co_return fail(Errc::conflict, "payout of " + account.owner + ": every id is used up");
    }
    if (amount > 0) {
        log::warn(
            "settlement.no_payout_account",
            {{"merchant", account.merchant}, {"currency", currency}, {"amount_minor", amount}}
        );
    }
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), account.owner));
    co_return true;
}

// The command that moves the money and stores the payout beside what `change` has already. The
// guard is decided in the ledger thread; what was looked up before is only a plan.
asio::awaitable<Result<ledger::Receipt>> Settlement::pay_out(
    Change change,
    model::SettlementBatch batch,
    Account account,
    model::Merchant merchant,
    Plan plan,
    std::int64_t attempt
) {
    std::string const currency{account.currency.alphabetic()};
    std::string const id = model::payout_id(batch.id, account.merchant, currency, attempt);
    model::BalanceTransaction row{
        .id = {},
        .type = "payout",
        .source = id,
        .currency = currency,
        .description = {},
        .amount = -plan.amount,
    };
    flow::write_row(change, parts_.ids, row);
    change.link(Kind::payout_transaction, model::payout_rows(currency, plan.number), row.id);
    model::Payout const payout{
        .id = id,
        .batch = batch.id,
        .merchant = account.merchant,
        .currency = currency,
        .state = "prepared",
        .amount = plan.amount,
        .lines = plan.lines,
        .iban = merchant.iban,
        .account_holder = merchant.account_holder,
        .uetr = model::payout_uetr(id),
        .attempt = attempt,
        .created = parts_.ids.now_s(),
        .closed = 0,
        .statement_line = {},
        .number = plan.number,
        .balance_transaction = row.id,
        .failure_balance_transaction = {},
    };
    model::Book const book{account.currency, parts_.mode};
    change.command.guards.push_back(ledger::AvailableGuard{
        .account_id = model::account_id(model::Role::merchant_available, account.merchant, book),
        .at_least = static_cast<u128>(plan.amount),
    });
    change.command.ensure_accounts =
        model::payout_accounts(book, account.merchant, parts_.bank_accounts.front().name);
    change.command.transfers.push_back(model::payout(book, id, account.merchant, plan.amount));
    change.put(id, payout, 0);
    change.put_for(
        platform(),
        batch_payout_id(batch.id, account.merchant, account.currency),
        model::BatchPayout{.owner = account.owner, .payout = id},
        0
    );
    co_return co_await parts_.ledger.submit_command(std::move(change.command));
}

asio::awaitable<Result<void>> Settlement::hand_over(Batch& batch) {
    show("file", 0);
    if (batch.value.state == "submitting") {
        auto const state = parts_.outbox.state_of(batch.value.file, batch.value.boot_id);
        if (state != Outbox::State::not_submitted) {
            batch.value.state = state == Outbox::State::submitted ? "submitted" : "unknown";
            batch.value.closed = parts_.ids.now_s();
            co_return co_await store(batch);
        }
    } else {
        FLORIN_CO_TRY(auto const bytes, file_bytes(batch.value));
        batch.value.file = batch.value.id + ".pain.001.xml";
        batch.value.file_sha256 = crypto::hex(crypto::sha256(bytes));
        batch.value.boot_id = parts_.outbox.boot_id();
        FLORIN_CO_TRY_VOID(parts_.outbox.write(batch.value.file, bytes));
        FLORIN_FAILPOINT("settlement", "file_written");
        batch.value.state = "submitting";
        FLORIN_CO_TRY_VOID(co_await store(batch));
        FLORIN_FAILPOINT("settlement", "submitting");
    }
    FLORIN_CO_TRY_VOID(parts_.outbox.hand_over(batch.value.file));
    FLORIN_FAILPOINT("settlement", "handed_over");
    batch.value.state = "submitted";
    batch.value.closed = parts_.ids.now_s();
    FLORIN_CO_TRY_VOID(co_await store(batch));
    FLORIN_FAILPOINT("settlement", "submitted");
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Settlement::store(Batch& batch) {
    Change change{platform()};
    change.put(batch.value.id, batch);
    FLORIN_CO_TRY_VOID(co_await parts_.ledger.commit(std::move(change.command), batch.value.id));
    ++batch.version;
    co_return Result<void>{};
}

Progress Settlement::progress() const {
    std::lock_guard const lock{progress_mutex_};
    return progress_;
}

void Settlement::show(std::string step, std::uint64_t done) {
    std::lock_guard const lock{progress_mutex_};
    progress_ = {.step = std::move(step), .done = done};
}

}  // namespace florin::settlement
