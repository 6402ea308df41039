#include "daemon/api/request_content.h"

#include "daemon/api/redact.h"

#include <algorithm>

namespace florin::api {
namespace {

constexpr std::size_t kIdempotencyKeyMax = 255;

// "application/x-www-form-urlencoded", in any case, with or without parameters.
bool is_form_type(std::string_view type) {
    std::string lower;
    for (char const c : type.substr(0, type.find_first_of("; "))) {
        lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return lower == "application/x-www-form-urlencoded";
}

bool is_idempotency_key(std::string_view key) {
    return !key.empty() && http::is_utf8(key) && http::character_count(key) <= kIdempotencyKeyMax &&
           !holds_secret(key);
}

// Of two keys, either would protect only half of the repetitions.
bool has_other_key(http::Request const& request, std::string_view key) {
    constexpr std::string_view kName = "idempotency-key";
    auto const lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::any_of(request.headers, [&](auto const& header) {
        return std::ranges::equal(header.first, kName, {}, lower) && header.second != key;
    });
}

// "+" and at most fifteen digits, as ITU-T E.164 has it, however they are grouped. Some of them
// look like card numbers.
bool is_telephone(std::string_view text) {
    constexpr std::ptrdiff_t kDigitsMax = 15;
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return text.starts_with('+') && std::ranges::count_if(text, is_digit) <= kDigitsMax &&
           std::ranges::all_of(text.substr(1), [&](char c) {
               return is_digit(c) || std::string_view{" -.()/"}.contains(c);
           });
}

// `name`: of the hash or array that this is; empty: of none.
std::optional<ApiError> misplaced_below(http::Form const& form, std::string const& name) {
    for (auto const& [key, item] : form.items) {
        std::string const own = name.empty() ? key : name + "[" + key + "]";
        bool const may_hold_card =
            own == "card[number]" || own == "payment_method_data[card][number]";
        bool const is_phone =
            key == "phone" && !own.contains("metadata") && is_telephone(item.value);
        bool const is_value = item.kind == http::Form::Kind::scalar && !may_hold_card && !is_phone;
        if (holds_secret(key) || (is_value && holds_secret(item.value))) {
            return bad_parameter(
                "",
                shown(own),
                "The parameter " + shown(own) +
                    " holds what looks like a card number or a secret key. Card numbers are "
                    "accepted as card[number] only, keys in the Authorization header only."
            );
        }
        if (auto error = misplaced_below(item, own)) {
            return error;
        }
    }
    return std::nullopt;
}

// Where parameters of a request stand.
enum class Place { query, body };

// GET has its parameters in the query and POST in the body. In the other place they would say
// something that nobody reads, "amount" too: the request is refused. nullopt: nothing is there.
std::optional<ApiError> refuse_place(http::Request const& request, Place place) {
    bool const is_body = place == Place::body;
    std::string const& text = is_body ? request.body : request.query;
    auto const form = http::parse_form(text);
    if (!form) {
        return bad_parameter("", "", "Invalid request: " + form.error().context);
    }
    if (form->items.empty()) {
        return std::nullopt;
    }
    std::string const name = shown(form->items.front().first);
    return bad_parameter(
        "parameter_unknown",
        name,
        "Received unknown parameter: " + name + ". Parameters of a " + request.verb +
            " request are read from its " +
            (is_body ? "URL, and this one has a body." : "body, and this one has some in its URL.")
    );
}

}  // namespace

ApiResult<std::optional<std::string>> idempotency_key_of(http::Request const& request) {
    bool const is_post = request.method == http::Method::post;
    auto const key = is_post ? request.header("Idempotency-Key") : std::nullopt;
    if (!key) {
        return std::nullopt;
    }
    if (has_other_key(request, *key)) {
        return std::unexpected{bad_parameter(
            "", "", "Idempotency-Key: the request has more than one, and they differ."
        )};
    }
    if (!is_idempotency_key(*key)) {
        return std::unexpected{bad_parameter(
            "", "", "Idempotency-Key: expected 1 to 255 characters, no card number and no key."
        )};
    }
    return std::string{*key};
}

std::optional<ApiError> misplaced_secret(http::Form const& form) {
    return misplaced_below(form, {});
}

ApiResult<http::Form> form_of(http::Request const& request) {
    bool const is_get = request.method == http::Method::get;
    bool const is_post = request.method == http::Method::post;
    auto const type = request.header("Content-Type");
    if (!is_get && !request.body.empty() && type && !is_form_type(*type)) {
        return std::unexpected{bad_parameter(
            "", "", "Invalid content type: expected application/x-www-form-urlencoded."
        )};
    }
    auto refused = is_post  ? refuse_place(request, Place::query)
                   : is_get ? refuse_place(request, Place::body)
                            : std::nullopt;
    if (refused) {
        return std::unexpected{std::move(*refused)};
    }
    bool const has_both = !request.query.empty() && !request.body.empty();
    std::string const both = has_both ? request.query + "&" + request.body : "";
    auto form = http::parse_form(
        has_both                ? both
        : request.query.empty() ? request.body
                                : request.query
    );
    if (!form) {
        return std::unexpected{bad_parameter("", "", "Invalid request: " + form.error().context)};
    }
    return std::move(*form);
}

}  // namespace florin::api
