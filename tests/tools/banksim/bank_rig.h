// The simulated bank in this process, on a real socket, with our connector at the other end.
#pragma once

#include "tests/connectors/iso8583_rig.h"
#include "tools/banksim/book.h"
#include "tools/banksim/control.h"
#include "tools/banksim/faults.h"
#include "tools/banksim/host.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <stdlib.h>
#include <string>

namespace florin::banksim::test {

using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

class TempDir {
public:
    TempDir() {
        char path[] = "/tmp/florin-banksim-XXXXXX";
        REQUIRE(mkdtemp(path) != nullptr);
        path_ = path;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string const& path() const { return path_; }

private:
    std::string path_;
};

// A day in 2026, whatever the machine's clock says.
class FixedClock final : public Clock {
public:
    std::uint64_t wall_ns() const override { return 1'795'525'445'000'000'000; }  // 2026-11-24
    std::uint64_t steady_ns() const override { return 0; }
};

class BankRig {
public:
    explicit BankRig(
        std::string const& data_dir,
        unsigned timeout_ms = 10'000,
        Packaging const& packaging = default_packaging(),
        MacOptions const& mac = {}
    ) {
        auto opened = Book::open(data_dir, BookOptions{.fee_basis_points = 50}, clock);
        REQUIRE(opened);
        book.emplace(std::move(*opened));
        host.emplace(loop.context(), *book, faults, packaging, mac);
        auto const address = loop.call([this] { return host->listen("127.0.0.1:0"); });
        REQUIRE(address);
        Iso8583Options options{.id = ConnectorId{"bank"}};
        options.link.host = "127.0.0.1";
        port = address->substr(address->rfind(':') + 1);
        options.link.port = port;
        options.link.packaging = packaging;
        options.link.mac = mac;
        options.link.reconnect_min_ms = 2;
        options.link.reconnect_max_ms = 10;
        options.link.stop_drain_ms = 10;
        options.acquirer_id = "123456";
        options.authorise_timeout_ms = options.capture_timeout_ms = timeout_ms;
        options.reverse_timeout_ms = options.refund_timeout_ms = timeout_ms;
        connector.emplace(home.executor(), options, sink, clock);
        connector->start();
        REQUIRE(is_ready());
    }
    ~BankRig() {
        callers.spawn(connector->stop()).get();
        // The sockets go before the io_context that they live on.
        loop.call([this] {
            host->stop();
            host.reset();
        });
    }

    bool is_ready() {
        return eventually([this] { return connector->health().ready; });
    }
    std::string command(std::string const& line) {
        return loop.call([&] { return control(line, *book, faults); });
    }
    Book::Counts counts() {
        return loop.call([this] { return *book->counts(); });
    }
    Reply authorise(std::uint32_t stan, Money amount = eur(4500)) {
        return callers.spawn(connector->authorise(authorise_request(stan, amount))).get();
    }
    Reply authorise_with(std::string_view pan, std::uint32_t stan) {
        auto request = authorise_request(stan);
        request.card = card(pan);
        return callers.spawn(connector->authorise(request)).get();
    }
    Reply capture(
        std::uint32_t stan,
        Money amount,
        std::uint32_t of,
        std::string const& authorization_code,
        bool repeat = false
    ) {
        CaptureRequest const request{
            .identity = identity(stan),
            .amount = amount,
            .card = card(),
            .terminal = terminal(),
            .original = original(of, "0100", authorization_code),
            .repeat = repeat,
        };
        return callers.spawn(connector->capture(request)).get();
    }
    Reply reverse(
        std::uint32_t stan,
        std::uint32_t of,
        bool repeat = false,
        std::optional<Money> remaining = std::nullopt
    ) {
        ReverseRequest const request{
            .identity = identity(stan),
            .amount = eur(4500),
            .remaining = remaining,
            .card = card(),
            .terminal = terminal(),
            .original = original(of, "0100"),
            .repeat = repeat,
        };
        return callers.spawn(connector->reverse(request)).get();
    }
    Reply refund(std::uint32_t stan, Money amount, std::uint32_t of_capture, bool repeat = false) {
        RefundRequest const request{
            .identity = identity(stan),
            .amount = amount,
            .card = card(),
            .terminal = terminal(),
            .original = original(of_capture, "0220"),
            .repeat = repeat,
        };
        return callers.spawn(connector->refund(request)).get();
    }

    TotalsReply compare(TotalsRequest request) {
        return callers.spawn(connector->compare_totals(std::move(request))).get();
    }

    std::string port;
    FixedClock clock;
    CollectingSink sink;
    Faults faults;
    std::optional<Book> book;
    std::optional<Host> host;
    Loop loop;
    Loop callers;
    Loop home;
    std::optional<Iso8583Connector> connector;
};

inline bool holds(std::string const& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
}

}  // namespace florin::banksim::test
