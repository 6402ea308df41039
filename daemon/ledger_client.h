// The way from a coroutine to the ledger thread and back.
//
//   auto answer = co_await ledger.submit(std::move(command));
//
// Resumes on the executor that awaited. A command that was submitted is always decided, whether or
// not anybody still waits. Thread rule: any io thread.
#pragma once

#include "ledger/base/clock.h"
#include "ledger/ledger.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

namespace florin {

class LedgerClient {
public:
    // Told how long each request took until its caller went on: the ledger's queue, the disk, the
    // caller's own thread.
    using Observer = std::function<void(std::uint64_t delay_ns)>;

    explicit LedgerClient(ledger::Ledger& ledger) : ledger_{ledger} {}
    // `clock` outlives the client.
    LedgerClient(ledger::Ledger& ledger, Clock const& clock, Observer observer)
        : ledger_{ledger}, clock_{&clock}, observer_{std::move(observer)} {}

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
    boost::asio::awaitable<Result<ledger::Answer>> hand_over(ledger::Request request);

    ledger::Ledger& ledger_;
    Clock const* clock_ = nullptr;
    Observer observer_;
};

}  // namespace florin
