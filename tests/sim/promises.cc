#include "tests/sim/promises.h"

#include "tests/sim/answers.h"
#include "tests/sim/failure.h"

#include <algorithm>

namespace florin::ledger::sim {
namespace {

std::vector<Account> all_accounts(Engine& engine) {
    auto const answer = ask(engine, QueryAccounts{{.limit = kBatchEventsMax}});
    ensure(answer.has_value(), "accounts cannot be listed");
    return std::get<AccountsAnswer>(*answer).accounts;
}

std::vector<Transfer> all_transfers(Engine& engine) {
    auto const answer = ask(engine, QueryTransfers{{.limit = kBatchEventsMax}});
    ensure(answer.has_value(), "transfers cannot be listed");
    return std::get<TransfersAnswer>(*answer).transfers;
}

// Whether a stored transfer is the one that was asked for, as far as asking decides it.
bool agrees(Transfer const& stored, Transfer const& asked, std::uint64_t timestamp) {
    std::uint16_t const chained = transfer_linked;  // of a command's transfers, set by the ledger
    bool const same = stored.id == asked.id && stored.timestamp == timestamp &&
                      (stored.flags | chained) == (asked.flags | chained) &&
                      stored.pending_id == asked.pending_id && stored.timeout == asked.timeout;
    if (asked.resolves_pending()) {
        return same && stored.amount <= asked.amount + (asked.amount == 0 ? ~u128{0} : u128{0});
    }
    bool const balances = asked.has(balancing_debit) || asked.has(balancing_credit);
    return same && stored.debit_account_id == asked.debit_account_id &&
           stored.credit_account_id == asked.credit_account_id && stored.ledger == asked.ledger &&
           stored.code == asked.code && stored.user_data_128 == asked.user_data_128 &&
           stored.user_data_64 == asked.user_data_64 && stored.user_data_32 == asked.user_data_32 &&
           (balances ? stored.amount <= asked.amount : stored.amount == asked.amount);
}

// An id that a broken chain names twice may be said to exist by the chain itself.
bool names_once(std::vector<Transfer> const& events, u128 id) {
    return std::ranges::count(events, id, &Transfer::id) == 1;
}

}  // namespace

void Promises::refused(u128 id, CreateTransferStatus status) {
    if (status >= CreateTransferStatus::exists_with_different_flags &&
        status <= CreateTransferStatus::exists) {
        ensure(created_.contains(id) || unanswered_.contains(id), [&] {
            return "transfer " + to_string(id) + " is said to exist, but nobody was told of it";
        });
        return;
    }
    if (is_transient(status)) {
        used_up_.insert(id);
    }
    if (!created_.contains(id)) {
        refused_.insert(id);
    }
}

void Promises::created(Transfer const& asked, std::uint64_t timestamp) {
    u128 const id = asked.id;
    ensure(!created_.contains(id), [&] {
        return "transfer " + to_string(id) + " was created twice";
    });
    ensure(!used_up_.contains(id), [&] {
        return "transfer " + to_string(id) + " was created after a refusal that uses up its id";
    });
    refused_.erase(id);
    created_[id] = {asked, timestamp};
}

void Promises::learn_accounts(CreateAccounts const& request, CreateAccountsAnswer const* answer) {
    for (std::size_t i = 0; answer != nullptr && i < request.events.size(); ++i) {
        auto const& result = answer->results.at(i);
        if (result.status == CreateAccountStatus::created) {
            bool const is_new = accounts_.emplace(request.events[i].id, result.timestamp).second;
            ensure(is_new, "an account was created twice");
        }
    }
}

void Promises::learn_transfers(
    CreateTransfers const& request, CreateTransfersAnswer const* answer
) {
    for (std::size_t i = 0; i < request.events.size(); ++i) {
        Transfer const& event = request.events[i];
        if (answer == nullptr) {
            unanswered_.insert(event.id);
        } else if (answer->results.at(i).status == CreateTransferStatus::created) {
            created(event, answer->results[i].timestamp);
        } else if (names_once(request.events, event.id)) {
            refused(event.id, answer->results[i].status);
        }
    }
}

void Promises::learn_command(Command const& request, Receipt const* receipt) {
    if (receipt == nullptr) {
        for (Transfer const& transfer : request.transfers) {
            unanswered_.insert(transfer.id);
        }
        for (DocumentPut const& put : request.puts) {
            documents_[put.key].is_certain = false;
        }
        for (DocumentRemove const& remove : request.removes) {
            documents_[remove.key].is_certain = false;
            documents_[remove.key].only_puts = false;
        }
        return;
    }
    if (!receipt->committed()) {
        if (receipt->status == CommandStatus::transfer_refused) {
            u128 const id = request.transfers.at(receipt->index).id;
            if (names_once(request.transfers, id)) {
                refused(id, receipt->transfer_status);
            }
        }
        return;
    }
    for (std::size_t i = 0; i < request.transfers.size(); ++i) {
        created(request.transfers[i], receipt->transfer_timestamps.at(i));
    }
    for (DocumentPut const& put : request.puts) {
        documents_[put.key] = {.version = put.expected_version + 1, .body = put.body};
    }
    for (DocumentRemove const& remove : request.removes) {
        documents_[remove.key] = {};
    }
}

void Promises::learn(Request const& request, std::optional<Answer> const& answer) {
    if (auto const* accounts = std::get_if<CreateAccounts>(&request)) {
        learn_accounts(*accounts, answer ? &std::get<CreateAccountsAnswer>(*answer) : nullptr);
    } else if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
        learn_transfers(*transfers, answer ? &std::get<CreateTransfersAnswer>(*answer) : nullptr);
    } else if (auto const* command = std::get_if<Command>(&request)) {
        learn_command(*command, answer ? &std::get<Receipt>(*answer) : nullptr);
    }
}

void Promises::check(Engine& engine, StateStore const& store) const {
    check_accounts(engine);
    check_transfers(engine);
    check_sums(engine);
    check_documents(store);
}

void Promises::check_accounts(Engine& engine) const {
    std::map<u128, Account> found;
    for (Account const& account : all_accounts(engine)) {
        ensure(found.emplace(account.id, account).second, "an account is there twice");
    }
    for (auto const& [id, timestamp] : accounts_) {
        auto const account = found.find(id);
        ensure(account != found.end() && account->second.timestamp == timestamp, [&] {
            return "account " + to_string(id) + " was acknowledged and is gone";
        });
    }
}

void Promises::check_transfers(Engine& engine) const {
    std::map<u128, Transfer> found;
    std::uint64_t newest = 0;
    for (Transfer const& transfer : all_transfers(engine)) {
        ensure(found.emplace(transfer.id, transfer).second, "a transfer is there twice");
        ensure(transfer.timestamp > newest, "timestamps of transfers do not increase");
        newest = transfer.timestamp;
    }
    for (auto const& [id, promised] : created_) {
        auto const transfer = found.find(id);
        ensure(transfer != found.end(), [&] {
            return "transfer " + to_string(id) + " was acknowledged and is gone";
        });
        ensure(agrees(transfer->second, promised.asked, promised.timestamp), [&] {
            return "transfer " + to_string(id) + " is not the one that was acknowledged";
        });
    }
    for (u128 const id : refused_) {
        ensure(!found.contains(id) || unanswered_.contains(id), [&] {
            return "transfer " + to_string(id) + " was refused and is there";
        });
    }
    for (u128 const id : used_up_) {
        ensure(!found.contains(id) || created_.contains(id), [&] {
            return "transfer " + to_string(id) + " exists though a refusal used its id up";
        });
    }
}

// Debits equal credits in every ledger, and an account's posted amounts are the sums of its
// transfers.
void Promises::check_sums(Engine& engine) const {
    struct Sums {
        u128 debits = 0;
        u128 credits = 0;
    };
    std::map<u128, Sums> posted;
    for (Transfer const& transfer : all_transfers(engine)) {
        if (!transfer.has(transfer_pending) && !transfer.has(void_pending_transfer)) {
            posted[transfer.debit_account_id].debits += transfer.amount;
            posted[transfer.credit_account_id].credits += transfer.amount;
        }
    }
    std::map<std::uint32_t, Sums> pending_of_ledger;
    for (Account const& account : all_accounts(engine)) {
        Sums const& sums = posted[account.id];
        ensure(account.debits_posted == sums.debits && account.credits_posted == sums.credits, [&] {
            return "account " + to_string(account.id) + " does not add up";
        });
        pending_of_ledger[account.ledger].debits += account.debits_pending;
        pending_of_ledger[account.ledger].credits += account.credits_pending;
    }
    for (auto const& [ledger, sums] : pending_of_ledger) {
        ensure(sums.debits == sums.credits, [&] {
            return "pending debits and credits differ in ledger " + std::to_string(ledger);
        });
    }
}

void Promises::check_documents(StateStore const& store) const {
    DocumentReader const reader{store};
    for (auto const& [key, known] : documents_) {
        auto const got = reader.get(key);
        ensure(got.has_value(), "a document cannot be read");
        std::string const name = key.owner + "/" + key.id;
        std::uint64_t const version = *got ? (*got)->version : 0;
        if (known.is_certain) {
            bool const same = version == known.version && (!*got || (*got)->body == known.body);
            ensure(same, [&] {
                return "document " + name + " is at version " + std::to_string(version) +
                       ", acknowledged was " + std::to_string(known.version);
            });
        } else if (known.only_puts) {
            ensure(version >= known.version, [&] {
                return "document " + name + " went back from version " +
                       std::to_string(known.version) + " to " + std::to_string(version);
            });
        }
    }
}

}  // namespace florin::ledger::sim
