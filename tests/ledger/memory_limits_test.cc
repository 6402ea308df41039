// Ten million ids through a ledger that may keep next to nothing in memory: accounts, ids and
// expiries that do not fit are read from the store, nothing is forgotten, and memory stays bounded.
#include "ledger/base/large_memory.h"
#include "ledger/ledger.h"
#include "tests/ledger/support.h"

#include <algorithm>
#include <vector>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

constexpr std::uint64_t kAccounts = 5'000;
#ifdef FLORIN_SANITIZED
constexpr std::uint64_t kTransfers = 500'000;
#else
constexpr std::uint64_t kTransfers = 10'000'000;
#endif
constexpr std::uint64_t kBatch = 8'000;
constexpr std::uint64_t kPendingEach = 1'000;  // with a timeout that the test does not reach

LedgerOptions options(fs::path const& data_dir) {
    LedgerOptions options;
    options.data_dir = data_dir;
    options.kind = LedgerKind::kernel_only;
    options.run_transfers = 100'000;
    options.cache_bytes = 1U << 20U;
    options.memory = {
        .accounts_max = 500,
        .transfers_max = 10'000,
        .expiries_max = 100,
        // Six bits for each id: where it errs, the store is searched.
        .id_filter_bytes_max = 8U << 20U,
    };
    return options;
}

std::uint64_t mixed(std::uint64_t number) {
    number += 0x9e3779b97f4a7c15ULL;
    number = (number ^ (number >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    number = (number ^ (number >> 27U)) * 0x94d049bb133111ebULL;
    return number ^ (number >> 31U);
}

// The same for the same number, with an id that could be any.
Transfer transfer_of(std::uint64_t number) {
    std::uint64_t const dice = mixed(number);
    Transfer transfer;
    transfer.id = u128{dice} << 64U | mixed(dice);
    transfer.debit_account_id = 1 + dice % kAccounts;
    transfer.credit_account_id = 1 + (dice + 1 + (dice >> 32U) % (kAccounts - 1)) % kAccounts;
    transfer.amount = 1 + (dice >> 20U) % 1'000;
    transfer.ledger = 1;
    transfer.code = 1;
    if (number % kPendingEach == 0) {
        transfer.flags = transfer_pending;
        transfer.timeout = 1'000'000 + static_cast<std::uint32_t>(number / kPendingEach);
    }
    return transfer;
}

CreateTransfers batch_from(std::uint64_t first) {
    CreateTransfers request;
    std::uint64_t const end = std::min(kTransfers, first + kBatch);
    for (std::uint64_t number = first; number < end; ++number) {
        request.events.push_back(transfer_of(number));
    }
    return request;
}

std::uint64_t create(Ledger& ledger, std::uint64_t first, CreateTransferStatus expected) {
    auto const answer = must(ledger.call(batch_from(first)));
    auto const& results = std::get<CreateTransfersAnswer>(answer).results;
    return static_cast<std::uint64_t>(
        std::ranges::count(results, expected, &EventResult<CreateTransferStatus>::status)
    );
}

std::size_t resident_mib() {
    std::ifstream statm{"/proc/self/statm"};
    std::size_t pages = 0;
    std::size_t resident = 0;
    statm >> pages >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) >> 20U;
}

void check_everything(Ledger& ledger) {
    std::vector<Balances> expected(kAccounts + 1);
    for (std::uint64_t number = 0; number < kTransfers; ++number) {
        Transfer const transfer = transfer_of(number);
        Balances& debit = expected[static_cast<std::size_t>(transfer.debit_account_id)];
        Balances& credit = expected[static_cast<std::size_t>(transfer.credit_account_id)];
        bool const is_pending = transfer.flags == transfer_pending;
        (is_pending ? debit.debits_pending : debit.debits_posted) += transfer.amount;
        (is_pending ? credit.credits_pending : credit.credits_posted) += transfer.amount;
    }
    LookupAccounts all;
    for (std::uint64_t id = 1; id <= kAccounts; ++id) {
        all.ids.push_back(id);
    }
    auto const answer = must(ledger.call(all));
    auto const& accounts = std::get<AccountsAnswer>(answer).accounts;
    REQUIRE(accounts.size() == kAccounts);
    bool agree = true;
    for (Account const& account : accounts) {
        Balances const& sums = expected[static_cast<std::size_t>(account.id)];
        agree = agree && account.debits_pending == sums.debits_pending &&
                account.debits_posted == sums.debits_posted &&
                account.credits_pending == sums.credits_pending &&
                account.credits_posted == sums.credits_posted;
    }
    CHECK(agree);
    LookupTransfers some;
    for (std::uint64_t number = 0; number < kTransfers; number += kTransfers / 2'000) {
        some.ids.push_back(transfer_of(number).id);
    }
    auto const found = must(ledger.call(some));
    auto const& transfers = std::get<TransfersAnswer>(found).transfers;
    REQUIRE(transfers.size() == some.ids.size());
    for (std::size_t i = 0; i < transfers.size(); ++i) {
        Transfer const sent = transfer_of(i * (kTransfers / 2'000));
        agree = agree && transfers[i].id == sent.id && transfers[i].amount == sent.amount;
    }
    CHECK(agree);
    // Used ids are found wherever they are: in the oldest runs and in the newest.
    for (std::uint64_t const first : {std::uint64_t{0}, kTransfers / 2, kTransfers - kBatch}) {
        CHECK(create(ledger, first, CreateTransferStatus::exists) == kBatch);
    }
}

}  // namespace

TEST_CASE("ten million ids and a tiny cache") {
    keep_freed_memory();  // as the programs do
    TemporaryFolder folder;
    SystemClock const clock;
    {
        auto const ledger = must(Ledger::open(options(folder / "data"), clock));
        CreateAccounts accounts;
        for (std::uint64_t id = 1; id <= kAccounts; ++id) {
            Account account;
            account.id = id;
            account.ledger = 1;
            account.code = 1;
            accounts.events.push_back(account);
        }
        must(ledger->call(accounts));
        std::size_t most = 0;
        for (std::uint64_t first = 0; first < kTransfers; first += kBatch) {
            std::uint64_t const wanted = std::min(kBatch, kTransfers - first);
            REQUIRE(create(*ledger, first, CreateTransferStatus::created) == wanted);
            most = std::max(most, resident_mib());
        }
        MESSAGE("at most " << most << " MiB resident");
#ifndef FLORIN_SANITIZED
        CHECK(most < 400);  // all of it would be more than 3 GiB
#endif
        check_everything(*ledger);
    }
    auto const ledger = must(Ledger::open(options(folder / "data"), clock));
    check_everything(*ledger);
}
