// Commands: everything is checked first, then everything happens.
//
// Order: documents, guards, timers, counters (none of which changes anything), then accounts and
// transfers inside one scope, then documents, timers, events and counters, which cannot fail.
#include "ledger/base/check.h"
#include "ledger/chain.h"
#include "ledger/decide.h"
#include "ledger/documents.h"

#include <algorithm>
#include <set>

namespace florin::ledger {
namespace {

Receipt refused(CommandStatus status, std::size_t index) {
    Receipt receipt;
    receipt.status = status;
    receipt.index = static_cast<std::uint32_t>(index);
    return receipt;
}

Receipt document_conflict(std::size_t index, std::uint64_t current_version) {
    Receipt receipt = refused(CommandStatus::document_conflict, index);
    receipt.current_version = current_version;
    return receipt;
}

// Same thing, wanted again? Flags may have changed by being closed since.
bool agrees(Account const& wanted, Account const& existing) {
    return wanted.ledger == existing.ledger && wanted.code == existing.code &&
           wanted.flags == (existing.flags & ~account_closed);
}

}  // namespace

std::string_view status_name(CommandStatus status) {
    switch (status) {
        case CommandStatus::committed: return "committed";
        case CommandStatus::document_conflict: return "document_conflict";
        case CommandStatus::guard_failed: return "guard_failed";
        case CommandStatus::account_refused: return "account_refused";
        case CommandStatus::transfer_refused: return "transfer_refused";
        case CommandStatus::timer_missing: return "timer_missing";
        case CommandStatus::counter_exhausted: return "counter_exhausted";
    }
    return "unknown";
}

std::uint64_t Decider::timestamps_of(Command const& command) {
    return std::max<std::uint64_t>(1, command.ensure_accounts.size() + command.transfers.size());
}

Result<std::uint64_t> Decider::document_version(DocumentKey const& key) {
    FLORIN_TRY(auto const value, live_.get(Table::document, document_store_key(key)));
    if (!value) {
        return std::uint64_t{0};
    }
    return ByteReader(*value, "state: document").little<std::uint64_t>();
}

Result<Receipt> Decider::check_documents(Command const& command) {
    for (std::size_t i = 0; i < command.puts.size(); ++i) {
        FLORIN_TRY(auto const version, document_version(command.puts[i].key));
        if (version != command.puts[i].expected_version) {
            return document_conflict(i, version);
        }
    }
    for (std::size_t i = 0; i < command.removes.size(); ++i) {
        FLORIN_TRY(auto const version, document_version(command.removes[i].key));
        if (version != command.removes[i].expected_version || version == 0) {
            return document_conflict(command.puts.size() + i, version);
        }
    }
    return Receipt{};
}

Result<Receipt> Decider::check_guards(Command const& command) {
    for (std::size_t i = 0; i < command.guards.size(); ++i) {
        if (auto const* document = std::get_if<DocumentGuard>(&command.guards[i])) {
            FLORIN_TRY(auto const version, document_version(document->key));
            if (version != document->version) {
                return document_conflict(command.puts.size() + command.removes.size() + i, version);
            }
            continue;
        }
        auto const& available = std::get<AvailableGuard>(command.guards[i]);
        FLORIN_TRY(AccountSlot const* const slot, books_.account(available.account_id));
        u128 there = 0;
        if (slot != nullptr) {
            u128 const used = slot->decided.debits_posted + slot->decided.debits_pending;
            there = slot->decided.credits_posted > used ? slot->decided.credits_posted - used : 0;
        }
        if (there < available.at_least) {
            return refused(CommandStatus::guard_failed, i);
        }
    }
    return Receipt{};
}

Result<Receipt> Decider::check_timers(Command const& command) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < command.clear_timers.size(); ++i) {
        TimerCleared const& timer = command.clear_timers[i];
        std::string const key = timer_store_key(timer.due_ns, timer.kind, timer.key);
        FLORIN_TRY(auto const value, live_.get(Table::timer, key));
        if (!value || !seen.insert(key).second) {
            return refused(CommandStatus::timer_missing, i);
        }
    }
    return Receipt{};
}

Result<Receipt> Decider::choose_counters(Command const& command, std::vector<CounterTaken>& taken) {
    std::set<std::string> chosen;
    for (std::size_t i = 0; i < command.take_counters.size(); ++i) {
        TakeCounter const& take = command.take_counters[i];
        FLORIN_CHECK(take.min <= take.max, "a counter's range is not empty");
        std::uint64_t last = take.min;
        bool started = false;
        FLORIN_TRY(
            auto const stored, live_.get(Table::counter, counter_last_store_key(take.counter))
        );
        if (stored) {
            FLORIN_TRY(last, ByteReader(*stored, "state: counter").little<std::uint64_t>());
            started = last >= take.min && last <= take.max;
        }
        std::uint64_t const size = take.max - take.min + 1;
        std::uint64_t candidate = !started || last == take.max ? take.min : last + 1;
        bool found = false;
        for (std::uint64_t step = 0; step < size && !found; ++step) {
            std::string const key = counter_held_store_key(take.counter, candidate);
            FLORIN_TRY(auto const holder, live_.get(Table::counter, key));
            found = !holder && chosen.insert(key).second;
            if (!found) {
                candidate = candidate == take.max ? take.min : candidate + 1;
            }
        }
        if (!found) {
            return refused(CommandStatus::counter_exhausted, i);
        }
        taken.push_back({.counter = take.counter, .value = candidate, .holder = take.holder});
    }
    return Receipt{};
}

Result<Receipt> Decider::move_money(
    Command const& command, std::uint64_t clock, RecordDraft& draft
) {
    Receipt receipt;
    std::uint64_t timestamp =
        clock - (command.ensure_accounts.size() + command.transfers.size()) + 1;
    for (std::size_t i = 0; i < command.ensure_accounts.size(); ++i, ++timestamp) {
        Account const& wanted = command.ensure_accounts[i];
        FLORIN_TRY(AccountSlot const* const existing, books_.account(wanted.id));
        if (existing != nullptr) {
            if (agrees(wanted, existing->decided)) {
                continue;
            }
            receipt = refused(CommandStatus::account_refused, i);
            receipt.account_status = CreateAccountStatus::exists_with_different_flags;
            return receipt;
        }
        FLORIN_TRY(auto const outcome, create_account(wanted, timestamp, draft));
        if (outcome.status != CreateAccountStatus::created) {
            receipt = refused(CommandStatus::account_refused, i);
            receipt.account_status = outcome.status;
            return receipt;
        }
    }
    for (std::size_t i = 0; i < command.transfers.size(); ++i, ++timestamp) {
        Transfer event = command.transfers[i];
        bool const last = i + 1 == command.transfers.size();
        event.flags = static_cast<std::uint16_t>(
            last ? event.flags & ~transfer_linked : event.flags | transfer_linked
        );
        FLORIN_TRY(auto const outcome, create_transfer(event, timestamp, timestamp, draft));
        if (outcome.status != CreateTransferStatus::created) {
            receipt = refused(CommandStatus::transfer_refused, i);
            receipt.transfer_status = outcome.status;
            return receipt;
        }
        receipt.transfer_timestamps.push_back(timestamp);
    }
    return receipt;
}

template <class E>
void Decider::add_live(E const& effect, RecordDraft& draft, std::uint32_t event_index) {
    draft.add(effect);
    auto const payload = [&](std::uint32_t index) { return &draft.payloads()[index]; };
    auto& changes = draft.live();
    std::size_t const before = changes.size();
    add_live_changes(effect, draft.sequence(), event_index, payload, changes);
    for (std::size_t i = before; i < changes.size(); ++i) {
        live_.put(changes[i], draft.sequence());
    }
}

Result<void> Decider::write_documents(
    Command&& command, std::vector<CounterTaken> const& taken, RecordDraft& draft
) {
    // What events are about, as they name it, among the payloads.
    std::vector<std::uint32_t> about(command.events.size());
    std::size_t found = 0;
    for (DocumentPut& put : command.puts) {
        DocumentWritten written{
            .key = std::move(put.key), .version = put.expected_version + 1, .body = {}
        };
        if (put.detached) {
            PayloadReference const body = draft.add_payload(std::move(put.body));
            written.body = body;
            for (std::size_t i = 0; i < about.size(); ++i) {
                if (command.events[i].document == written.key) {
                    about[i] = body.index;
                    ++found;
                }
            }
        } else {
            written.body = std::move(put.body);
        }
        add_live(written, draft);
    }
    for (DocumentRemove const& remove : command.removes) {
        add_live(DocumentRemoved{.key = remove.key, .version = remove.expected_version}, draft);
    }
    for (TimerCleared const& timer : command.clear_timers) {
        add_live(timer, draft);
    }
    for (TimerSet const& timer : command.set_timers) {
        add_live(timer, draft);
    }
    for (CounterReleased const& released : command.release_counters) {
        std::string const key = counter_held_store_key(released.counter, released.value);
        FLORIN_TRY(auto const holder, live_.get(Table::counter, key));
        if (holder) {  // releasing twice is harmless: recovery may not know that it was done
            add_live(released, draft);
        }
    }
    for (CounterTaken const& counter : taken) {
        add_live(counter, draft);
    }
    write_events(command.events, about, found, draft);
    return {};
}

// `about`: for each that names a document, the place of that one's body; `found` of them are known.
void Decider::write_events(
    std::vector<NewEvent>& events,
    std::vector<std::uint32_t> const& about,
    std::size_t found,
    RecordDraft& draft
) {
    auto const names_one = [](NewEvent const& event) { return event.document.has_value(); };
    FLORIN_CHECK(
        static_cast<std::size_t>(std::ranges::count_if(events, names_one)) == found,
        "what an event is about is written once, beside the record"
    );
    PayloadReference body;
    for (std::size_t i = 0; i < events.size(); ++i) {
        NewEvent& event = events[i];
        bool const is_same = i > 0 && draft.payloads()[body.index] == event.body;
        if (!is_same) {
            body = draft.add_payload(std::move(event.body));
        }
        EventRecorded recorded{
            .owner = std::move(event.owner),
            .id = std::move(event.id),
            .type = std::move(event.type),
            .body = body,
        };
        std::uint32_t const index = draft.next_event_index();
        if (!event.document) {
            add_live(recorded, draft, index);
            continue;
        }
        DocumentEventRecorded const of_document{
            .event = std::move(recorded), .kind = event.document->kind, .document = about[i]
        };
        add_live(of_document, draft, index);
    }
}

Result<Receipt> Decider::decide(Command&& command, std::uint64_t clock, RecordDraft& draft) {
    std::vector<CounterTaken> taken;
    auto const checks = {&Decider::check_documents, &Decider::check_guards, &Decider::check_timers};
    for (auto const check : checks) {
        FLORIN_TRY(Receipt receipt, (this->*check)(command));
        if (!receipt.committed()) {
            receipt.time_ns = clock;
            return receipt;
        }
    }
    FLORIN_TRY(Receipt chosen, choose_counters(command, taken));
    if (!chosen.committed()) {
        chosen.time_ns = clock;
        return chosen;
    }

    RecordDraft::Mark const mark = draft.mark();
    books_.open_scope();
    FLORIN_TRY(Receipt receipt, move_money(command, clock, draft));
    receipt.time_ns = clock;
    if (!receipt.committed()) {
        books_.undo_scope();
        draft.back_to(mark);
        if (receipt.status == CommandStatus::transfer_refused &&
            is_transient(receipt.transfer_status)) {
            failed_ids_.clear();
            use_up_id(command.transfers[receipt.index].id);
            draft.add(TransferIdsUsed{failed_ids_});
            receipt.sequence = draft.sequence();
        }
        return receipt;
    }
    books_.keep_scope();
    FLORIN_TRY_VOID(write_documents(std::move(command), taken, draft));
    for (CounterTaken const& counter : taken) {
        receipt.counters.push_back(counter.value);
    }
    RecordDraft::Mark const after = draft.mark();
    if (after.transfers != mark.transfers || after.effects != mark.effects) {
        receipt.sequence = draft.sequence();  // else nothing of it will be in any record
    }
    return receipt;
}

}  // namespace florin::ledger
