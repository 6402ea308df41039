// Each operation of the protocol through the client, a server and a real ledger on disk.
#include "tests/ledger_server/rig.h"

using namespace florin;
using namespace florin::ledger_server;
using namespace florin::ledger_server::test;
using ledger::CreateAccountStatus;

namespace {

struct Stack {
    Stack() { start(); }
    Stack(Stack const&) = delete;
    Stack& operator=(Stack const&) = delete;
    ~Stack() { stop(); }

    void start() {
        ledger::LedgerOptions options;
        options.data_dir = folder.path() / "data";
        options.kind = ledger::LedgerKind::kernel_only;
        ledger = must(ledger::Ledger::open(options, clock));
        ServerOptions server_options;
        server_options.socket = folder.path() / "socket";
        server_options.peer_uid = ::geteuid();
        server = must(Server::start(server_options, *ledger));
        client = must(Client::connect({.connect = "unix:" + (folder.path() / "socket").string()}));
    }
    void stop() {
        server->stop_accepting();
        ledger->stop();
        server->stop();
        server.reset();
        ledger.reset();
    }

    florin::test::TempDir folder;
    SystemClock clock;
    std::unique_ptr<ledger::Ledger> ledger;
    std::unique_ptr<Server> server;
    std::unique_ptr<Client> client;
};

Account an_account(u128 id, std::uint16_t flags = 0) {
    Account account;
    account.id = id;
    account.ledger = 1;
    account.code = 10;
    account.flags = flags;
    account.user_data_64 = 5;
    return account;
}

Transfer a_transfer(u128 id, u128 amount, std::uint16_t flags = 0) {
    Transfer transfer;
    transfer.id = id;
    transfer.debit_account_id = 1;
    transfer.credit_account_id = 2;
    transfer.amount = amount;
    transfer.ledger = 1;
    transfer.code = 20;
    transfer.flags = flags;
    return transfer;
}

std::vector<std::string> names(std::vector<protocol::EventResult> const& results) {
    std::vector<std::string> names;
    for (auto const& result : results) {
        names.emplace_back(status_name(static_cast<CreateTransferStatus>(result.status)));
    }
    return names;
}

}  // namespace

TEST_CASE("every operation does what it says, and is there after a restart") {
    Stack stack;
    std::vector<Account> const accounts{
        an_account(1, ledger::account_history), an_account(2), an_account(2), an_account(0)
    };
    auto const opened = must(stack.client->create_accounts(accounts));
    REQUIRE(opened.size() == 4);
    CHECK(opened[0].status == static_cast<std::uint32_t>(CreateAccountStatus::created));
    CHECK(opened[2].status == static_cast<std::uint32_t>(CreateAccountStatus::exists));
    CHECK(opened[2].timestamp == opened[1].timestamp);
    CHECK(opened[3].status == static_cast<std::uint32_t>(CreateAccountStatus::id_must_not_be_zero));

    u128 const large = make_u128(1, 7);  // more than 64 bits must arrive whole
    std::vector<Transfer> const transfers{
        a_transfer(large, 100),
        a_transfer(12, make_u128(3, 0)),
        a_transfer(13, 5, ledger::transfer_linked),
        a_transfer(0, 5),
        a_transfer(14, 30, ledger::transfer_pending),
    };
    auto const created = must(stack.client->create_transfers(transfers));
    CHECK(
        names(created) ==
        std::vector<std::string>{
            "created",
            "created",
            "linked_event_failed",
            "id_must_not_be_zero",
            "created",
        }
    );
    CHECK(created[1].timestamp > created[0].timestamp);

    auto const look = [&] {
        std::vector<u128> const ids{2, 99, 1};
        auto const found = must(stack.client->lookup_accounts(ids));
        REQUIRE(found.size() == 2);
        CHECK(found[0].id == 2);
        CHECK(found[0].credits_posted == make_u128(3, 100));
        CHECK(found[0].credits_pending == 30);
        CHECK(found[1].debits_posted == make_u128(3, 100));
        std::vector<u128> const transfer_ids{12, large, 13};
        auto const moved = must(stack.client->lookup_transfers(transfer_ids));
        REQUIRE(moved.size() == 2);
        CHECK(moved[0].amount == make_u128(3, 0));
        CHECK(moved[1].id == large);
        CHECK(moved[1].timestamp == created[0].timestamp);

        protocol::AccountFilter filter;
        filter.account_id = 1;
        filter.limit = 2;
        filter.flags = ledger::kFilterDebits | ledger::kFilterReversed;
        auto const newest = must(stack.client->get_account_transfers(filter));
        REQUIRE(newest.size() == 2);
        CHECK(newest[0].id == 14);
        CHECK(newest[1].id == 12);
        filter.flags = ledger::kFilterDebits;
        filter.limit = 1;
        auto const balances = must(stack.client->get_account_balances(filter));
        REQUIRE(balances.size() == 1);
        CHECK(balances[0].debits_posted == 100);
        CHECK(balances[0].timestamp == created[0].timestamp);
        filter.flags = 0;
        CHECK(must(stack.client->get_account_transfers(filter)).empty());

        protocol::QueryFilter query;
        query.user_data_64 = 5;
        query.limit = 10;
        CHECK(must(stack.client->query_accounts(query)).size() == 2);
        query.user_data_64 = 0;
        query.code = 20;
        query.limit = 100'000;
        CHECK(must(stack.client->query_transfers(query)).size() == 3);
        query.code = 21;
        CHECK(must(stack.client->query_transfers(query)).empty());
    };
    look();
    auto const head = must(stack.client->head());
    CHECK(head.sequence > 0);
    auto const id = stack.client->server().ledger_id;
    stack.stop();
    stack.start();
    CHECK(stack.client->server().ledger_id == id);
    look();
    // The same batch again, as after a lost connection.
    auto const again = must(stack.client->create_transfers(transfers));
    CHECK(names(again)[0] == "exists");
    CHECK(again[0].timestamp == created[0].timestamp);
    CHECK(names(again)[4] == "exists");
}

TEST_CASE("a batch of the most events is created, read and counted in one answer each") {
    Stack stack;
    std::vector<Account> const accounts{an_account(1), an_account(2)};
    must(stack.client->create_accounts(accounts));
    std::vector<Transfer> transfers;
    for (std::uint64_t i = 0; i < ledger::kBatchEventsMax; ++i) {
        transfers.push_back(a_transfer(i + 1, 1));
    }
    auto const created = must(stack.client->create_transfers(transfers));
    CHECK(std::ranges::count(created, 0U, &protocol::EventResult::status) == 8'189);
    std::vector<u128> ids;
    for (Transfer const& transfer : transfers) {
        ids.push_back(transfer.id);
    }
    auto const found = must(stack.client->lookup_transfers(ids));
    REQUIRE(found.size() == 8'189);
    CHECK(found.back().timestamp == created.back().timestamp);
    std::vector<u128> const one{1};
    CHECK(must(stack.client->lookup_accounts(one)).at(0).debits_posted == 8'189);
}
