// A client of Florin's ledger: the binary batch protocol of ledger/protocol.h, over a Unix socket
// or TLS. docs/ledger-protocol.md has a complete program that uses it.
//
//   auto client = Client::connect({.connect = "unix:/run/florin/ledger.sock"});
//   auto results = (*client)->create_transfers(transfers);      // durable when it returns
//
// To keep the ledger busy, send ahead and wait later; the ledger executes in this order:
//
//   auto first = (*client)->send_transfers(some);
//   auto second = (*client)->send_transfers(more);
//   auto results = (*client)->wait(*first);
//
// After any Error but those that name a request (Errc::malformed, overloaded, unsupported: not
// executed), the connection is over and the outcome of what was not answered is not known: connect
// again and send the same events with the same ids. What was created then answers `exists`.
//
// Thread rule: a client belongs to one thread at a time; it works only inside its calls.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/secret.h"
#include "ledger/protocol.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace florin::ledger_client {

using ledger::Account;
using ledger::Transfer;
using ledger::protocol::AccountBalance;
using ledger::protocol::AccountFilter;
using ledger::protocol::EventResult;
using ledger::protocol::Head;
using ledger::protocol::QueryFilter;
using Token = Secret<struct LedgerTokenTag>;

struct ClientOptions {
    std::string connect;  // "unix:PATH" or "tls:HOST:PORT"
    std::string ca_file;  // with tls: whom the server's certificate is from, PEM
    Token token;          // with tls
    // Without any progress; 0 waits for ever. What is under way then has an unknown outcome.
    std::uint64_t timeout_ms = 30'000;
};

// A request that was sent: an array of Element answers it.
template <class Element>
struct Ticket {
    std::uint64_t request_id = 0;
};

class Client {
public:
    // Errc::malformed: an address of neither form. Errc::refused: wrong user or token. Errc::closed
    // where nobody listens, Errc::unsupported where the server speaks no version of ours.
    static Result<std::unique_ptr<Client>> connect(ClientOptions const& options);

    Client() = default;
    Client(Client const&) = delete;
    Client& operator=(Client const&) = delete;
    virtual ~Client() = default;  // hangs up; what was sent may still be executed

    // What the server said of itself: its limits, its ledger's id.
    virtual ledger::protocol::HelloAnswer const& server() const = 0;

    // ---- sending ahead: at most server().in_flight_max wait at the server; one more call waits
    // for the oldest answer. The events are on their way when the call returns and may be reused.

    Result<Ticket<EventResult>> send_accounts(std::span<Account const> events);
    Result<Ticket<EventResult>> send_transfers(std::span<Transfer const> events);
    Result<Ticket<Account>> send_lookup_accounts(std::span<u128 const> ids);
    Result<Ticket<Transfer>> send_lookup_transfers(std::span<u128 const> ids);
    Result<Ticket<Transfer>> send_get_account_transfers(AccountFilter const& filter);
    Result<Ticket<AccountBalance>> send_get_account_balances(AccountFilter const& filter);
    Result<Ticket<Account>> send_query_accounts(QueryFilter const& filter);
    Result<Ticket<Transfer>> send_query_transfers(QueryFilter const& filter);
    Result<Ticket<Head>> send_head();

    // The answer, once for each ticket, in any order. Errc::not_found for a ticket that was
    // answered before.
    template <class Element>
    Result<std::vector<Element>> wait(Ticket<Element> ticket) {
        FLORIN_TRY(auto elements, take(ticket.request_id));
        return std::get<std::vector<Element>>(std::move(elements));
    }

    // ---- one call and its answer ----

    // One result for each event, in order; statuses are CreateAccountStatus, CreateTransferStatus.
    Result<std::vector<EventResult>> create_accounts(std::span<Account const> events);
    Result<std::vector<EventResult>> create_transfers(std::span<Transfer const> events);
    // Absent ids are left out.
    Result<std::vector<Account>> lookup_accounts(std::span<u128 const> ids);
    Result<std::vector<Transfer>> lookup_transfers(std::span<u128 const> ids);
    // An invalid filter answers an empty list.
    Result<std::vector<Transfer>> get_account_transfers(AccountFilter const& filter);
    Result<std::vector<AccountBalance>> get_account_balances(AccountFilter const& filter);
    Result<std::vector<Account>> query_accounts(QueryFilter const& filter);
    Result<std::vector<Transfer>> query_transfers(QueryFilter const& filter);
    // The journal's last record; may lag behind the newest answer for a moment. Also a ping.
    Result<Head> head();

protected:
    using Elements = std::variant<
        std::vector<EventResult>,
        std::vector<Account>,
        std::vector<Transfer>,
        std::vector<AccountBalance>,
        std::vector<Head>>;

    virtual Result<std::uint64_t> send(
        ledger::protocol::Operation operation, std::size_t count, ByteView body
    ) = 0;
    virtual Result<Elements> take(std::uint64_t request_id) = 0;
};

}  // namespace florin::ledger_client
