// The way from a coroutine to the ledger thread and back.
//
//   auto answer = co_await ledger.submit(std::move(command));
//
// Resumes on the executor that awaited. A command that was submitted is always decided, whether or
// not anybody still waits. Thread rule: any io thread.
#pragma once

#include "ledger/ledger.h"

#include <boost/asio/awaitable.hpp>

#include <string_view>

namespace florin {

class LedgerClient {
public:
    explicit LedgerClient(ledger::Ledger& ledger) : ledger_{ledger} {}

    boost::asio::awaitable<Result<ledger::Answer>> submit(ledger::Request request);
    // The same for a command, with its receipt.
    boost::asio::awaitable<Result<ledger::Receipt>> submit_command(ledger::Command command);
    // The same where a refusal is nothing to decide on: Errc::conflict, naming `what` and why.
    boost::asio::awaitable<Result<ledger::Receipt>> commit(
        ledger::Command command, std::string_view what
    );

    ledger::Ledger& ledger() { return ledger_; }
    ledger::DocumentReader const& documents() const { return ledger_.documents(); }

private:
    ledger::Ledger& ledger_;
};

}  // namespace florin
