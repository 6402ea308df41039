// Two accounts, a batch of payments between them, and what the ledger says afterwards.
//
//   ledger_client unix:/run/florin/ledger.sock
//   ledger_client tls:ledger.example:7100 CA.pem TOKEN-FILE
#include "tools/ledger_client/ledger_client.h"

#include <cstdio>
#include <fstream>
#include <iterator>

using namespace florin;
using namespace florin::ledger_client;
using ledger::CreateAccountStatus;
using ledger::CreateTransferStatus;

// After a lost connection the same events are sent again with the same ids: those that arrived the
// first time answer `exists`. Here the program simply runs twice.
bool is_done(EventResult const& result, CreateAccountStatus) {
    auto const status = static_cast<CreateAccountStatus>(result.status);
    return status == CreateAccountStatus::created || status == CreateAccountStatus::exists;
}
bool is_done(EventResult const& result, CreateTransferStatus) {
    auto const status = static_cast<CreateTransferStatus>(result.status);
    return status == CreateTransferStatus::created || status == CreateTransferStatus::exists;
}

Result<void> run(Client& client) {
    std::vector<Account> accounts(2);
    accounts[0].id = 1;
    accounts[1].id = 2;
    for (Account& account : accounts) {
        account.ledger = 978;  // what one ledger holds is up to you: here, euros
        account.code = 1;      // as is what kind of account it is
    }
    FLORIN_TRY(auto const opened, client.create_accounts(accounts));
    for (EventResult const& result : opened) {
        if (!is_done(result, CreateAccountStatus{})) {
            auto const status = static_cast<CreateAccountStatus>(result.status);
            return fail(Errc::refused, std::string{ledger::status_name(status)});
        }
    }

    // Two batches under way at once: the second is sent before the first is answered.
    std::vector<Transfer> transfers(1'000);
    std::vector<Ticket<EventResult>> sent;
    for (std::uint64_t batch = 0; batch < 2; ++batch) {
        for (std::size_t i = 0; i < transfers.size(); ++i) {
            Transfer& transfer = transfers[i];
            transfer.id = 1 + batch * transfers.size() + i;
            transfer.debit_account_id = 1;
            transfer.credit_account_id = 2;
            transfer.amount = 250;  // minor units: 2.50
            transfer.ledger = 978;
            transfer.code = 1;
        }
        FLORIN_TRY(auto const ticket, client.send_transfers(transfers));
        sent.push_back(ticket);
    }
    std::size_t done = 0;
    for (auto const& ticket : sent) {
        // Durable from here on: this is the promise of an answer.
        FLORIN_TRY(auto const results, client.wait(ticket));
        for (EventResult const& result : results) {
            done += is_done(result, CreateTransferStatus{}) ? 1U : 0U;
        }
    }

    std::vector<u128> const ids{1, 2};
    FLORIN_TRY(auto const found, client.lookup_accounts(ids));
    AccountFilter filter;
    filter.account_id = 1;
    filter.limit = 3;
    filter.flags = ledger::kFilterDebits | ledger::kFilterReversed;
    FLORIN_TRY(auto const newest, client.get_account_transfers(filter));
    FLORIN_TRY(auto const head, client.head());

    std::printf("%zu of 2000 transfers are in the ledger\n", done);
    for (Account const& account : found) {
        std::printf(
            "account %s: debits %s, credits %s\n",
            to_string(account.id).c_str(),
            to_string(account.debits_posted).c_str(),
            to_string(account.credits_posted).c_str()
        );
    }
    for (Transfer const& transfer : newest) {
        std::printf("one of the newest: transfer %s\n", to_string(transfer.id).c_str());
    }
    std::printf("the journal has %llu records\n", static_cast<unsigned long long>(head.sequence));
    return {};
}

int main(int argc, char** argv) {
    if (argc != 2 && argc != 4) {
        std::fprintf(stderr, "ledger_client unix:PATH | tls:HOST:PORT CA.pem TOKEN-FILE\n");
        return 2;
    }
    ClientOptions options;
    options.connect = argv[1];
    if (argc == 4) {
        std::ifstream file{argv[3]};
        std::string token;
        std::getline(file, token);
        options.ca_file = argv[2];
        options.token = Token{std::move(token)};
    }
    auto const client = Client::connect(options);
    if (!client) {
        std::fprintf(stderr, "%s\n", to_string(client.error()).c_str());
        return 1;
    }
    if (auto const done = run(**client); !done) {
        std::fprintf(stderr, "%s\n", to_string(done.error()).c_str());
        return 1;
    }
    return 0;
}
