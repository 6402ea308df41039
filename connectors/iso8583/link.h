// A line to an ISO 8583 host with trace numbers of its own: one TCP connection or several, shared
// by many requests.
//
// Each connection signs on (0800, field 70 = 001; 1993: 1804, field 24 = 801), asks for an echo
// (301; 831) when it heard nothing for a while, connects again with growing pauses, and signs off
// (002; 802) when the link is stopped (session.h). A request goes over the ready connection that
// has the least to do. Answers come in any order (requests.h tells how they are matched). A
// connection that ends leaves what went over it unanswered; the others go on. The link keeps no
// durable state: who must repeat, calls again. Where messages bear MACs (codec_mac.h), one with a
// wrong or missing MAC is counted and forgotten, as if it had never come. Where keys are exchanged,
// a connection asks for its own after each sign-on (0800, field 70 = 101; 1993: 1804, field 24 =
// 811; the answer has the key block where the packaging says) and takes what the host sends at any
// time; exchanges wait until there is a key. What it promises about an exchange:
//   not_sent    decided at the write: the connection took no byte of this message
//   answered    the matching answer came within the timeout
//   unanswered  at least one byte was taken, and then the timeout passed or the connection ended
// Thread rule: everything inside runs on the home executor, which must be one thread's. exchange()
// and stop() may be awaited on any executor; begin_stop() and what is const may be called by any
// thread.
#pragma once

#include "connectors/connector.h"
#include "connectors/iso8583/codec.h"
#include "connectors/iso8583/codec_mac.h"
#include "ledger/base/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace florin::connectors::iso8583 {

struct LinkOptions {
    std::string host;
    std::string port;
    std::size_t connections = 1;
    // An answer counts on whichever connection it comes. Without this one on another connection
    // than its request's is late, and evidence: the request stays unanswered.
    bool answers_on_any_connection = false;
    Packaging packaging = default_packaging();
    unsigned connect_timeout_ms = 3'000;
    unsigned network_timeout_ms = 5'000;  // answers to sign-on, echo and sign-off
    unsigned idle_echo_ms = 30'000;       // silence after which an echo is asked for
    unsigned reconnect_min_ms = 100;      // the first pause; each further one doubles
    unsigned reconnect_max_ms = 10'000;
    unsigned stop_drain_ms = 3'000;       // how long stop() waits for outstanding answers
    std::size_t outstanding_max = 4'096;  // of payments, all connections; more end as not_sent
    MacOptions mac;                       // as check_mac_options (codec_mac.h) takes them
    // What an operator should see: the event's name and a text without contents of messages. Called
    // on the home thread; must not block. Events: iso8583.bad_mac, iso8583.key_changed,
    // iso8583.key_refused.
    std::function<void(std::string_view event, std::string const& text)> on_notice;
};

struct Exchange {
    enum class End { not_sent, answered, unanswered };
    End end = End::not_sent;
    Message answer;      // where answered
    std::string detail;  // why not, for people
};

class Link {
public:
    // Gets every answer of a financial message that nobody waits for, but for exact duplicates of
    // an answer that was taken. Called on the home thread; must not block.
    using Unmatched = std::function<void(Message const& answer)>;

    Link(
        boost::asio::any_io_executor home,
        LinkOptions options,
        Clock const& clock,  // field 7 of network messages; outlives the link
        Unmatched unmatched
    );
    // After stop(), and before the execution context of the home executor is destroyed.
    ~Link();
    Link(Link const&) = delete;
    Link& operator=(Link const&) = delete;

    void start();
    // Refuses new exchanges, waits up to stop_drain_ms for outstanding answers, signs off, closes.
    boost::asio::awaitable<void> stop();
    // Begins that and returns; stop() then waits for the end.
    void begin_stop();

    // The request has fields 7, 11, 41 and 37; its identity must not be outstanding (else
    // not_sent).
    boost::asio::awaitable<Exchange> exchange(Message request, unsigned timeout_ms);

    LinkCounters counters() const;
    std::uint64_t outstanding() const;
    bool is_ready() const;  // a connection is
    LinkHealth health() const;

private:
    class State;
    std::shared_ptr<State> state_;
};

}  // namespace florin::connectors::iso8583
