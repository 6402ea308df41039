// The ledger for operators: the kernel's own requests, in the form of docs/ledger-exec.md. What is
// written here is a manual entry beside the payment books, with everything that the kernel checks
// and nothing more; who wrote it is logged.
#include "daemon/admin/body.h"
#include "daemon/admin/service.h"
#include "daemon/log/log.h"
#include "ledger/json/answers.h"
#include "ledger/json/requests.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace florin::admin {
namespace {

using ledger::Request;

struct Kind {
    char const* name;
    api::Access access;
};
constexpr Kind kRequests[] = {
    {"create_accounts", api::Access::write},
    {"create_transfers", api::Access::write},
    {"lookup_accounts", api::Access::read},
    {"lookup_transfers", api::Access::read},
    {"get_account_transfers", api::Access::read},
    {"get_account_balances", api::Access::read},
    {"query_accounts", api::Access::read},
    {"query_transfers", api::Access::read},
};

template <class Results>
std::size_t created(Results const& results) {
    using Status = std::remove_cvref_t<decltype(results[0].status)>;
    return static_cast<std::size_t>(std::ranges::count_if(results, [](auto const& each) {
        return each.status == Status::created;
    }));
}

// The record of who wrote: the first id finds the others in the journal.
void log_write(Call const& call, Request const& request, ledger::Answer const& answer) {
    std::string_view what;
    std::size_t events = 0;
    std::size_t done = 0;
    std::string first;
    if (auto const* accounts = std::get_if<ledger::CreateAccounts>(&request)) {
        what = kRequests[0].name;
        events = accounts->events.size();
        first = events == 0 ? "" : to_string(accounts->events[0].id);
        done = created(std::get<ledger::CreateAccountsAnswer>(answer).results);
    } else if (auto const* transfers = std::get_if<ledger::CreateTransfers>(&request)) {
        what = kRequests[1].name;
        events = transfers->events.size();
        first = events == 0 ? "" : to_string(transfers->events[0].id);
        done = created(std::get<ledger::CreateTransfersAnswer>(answer).results);
    } else {
        return;
    }
    log::warn(
        "ledger.manual_entry",
        {{"request", what},
         {"events", events},
         {"created", done},
         {"first_id", first},
         {"person", call.key.name},
         {"key", call.key.id}}
    );
}

Answer execute(Call& call, std::string_view name) {
    // Depth and grammar first: the reader behind it trusts neither, but words errors by line.
    FLORIN_CO_TRY(auto const body, parse_object(call.request.body));
    if (!body.contains(name)) {
        co_return error_reply(
            "unknown_request", "expected an object with one member, " + std::string{name}, 400
        );
    }
    auto request = ledger::parse_request(call.request.body);
    if (!request) {
        co_return error_reply(request.error().code, request.error().message, 400);
    }
    Request asked = *request;
    FLORIN_CO_TRY(auto const answer, co_await call.services.ledger.submit(std::move(*request)));
    log_write(call, asked, answer);
    Reply done;
    ledger::append_answer(done.body, answer);
    co_return done;
}

}  // namespace

void add_ledger(Rows& rows) {
    for (Kind const& kind : kRequests) {
        auto const endpoint = [name = kind.name](Call& call) { return execute(call, name); };
        rows.push_back(
            {http::Method::post,
             std::string{"/admin/v1/ledger/"} + kind.name,
             "ledger",
             kind.access,
             endpoint}
        );
    }
}

}  // namespace florin::admin
