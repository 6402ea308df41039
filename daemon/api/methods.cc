#include "daemon/api/methods.h"

#include "connectors/cards.h"
#include "daemon/api/list.h"
#include "daemon/log/log.h"
#include "ledger/base/calendar.h"

#include <algorithm>

namespace florin::api {
namespace {

namespace asio = boost::asio;
using flow::Done;

ApiError bad_card(std::string code, std::string param, std::string message) {
    ApiError error;
    error.http_status = 402;
    error.type = ErrorType::card_error;
    error.code = std::move(code);
    error.param = std::move(param);
    error.message = std::move(message);
    return error;
}

// What came in as card[…].
struct CardInput {
    std::string token;  // tok_…: a test card instead of a number
    Pan number;
    Cvv cvc;
    std::int64_t exp_month = 0;
    std::int64_t exp_year = 0;
};

std::optional<CardInput> take_card(Parameters& data) {
    Parameters* const card = data.take_hash("card");
    if (card == nullptr) {
        data.refuse_missing("card");
        return std::nullopt;
    }
    CardInput input;
    if (auto token = card->take_string("token", 255)) {
        input.token = std::move(*token);
        return input;
    }
    std::string number = card->require_string("number", 40);
    std::erase_if(number, [](char c) { return c == ' ' || c == '-'; });
    input.number = Pan{std::move(number)};
    input.cvc = Cvv{card->take_string("cvc", 10).value_or("")};
    auto const month = card->take_integer("exp_month", -1'000'000, 1'000'000);
    auto const year = card->take_integer("exp_year", -1'000'000, 1'000'000);
    if (!month) {
        card->refuse_missing("exp_month");
    }
    if (!year) {
        card->refuse_missing("exp_year");
    }
    input.exp_month = month.value_or(0);
    input.exp_year = full_year(year.value_or(0));
    return input;
}

std::optional<ApiError> check_card(CardInput const& card, std::int64_t now_s) {
    auto const digits = card.number.reveal();
    bool const is_digits = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_digits || digits.size() < 12 || digits.size() > 19) {
        return bad_card(
            "invalid_number", "number", "The card number is not a valid credit card number."
        );
    }
    if (!connectors::passes_luhn(digits)) {
        return bad_card("incorrect_number", "number", "Your card number is incorrect.");
    }
    if (auto error = check_expiry(card.exp_month, card.exp_year, now_s)) {
        return error;
    }
    auto const cvc = card.cvc.reveal();
    bool const is_cvc =
        cvc.empty() || ((cvc.size() == 3 || cvc.size() == 4) &&
                        std::ranges::all_of(cvc, [](char c) { return c >= '0' && c <= '9'; }));
    if (!is_cvc) {
        return bad_card("invalid_cvc", "cvc", "Your card's security code is invalid.");
    }
    return std::nullopt;
}

// Test tokens stand for a card that is good for some years.
CardInput from_test_card(connectors::TestCard const& card, std::int64_t now_s) {
    std::tm const utc = utc_of(now_s);
    return {
        .number = Pan{card.number},
        .cvc = Cvv{std::string_view{"123"}},
        .exp_month = utc.tm_mon + 1,
        .exp_year = utc.tm_year + 1900 + 1,
    };
}

}  // namespace

std::int64_t full_year(std::int64_t year) {
    return year >= 0 && year < 100 ? year + 2000 : year;
}

std::optional<ApiError> check_expiry(std::int64_t month, std::int64_t year, std::int64_t now_s) {
    if (month < 1 || month > 12) {
        return bad_card(
            "invalid_expiry_month", "exp_month", "Your card's expiration month is invalid."
        );
    }
    std::tm const utc = utc_of(now_s);
    bool const is_past =
        year < utc.tm_year + 1900 || (year == utc.tm_year + 1900 && month < utc.tm_mon + 1);
    if (is_past || year > utc.tm_year + 1900 + 50) {
        return bad_card(
            "invalid_expiry_year", "exp_year", "Your card's expiration year is invalid."
        );
    }
    return std::nullopt;
}

model::BillingDetails take_billing_details(Parameters* parameters) {
    model::BillingDetails billing;
    if (parameters == nullptr) {
        return billing;
    }
    if (!parameters->take_unset("address")) {
        billing.address = take_address(parameters->take_hash("address"));
    }
    take_text(*parameters, "email", billing.email);
    check_email(*parameters, "email", billing.email);
    take_text(*parameters, "name", billing.name);
    take_text(*parameters, "phone", billing.phone);
    take_text(*parameters, "tax_id", billing.tax_id);
    return billing;
}

ApiResult<ChosenMethod> make_payment_method(
    Call& call, Parameters* data, std::string const& test_token
) {
    auto& ids = call.services.ids;
    ChosenMethod chosen;
    model::PaymentMethod& method = chosen.stored.value;
    CardInput card;
    if (data != nullptr) {
        method.billing_details = take_billing_details(data->take_hash("billing_details"));
        auto taken = take_card(*data);
        if (auto error = call.parameters.finish()) {
            return std::unexpected{*error};
        }
        card = std::move(*taken);
        if (!card.token.empty()) {
            // "tok_visa" is the card that "pm_card_visa" is.
            std::string const token = card.token;
            std::string const name =
                "pm_card_" + token.substr(std::min<std::size_t>(token.size(), 4));
            bool const may = call.caller.mode == model::Mode::test && token.starts_with("tok_") &&
                             connectors::test_card(name);
            if (!may) {
                return std::unexpected{missing_resource("token", token, "card[token]")};
            }
            auto made = make_payment_method(call, nullptr, name);
            if (made) {
                made->stored.value.billing_details = std::move(method.billing_details);
            }
            return made;
        }
        if (auto error = check_card(card, ids.now_s())) {
            return std::unexpected{*error};
        }
    } else {
        auto const known = connectors::test_card(test_token);
        card = from_test_card(*known, ids.now_s());
        method.sandbox_token = test_token;
    }
    method.id = ids.make("pm");
    method.created = ids.now_s();
    connectors::CardFacts const facts = call.services.bins.find(card.number);
    method.brand = facts.brand;
    method.funding = facts.funding;
    method.country = facts.country;
    method.last4 = last_four(card.number);
    method.exp_month = card.exp_month;
    method.exp_year = card.exp_year;
    method.fingerprint = call.services.vault.fingerprint(card.number);
    // A test card is one that everybody knows: its name is enough to find its number again.
    if (method.sandbox_token.empty()) {
        chosen.number = std::move(card.number);
    }
    chosen.cvc = std::move(card.cvc);
    return chosen;
}

ApiResult<ChosenMethod> find_method(Call& call, std::string const& id, char const* param) {
    bool const is_test = call.caller.mode == model::Mode::test;
    if (is_test && connectors::test_card(id)) {
        return make_payment_method(call, nullptr, id);
    }
    auto stored = find<model::PaymentMethod>(call, id, param);
    if (!stored) {
        return std::unexpected{stored.error()};
    }
    return ChosenMethod{.stored = std::move(*stored)};
}

asio::awaitable<ApiResult<void>> keep_card(Call& call, ChosenMethod& method) {
    model::PaymentMethod& value = method.stored.value;
    if (!method.number.empty()) {
        auto const token = co_await call.services.vault.put(call.owner(), std::move(method.number));
        if (!token) {
            co_return std::unexpected{internal_error(token.error().context)};
        }
        value.vault_token = token->text();
    }
    if (!method.cvc.empty()) {
        call.services.vault.hold_cvc(PaymentMethodId{value.id}, std::move(method.cvc));
    }
    co_return ApiResult<void>{};
}

asio::awaitable<ApiResult<Done>> settle_card(Call& call, KeptCard card, ApiResult<Done> result) {
    constexpr int kServerFailed = 500;
    bool const is_refused = !result && result.error().http_status < kServerFailed;
    if (!is_refused || card.vault_token.empty()) {
        co_return result;
    }
    auto const stored =
        flow::load<model::PaymentMethod>(call.documents(), call.owner(), card.method);
    if (!stored || *stored) {
        co_return result;
    }
    VaultToken const token{card.vault_token};
    auto const removed = co_await call.services.vault.remove(call.owner(), token);
    if (!removed) {
        log::error("vault.card_left", {{"what", removed.error().context}});
    }
    co_return result;
}

std::optional<ApiError> check_usable(
    model::PaymentMethod const& method, std::string const& customer
) {
    char const* wrong = nullptr;
    if (!method.customer.empty() && customer.empty()) {
        wrong =
            "The payment method belongs to a customer. Name this customer in the customer "
            "parameter of the PaymentIntent.";
    } else if (!method.customer.empty() && method.customer != customer) {
        wrong = "The payment method belongs to another customer than the PaymentIntent.";
    } else if (!method.spent_by.empty()) {
        wrong =
            "The payment method was used before without being attached to a customer, or was "
            "detached from one. It may not be used again. To use a payment method more than once, "
            "attach it to a customer first.";
    }
    if (wrong == nullptr) {
        return std::nullopt;
    }
    return bad_parameter("payment_method_unexpected_state", "payment_method", wrong);
}

std::optional<ApiError> attach(
    Call& call,
    flow::Change& change,
    flow::Stored<model::PaymentMethod>& method,
    flow::Stored<model::Customer> const& customer
) {
    model::PaymentMethod& value = method.value;
    std::string const& customer_id = customer.value.id;
    if (value.customer == customer_id) {
        return std::nullopt;
    }
    if (!value.customer.empty()) {
        return bad_parameter(
            "payment_method_unexpected_state",
            "",
            "The payment method you provided has already been attached to a customer."
        );
    }
    if (!value.spent_by.empty()) {
        return check_usable(value, customer_id);
    }
    value.customer = customer_id;
    change.put(value.id, method);
    change.link(model::Kind::customer_method, customer_id, value.id);
    if (customer.version != 0) {
        change.guard(model::Kind::customer, customer_id, customer.version);
    }
    change.event(
        call.services.ids,
        "payment_method.attached",
        call.services.renderer.method_json(call.owner(), value, {}).text()
    );
    return std::nullopt;
}

void detach(Call& call, flow::Change& change, flow::Stored<model::PaymentMethod>& method) {
    model::PaymentMethod& value = method.value;
    change.unlink(model::Kind::customer_method, value.customer, value.id);
    value.customer.clear();
    value.spent_by = "detached";
    change.put(value.id, method);
    change.event(
        call.services.ids,
        "payment_method.detached",
        call.services.renderer.method_json(call.owner(), value, {}).text()
    );
}

ApiResult<Done> list_methods_of(Call& call, std::string const& customer, std::string const& url) {
    Page const page = take_page(call.parameters);
    auto const type = call.parameters.take_string("type", 40);
    auto const expand = finish(call, ObjectKind::payment_method, "data.");
    if (!expand) {
        return std::unexpected{expand.error()};
    }
    if (!customer.empty()) {
        if (auto const known = find_customer(call, customer, "customer"); !known) {
            return std::unexpected{known.error()};
        }
    }
    if (type && *type != "card") {
        return empty_list(url);
    }
    Listing listing{.kind = model::Kind::payment_method, .prefix = "pm", .url = url, .link = {}};
    if (!customer.empty()) {
        listing.link = {.kind = model::Kind::customer_method, .from = customer};
    }
    auto const render = [&](model::PaymentMethod const& method) -> std::optional<Json> {
        return call.services.renderer.method_json(call.owner(), method, *expand);
    };
    return list_of<model::PaymentMethod>(call, listing, page, {}, render);
}

}  // namespace florin::api
