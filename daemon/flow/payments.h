// The story of a payment, from the merchant's wish to the bank's word.
//
// Every operation is: decide and write the intent (one command, durable), speak to the connector,
// write what it said (one command, durable), answer. Nothing is sent before its intent is durable
// and nothing is answered before its outcome is. What is not known is unknown, and leaves that
// state on evidence only (evidence.h).
//
// Files: payments.cc creates and confirms, capture.cc captures, cancels and refunds. outcome.cc
// notes evidence with what follows from it; outcome_authorisation.cc decides that for
// authorisations and their reversals, outcome_capture.cc for captures and refunds. send.cc builds
// every message, drive.cc repeats what must arrive, fires timers and recovers after a restart,
// late_reply.cc takes in what came late.
//
// Thread rule: operations may be awaited on any io thread; they resume there.
#pragma once

#include "connectors/connector.h"
#include "daemon/api/error.h"
#include "daemon/flow/balance.h"
#include "daemon/flow/evidence.h"
#include "daemon/flow/merchants.h"
#include "daemon/flow/render.h"
#include "daemon/flow/store.h"
#include "daemon/ledger_client.h"
#include "daemon/model/chart.h"
#include "daemon/vault/vault.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

namespace florin::flow {

// Who asks, and under which idempotency key (empty: none).
struct Caller {
    std::string owner;
    std::string merchant;
    model::Mode mode = model::Mode::test;
    std::string request_id;
    std::string idempotency_key;
    std::string fingerprint;

    // Of the key's document, where it is known: 1 after the claim. 0: ask.
    std::uint64_t key_version = 0;

    model::Cause cause() const { return {request_id, idempotency_key}; }
};

// The answer: what is stored under the idempotency key, and sent.
struct Done {
    int status = 200;
    std::string body;     // JSON; the API adds lines and spaces when it is sent
    bool sealed = false;  // the body holds a secret and is stored encrypted (webhooks/secrets.h)
};
using Render = std::function<Done(Objects const&)>;

// What an authorisation needs and nobody may keep.
struct CardSecrets {
    Cvv cvc;                            // may be empty
    connectors::Cryptogram cryptogram;  // the same
};

// What is to be authorised. A new intent or method has version 0.
struct Confirmation {
    Stored<model::PaymentIntent> intent{};
    Stored<model::PaymentMethod> method{};
    CardSecrets secrets{};
};

// What a capture asks for.
struct CaptureWish {
    std::optional<std::int64_t> amount;  // absent: all of it
    model::Metadata metadata;            // merged into the intent's
    std::optional<std::string> statement_descriptor, statement_descriptor_suffix;
};

// What a refund asks for.
struct RefundWish {
    std::optional<std::int64_t> amount{};  // absent: what is left
    std::string charge{};                  // has to be the one that was captured; empty: not said
    std::string reason{};
    model::Metadata metadata{};
};

struct FlowOptions {
    std::uint64_t retry_first_ms = 1'000;             // between sends of an advice or a reversal
    std::uint64_t retry_most_ms = 300'000;            // they double up to here
    std::uint64_t authorisation_days = 7;             // uncaptured for so long: given back
    std::uint64_t idempotency_keep_s = 24ULL * 3600;  // of a completed key
    std::uint64_t stan_max = 999'999;                 // field 11 is n6
    std::uint64_t timer_tick_ms = 100;                // between looks at what is due
};

class Payments final : public connectors::EvidenceSink {
public:
    // What payments of one mode may go through.
    struct ModeRoutes {
        std::vector<connectors::Connector*> by_priority;
        std::vector<connectors::Connector*> by_name;  // those too that a payment has to name
    };
    struct Parts {
        LedgerClient& ledger;
        vault::Vault& vault;
        // A connector belongs to one mode; a payment never goes through one of the other.
        std::map<model::Mode, ModeRoutes> routes;
        std::vector<connectors::Connector*> connectors;
        model::IdMaker& ids;
        Renderer const& renderer;
        boost::asio::any_io_executor background;  // for what nobody waits for
        FlowOptions options;
    };
    explicit Payments(Parts parts)
        : parts_{std::move(parts)}, merchants_{parts_.ledger.documents()} {}

    // What is known of merchants; whoever changes one tells it.
    Merchants& merchants() { return merchants_; }

    // Stores a new intent without confirming it, and the method that came with it.
    boost::asio::awaitable<api::ApiResult<Done>> create(
        Caller caller,
        model::PaymentIntent intent,
        std::optional<model::PaymentMethod> new_method,
        Render render
    );
    // Authorises, and captures where the intent says automatic. Routes are tried by priority;
    // metadata[florin_route] names the one connector to use instead. A method that no customer has
    // is spent by this; one that is kept for later is attached to the intent's customer with the
    // approval.
    boost::asio::awaitable<api::ApiResult<Done>> confirm(
        Caller caller, std::unique_ptr<Confirmation> wanted, Render render
    );
    // What is not captured is released.
    boost::asio::awaitable<api::ApiResult<Done>> capture(
        Caller caller, std::string intent_id, CaptureWish wish, Render render
    );
    boost::asio::awaitable<api::ApiResult<Done>> cancel(
        Caller caller, std::string intent_id, std::string reason, Render render
    );
    boost::asio::awaitable<api::ApiResult<Done>> refund(
        Caller caller, std::string intent_id, RefundWish wish, Render render
    );
    // Makes a change and stores its answer in one commit; `lock_timeout` where a document is at
    // another version by now.
    boost::asio::awaitable<api::ApiResult<Done>> store(Caller caller, Change change, Done done);
    // Stores a document and its answer in one commit.
    boost::asio::awaitable<api::ApiResult<Done>> store_method(
        Caller caller, model::PaymentMethod method, Done done
    );

    // From the next payment on; routing.h decides on them.
    void set_routes(model::Mode mode, ModeRoutes routes);

    // Takes up what a crash left open: call once, before serving.
    boost::asio::awaitable<Result<void>> recover();
    // Fires timers until stop(); one coroutine.
    boost::asio::awaitable<void> run_timers();
    void stop() { stopping_ = true; }
    // After the ledger has stopped: waits until nothing runs in the background any more.
    void wait_idle();

    void late_reply(connectors::LateReply reply) override;

    // Looks at the attempt as it is when its evidence is about to be stored, may refuse, and adds
    // to the same command. Called again where the command has to be made anew.
    using Also = std::function<Result<void>(model::Attempt const& attempt, Change& change)>;
    // What somebody else than the connector says about an attempt: a line of a report, operators.
    // Does what follows from it before it returns. Nothing changes where it is known already, or
    // where `also` refuses: its error is the answer.
    boost::asio::awaitable<Result<void>> take_evidence(
        std::string owner, std::string attempt_id, model::Evidence evidence, Also also
    );
    boost::asio::awaitable<Result<void>> take_evidence(
        std::string owner, std::string attempt_id, model::Evidence evidence
    ) {
        return take_evidence(std::move(owner), std::move(attempt_id), std::move(evidence), Also{});
    }

    // Attempts whose outcome is not final, for health and metrics.
    std::size_t driving() const;
    // What runs that nobody waits for. Where that is no more than what waits for banks, everything
    // that was said so far is stored.
    std::size_t background() const;
    // Attempts of this connector that were given up and turned out to be approved, since the start;
    // each is given back by what is named: "reversal" or "refund".
    std::uint64_t second_successes(std::string_view connector, std::string_view given_back_by)
        const;

private:
    // An attempt with everything it changes.
    struct Case {
        std::string owner;
        model::Mode mode = model::Mode::test;
        Stored<model::Attempt> attempt;
        Stored<model::PaymentIntent> intent;
        Stored<model::Charge> charge;
        std::optional<Stored<model::Refund>> refund;
        std::optional<Stored<model::Attempt>> original;        // of a capture, void or refund
        bool changes_original = false;                         // it is to be stored too
        std::optional<model::Attempt> capture;                 // that follows at once
        std::optional<model::BalanceTransaction> transaction;  // of what it posts
        std::shared_ptr<model::Merchant const> merchant;
        Stored<model::PaymentMethod> method;
        bool is_method_changed = false;

        model::Book book() const;
        Objects objects() const;
    };
    // Two hundred strings are not moved from coroutine to coroutine.
    using OwnCase = std::unique_ptr<Case>;
    // What a waiting request wants stored with the first outcome.
    struct Waiter {
        Caller caller;
        Render render;
        std::optional<Done> done;
    };
    // Work that follows a commit.
    struct Next {
        std::string authorise_attempt;  // on another route, to send now
        std::string capture_attempt;    // to send now, with somebody waiting
        OwnCase capture{};              // the same, as it is stored
        std::string drive_attempt;      // to send in the background
        // What it sends gives back what was approved though it was given up: "reversal", "refund".
        std::string_view gives_back{};
    };
    using Routes = std::vector<connectors::Connector*>;

    // idempotency.cc
    // An idempotency key is claimed by what is answered later, with the attempt that it is
    // answered after, or given its answer at once, by a request that is over with one commit. Both
    // are for a key that nobody has used: commit() answers idempotency_key_in_use otherwise.
    void claim(Change& change, Caller const& caller) const;
    void answer_at_once(Change& change, Caller const& caller, Done const& done) const;
    // After the claim.
    void complete(
        Change& change, Caller const& caller, Done const& done, std::string const& attempt_id
    ) const;
    model::IdempotencyKey answered_key(
        Caller const& caller, Done const& done, std::string const& attempt_id
    ) const;
    void keep_answer(Change& change, Caller const& caller) const;

    // payments.cc
    model::Attempt new_attempt(
        std::string operation,
        connectors::Connector const& connector,
        model::PaymentIntent const& intent,
        std::int64_t amount
    );
    void open_attempt(
        Change& change, model::Attempt const& attempt, connectors::Connector const& connector
    ) const;
    static bool is_reported(model::Attempt const& attempt);
    // The acquirer's report has to have a line about it.
    static void expect_line(Change& change, model::Attempt const& attempt);
    void ensure_accounts(
        Change& change,
        model::Book const& book,
        std::string const& connector,
        std::string const& merchant
    ) const;
    boost::asio::awaitable<Result<ledger::Receipt>> submit(Change change);
    boost::asio::awaitable<api::ApiResult<ledger::Receipt>> commit(Change change, bool claims);
    api::ApiResult<Routes> routes_for(model::PaymentIntent const& intent, model::Mode mode) const;
    struct Begun {
        model::Attempt attempt;
        model::Charge charge;
    };
    Begun begin_authorisation(
        Case& payment,
        connectors::Connector const& connector,
        std::string const& idempotency_key,
        Change& change
    );
    boost::asio::awaitable<api::ApiResult<void>> first_attempt(
        Case& payment, connectors::Connector* connector, Caller caller
    );
    boost::asio::awaitable<api::ApiResult<void>> remember_currency(
        std::string owner, std::string currency
    );
    boost::asio::awaitable<api::ApiResult<Done>> authorise(
        OwnCase payment, Routes routes, CardSecrets secrets, Waiter waiter
    );
    connectors::Connector* connector_named(std::string const& id) const;

    // capture.cc
    boost::asio::awaitable<api::ApiResult<Done>> send_and_note(
        std::string attempt_id, Waiter waiter, OwnCase known = nullptr
    );
    api::ApiError wrong_state(
        std::string const& owner,
        model::PaymentIntent const& intent,
        std::string_view wanted,
        std::string_view allowed
    ) const;
    void clear_expiry(model::PaymentIntent& intent, Change& change) const;
    static void set_idempotency_key(
        Change& change, std::string const& attempt_id, std::string const& key
    );

    // outcome.cc
    Result<OwnCase> load_case(std::string const& owner, std::string const& attempt_id) const;
    // Adds evidence and does what follows from it; nothing where it is known already. A refusal
    // that allows another route goes on with `other`, in the same command. Tries until it is
    // stored: only a ledger that stops, or a posting that can never be right, is an error.
    boost::asio::awaitable<Result<Next>> note(
        std::string owner,
        std::string attempt_id,
        model::Evidence evidence,
        connectors::Reply reply,
        Waiter* waiter,
        connectors::Connector* other = nullptr,
        Also const* also = nullptr,
        OwnCase known = nullptr
    );
    // What the bank has though it was given up is given back, once. After everything else that
    // follows from the evidence.
    Result<void> give_second_success_back(Case& payment, Change& change, Next& next);
    Result<void> reverse_second_success(Case& payment, Change& change, Next& next);
    // It is over, and a start has to look at it: it cannot be given back now, or a request's key
    // has no answer yet.
    Result<void> keep_open(Case const& payment, Change& change) const;
    Result<bool> is_among_open(Case const& payment) const;
    Result<void> mind_left_key(Case const& payment, bool is_heard, bool was_closed, Change& change)
        const;
    Result<std::shared_ptr<model::Merchant const>> merchant_of(std::string const& owner) const;
    static void tell_connector_missing(model::Attempt const& attempt);
    // The answer where only that bank could do what is asked for, and nothing was changed.
    static api::ApiError bank_missing(model::Attempt const& attempt);
    Result<bool> is_reversal_under_way(std::string const& owner, model::Attempt const& attempt)
        const;
    void tell_second_success(Case const& payment, Next const& next);
    // The number under which an attempt names its transfer.
    static u128 transfer_of(std::string const& text);
    void close_attempt(Stored<model::Attempt>& attempt, std::string state, Change& change) const;
    void set_retry(model::Attempt& attempt, Change& change) const;
    static void clear_retry(model::Attempt& attempt, Change& change);
    // An event about the object that the type names, which this change writes.
    void announce(Case const& payment, std::string type, Change& change) const;
    void announce_intent(Objects const& objects, std::string type, Change& change) const;

    // outcome_authorisation.cc
    void outcome_of_authorisation(
        Case& payment, Verdict verdict, connectors::Reply const& reply, Change& change, Next& next
    );
    void not_answered(Case& payment, Change& change, Next& next);
    static OwnCase case_of_capture(OwnCase approved);
    void authorised(Case& payment, connectors::Reply const& reply, Change& change, Next& next);
    void keep_method(Case& payment, connectors::Reply const& reply, Change& change);
    static void give_method_back(Case& payment);
    void not_authorised(
        Case& payment, Verdict verdict, connectors::Reply const& reply, Change& change
    );
    void go_elsewhere(
        Case& payment,
        Verdict verdict,
        connectors::Reply const& reply,
        connectors::Connector const& other,
        Change& change,
        Next& next
    );
    model::PaymentError fail_charge(Case& payment, Verdict verdict, connectors::Reply const& reply);
    Result<void> outcome_of_void(
        Case& payment, Verdict verdict, connectors::Reply const& reply, Change& change, Next& next
    );
    void given_back(Case& payment, Change& change);
    void start_reversal(Case& payment, std::string reason, Change& change, Next& next);

    // outcome_capture.cc
    void outcome_of_capture(Case& payment, Verdict verdict, Change& change, Next& next);
    void captured(Case& payment, std::int64_t amount, Change& change);
    void not_captured(Case& payment, Change& change, Next& next);
    void outcome_of_refund(
        Case& payment, Verdict verdict, connectors::Reply const& reply, Change& change
    );
    void start_stray_refund(Case& payment, Change& change, Next& next);
    void outcome_of_stray_refund(Case& payment, Verdict verdict, Change& change);
    Result<void> book_stray_refund(Case& payment, Change& change) const;

    // send.cc
    model::Evidence said(connectors::Reply const& reply, std::int64_t send_number) const;
    static Money amount_of(model::Attempt const& attempt);
    std::uint32_t stan_of(model::Attempt const& attempt) const;
    void remember_stan(std::string const& attempt_id, std::uint64_t stan) const;
    boost::asio::awaitable<Result<Pan>> card_number(Case const& payment);
    boost::asio::awaitable<connectors::Reply> send(
        Case const& payment, CardSecrets secrets, bool repeat
    );
    boost::asio::awaitable<connectors::Reply> hand_over(
        Case const& payment, CardSecrets secrets, bool repeat
    );
    boost::asio::awaitable<connectors::Reply> inquire(Case const& payment);

    // drive.cc
    // One coroutine at a time sends an attempt.
    class Driving {
    public:
        Driving(Payments& payments, std::string key);
        Driving(Driving const&) = delete;
        Driving& operator=(Driving const&) = delete;
        ~Driving();
        bool owns() const { return owns_; }

    private:
        Payments& payments_;
        std::string key_;
        bool owns_ = false;
    };
    bool is_driven(std::string const& key) const;
    void in_background(boost::asio::awaitable<void> work);
    // Where there is something to do.
    void drive_in_background(std::string owner, Next const& next);
    boost::asio::awaitable<void> drive(std::string owner, std::string attempt_id);
    boost::asio::awaitable<Result<Next>> drive_once(std::string owner, std::string attempt_id);
    boost::asio::awaitable<Result<Next>> ask(OwnCase payment);
    boost::asio::awaitable<Result<void>> recover_attempt(std::string owner, std::string attempt_id);
    boost::asio::awaitable<Result<void>> recover_closed(OwnCase known);
    Result<void> answer_left_key(Case& payment, Change& change) const;
    boost::asio::awaitable<Result<void>> commit_recovery(std::string attempt_id, Change change);
    struct Recovery;
    boost::asio::awaitable<void> recover_some(std::shared_ptr<Recovery> recovery);
    boost::asio::awaitable<void> fire(ledger::TimerSet timer);
    boost::asio::awaitable<void> expire(ledger::TimerSet timer);
    // Returns earlier when the daemon stops.
    boost::asio::awaitable<void> pause(std::uint64_t ms) const;

    // late_reply.cc
    boost::asio::awaitable<void> take_late_reply(connectors::LateReply reply);
    // So that what is still heard of it finds it.
    void remember_given_up(model::Attempt const& attempt, Change& change) const;
    void tell_late_reply_unused(connectors::LateReply const& late, std::string_view event);
    Result<std::optional<model::GivenUp>> attempt_of(connectors::LateReply const& late) const;
    Result<std::optional<model::GivenUp>> attempt_of(
        connectors::LateReply const& late, std::uint32_t link
    ) const;
    Result<std::optional<model::GivenUp>> open_attempt_of(std::string const& id) const;

    Parts parts_;
    mutable Merchants merchants_;
    mutable std::mutex routes_mutex_;  // guards parts_.routes
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> is_recovered_ = false;  // recover() is through
    mutable std::mutex driving_mutex_;
    std::set<std::string> driving_;
    // STANs of attempts whose documents do not have them yet.
    mutable std::mutex stans_mutex_;
    mutable std::unordered_map<std::string, std::uint32_t> stans_;
    std::mutex late_replies_mutex_;
    std::int64_t late_replies_silent_until_ms_ = 0;
    std::uint64_t late_replies_unsaid_ = 0;
    mutable std::mutex second_successes_mutex_;
    // By connector and by what gives them back.
    std::map<std::pair<std::string, std::string>, std::uint64_t> second_successes_;
    mutable std::mutex background_mutex_;
    std::condition_variable background_idle_;
    std::size_t background_tasks_ = 0;
};

// Where a late answer, or a line of a report, finds an attempt that was given up: by connector,
// link, transmission time and STAN, or by its id where it has no STAN.
ledger::DocumentKey given_up_key(model::Attempt const& attempt);

// Sets these; an empty value removes its key.
void merge_metadata(model::Metadata& metadata, model::Metadata const& changes);

// Kinds of timers; stored, never reused.
enum class TimerKind : std::uint16_t {
    attempt_retry = 1,         // key: owner, 0x00, attempt id
    authorisation_expiry = 2,  // key: owner, 0x00, intent id
    idempotency_expiry = 3,    // key: owner, 0x00, idempotency key
};

}  // namespace florin::flow
