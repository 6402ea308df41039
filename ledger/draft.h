// A record while it is being decided: its effects so far, and who waits for them.
// Thread rule: the ledger thread only.
#pragma once

#include "ledger/effects.h"
#include "ledger/journal.h"
#include "ledger/record.h"
#include "ledger/state_store.h"

#include <string>
#include <vector>

namespace florin::ledger {

class RecordDraft {
public:
    explicit RecordDraft(Sequence sequence) : sequence_{sequence} {}

    Sequence sequence() const { return sequence_; }
    bool empty() const { return transfers_ == 0 && effects_.empty(); }
    std::uint32_t transfers() const { return transfers_; }
    std::uint64_t time() const { return time_; }
    void set_time(std::uint64_t clock) { time_ = clock; }

    // Bytes of record and payloads; what a group is bounded by.
    std::size_t bytes() const { return sizeof(RecordHeader) + record_bytes() + payload_bytes_; }
    std::size_t record_bytes() const { return transfers_ * sizeof(Transfer) + effects_.size(); }

    void count_transfer() { ++transfers_; }
    template <class E>
    void add(E const& effect) {
        encode_effect(effects_, effect);
    }
    // What applying the record will do to the live tables.
    std::vector<Change>& live() { return live_; }
    std::vector<Change> take_live() { return std::move(live_); }
    PayloadReference add_payload(Payload body);
    std::uint32_t next_event_index() { return events_++; }

    std::string take_effects() { return std::move(effects_); }
    std::vector<Payload>& payloads() { return payloads_; }

    // What a broken chain takes back.
    struct Mark {
        std::uint32_t transfers;
        std::size_t effects;
    };
    Mark mark() const { return {transfers_, effects_.size()}; }
    void back_to(Mark mark) {
        transfers_ = mark.transfers;
        effects_.resize(mark.effects);
    }

private:
    Sequence sequence_;
    std::uint64_t time_ = 0;
    std::uint32_t transfers_ = 0;
    std::uint32_t events_ = 0;
    std::string effects_;
    std::vector<Payload> payloads_;
    std::vector<Change> live_;
    std::size_t payload_bytes_ = 0;
};

}  // namespace florin::ledger
