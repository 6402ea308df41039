#include "ledger/memory_journal.h"

#include "ledger/record.h"

#include <algorithm>
#include <utility>

namespace florin::ledger {

Result<Lease> MemoryJournal::acquire(Epoch observed) {
    if (observed != epoch_) {
        return fail(
            Errc::conflict,
            "the journal is at epoch " + std::to_string(epoch_) + ", not " +
                std::to_string(observed)
        );
    }
    ++epoch_;
    is_leased_ = true;
    durable_ = records_.size();
    return Lease{.epoch = epoch_, .leader_id = {}};
}

Result<void> MemoryJournal::release(Lease const& lease) {
    if (lease.epoch == epoch_) {
        is_leased_ = false;
    }
    return {};
}

AppendOutcome MemoryJournal::store(
    Lease const& lease, Position const& expected, Group const& group
) {
    if (lease.epoch != epoch_ || !is_leased_) {
        return AppendOutcome::fenced;
    }
    if (!check_group(group, id_, lease, expected) || group_bytes(group) > group_bytes_max()) {
        return AppendOutcome::not_sent;
    }
    // Idempotent: the same records already there are committed.
    Sequence const last = group.back()->position.sequence;
    if (records_.size() >= last) {
        return records_[last - 1].position == group.back()->position ? AppendOutcome::committed
                                                                     : AppendOutcome::conflict;
    }
    Position const head = records_.empty() ? genesis_position(id_) : records_.back().position;
    if (expected != head) {
        return AppendOutcome::conflict;
    }
    for (auto const& record : group) {
        records_.push_back(*record);
    }
    return AppendOutcome::committed;
}

void MemoryJournal::append(
    Lease const& lease, Position expected, Group group, AppendCompletion completion
) {
    Script step = Script::commit;
    if (!script_.empty()) {
        step = script_.front();
        script_.pop_front();
    }
    AppendOutcome outcome = AppendOutcome::unknown;
    Sequence const last = group.empty() ? 0 : group.back()->position.sequence;
    switch (step) {
        case Script::commit: outcome = store(lease, expected, group); break;
        case Script::unknown_written: static_cast<void>(store(lease, expected, group)); break;
        case Script::unknown_not_written: break;
        case Script::unknown_late: late_.push_back({lease, expected, group}); break;
        case Script::not_sent: outcome = AppendOutcome::not_sent; break;
        case Script::conflict: outcome = AppendOutcome::conflict; break;
        case Script::fenced:
            fence();
            outcome = store(lease, expected, group);
            break;
    }
    held_.push_back({std::move(completion), outcome, last});
    if (!hold_) {
        pump();
    }
}

std::size_t MemoryJournal::pump() {
    std::size_t count = 0;
    while (!held_.empty()) {
        Held held = std::move(held_.front());
        held_.pop_front();
        if (held.outcome == AppendOutcome::committed) {
            durable_ = std::max(durable_, held.last);
        }
        held.completion(
            held.outcome,
            held.outcome == AppendOutcome::committed ? std::string{} : "the journal in memory"
        );
        ++count;
    }
    return count;
}

void MemoryJournal::commit_late() {
    for (LateGroup const& late : std::exchange(late_, {})) {
        static_cast<void>(store(late.lease, late.expected, late.group));
    }
}

void MemoryJournal::crash(Late late, Tail tail) {
    if (tail == Tail::torn && records_.size() > durable_) {
        records_.resize(durable_);
    }
    held_.clear();
    if (late == Late::appears) {
        commit_late();
    }
    if (late != Late::lingers) {
        late_.clear();
    }
    script_.clear();
}

Result<Head> MemoryJournal::head() const {
    if (records_.empty()) {
        return Head{.last = genesis_position(id_), .epoch = epoch_};
    }
    return Head{.last = records_.back().position, .epoch = epoch_};
}

Result<void> MemoryJournal::read(Sequence from, Payloads payloads, Visitor const& visit) const {
    for (std::size_t i = from == 0 ? 0 : from - 1; i < records_.size(); ++i) {
        EncodedRecord const& record = records_[i];
        StoredRecord stored{
            .header = record.header,
            .transfers = record.transfers,
            .effects = record.effects,
            .payloads = {},
        };
        if (payloads == Payloads::with) {
            for (std::uint32_t index = 0; index < record.payloads.size(); ++index) {
                bool const is_dropped = dropped_.contains({i + 1, index});
                stored.payloads.push_back(
                    is_dropped ? std::nullopt : std::optional{record.payloads[index]}
                );
            }
        }
        FLORIN_TRY(bool const go_on, visit(stored));
        if (!go_on) {
            break;
        }
    }
    return {};
}

Result<Transfer> MemoryJournal::transfer(Sequence sequence, std::uint32_t index) const {
    if (sequence == 0 || sequence > records_.size() ||
        (std::size_t{index} + 1) * sizeof(Transfer) > records_[sequence - 1].transfers.size()) {
        return fail(
            Errc::corrupt,
            "record " + std::to_string(sequence) + ": no transfer " + std::to_string(index)
        );
    }
    return transfer_at(records_[sequence - 1].transfers, index);
}

Result<std::optional<Payload>> MemoryJournal::payload(Sequence sequence, std::uint32_t index)
    const {
    if (sequence == 0 || sequence > records_.size() ||
        index >= records_[sequence - 1].payloads.size() || dropped_.contains({sequence, index})) {
        return std::nullopt;
    }
    return records_[sequence - 1].payloads[index];
}

Result<void> MemoryJournal::drop_payloads(std::vector<PayloadPlace> const& places) {
    for (PayloadPlace const& place : places) {
        dropped_.insert({place.sequence, place.index});
    }
    return {};
}

}  // namespace florin::ledger
