// What the ledger has said, kept by nothing but the answers themselves: every one of them must stay
// true for ever, whatever crashed since.
//
// Knows the rules of double entry and nothing of the engine. Thread rule: one thread.
#pragma once

#include "ledger/documents.h"
#include "ledger/engine.h"
#include "tests/sim/oracle.h"

#include <map>
#include <set>

namespace florin::ledger::sim {

class Promises {
public:
    // A request whose effects are durable. Its answer was given, or (nullopt) is known to nobody:
    // then everything that it names may have changed.
    void learn(Request const& request, std::optional<Answer> const& answer);
    // Asks the ledger for everything that was promised; throws Broken.
    void check(Engine& engine, StateStore const& store) const;

private:
    struct Created {
        Transfer asked;
        std::uint64_t timestamp = 0;
    };
    struct KnownDocument {
        std::uint64_t version = 0;  // 0: is not there
        std::string body;
        bool is_certain = true;  // nothing unanswered has named it since
        bool only_puts = true;   // and whatever did, did not remove it
    };
    void learn_accounts(CreateAccounts const& request, CreateAccountsAnswer const* answer);
    void learn_transfers(CreateTransfers const& request, CreateTransfersAnswer const* answer);
    void learn_command(Command const& request, Receipt const* receipt);
    void refused(u128 id, CreateTransferStatus status);
    void created(Transfer const& asked, std::uint64_t timestamp);
    void check_accounts(Engine& engine) const;
    void check_transfers(Engine& engine) const;
    void check_sums(Engine& engine) const;
    void check_documents(StateStore const& store) const;

    std::map<u128, std::uint64_t> accounts_;  // id -> timestamp
    std::map<u128, Created> created_;
    std::set<u128> refused_;     // and never created since
    std::set<u128> used_up_;     // by a refusal that may pass: never to be created
    std::set<u128> unanswered_;  // ids of requests that nobody was answered for
    std::map<DocumentKey, KnownDocument> documents_;
};

}  // namespace florin::ledger::sim
