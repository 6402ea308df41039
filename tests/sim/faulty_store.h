// A StateStore that fails on request and flushes when nobody asked, laid over another one.
//
// Faults are armed by the number of the call they hit, counted over write, ingest and flush
// together, or over the reads. Thread rule: one thread.
#pragma once

#include "ledger/state_store.h"
#include "tests/sim/random.h"

#include <cstdint>
#include <optional>

namespace florin::ledger::sim {

// Thrown out of a store in the middle of an engine's call: the process is gone at this very moment.
struct ProcessDied {};

class FaultyStore final : public StateStore {
public:
    enum class Fault {
        fails,          // an error, and nothing was done
        fails_but_did,  // an error, though it was done
        dies_before,    // the process dies before it is done
        dies_after,     // the process dies when it is done
    };

    FaultyStore(StateStore& inner, Random& random) : inner_{inner}, random_{random} {}

    // The k-th changing call from now on, counted from 1.
    void arm(std::uint64_t k, Fault fault) { change_fault_ = Armed{k, fault}; }
    // The k-th get or scan from now on cannot be read.
    void arm_read(std::uint64_t k) { read_fault_ = k; }
    void heal() {
        change_fault_.reset();
        read_fault_.reset();
    }
    // A store may make its live tables durable whenever it likes: after one in `n` writes; 0 never.
    void flush_one_in(std::uint64_t n) { flush_one_in_ = n; }
    std::uint64_t read_errors() const { return read_errors_; }

    Result<std::optional<std::string>> get(Table table, ByteView key) const override {
        FLORIN_TRY_VOID(before_read());
        return inner_.get(table, key);
    }
    Result<void> scan(Range const& range, Visitor const& visit) const override {
        FLORIN_TRY_VOID(before_read());
        return inner_.scan(range, visit);
    }
    Result<void> write(std::vector<Change> const& changes) override {
        FLORIN_TRY_VOID(guarded([&] { return inner_.write(changes); }));
        if (flush_one_in_ != 0 && random_.one_in(flush_one_in_)) {
            return inner_.flush();
        }
        return {};
    }
    Result<void> ingest(RunSource const& run) override {
        return guarded([&] { return inner_.ingest(run); });
    }
    Result<void> flush() override {
        return guarded([&] { return inner_.flush(); });
    }
    Result<void> verify_files() const override { return inner_.verify_files(); }

private:
    struct Armed {
        std::uint64_t calls_left;
        Fault fault;
    };

    template <class Change>
    Result<void> guarded(Change const& change) {
        if (!change_fault_ || --change_fault_->calls_left != 0) {
            return change();
        }
        Fault const fault = change_fault_->fault;
        change_fault_.reset();
        if (fault == Fault::dies_before) {
            throw ProcessDied{};
        }
        if (fault != Fault::fails) {
            FLORIN_TRY_VOID(change());
        }
        if (fault == Fault::dies_after) {
            throw ProcessDied{};
        }
        return fail(Errc::io, "the simulated store refuses to write");
    }
    Result<void> before_read() const {
        if (read_fault_ && --*read_fault_ == 0) {
            read_fault_.reset();
            ++read_errors_;
            return fail(Errc::io, "the simulated store cannot be read");
        }
        return {};
    }

    StateStore& inner_;
    Random& random_;
    std::optional<Armed> change_fault_;
    mutable std::optional<std::uint64_t> read_fault_;
    mutable std::uint64_t read_errors_ = 0;
    std::uint64_t flush_one_in_ = 0;
};

}  // namespace florin::ledger::sim
