// How fast transfers go through the Unix socket: batches of the most events, several in flight,
// server and client in one process on two threads.
//
//   ledger_socket_bench null|create|exists|lookup BATCHES IN_FLIGHT
//
// null measures the path alone: the ledger behind it answers at once without looking. create,
// exists and lookup (of absent ids) use a real ledger in a temporary folder.
#include "daemon/ledger_server/server.h"
#include "tests/ledger_server/fake_ledger.h"
#include "tests/support/temp_dir.h"
#include "tools/ledger_client/ledger_client.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <sys/resource.h>
#include <unistd.h>

using namespace florin;
using ledger_client::EventResult;

namespace {

template <class Value>
Value must(Result<Value> result) {
    if (!result) {
        fmt::print(stderr, "{}\n", to_string(result.error()));
        std::exit(1);
    }
    return std::move(*result);
}

Result<ledger::Answer> nothing(ledger::Request const& request) {
    ledger::CreateTransfersAnswer answer;
    answer.results.resize(std::get<ledger::CreateTransfers>(request).events.size());
    return answer;
}

double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto const seconds = [](timeval const& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void fill(std::vector<ledger::Transfer>& batch, std::uint64_t first) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        auto& transfer = batch[i];
        transfer = {};
        transfer.id = first + i;
        transfer.debit_account_id = 1 + (first + i) % 1'000;
        transfer.credit_account_id = 1 + (first + i + 1) % 1'000;
        transfer.amount = 1;
        transfer.ledger = 1;
        transfer.code = 1;
    }
}

void make_accounts(ledger_client::Client& client) {
    std::vector<ledger::Account> accounts(1'000);
    for (std::size_t i = 0; i < accounts.size(); ++i) {
        accounts[i].id = i + 1;
        accounts[i].ledger = 1;
        accounts[i].code = 1;
    }
    must(client.create_accounts(accounts));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        fmt::print(stderr, "ledger_socket_bench null|create|exists|lookup BATCHES IN_FLIGHT\n");
        return 2;
    }
    std::string const mode = argv[1];
    auto const batches = static_cast<std::uint64_t>(std::atoll(argv[2]));
    auto const in_flight = static_cast<std::size_t>(std::atoll(argv[3]));
    test::TempDir folder;
    SystemClock const clock;
    std::unique_ptr<ledger::Ledger> ledger;
    if (mode == "null") {
        ledger = std::make_unique<ledger_server::test::FakeLedger>(nothing);
    } else {
        ledger::LedgerOptions options;
        options.data_dir = folder.path() / "data";
        options.kind = ledger::LedgerKind::kernel_only;
        ledger = must(ledger::Ledger::open(options, clock));
    }
    ledger_server::ServerOptions options;
    options.socket = folder.path() / "socket";
    options.peer_uid = ::geteuid();
    options.limits.in_flight_max = in_flight;
    auto const server = must(ledger_server::Server::start(options, *ledger));
    auto const client =
        must(ledger_client::Client::connect({.connect = "unix:" + options.socket.string()}));
    std::vector<ledger::Transfer> batch(ledger::kBatchEventsMax);
    std::vector<u128> ids(ledger::kBatchEventsMax, 77);
    if (mode != "null") {
        make_accounts(*client);
    }
    if (mode == "exists") {
        fill(batch, 1);
        must(client->create_transfers(batch));
    }
    std::deque<ledger_client::Ticket<EventResult>> sent;
    auto const wait_first = [&] {
        auto const results = must(client->wait(sent.front()));
        sent.pop_front();
        for (auto const& result : results) {
            if (result.status != (mode == "exists" ? 22U : 0U)) {
                fmt::print(stderr, "status {}\n", result.status);
                std::exit(1);
            }
        }
    };
    auto const started = std::chrono::steady_clock::now();
    double const cpu_before = cpu_seconds();
    for (std::uint64_t i = 0; i < batches; ++i) {
        if (mode == "lookup") {
            must(client->lookup_transfers(ids));
            continue;
        }
        if (mode != "exists") {
            fill(batch, 1 + i * batch.size());
        }
        sent.push_back(must(client->send_transfers(batch)));
        if (sent.size() == in_flight) {
            wait_first();
        }
    }
    while (!sent.empty()) {
        wait_first();
    }
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - started;
    auto const events = static_cast<double>(batches * batch.size());
    fmt::print(
        "{}: {:.0f} events/s, {:.3f} us each, {:.3f} us of processor\n",
        mode,
        events / took.count(),
        took.count() / events * 1e6,
        (cpu_seconds() - cpu_before) / events * 1e6
    );
    server->stop_accepting();
    ledger->stop();
    server->stop();
    return 0;
}
