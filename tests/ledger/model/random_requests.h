// Random requests for the ledger kernel, made to collide.
//
// Few accounts and few ids, used again and again; amounts at the edges of 64 and 128 bits; chains
// that stay open or break; pending transfers that are posted, voided, posted again or left to
// expire; imports from the past, the future and from moments that are taken; filters that no answer
// fits. Every seed has a temper of its own (large amounts or small, random ids or counted ones, a
// clock at its end), so that rare statuses are common somewhere.
//
// The same seed makes the same requests for the same answers, on every machine: no distribution of
// the standard library is used. Thread rule: one thread.
#pragma once

#include "ledger/command.h"
#include "tests/ledger/model/naive_ledger.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace florin::ledger::test {

class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_{seed} {}
    std::uint64_t any() { return engine_(); }
    u128 any_128() {
        std::uint64_t const high = any();
        return make_u128(high, any());
    }
    std::uint64_t below(std::uint64_t end) { return engine_() % end; }
    bool percent(unsigned chance) { return below(100) < chance; }
    template <class Value>
    Value one_of(std::initializer_list<Value> values) {
        return values.begin()[below(values.size())];
    }
    template <class Value>
    Value const& one_of(std::vector<Value> const& values) {
        return values[below(values.size())];
    }

private:
    std::mt19937_64 engine_;
};

class RandomRequests {
public:
    explicit RandomRequests(std::uint64_t seed);

    // The next request, chosen after what the model knows by now.
    Request next(NaiveLedger const& model);

private:
    struct Temper {
        bool has_large_amounts;
        bool has_random_ids;
        unsigned accounts;         // ids 1 to this are common
        std::uint64_t batch_most;  // events of a large batch
        unsigned import_percent;
        std::uint64_t first_advance;
    };

    CreateAccounts accounts(NaiveLedger const& model);
    CreateTransfers transfers(NaiveLedger const& model);
    Account account(bool is_import, NaiveLedger const& model);
    Transfer transfer(bool is_import, NaiveLedger const& model);
    void spoil(Account& event);
    void spoil(Transfer& event);
    void make_resolving(Transfer& event, NaiveLedger const& model);
    AdvanceClock advance(NaiveLedger const& model);
    AccountFilter account_filter(NaiveLedger const& model);
    QueryFilter query_filter(NaiveLedger const& model);
    template <class Filter>
    void fill_filter(Filter& filter, NaiveLedger const& model);

    u128 account_id();
    u128 new_transfer_id();
    u128 known_transfer_id();
    u128 amount();
    std::size_t batch_size();
    std::uint64_t import_timestamp(
        std::uint64_t newest, std::uint64_t in_batch, NaiveLedger const& model
    );

    Dice dice_;
    Temper temper_{};
    std::uint64_t made_ = 0;
    std::uint64_t ids_ = 0;
    std::vector<Transfer> sent_;      // to be sent again, as they were or nearly so
    std::vector<u128> sent_pending_;  // ids of pending transfers
    std::vector<Account> sent_accounts_;
};

}  // namespace florin::ledger::test
