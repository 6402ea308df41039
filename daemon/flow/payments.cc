#include "daemon/flow/payments.h"

#include "connectors/iso8583/response_codes.h"
#include "daemon/api/redact.h"
#include "daemon/flow/identity.h"
#include "daemon/log/log.h"
#include "daemon/model/reconciliation.h"
#include "ledger/base/calendar.h"
#include "ledger/base/check.h"
#include "ledger/base/failpoint.h"

#include <fmt/format.h>

#include <algorithm>

namespace florin::flow {
namespace {

namespace asio = boost::asio;
using api::ApiError;
using api::ApiResult;
using model::Kind;

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
    return {
        .owner = owner,
        .intent = intent.value,
        .charge = charge.value.id.empty() ? nullptr : &charge.value,
        .method = &method.value,
        .refund = refund ? &refund->value : nullptr,
        .transaction = transaction ? &*transaction : nullptr,
    };
}

connectors::Connector* Payments::connector_named(std::string const& id) const {
    for (auto* const connector : parts_.connectors) {
        if (connector->id().text() == id) {
            return connector;
        }
    }
    return nullptr;
}

// Remembers the numbers that were given.
asio::awaitable<Result<ledger::Receipt>> Payments::submit(Change change) {
    std::vector<std::string> holders;
    for (auto const& take : change.command.take_counters) {
        holders.push_back(take.holder);
    }
    auto receipt = co_await parts_.ledger.submit_command(std::move(change.command));
    if (receipt && receipt->committed()) {
        for (std::size_t i = 0; i < holders.size(); ++i) {
            remember_stan(holders[i], receipt->counters[i]);
        }
    }
    co_return receipt;
}

asio::awaitable<ApiResult<ledger::Receipt>> Payments::commit(Change change, bool claims) {
    std::size_t const claim_index = change.command.puts.size();
    std::string const owner = change.owner();
    std::vector<std::uint16_t> kinds;
    for (auto const& put : change.command.puts) {
        kinds.push_back(put.key.kind);
    }
    auto receipt = co_await submit(std::move(change));
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
    if (receipt->status == ledger::CommandStatus::counter_exhausted) {
        // Every STAN of the link is outstanding. Nothing was stored and nothing sent.
        co_return std::unexpected{overloaded()};
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
    connectors::LinkChoice const choice = connector.choose_link();
    attempt.link = choice.link == 1 ? 0 : choice.link;
    attempt.transmission_time = transmission_time_of(attempt.created, choice);
    return attempt;
}

// Where the counterpart is a bank, which knows it by a STAN, what moves money comes back in its
// reports.
bool Payments::is_reported(model::Attempt const& attempt) {
    return attempt.operation == "capture" || attempt.operation == "refund";
}

void Payments::expect_line(Change& change, model::Attempt const& attempt) {
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

// The intent: the attempt, its place among the open ones, and the number it is known by at the
// bank.
void Payments::open_attempt(
    Change& change, model::Attempt const& attempt, connectors::Connector const& connector
) const {
    change.put(attempt.id, attempt, 0);
    change.mark(Kind::open_attempt, attempt.id);
    if (connector.needs_link_identity() && is_reported(attempt)) {
        expect_line(change, attempt);
    }
    if (connector.needs_link_identity()) {
        change.command.take_counters.push_back(
            {.counter = stan_counter(attempt),
             .min = 1,
             .max = parts_.options.stan_max,
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
    Caller caller,
    model::PaymentIntent intent,
    std::optional<model::PaymentMethod> new_method,
    Render render
) {
    Objects const objects{
        .owner = caller.owner, .intent = intent, .method = new_method ? &*new_method : nullptr
    };
    Done done = render(objects);
    Change change{caller.owner, caller.cause()};
    change.put(intent.id, intent, 0);
    if (new_method) {
        change.put(new_method->id, *new_method, 0);
    }
    if (!intent.customer.empty()) {
        change.link(Kind::customer_intent, intent.customer, intent.id);
    }
    announce_intent(objects, "payment_intent.created", change);
    answer_at_once(change, caller, done);
    auto const receipt = co_await commit(std::move(change), true);
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return done;
}

asio::awaitable<ApiResult<Done>> Payments::store(Caller caller, Change change, Done done) {
    answer_at_once(change, caller, done);
    auto const receipt = co_await commit(std::move(change), true);
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return done;
}

asio::awaitable<ApiResult<Done>> Payments::store_method(
    Caller caller, model::PaymentMethod method, Done done
) {
    Change change{caller.owner, caller.cause()};
    change.put(method.id, method, 0);
    answer_at_once(change, caller, done);
    auto const receipt = co_await commit(std::move(change), true);
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    co_return done;
}

// A commit of its own: two first payments in a currency must not refuse each other over it.
asio::awaitable<ApiResult<void>> Payments::remember_currency(
    std::string owner, std::string currency
) {
    auto const known = load<model::MerchantCurrency>(parts_.ledger.documents(), owner, currency);
    if (!known) {
        co_return std::unexpected{api::internal_error(known.error().context)};
    }
    if (*known) {
        merchants_.currency_is_stored(owner, currency);
        co_return ApiResult<void>{};
    }
    Change change{owner};
    change.put(currency, model::MerchantCurrency{currency}, 0);
    auto const receipt = co_await commit(std::move(change), false);
    if (!receipt && receipt.error().code != "lock_timeout") {
        co_return std::unexpected{receipt.error()};
    }
    co_return ApiResult<void>{};
}

asio::awaitable<ApiResult<Done>> Payments::confirm(
    Caller caller, std::unique_ptr<Confirmation> wanted, Render render
) {
    auto terms = merchants_.terms(caller.merchant, caller.mode);
    if (!terms) {
        co_return std::unexpected{api::internal_error(terms.error().context)};
    }
    auto routes = routes_for(wanted->intent.value, caller.mode);
    if (!routes) {
        co_return std::unexpected{routes.error()};
    }
    auto payment = std::make_unique<Case>();
    payment->owner = caller.owner;
    payment->mode = caller.mode;
    payment->intent = std::move(wanted->intent);
    payment->merchant = std::move(*terms);
    payment->method = std::move(wanted->method);
    if (!merchants_.has_currency(payment->owner, payment->intent.value.currency)) {
        auto const remembered =
            co_await remember_currency(payment->owner, payment->intent.value.currency);
        if (!remembered) {
            co_return std::unexpected{remembered.error()};
        }
    }
    Waiter waiter{.caller = std::move(caller), .render = std::move(render), .done = {}};
    co_return co_await authorise(
        std::move(payment), std::move(*routes), std::move(wanted->secrets), std::move(waiter)
    );
}

void Payments::set_routes(model::Mode mode, ModeRoutes routes) {
    std::lock_guard const lock{routes_mutex_};
    parts_.routes.insert_or_assign(mode, std::move(routes));
}

// By priority, or the one that the payment names.
ApiResult<Payments::Routes> Payments::routes_for(
    model::PaymentIntent const& intent, model::Mode mode
) const {
    ModeRoutes routes;
    {
        std::lock_guard const lock{routes_mutex_};
        auto const found = parts_.routes.find(mode);
        routes = found == parts_.routes.end() ? ModeRoutes{} : found->second;
    }
    auto const named = intent.metadata.find("florin_route");
    if (named == intent.metadata.end()) {
        if (routes.by_priority.empty()) {
            log::error("route.none", {{"mode", model::mode_name(mode)}});
            ApiError error;
            error.http_status = 503;
            error.type = api::ErrorType::api_error;
            error.message = "No connector takes payments at the moment; try again.";
            return std::unexpected{error};
        }
        return routes.by_priority;
    }
    auto const connector = std::ranges::find_if(routes.by_name, [&](auto const* each) {
        return each->id().text() == named->second;
    });
    if (connector == routes.by_name.end()) {
        return std::unexpected{api::bad_parameter(
            "resource_missing",
            "metadata[florin_route]",
            "No such route: '" + api::shown(named->second) + "'."
        )};
    }
    return Routes{*connector};
}

// A charge and an attempt through this connector, and the money reserved: the intent record, but
// for the payment's own document.
Payments::Begun Payments::begin_authorisation(
    Case& payment,
    connectors::Connector const& connector,
    std::string const& idempotency_key,
    Change& change
) {
    model::PaymentIntent& intent = payment.intent.value;
    model::PaymentMethod const& method = payment.method.value;
    model::Charge charge;
    charge.id = parts_.ids.make("ch");
    charge.payment_intent = intent.id;
    charge.currency = intent.currency;
    charge.status = "pending";
    charge.amount = intent.amount;
    charge.created = parts_.ids.now_s();
    charge.payment_method = method.id;
    charge.description = intent.description;
    charge.customer = intent.customer;
    charge.receipt_email = intent.receipt_email;
    charge.statement_descriptor = intent.statement_descriptor;
    charge.statement_descriptor_suffix = intent.statement_descriptor_suffix;
    charge.transfer_group = intent.transfer_group;
    charge.brand = method.brand;
    charge.last4 = method.last4;
    charge.funding = method.funding;
    charge.country = method.country;
    charge.fingerprint = method.fingerprint;
    charge.exp_month = method.exp_month;
    charge.exp_year = method.exp_year;
    charge.three_d_secure = intent.card_options.three_d_secure;
    charge.off_session = intent.off_session;
    charge.moto = intent.card_options.moto;
    charge.billing_details = method.billing_details;
    charge.has_shipping = intent.has_shipping;
    charge.shipping = intent.shipping;
    charge.metadata = intent.metadata;

    intent.latest_charge = charge.id;
    intent.payment_method = method.id;
    intent.status = "processing";
    intent.connector = connector.id().text();
    model::Attempt attempt = new_attempt("authorise", connector, intent, intent.amount);
    attempt.pending_transfer = to_string(model::transfer_id(attempt.id, "authorisation"));
    attempt.idempotency_key = idempotency_key;
    intent.live_attempt = attempt.id;
    intent.pending_transfer = attempt.pending_transfer;

    change.put(charge.id, charge, 0);
    change.link(Kind::payment_charge, intent.id, charge.id);
    if (!charge.customer.empty()) {
        change.link(Kind::customer_charge, charge.customer, charge.id);
    }
    if (!charge.transfer_group.empty()) {
        change.link(Kind::group_charge, model::link_digest(charge.transfer_group), charge.id);
    }
    open_attempt(change, attempt, connector);
    if (!merchants_.has_accounts(payment.owner, intent.connector, intent.currency)) {
        ensure_accounts(change, payment.book(), intent.connector, payment.merchant->id);
    }
    change.post(model::authorisation(
        payment.book(), attempt.id, connector.id().text(), payment.merchant->id, intent.amount
    ));
    return {std::move(attempt), std::move(charge)};
}

// Everything that is about to be tried, in one command; as it is stored when it is durable.
asio::awaitable<ApiResult<void>> Payments::first_attempt(
    Case& payment, connectors::Connector* connector, Caller caller
) {
    model::PaymentIntent const& intent = payment.intent.value;
    model::PaymentMethod& method = payment.method.value;
    Change change{payment.owner, caller.cause()};
    claim(change, caller);
    if (method.customer.empty()) {
        method.spent_by = intent.id;
        change.put(method.id, payment.method);
    }
    if (payment.intent.version == 0 && !intent.customer.empty()) {
        change.link(Kind::customer_intent, intent.customer, intent.id);
    }
    Begun begun = begin_authorisation(payment, *connector, caller.idempotency_key, change);
    payment.attempt.value = std::move(begun.attempt);
    payment.charge.value = std::move(begun.charge);
    if (payment.intent.version == 0) {
        announce_intent(payment.objects(), "payment_intent.created", change);
    }
    change.put(intent.id, payment.intent);
    FLORIN_FAILPOINT("authorise", "intent_decided");
    bool const has_new_accounts = !change.command.ensure_accounts.empty();
    auto const receipt = co_await commit(std::move(change), true);
    if (!receipt) {
        co_return std::unexpected{receipt.error()};
    }
    if (has_new_accounts) {
        merchants_.accounts_are_stored(payment.owner, intent.connector, intent.currency);
    }
    bool const is_method_written = method.customer.empty();
    payment.method.version += is_method_written ? 1 : 0;
    payment.attempt.version = payment.charge.version = 1;
    ++payment.intent.version;
    co_return ApiResult<void>{};
}

asio::awaitable<ApiResult<Done>> Payments::authorise(
    OwnCase payment, Routes routes, CardSecrets secrets, Waiter waiter
) {
    std::string const owner = payment->owner;
    auto const begun = co_await first_attempt(*payment, routes[0], waiter.caller);
    if (!begun) {
        co_return std::unexpected{begun.error()};
    }
    Next next;
    next.authorise_attempt = payment->attempt.value.id;
    waiter.caller.key_version = waiter.caller.idempotency_key.empty() ? 0 : 1;
    OwnCase known = std::move(payment);
    for (std::size_t route = 0; !next.authorise_attempt.empty(); ++route) {
        std::string const attempt_id = next.authorise_attempt;
        Driving const driving{*this, owner + "/" + attempt_id};
        if (known == nullptr) {
            auto loaded = load_case(owner, attempt_id);
            if (!loaded) {
                co_return std::unexpected{api::internal_error(loaded.error().context)};
            }
            known = std::move(*loaded);
        }
        known->attempt.value.stan = stan_of(known->attempt.value);
        connectors::Reply const reply = co_await send(*known, secrets, false);
        bool const is_soft = reply.outcome == connectors::Outcome::declined &&
                             connectors::iso8583::meaning_of(reply.response_code).is_soft;
        bool const goes_on = route + 1 < routes.size() &&
                             (reply.outcome == connectors::Outcome::not_sent || is_soft);
        model::Evidence const evidence = said(reply, 1);
        auto* const other = goes_on ? routes[route + 1] : nullptr;
        auto noted = co_await note(
            owner, attempt_id, evidence, reply, &waiter, other, nullptr, std::move(known)
        );
        if (!noted) {
            co_return std::unexpected{api::internal_error(noted.error().context)};
        }
        next = std::move(*noted);
    }
    drive_in_background(owner, {.drive_attempt = next.drive_attempt});
    if (!next.capture_attempt.empty()) {
        // The capture is part of the same answer.
        co_return co_await send_and_note(
            next.capture_attempt, std::move(waiter), std::move(next.capture)
        );
    }
    if (!waiter.done) {
        co_return std::unexpected{api::internal_error("an outcome without an answer")};
    }
    co_return std::move(*waiter.done);
}

}  // namespace florin::flow
