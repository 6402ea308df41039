#include "tools/ledger_client/ledger_client.h"

#include "tools/ledger_client/connection.h"

namespace florin::ledger_client {
namespace {

using ledger::protocol::bytes_of;
using ledger::protocol::Operation;

// The type of a ticket is decided by who sends.
template <class Element>
Result<Ticket<Element>> ticket(Result<std::uint64_t> sent) {
    if (!sent) {
        return std::unexpected{std::move(sent).error()};
    }
    return Ticket<Element>{*sent};
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(ClientOptions const& options) {
    return open_connection(options);
}

Result<Ticket<EventResult>> Client::send_accounts(std::span<Account const> events) {
    return ticket<EventResult>(send(Operation::create_accounts, events.size(), bytes_of(events)));
}
Result<Ticket<EventResult>> Client::send_transfers(std::span<Transfer const> events) {
    return ticket<EventResult>(send(Operation::create_transfers, events.size(), bytes_of(events)));
}
Result<Ticket<Account>> Client::send_lookup_accounts(std::span<u128 const> ids) {
    return ticket<Account>(send(Operation::lookup_accounts, ids.size(), bytes_of(ids)));
}
Result<Ticket<Transfer>> Client::send_lookup_transfers(std::span<u128 const> ids) {
    return ticket<Transfer>(send(Operation::lookup_transfers, ids.size(), bytes_of(ids)));
}
Result<Ticket<Transfer>> Client::send_get_account_transfers(AccountFilter const& filter) {
    return ticket<Transfer>(send(Operation::get_account_transfers, 1, bytes_of(filter)));
}
Result<Ticket<AccountBalance>> Client::send_get_account_balances(AccountFilter const& filter) {
    return ticket<AccountBalance>(send(Operation::get_account_balances, 1, bytes_of(filter)));
}
Result<Ticket<Account>> Client::send_query_accounts(QueryFilter const& filter) {
    return ticket<Account>(send(Operation::query_accounts, 1, bytes_of(filter)));
}
Result<Ticket<Transfer>> Client::send_query_transfers(QueryFilter const& filter) {
    return ticket<Transfer>(send(Operation::query_transfers, 1, bytes_of(filter)));
}
Result<Ticket<Head>> Client::send_head() {
    return ticket<Head>(send(Operation::head, 0, {}));
}

Result<std::vector<EventResult>> Client::create_accounts(std::span<Account const> events) {
    FLORIN_TRY(auto const sent, send_accounts(events));
    return wait(sent);
}
Result<std::vector<EventResult>> Client::create_transfers(std::span<Transfer const> events) {
    FLORIN_TRY(auto const sent, send_transfers(events));
    return wait(sent);
}
Result<std::vector<Account>> Client::lookup_accounts(std::span<u128 const> ids) {
    FLORIN_TRY(auto const sent, send_lookup_accounts(ids));
    return wait(sent);
}
Result<std::vector<Transfer>> Client::lookup_transfers(std::span<u128 const> ids) {
    FLORIN_TRY(auto const sent, send_lookup_transfers(ids));
    return wait(sent);
}
Result<std::vector<Transfer>> Client::get_account_transfers(AccountFilter const& filter) {
    FLORIN_TRY(auto const sent, send_get_account_transfers(filter));
    return wait(sent);
}
Result<std::vector<AccountBalance>> Client::get_account_balances(AccountFilter const& filter) {
    FLORIN_TRY(auto const sent, send_get_account_balances(filter));
    return wait(sent);
}
Result<std::vector<Account>> Client::query_accounts(QueryFilter const& filter) {
    FLORIN_TRY(auto const sent, send_query_accounts(filter));
    return wait(sent);
}
Result<std::vector<Transfer>> Client::query_transfers(QueryFilter const& filter) {
    FLORIN_TRY(auto const sent, send_query_transfers(filter));
    return wait(sent);
}
Result<Head> Client::head() {
    FLORIN_TRY(auto const sent, send_head());
    FLORIN_TRY(auto const answer, wait(sent));
    return answer.front();
}

}  // namespace florin::ledger_client
