// /v1/payment_methods, and cards wherever they come in.
#include "connectors/cards.h"
#include "daemon/api/service.h"
#include "ledger/base/calendar.h"

#include <nlohmann/json.hpp>

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
    input.exp_year = year.value_or(0);
    if (input.exp_year >= 0 && input.exp_year < 100) {
        input.exp_year += 2000;
    }
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
    if (card.exp_month < 1 || card.exp_month > 12) {
        return bad_card(
            "invalid_expiry_month", "exp_month", "Your card's expiration month is invalid."
        );
    }
    std::tm const utc = utc_of(now_s);
    bool const is_past = card.exp_year < utc.tm_year + 1900 ||
                         (card.exp_year == utc.tm_year + 1900 && card.exp_month < utc.tm_mon + 1);
    if (is_past || card.exp_year > utc.tm_year + 1900 + 50) {
        return bad_card(
            "invalid_expiry_year", "exp_year", "Your card's expiration year is invalid."
        );
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

asio::awaitable<ApiResult<Done>> create(Call& call) {
    Parameters& parameters = call.parameters;
    parameters.take_enum("type", {"card"});
    if (!parameters.has("type")) {
        parameters.refuse_missing("type");
    }
    auto const metadata = parameters.take_metadata();
    parameters.take_enum("allow_redisplay", {"always", "limited", "unspecified"});
    auto const expand = parameters.take_strings("expand");
    std::string const by_number;
    auto method = co_await make_payment_method(call, &parameters, by_number);
    if (!method) {
        co_return std::unexpected{method.error()};
    }
    if (metadata) {
        flow::merge_metadata(method->metadata, metadata->changes);
    }
    if (auto const expansions = Expansions::make(ObjectKind::payment_method, expand); !expansions) {
        co_return std::unexpected{expansions.error()};
    }
    Done const done{200, to_body(call.services.renderer.method_json(call.owner(), *method))};
    co_return co_await call.services.payments.store_method(call.caller, std::move(*method), done);
}

asio::awaitable<ApiResult<Done>> retrieve(Call& call) {
    auto const expand = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        co_return std::unexpected{*error};
    }
    if (auto const expansions = Expansions::make(ObjectKind::payment_method, expand); !expansions) {
        co_return std::unexpected{expansions.error()};
    }
    auto const method = flow::load<model::PaymentMethod>(call.documents(), call.owner(), call.id());
    if (!method) {
        co_return std::unexpected{internal_error(method.error().context)};
    }
    if (!*method) {
        co_return std::unexpected{missing_resource("PaymentMethod", call.id())};
    }
    co_return Done{
        200, to_body(call.services.renderer.method_json(call.owner(), (*method)->value))
    };
}

}  // namespace

model::Address take_address(Parameters* parameters) {
    model::Address address;
    if (parameters == nullptr) {
        return address;
    }
    address.city = parameters->take_settable("city").value.value_or("");
    address.country = parameters->take_settable("country").value.value_or("");
    address.line1 = parameters->take_settable("line1").value.value_or("");
    address.line2 = parameters->take_settable("line2").value.value_or("");
    address.postal_code = parameters->take_settable("postal_code").value.value_or("");
    address.state = parameters->take_settable("state").value.value_or("");
    return address;
}

model::BillingDetails take_billing_details(Parameters* parameters) {
    model::BillingDetails billing;
    if (parameters == nullptr) {
        return billing;
    }
    billing.address = take_address(parameters->take_hash("address"));
    billing.email = parameters->take_settable("email").value.value_or("");
    billing.name = parameters->take_settable("name").value.value_or("");
    billing.phone = parameters->take_settable("phone").value.value_or("");
    parameters->take_settable("tax_id");
    return billing;
}

asio::awaitable<ApiResult<model::PaymentMethod>> make_payment_method(
    Call& call, Parameters* data, std::string const& test_token
) {
    auto& ids = call.services.ids;
    model::PaymentMethod method;
    CardInput card;
    if (data != nullptr) {
        method.billing_details = take_billing_details(data->take_hash("billing_details"));
        auto taken = take_card(*data);
        if (auto error = call.parameters.finish()) {
            co_return std::unexpected{*error};
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
                co_return std::unexpected{missing_resource("token", token, "card[token]")};
            }
            auto billing = std::move(method.billing_details);
            auto made = co_await make_payment_method(call, nullptr, name);
            if (made) {
                made->billing_details = std::move(billing);
            }
            co_return made;
        }
        if (auto error = check_card(card, ids.now_s())) {
            co_return std::unexpected{*error};
        }
        method.funding = "credit";
    } else {
        auto const known = connectors::test_card(test_token);
        card = from_test_card(*known, ids.now_s());
        method.funding = known->funding;
        method.sandbox_token = test_token;
    }
    method.id = ids.make("pm");
    method.created = ids.now_s();
    method.brand = connectors::brand_of(card.number);
    method.last4 = last_four(card.number);
    method.country = "US";
    method.exp_month = card.exp_month;
    method.exp_year = card.exp_year;
    method.fingerprint = call.services.vault.fingerprint(card.number);
    // The number is durable in the vault before anything refers to it.
    auto const token = co_await call.services.vault.put(call.owner(), std::move(card.number));
    if (!token) {
        co_return std::unexpected{internal_error(token.error().context)};
    }
    method.vault_token = token->text();
    if (!card.cvc.empty()) {
        call.services.vault.hold_cvc(PaymentMethodId{method.id}, std::move(card.cvc));
    }
    co_return method;
}

void add_payment_methods(Routes& routes) {
    routes.add(http::Method::post, "/v1/payment_methods", create);
    routes.add(http::Method::get, "/v1/payment_methods/:id", retrieve);
}

}  // namespace florin::api
