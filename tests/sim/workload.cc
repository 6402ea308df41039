#include "tests/sim/workload.h"

#include <utility>

namespace florin::ledger::sim {
namespace {

constexpr std::size_t kRetryWindow = 24;
constexpr u128 kIntMax = ~u128{0};

std::uint16_t flags_of(std::uint64_t bits) {
    return static_cast<std::uint16_t>(bits);
}

}  // namespace

u128 Workload::account_id() {
    if (random_.one_in(40)) {
        return random_.one_in(2) ? u128{0} : kIntMax;
    }
    return random_.between(1, shape_.accounts);
}

u128 Workload::fresh_id() {
    return next_id_++;
}

Account Workload::account() {
    Account account;
    account.id = account_id();
    account_ids_.insert(account.id);
    std::uint64_t const kind = static_cast<std::uint64_t>(account.id);
    // The same id mostly comes with the same properties, so that retries are `exists`.
    account.ledger = kind % 4 == 3 ? 2 : 1;
    account.code = static_cast<std::uint16_t>(random_.one_in(30) ? 0 : 1 + kind % 3);
    account.user_data_64 = kind * 7;
    std::uint64_t flags = kind % 2 == 0 ? account_history : 0;
    flags |= kind % 5 == 1 ? debits_must_not_exceed_credits : 0;
    flags |= kind % 7 == 2 ? credits_must_not_exceed_debits : 0;
    if (random_.one_in(25)) {
        flags ^= random_.below(64);
    }
    account.flags = flags_of(flags & ~std::uint64_t{account_imported});
    if (random_.one_in(5)) {
        account.flags |= account_linked;
    }
    return account;
}

Transfer Workload::resolution() {
    Transfer const pending = random_.pick(pending_);
    Transfer transfer;
    transfer.id = fresh_id();
    transfer.pending_id = pending.id;
    bool const posts = random_.one_in(2);
    transfer.flags = posts ? post_pending_transfer : void_pending_transfer;
    if (posts) {
        u128 const part =
            random_.between(0, static_cast<std::uint64_t>(pending.amount) % 1'024 + 1);
        transfer.amount = random_.one_in(2) ? kIntMax : part;
    } else if (random_.one_in(3)) {
        transfer.amount = pending.amount;
    }
    if (random_.one_in(3)) {
        transfer.debit_account_id = pending.debit_account_id;
        transfer.credit_account_id = pending.credit_account_id;
        transfer.ledger = pending.ledger;
    }
    return transfer;
}

Transfer Workload::transfer() {
    if (!sent_.empty() && random_.one_in(10)) {
        Transfer again = sent_[random_.below(sent_.size())];
        if (random_.one_in(4)) {
            again.amount += 1;
        }
        return again;
    }
    if (!pending_.empty() && random_.one_in(4)) {
        return resolution();
    }
    Transfer transfer;
    transfer.id = random_.one_in(50) ? u128{random_.below(3)} : fresh_id();
    transfer.debit_account_id = account_id();
    transfer.credit_account_id = account_id();
    transfer.ledger = transfer.debit_account_id % 4 == 3 ? 2 : 1;
    transfer.code = static_cast<std::uint16_t>(random_.one_in(40) ? 0 : 1 + random_.below(3));
    transfer.amount = random_.one_in(60) ? kIntMax - random_.below(3) : random_.below(1'000);
    transfer.user_data_128 = random_.below(4);
    transfer.user_data_32 = static_cast<std::uint32_t>(random_.below(3));
    std::uint64_t flags = 0;
    if (random_.one_in(3)) {
        flags |= transfer_pending;
        transfer.timeout = random_.one_in(2) ? static_cast<std::uint32_t>(random_.below(6)) : 0;
    }
    if (random_.one_in(8)) {
        flags |= random_.one_in(2) ? balancing_debit : balancing_credit;
    }
    if (random_.one_in(20)) {
        flags |= transfer_pending;
        flags |= random_.one_in(2) ? closing_debit : closing_credit;
    }
    if (random_.one_in(40)) {
        flags ^= random_.below(512);
    }
    transfer.flags = flags_of(flags & ~std::uint64_t{transfer_imported});
    if (transfer.has(transfer_pending)) {
        pending_.push_back(transfer);
    }
    return transfer;
}

CreateAccounts Workload::create_accounts(std::uint64_t now) {
    CreateAccounts request;
    std::uint64_t const count = random_.between(1, 4);
    bool const imports = random_.one_in(12);
    for (std::uint64_t i = 0; i < count; ++i) {
        Account event = account();
        if (imports) {
            event.flags |= account_imported;
            event.timestamp = now - random_.below(1'000) + i;
        }
        request.events.push_back(event);
    }
    if (!random_.one_in(10)) {
        request.events.back().flags &= flags_of(~std::uint64_t{account_linked});
    }
    return request;
}

CreateTransfers Workload::create_transfers(std::uint64_t now) {
    CreateTransfers request;
    // Sometimes more than a chunk of the stored log holds.
    std::uint64_t const count =
        random_.one_in(40) ? random_.between(30, 70) : random_.below(shape_.events_max + 1);
    bool const imports = random_.one_in(25);
    bool linked = false;
    for (std::uint64_t i = 0; i < count; ++i) {
        Transfer event = transfer();
        event.flags &= flags_of(~std::uint64_t{transfer_linked});
        linked = linked ? !random_.one_in(3) : random_.one_in(6);
        if (linked && (i + 1 < count || random_.one_in(10))) {
            event.flags |= transfer_linked;
        }
        if (imports) {
            event.flags |= transfer_imported;
            event.timestamp = now - random_.below(1'000) + i;
        }
        transfer_ids_.insert(event.id);
        sent_.push_back(event);
        request.events.push_back(event);
    }
    while (sent_.size() > kRetryWindow) {
        sent_.pop_front();
    }
    return request;
}

void Workload::add_documents(Command& command) {
    std::uint64_t const count = random_.between(1, 3);
    std::set<DocumentKey> used;
    for (std::uint64_t i = 0; i < count; ++i) {
        DocumentKey const key{
            .kind = static_cast<std::uint16_t>(random_.between(1, 2)),
            .owner = random_.one_in(2) ? "alice" : "bob",
            .id = "d" + std::to_string(random_.below(5)),
        };
        if (!used.insert(key).second) {
            continue;
        }
        std::uint64_t const known = versions_.try_emplace(key, 0).first->second;
        std::uint64_t const version = random_.one_in(12) ? known + 1 : known;
        if (random_.one_in(6)) {
            command.guards.emplace_back(DocumentGuard{.key = key, .version = version});
        } else if (known != 0 && random_.one_in(6)) {
            command.removes.push_back({.key = key, .expected_version = version});
            versions_[key] = 0;
        } else {
            std::string body = "body " + std::to_string(random_.next());
            if (shape_.has_big_bodies && random_.one_in(3)) {
                body.resize(1'500'000, 'b');
            }
            command.puts.push_back(
                {.key = key,
                 .expected_version = version,
                 .body = std::move(body),
                 .detached = !shape_.has_big_bodies && random_.one_in(2)}
            );
            versions_[key] = version + 1;
        }
    }
}

void Workload::add_timers(Command& command, std::uint64_t now) {
    if (!timers_.empty() && random_.one_in(2)) {
        TimerSet const timer = random_.pick(timers_);
        command.clear_timers.push_back(
            {.due_ns = timer.due_ns, .kind = timer.kind, .key = timer.key}
        );
    }
    if (random_.one_in(2)) {
        TimerSet const timer{
            .due_ns = now + random_.below(20),
            .kind = 3,
            .key = "t" + std::to_string(random_.below(6)),
        };
        command.set_timers.push_back(timer);
        timers_.push_back(timer);
    }
}

void Workload::add_counters(Command& command) {
    if (random_.one_in(2)) {
        command.take_counters.push_back(
            {.counter = random_.one_in(2) ? "c" : "cc",
             .min = 1,
             .max = 6,
             .holder = "h" + std::to_string(random_.below(4))}
        );
    }
    if (!held_.empty() && random_.one_in(2)) {
        auto const [counter, value] = random_.pick(held_);
        command.release_counters.push_back({.counter = counter, .value = value});
    }
}

Command Workload::command(std::uint64_t now) {
    Command command;
    if (random_.one_in(6)) {
        Account wanted = account();
        wanted.flags &= flags_of(~std::uint64_t{account_linked});
        command.ensure_accounts.push_back(wanted);
    }
    // Mostly none: a refused transfer takes everything else of the command with it.
    for (std::uint64_t i = random_.one_in(3) ? random_.between(1, 2) : 0; i > 0; --i) {
        command.transfers.push_back(transfer());
        transfer_ids_.insert(command.transfers.back().id);
    }
    if (random_.one_in(12)) {
        command.guards.emplace_back(
            AvailableGuard{.account_id = account_id(), .at_least = random_.below(500)}
        );
    }
    if (!random_.one_in(4)) {
        add_documents(command);
    }
    if (random_.one_in(2)) {
        add_timers(command, now);
    }
    if (random_.one_in(3)) {
        add_counters(command);
    }
    if (random_.one_in(3)) {
        command.events.push_back(
            {.owner = "alice",
             .id = "e" + std::to_string(random_.below(1'000)),
             .type = "thing.happened",
             .body = "event " + std::to_string(random_.next())}
        );
    }
    return command;
}

Request Workload::read() {
    auto const limit = static_cast<std::uint32_t>(random_.between(1, 100));
    auto const side = static_cast<std::uint32_t>(random_.between(1, 7));
    AccountFilter const filter{.account_id = account_id(), .limit = limit, .flags = side};
    switch (random_.below(6)) {
        case 0: return LookupAccounts{{account_id(), account_id(), account_id()}};
        case 1: return LookupTransfers{{random_.between(100, next_id_), random_.below(100)}};
        case 2: return GetAccountTransfers{filter};
        case 3: return GetAccountBalances{filter};
        case 4: return QueryAccounts{{.ledger = 1, .limit = limit, .flags = side & 1U}};
        default:
            return QueryTransfers{
                {.user_data_128 = random_.below(4), .limit = limit, .flags = side & 1U}
            };
    }
}

Request Workload::next(std::uint64_t now) {
    std::uint64_t const choice = random_.below(100);
    if (account_ids_.size() < 4 || choice < 8) {
        return create_accounts(now);
    }
    if (choice < 48) {
        return create_transfers(now);
    }
    if (choice < 78) {
        return command(now);
    }
    if (choice < 84) {
        // In vain, but for a manual clock.
        return AdvanceClock{shape_.manual_clock ? random_.below(3 * kNanosecondsPerSecond) : 1};
    }
    return read();
}

void Workload::told(Request const& request, Answer const& answer) {
    auto const* command = std::get_if<Command>(&request);
    if (command == nullptr) {
        return;
    }
    auto const& receipt = std::get<Receipt>(answer);
    for (std::size_t i = 0; i < receipt.counters.size(); ++i) {
        held_.emplace_back(command->take_counters[i].counter, receipt.counters[i]);
    }
    if (receipt.committed()) {
        return;
    }
    std::vector<DocumentKey> keys;
    for (DocumentPut const& put : command->puts) {
        keys.push_back(put.key);
        versions_[put.key] = put.expected_version;
    }
    for (DocumentRemove const& remove : command->removes) {
        keys.push_back(remove.key);
        versions_[remove.key] = remove.expected_version;
    }
    for (Guard const& guard : command->guards) {
        auto const* document = std::get_if<DocumentGuard>(&guard);
        keys.push_back(document == nullptr ? DocumentKey{} : document->key);
    }
    if (receipt.status == CommandStatus::document_conflict) {
        versions_[keys.at(receipt.index)] = receipt.current_version;
    }
}

std::vector<DocumentKey> Workload::document_keys() const {
    std::vector<DocumentKey> keys;
    for (auto const& [key, version] : versions_) {
        keys.push_back(key);
    }
    return keys;
}

}  // namespace florin::ledger::sim
