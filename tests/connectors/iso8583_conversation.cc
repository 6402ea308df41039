// Drives the ISO 8583 connector through one conversation with a bank, for tests that look at the
// bytes from outside. Prints one line for each reply: operation, outcome, field 39, field 38.
//
//   iso8583_conversation PORT PACKAGING_FILE [ALGORITHM key|kek KEY_FILE]
//
// With an algorithm messages bear a MAC under the key of the file, or under keys that are exchanged
// under it.
#include "connectors/iso8583/dialect.h"
#include "ledger/base/calendar.h"
#include "tests/connectors/iso8583_rig.h"

#include <iostream>

using namespace florin;
using namespace florin::connectors;
using namespace florin::connectors::iso8583;
using namespace florin::connectors::iso8583::test;

namespace {

void print(char const* operation, Reply const& reply) {
    std::cout << operation << ' ' << outcome_name(reply.outcome) << ' ' << reply.response_code
              << ' ' << reply.authorization_code << std::endl;
}

void print(char const* operation, TotalsReply const& reply, TotalsRequest const& request) {
    auto const verdict = judge(request.totals, reply.totals, reply.claim);
    std::cout << operation << ' ' << totals_result_name(verdict.result) << ' ' << reply.code;
    for (auto const& name : verdict.differing) {
        std::cout << ' ' << name;
    }
    std::cout << std::endl;
}

int converse(std::string const& port, std::string const& packaging_file, MacOptions mac) {
    auto const packaging = load_packaging(packaging_file);
    if (!packaging) {
        std::cerr << to_string(packaging.error()) << std::endl;
        return 2;
    }
    SystemClock const clock;
    CollectingSink sink;
    Loop callers;
    Loop home;
    Iso8583Options options{.id = ConnectorId{"bank"}};
    options.link.host = "127.0.0.1";
    options.link.port = port;
    options.link.packaging = *packaging;
    options.link.mac = std::move(mac);
    options.acquirer_id = "123456";
    Iso8583Connector connector{home.executor(), options, sink, clock};
    connector.start();
    if (!eventually([&] { return connector.health().ready; })) {
        std::cerr << "iso8583_conversation: " << connector.health().detail << std::endl;
        return 1;
    }
    auto const authorised = callers.spawn(connector.authorise(authorise_request(1))).get();
    print("authorise", authorised);
    CaptureRequest capture{
        .identity = identity(2),
        .amount = eur(4000),
        .card = card(),
        .terminal = terminal(),
        .original = original(1, "0100", authorised.authorization_code),
    };
    print("capture", callers.spawn(connector.capture(capture)).get());
    capture.repeat = true;
    print("capture-again", callers.spawn(connector.capture(capture)).get());
    RefundRequest refund{
        .identity = identity(3),
        .amount = eur(1000),
        .card = card(),
        .terminal = terminal(),
        .original = original(2, "0220", authorised.authorization_code),
    };
    print("refund", callers.spawn(connector.refund(refund)).get());
    refund.repeat = true;
    print("refund-again", callers.spawn(connector.refund(refund)).get());
    auto declined = authorise_request(4);
    declined.card = card("4000000000000002");
    print("decline", callers.spawn(connector.authorise(declined)).get());
    print("authorise", callers.spawn(connector.authorise(authorise_request(5))).get());
    ReverseRequest reverse{
        .identity = identity(6),
        .amount = eur(4500),
        .remaining = eur(500),
        .card = card(),
        .terminal = terminal(),
        .original = original(5, "0100"),
        .reason = ReversalReason::cancelled,
    };
    print("reverse-part", callers.spawn(connector.reverse(reverse)).get());
    reverse.identity = identity(7);
    reverse.remaining.reset();
    reverse.repeat = true;
    print("reverse", callers.spawn(connector.reverse(reverse)).get());
    reverse.identity = identity(8);
    reverse.original = original(99, "0100");
    print("reverse-unknown", callers.spawn(connector.reverse(reverse)).get());
    // Field 7 of the messages above says the 24th of November; of which year, the day of the test.
    TotalsRequest totals{
        .identity = identity(9),
        .date =
            "20" + year_near(identity(9).transmission_time, seconds_of(clock.wall_ns())) + "-11-24",
        .currency = eur(0).currency,
        .totals = {},
    };
    totals.totals.debits_number = 1;
    totals.totals.debits_amount = 4000;
    totals.totals.credits_number = 1;
    totals.totals.credits_amount = 1000;
    print("totals", callers.spawn(connector.compare_totals(totals)).get(), totals);
    totals.repeat = true;
    print("totals-again", callers.spawn(connector.compare_totals(totals)).get(), totals);
    totals.identity = identity(10);
    totals.repeat = false;
    totals.is_advice = true;
    totals.totals.debits_amount = 3999;
    print("totals-off", callers.spawn(connector.compare_totals(totals)).get(), totals);
    callers.spawn(connector.stop()).get();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    MacOptions mac;
    bool is_understood = argc == 3;
    if (argc == 6) {
        auto const algorithm = crypto::mac_algorithm_of(argv[3]);
        auto key = crypto::load_hex_key(argv[5]);
        bool const is_exchanged = std::string_view{argv[4]} == "kek";
        is_understood = algorithm && key;
        if (is_understood) {
            mac.algorithm = *algorithm;
            (is_exchanged ? mac.key_encryption_key : mac.key) = std::move(*key);
        }
    }
    if (!is_understood) {
        std::cerr << "iso8583_conversation PORT PACKAGING_FILE [ALGORITHM key|kek KEY_FILE]"
                  << std::endl;
        return 2;
    }
    return converse(argv[1], argv[2], std::move(mac));
}
