#include "daemon/flow/payments.h"

#include "connectors/iso8583/response_codes.h"
#include "daemon/log/log.h"
#include "daemon/model/reconciliation.h"
#include "ledger/base/check.h"

#include <fmt/format.h>

#include <ctime>

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using api::ApiError;
using api::ApiResult;
using model::Kind;

// Field 7 of ISO 8583, MMDDhhmmss in UTC.
std::string transmission_time(std::int64_t seconds) {
    std::time_t const time = static_cast<std::time_t>(seconds);
    std::tm utc{};
    gmtime_r(&time, &utc);
    return fmt::format(
        "{:02}{:02}{:02}{:02}{:02}",
        utc.tm_mon + 1,
        utc.tm_mday,
        utc.tm_hour,
        utc.tm_min,
        utc.tm_sec
    );
}

ApiError busy() {
    ApiError error;
    error.http_status = 409;
    error.code = "lock_timeout";
    error.message = "This object is being changed by another request; try again.";
    return error;
}

ApiError same_key_in_flight() {
    ApiError error;
    error.http_status = 409;
    error.type = api::ErrorType::idempotency_error;
    error.code = "idempotency_key_in_use";
    error.message = "There is another request in progress with this idempotency key.";
    return error;
}

ApiError overloaded() {
    ApiError error;
    error.http_status = 503;
    error.type = api::ErrorType::api_error;
    error.message = "Florin is busy; try again.";
    return error;
}

}  // namespace

model::Book Payments::Case::book() const {
    auto const currency = Currency::from_alphabetic(intent.value.currency);
    FLORIN_CHECK(currency.has_value(), "a stored intent's currency is known");
    return {*currency, mode};
}

Objects Payments::Case::objects() const {
    Objects objects{
        .owner = owner,
        .intent = intent.value,
        .charge = std::nullopt,
        .method = method,
        .refund = std::nullopt
    };
    if (charge.version > 0 || !charge.value.id.empty()) {
        objects.charge = charge.value;
    }
    if (refund) {
        objects.refund = refund->value;
    }
    return objects;
}

connectors::Connector* Payments::connector_named(std::string const& id) const {
    for (auto* const connector : parts_.connectors) {
        if (connector->id().text() == id) {
            return connector;
        }
    }
    return nullptr;
}

ApiResult<model::Merchant> Payments::merchant(Caller const& caller) const {
    auto const stored = load<model::Merchant>(
        parts_.ledger.documents(), model::owner_of("platform", caller.mode), caller.merchant
    );
    if (!stored) {
        return std::unexpected{api::internal_error(stored.error().context)};
    }
    if (!*stored) {
        return std::unexpected{api::internal_error("merchant " + caller.merchant + " is gone")};
    }
    return (*stored)->value;
}

void Payments::claim(Change& change, Caller const& caller) const {
    if (caller.idempotency_key.empty()) {
        return;
    }
    model::IdempotencyKey const key{
        .fingerprint = caller.fingerprint,
        .request_id = caller.request_id,
        .created = parts_.ids.now_s(),
    };
    change.put(caller.idempotency_key, key, 0);
}

// In a commit of its own after the claim, or together with it where nothing was claimed yet.
void Payments::complete(Change& change, Caller const& caller, Done const& done) const {
    if (caller.idempotency_key.empty()) {
        return;
    }
    model::IdempotencyKey const key{
        .fingerprint = caller.fingerprint,
        .request_id = caller.request_id,
        .done = true,
        .status = done.status,
        .body = done.body,
        .created = parts_.ids.now_s(),
    };
    auto const stored = load<model::IdempotencyKey>(
        parts_.ledger.documents(), caller.owner, caller.idempotency_key
    );
    std::uint64_t const version = stored && *stored ? (*stored)->version : 0;
    change.put(caller.idempotency_key, key, version);
    constexpr std::uint64_t kKeptNs = 24ULL * 3600 * 1'000'000'000;
    std::string const timer_key = caller.owner + '\0' + caller.idempotency_key;
    change.command.set_timers.push_back(
        {.due_ns = parts_.ids.now_ns() + kKeptNs,
         .kind = static_cast<std::uint16_t>(TimerKind::idempotency_expiry),
         .key = timer_key}
    );
}

asio::awaitable<ApiResult<ledger::Receipt>> Payments::commit(Change change, bool claims) {
    std::size_t const claim_index = change.command.puts.size();
    std::string const owner = change.owner();
    std::vector<std::uint16_t> kinds;
    for (auto const& put : change.command.puts) {
        kinds.push_back(put.key.kind);
    }
    auto receipt = co_await parts_.ledger.submit_command(std::move(change.command));
    if (!receipt) {
        if (receipt.error().code == Errc::overloaded) {
            co_return std::unexpected{overloaded()};
        }
        co_return std::unexpected{api::internal_error(receipt.error().context)};
    }
    if (receipt->committed()) {
        co_return *receipt;
    }
    if (receipt->status == ledger::CommandStatus::document_conflict) {
        bool const is_claim =
            claims && receipt->index < claim_index &&
            kinds[receipt->index] == static_cast<std::uint16_t>(Kind::idempotency_key);
        co_return std::unexpected{is_claim ? same_key_in_flight() : busy()};
    }
    co_return std::unexpected{api::internal_error(fmt::format(
        "a command of {} was refused: {} at {}, {}",
        owner,
        status_name(receipt->status),
        receipt->index,
        ledger::status_name(receipt->transfer_status)
    ))};
}

model::Attempt Payments::new_attempt(
    std::string operation,
    connectors::Connector const& connector,
    model::PaymentIntent const& intent,
    std::int64_t amount
) {
    model::Attempt attempt;
    attempt.id = parts_.ids.make("at");
    attempt.operation = std::move(operation);
    attempt.payment_intent = intent.id;
    attempt.charge = intent.latest_charge;
    attempt.connector = connector.id().text();
    attempt.payment_method = intent.payment_method;
    attempt.currency = intent.currency;
    attempt.amount = amount;
    attempt.state = "intent";
    attempt.created = parts_.ids.now_s();
    attempt.transmission_time = transmission_time(attempt.created);
    return attempt;
}

// Where the counterpart is a bank, what moves money comes back in its reports.
bool Payments::is_reported(model::Attempt const& attempt, connectors::Connector const& connector) {
    return connector.needs_link_identity() &&
           (attempt.operation == "capture" || attempt.operation == "refund");
}

// The intent: the attempt, its place among the open ones, and the number it is known by at the
// bank.
void Payments::open_attempt(
    Change& change, model::Attempt const& attempt, connectors::Connector const& connector
) const {
    change.put(attempt.id, attempt, 0);
    change.put(attempt.id, model::OpenAttempt{attempt.id}, 0);
    if (is_reported(attempt, connector)) {
        change.put_for(
            model::connector_owner(attempt.connector, model::mode_of(change.owner())),
            attempt.id,
            model::ExpectedLine{
                .owner = change.owner(),
                .attempt = attempt.id,
                .operation = attempt.operation,
                .currency = attempt.currency,
                .amount = attempt.amount,
                .created = attempt.created,
            },
            0
        );
    }
    if (connector.needs_link_identity()) {
        constexpr std::uint64_t kStanMax = 999'999;  // field 11 is n6
        change.command.take_counters.push_back(
            {.counter = "stan/" + connector.id().text(),
             .min = 1,
             .max = kStanMax,
             .holder = attempt.id}
        );
    }
}

void Payments::ensure_accounts(
    Change& change,
    model::Book const& book,
    std::string const& connector,
    std::string const& merchant
) const {
    auto const accounts = model::payment_accounts(book, connector, merchant);
    change.command.ensure_accounts.insert(
        change.command.ensure_accounts.end(), accounts.begin(), accounts.end()
    );
}

asio::awaitable<ApiResult<Done>> Payments::create(
    Caller caller, model::PaymentIntent intent, Render render
) {
    Objects const objects{
        .owner = caller.owner, .intent = intent, .charge = {}, .method = {}, .refund = {}
    };
    Done done = render(objects);
    Change change{caller.owner};
    change.put(intent.id, intent, 0);
    change.event(parts_.ids, "payment_intent.created", parts_.renderer.intent(objects));
    complete(change, caller, done);
    auto const receipt = co_await commit(std::move(change), true);
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return done;
}

asio::awaitable<ApiResult<Done>> Payments::store_method(
    Caller caller, model::PaymentMethod method, Done done
) {
    Change change{caller.owner};
    change.put(method.id, method, 0);
    complete(change, caller, done);
    auto const receipt = co_await commit(std::move(change), true);
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return done;
}

asio::awaitable<ApiResult<Done>> Payments::confirm(
    Caller caller,
    Stored<model::PaymentIntent> intent,
    model::PaymentMethod method,
    Cvv cvc,
    Render render
) {
    auto terms = merchant(caller);
    if (!terms) {
        co_return std::unexpected{terms.error()};
    }
    if (parts_.routes.empty()) {
        co_return std::unexpected{api::internal_error("no route: no connector is configured")};
    }
    Case payment{.owner = caller.owner, .mode = caller.mode};
    payment.intent = std::move(intent);
    payment.merchant = std::move(*terms);
    payment.method = std::move(method);
    Waiter waiter{.caller = std::move(caller), .render = std::move(render), .done = {}};
    co_return co_await authorise(std::move(payment), 0, std::move(cvc), std::move(waiter));
}

asio::awaitable<ApiResult<Done>> Payments::authorise(
    Case payment, std::size_t route, Cvv cvc, Waiter waiter
) {
    bool is_first = true;
    for (;; ++route, is_first = false) {
        connectors::Connector& connector = *parts_.routes[route];
        model::PaymentIntent& intent = payment.intent.value;
        bool const is_new = payment.intent.version == 0;
        auto const now = parts_.ids.now_s();

        // The intent record: everything that is about to be tried, in one command.
        Change change{payment.owner};
        model::Charge charge;
        charge.id = parts_.ids.make("ch");
        charge.payment_intent = intent.id;
        charge.currency = intent.currency;
        charge.status = "pending";
        charge.amount = intent.amount;
        charge.created = now;
        charge.payment_method = payment.method.id;
        charge.description = intent.description;
        charge.customer = intent.customer;
        charge.receipt_email = intent.receipt_email;
        charge.statement_descriptor = intent.statement_descriptor;
        charge.statement_descriptor_suffix = intent.statement_descriptor_suffix;
        charge.transfer_group = intent.transfer_group;
        charge.brand = payment.method.brand;
        charge.last4 = payment.method.last4;
        charge.funding = payment.method.funding;
        charge.country = payment.method.country;
        charge.fingerprint = payment.method.fingerprint;
        charge.exp_month = payment.method.exp_month;
        charge.exp_year = payment.method.exp_year;
        charge.billing_details = payment.method.billing_details;
        charge.has_shipping = intent.has_shipping;
        charge.shipping = intent.shipping;
        charge.metadata = intent.metadata;

        intent.latest_charge = charge.id;
        intent.payment_method = payment.method.id;
        intent.status = "processing";
        intent.connector = connector.id().text();
        model::Attempt attempt = new_attempt("authorise", connector, intent, intent.amount);
        model::Book const book = payment.book();
        attempt.pending_transfer = to_string(model::transfer_id(attempt.id, "authorisation"));
        attempt.idempotency_key = waiter.caller.idempotency_key;
        intent.live_attempt = attempt.id;
        intent.pending_transfer = attempt.pending_transfer;

        if (is_first) {
            claim(change, waiter.caller);
        }
        if (is_new) {
            change.event(
                parts_.ids, "payment_intent.created", parts_.renderer.intent(payment.objects())
            );
        }
        change.put(intent.id, payment.intent);
        change.put(charge.id, charge, 0);
        open_attempt(change, attempt, connector);
        ensure_accounts(change, book, connector.id().text(), payment.merchant.id);
        auto const known = load<model::MerchantCurrency>(
            parts_.ledger.documents(), payment.owner, intent.currency
        );
        if (known && !*known) {
            change.put(intent.currency, model::MerchantCurrency{intent.currency}, 0);
        }
        change.post(model::authorisation(
            book, attempt.id, connector.id().text(), payment.merchant.id, intent.amount
        ));
        auto receipt = co_await commit(std::move(change), is_first);
        if (!receipt) {
            co_return std::unexpected{receipt.error()};
        }
        ++payment.intent.version;
        attempt.stan = receipt->counters.empty() ? 0 : receipt->counters[0];
        payment.charge = {charge, 1};
        payment.attempt = {attempt, 1};

        Driving const driving{*this, payment.owner + "/" + attempt.id};
        connectors::Reply const reply = co_await send(payment, cvc, false);
        bool const is_soft = reply.outcome == connectors::Outcome::declined &&
                             connectors::iso8583::meaning_of(reply.response_code).is_soft;
        bool const goes_on = route + 1 < parts_.routes.size() &&
                             (reply.outcome == connectors::Outcome::not_sent || is_soft);

        model::Evidence const evidence = said(reply, 1);
        // Another route is part of the same answer: nothing is stored for the caller yet.
        Waiter* const told = goes_on ? nullptr : &waiter;
        auto next = co_await note(payment.owner, attempt.id, evidence, reply, told);
        if (!next) {
            co_return std::unexpected{api::internal_error(next.error().context)};
        }
        if (goes_on) {
            auto fresh = load_known<model::PaymentIntent>(
                parts_.ledger.documents(), payment.owner, intent.id
            );
            if (!fresh) {
                co_return std::unexpected{api::internal_error(fresh.error().context)};
            }
            payment.intent = std::move(*fresh);
            continue;
        }
        if (!next->drive_attempt.empty()) {
            drive_in_background(payment.owner, next->drive_attempt, false);
        }
        if (!next->capture_attempt.empty()) {
            // The capture is part of the same answer.
            auto capturing = load_case(payment.owner, next->capture_attempt);
            if (!capturing) {
                co_return std::unexpected{api::internal_error(capturing.error().context)};
            }
            capturing->attempt.value.stan = stan_of(capturing->attempt.value);
            Cvv no_cvc;
            connectors::Reply const captured = co_await send(*capturing, std::move(no_cvc), false);
            model::Evidence capture_evidence = said(captured, 1);
            auto const noted = co_await note(
                payment.owner, next->capture_attempt, std::move(capture_evidence), captured, &waiter
            );
            if (!noted) {
                co_return std::unexpected{api::internal_error(noted.error().context)};
            }
            if (!noted->drive_attempt.empty()) {
                drive_in_background(payment.owner, noted->drive_attempt, false);
            }
        }
        if (!waiter.done) {
            co_return std::unexpected{api::internal_error("an outcome without an answer")};
        }
        co_return std::move(*waiter.done);
    }
}

}  // namespace florin::flow
