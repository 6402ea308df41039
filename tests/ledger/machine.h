// An engine on a journal and a store in memory, driven by hand: what most ledger tests stand on.
#pragma once

#include "ledger/engine.h"
#include "ledger/memory_journal.h"
#include "ledger/memory_state_store.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <utility>

namespace florin::ledger::test {

// Time that moves when it is told to.
class ManualTime final : public Clock {
public:
    std::uint64_t wall_ns() const override { return now; }
    std::uint64_t steady_ns() const override { return now; }
    std::uint64_t now = 1'000'000'000'000;
};

class Ask final : public PendingRequest {
public:
    Ask(Request wanted, std::optional<Result<Answer>>& into)
        : PendingRequest{std::move(wanted)}, into_{into} {}
    void answer(Result<Answer> given) override { into_ = std::move(given); }

private:
    std::optional<Result<Answer>>& into_;
};

class Machine {
public:
    explicit Machine(EngineOptions options = {.manual_clock = true})
        : options_{std::move(options)} {
        open();
    }

    void open() {
        engine.reset();
        auto opened = Engine::open(options_, journal, store, time);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : to_string(opened.error())));
        engine = std::move(*opened);
    }
    // The process dies and starts again: memory is gone, so are live tables since the last flush.
    void crash() {
        engine.reset();
        journal.crash(false);
        store.crash();
        open();
    }
    void submit(Request request, std::optional<Result<Answer>>& into) {
        engine->submit(std::make_unique<Ask>(std::move(request), into));
    }
    // Sends and completes everything that has been decided.
    void settle() {
        auto const completion = [this](AppendOutcome outcome, std::string const& why) {
            engine->complete(outcome, why);
        };
        while (engine->start_append(completion)) {
            journal.pump();
        }
    }
    Result<Answer> call(Request request) {
        std::optional<Result<Answer>> answer;
        submit(std::move(request), answer);
        settle();
        REQUIRE(answer.has_value());
        return *answer;
    }
    template <class Wanted>
    Wanted ask(Request request) {
        auto answer = call(std::move(request));
        REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : to_string(answer.error())));
        return std::get<Wanted>(std::move(*answer));
    }

    CreateAccountStatus account(Account const& account) {
        return ask<CreateAccountsAnswer>(CreateAccounts{{account}}).results.at(0).status;
    }
    CreateTransferStatus transfer(Transfer const& transfer) {
        return ask<CreateTransfersAnswer>(CreateTransfers{{transfer}}).results.at(0).status;
    }
    Account lookup(u128 id) {
        auto const answer = ask<AccountsAnswer>(LookupAccounts{{id}});
        REQUIRE(answer.accounts.size() == 1);
        return answer.accounts[0];
    }
    Receipt command(Command command) { return ask<Receipt>(std::move(command)); }

    ManualTime time;
    MemoryJournal journal{std::array<unsigned char, 16>{1, 2, 3}};
    MemoryStateStore store;
    std::unique_ptr<Engine> engine;

private:
    EngineOptions options_;
};

}  // namespace florin::ledger::test
