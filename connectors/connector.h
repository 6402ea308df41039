// What every rail offers to the flow: four operations, how each may end, and what is asked about
// them.
//
// A connector knows money, cards and its counterpart's rules, never accounts. It keeps no durable
// state: the caller's intent record, written before the call, holds the Identity, and the caller
// repeats what must arrive. It promises that `not_sent` is proof (no byte of this message left the
// process), that only answers in its table become approved or declined, and that everything else is
// `unknown`.
// Thread rule: operations may be awaited from any executor; they complete on the caller's executor.
// A cancelled caller does not cancel what may have been sent.
#pragma once

#include "connectors/cards.h"
#include "connectors/links.h"
#include "connectors/totals.h"
#include "ledger/base/id.h"
#include "ledger/base/money.h"
#include "ledger/base/secret.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::connectors {

// How an operation ended. Numbers are stored and never reused.
enum class Outcome : std::uint8_t {
    not_sent = 1,  // proof: not connected, or no byte of this message was written
    approved = 2,
    declined = 3,
    pending = 4,  // the counterpart still waits for the payer
    unknown = 5,  // it may have happened: inquire, reverse or repeat, never guess
};

std::string_view outcome_name(Outcome outcome);  // "not_sent"

// By what the counterpart knows a message. Fixed in the durable intent before the first byte goes
// out, and the same in every repeat. Rails without STANs use `attempt` alone.
struct Identity {
    AttemptId attempt;
    std::uint32_t stan = 0;         // ISO 8583 field 11: 1 to 999999
    std::string rrn;                // field 37: 12 letters and digits
    std::string transmission_time;  // field 7: MMDDhhmmss, UTC
    std::uint32_t link = 1;         // that the STAN is of; 1 to kLinksMax
};

// The message that a capture, a reversal or a refund speaks about.
struct OriginalReference {
    std::string mti;  // "0100"; the MTI first sent, not that of a repeat
    std::uint32_t stan = 0;
    std::string transmission_time;
    std::string rrn;
    std::string authorization_code;   // field 38; empty where none is known
    std::optional<Money> approved{};  // how much of it was approved, where that is known
};

struct Card {
    Pan pan;
    int exp_month = 0;  // 1 to 12
    int exp_year = 0;   // four digits
    Cvv cvv;            // only for authorise, may be empty; never stored
};

struct Terminal {
    std::string terminal_id;    // field 41: at most 8 characters
    std::string acceptor_id;    // field 42: at most 15 characters
    std::string name_location;  // field 43: at most 40 characters
    std::string category_code;  // field 18: the four digits of the MCC
};

// A 3-D Secure result from elsewhere, as it goes to the issuer. All texts are printable ASCII.
struct Authentication {
    std::string electronic_commerce_indicator;  // "05"; empty: none
    Cryptogram cryptogram;                      // base64, at most 40 characters; never stored
    std::string version;                        // "2.2.0"
    std::string transaction_id;                 // of the directory server, at most 36 characters
};

// How a card that was kept is used, or is to be kept.
enum class CredentialUse {
    none,                // neither kept before nor to be kept
    cardholder_first,    // the cardholder pays, and the card is to be kept
    cardholder_further,  // the cardholder pays with the card that was kept
    merchant_further,    // the merchant takes a payment that was agreed on before
};
std::string_view credential_use_code(CredentialUse use);  // "CF", "CS", "MS"; "" for none

// What a card's chip says and is told: BER-TLV (ISO 8583 field 55). Never stored.
using ChipData = Secret<struct ChipDataTag>;

struct AuthoriseRequest {
    Identity identity;
    Money amount;
    Card card;
    Terminal terminal;
    Authentication authentication{};
    CredentialUse credential = CredentialUse::none;
    // Of the payment that the card was kept from, at most 35 characters; empty: not known.
    std::string original_network_transaction_id{};
    bool is_mail_or_telephone = false;
    ChipData chip_data{};  // as the terminal gave it; empty: no chip was there
};

// ISO 8583: the advice 0220. Repeat until it is answered; a capture is never reversed.
struct CaptureRequest {
    Identity identity;
    Money amount;  // at most what was authorised
    Card card;
    Terminal terminal;
    OriginalReference original;
    bool repeat = false;  // sent before under this identity: 0221
};

enum class ReversalReason {
    cancelled,      // the merchant voids, or the hold expires
    no_answer,      // the original timed out or was cut off
    late_approval,  // an approval came after the transaction was given up
};

struct ReverseRequest {
    Identity identity;
    Money amount;                    // what the original asked for
    std::optional<Money> remaining;  // a partial reversal: what stays authorised (field 95)
    Card card;
    Terminal terminal;
    OriginalReference original;
    ReversalReason reason = ReversalReason::no_answer;
    bool repeat = false;  // 0421
};

struct RefundRequest {
    Identity identity;
    Money amount;
    Card card;
    Terminal terminal;
    OriginalReference original;  // the capture
    bool repeat = false;         // 0201
};

// Our totals of one business date and currency, for the counterpart to compare with its own.
struct TotalsRequest {
    Identity identity;
    std::string date;  // YYYY-MM-DD
    Currency currency;
    Totals totals;
    bool is_advice = false;  // ISO 8583: 0520; else the request 0500
    bool repeat = false;     // sent before under this identity: 0521, 0501
};

// How that ended, in the words of the link: no money depends on it.
struct TotalsReply {
    enum class End { not_sent, unanswered, answered };
    End end = End::not_sent;
    BalanceClaim claim = BalanceClaim::none;  // this and what follows: where it was answered
    std::string code;                         // by which it claims that: field 66 or 39
    SaidTotals totals;                        // the counterpart's own
    std::string detail;                       // why not, for people
};

// What became of an operation that was not answered.
enum class InquiredOperation : std::uint8_t { authorise, refund };

struct InquireRequest {
    Identity identity;  // of the operation that is asked about
    InquiredOperation operation = InquiredOperation::authorise;
    Money amount;  // what it asked for
    Terminal terminal;
};

struct Reply {
    Outcome outcome = Outcome::unknown;
    std::optional<Money> approved;         // with Outcome::approved: may be less than was asked for
    std::string response_code;             // field 39 as it came, or empty
    std::string authorization_code;        // field 38, or empty
    std::string network_transaction_id{};  // what later payments name this one by, or empty
    std::string detail;                    // for people; no card data
    ChipData chip_data{};                  // of the issuer for the chip, or empty

    // What an approval said of its amount, where the message has it: for hold_against().
    std::optional<std::int64_t> said_minor{};
    std::optional<Currency> said_currency{};
    bool is_partial = false;  // it said that it approves a part
    // It was an approval of something else: hold_against() made it unknown.
    bool approves_otherwise = false;
};

// Holds an approval against what was asked for. It stays one, and `approved` is set, if it is of
// the same amount and currency (a message that leaves them out means those), or of a part of it,
// said to be one and how large, where `may_be_partial`: of authorisations only. Else the outcome is
// unknown, and `detail` says why. Other outcomes stay as they are.
void hold_against(Reply& reply, Money asked, bool may_be_partial);

// An answer that nobody waits for any more, or that contradicts the one already taken: evidence.
struct LateReply {
    ConnectorId connector;
    std::string mti;  // of the answer: "0110"
    std::uint32_t stan = 0;
    std::string transmission_time;
    std::string rrn;
    std::string terminal_id;
    Reply reply;          // not held against what was asked for yet
    AttemptId attempt{};  // what a counterpart without STANs names; with a STAN it is not looked at
};

// Where evidence goes: late answers, and what a counterpart tells by itself (a webhook, a queue):
// a notification about an authorisation is a late reply with the MTI "0110". The rail has checked
// whose word it is. Called on the link's home thread; must not block and must not throw.
class EvidenceSink {
public:
    virtual ~EvidenceSink() = default;
    virtual void late_reply(LateReply reply) = 0;
};

// Of the circuit breaker before a connector (connectors/breaker.h). Numbers are shown in metrics.
enum class BreakerState : std::uint8_t { closed = 0, half_open = 1, open = 2 };
std::string_view breaker_state_name(BreakerState state);  // "half_open"

// What stands between the flow and a connector (connectors/guard.h).
struct GuardHealth {
    BreakerState breaker = BreakerState::closed;
    std::int64_t since_s = 0;        // in this state; seconds since 1970
    std::uint64_t window_calls = 0;  // that ended within the breaker's window, while it is closed
    std::uint64_t window_failures =
        0;                        // of these, those that the connector's system is to blame for
    std::uint64_t in_flight = 0;  // operations that the connector works on
    std::uint64_t waiting = 0;    // captures, reversals and refunds that wait for a place
    // Since the start.
    std::uint64_t failures = 0;
    std::uint64_t rejected_open = 0;  // ended as not_sent by the breaker
    std::uint64_t rejected_full = 0;  // for want of a place
    std::string last_error;           // of the latest failure; empty: none
};

struct Health {
    bool ready = false;  // a request would be written now, if there is a place for it
    std::string detail;  // "signed on", "connecting", the last error
    std::optional<GuardHealth> guard{};  // absent: nothing stands before this connector
};

class Connector {
public:
    Connector() = default;
    Connector(Connector const&) = delete;
    Connector& operator=(Connector const&) = delete;
    virtual ~Connector() = default;

    virtual ConnectorId const& id() const = 0;
    virtual std::string_view name() const = 0;  // the rail: "iso8583"
    // True where the intent must hold a STAN, an RRN and a transmission time from a link's counter,
    // unique while outstanding.
    virtual bool needs_link_identity() const = 0;
    // Whose counter that is for a new message: the link that is ready and has the least to do. Any
    // thread. A message goes over the link of its identity where that is ready, else over another
    // one.
    virtual LinkChoice choose_link() const { return {}; }
    // In the order of their numbers; empty for rails without links. Any thread.
    virtual std::vector<LinkHealth> links() const { return {}; }
    // True where an approved authorisation that asked for it is captured by the same message.
    virtual bool captures_at_once() const { return false; }
    // True where the counterpart can be asked what became of an operation. Then the flow asks
    // before it reverses an authorisation, and before it repeats a refund.
    virtual bool can_inquire() const { return false; }
    virtual Health health() const = 0;  // any thread

    virtual void start() = 0;                         // once, before the first operation
    virtual boost::asio::awaitable<void> stop() = 0;  // waits a short while for what is outstanding

    virtual boost::asio::awaitable<Reply> authorise(AuthoriseRequest request) = 0;
    virtual boost::asio::awaitable<Reply> capture(CaptureRequest request) = 0;
    virtual boost::asio::awaitable<Reply> reverse(ReverseRequest request) = 0;
    virtual boost::asio::awaitable<Reply> refund(RefundRequest request) = 0;
    // Asked only where can_inquire(). Approved, declined: so it was. Pending: it is not decided
    // yet, ask again. Everything else, also "no such operation", which may still be on its way,
    // proves nothing: the flow goes on as if it could not ask.
    virtual boost::asio::awaitable<Reply> inquire(InquireRequest request);
    // Compares totals, where the counterpart does that. It holds up no payment, and whether it is
    // answered says nothing about payments.
    virtual boost::asio::awaitable<TotalsReply> compare_totals(TotalsRequest request);
};

}  // namespace florin::connectors
