#include "daemon/api/objects.h"

#include "daemon/api/redact.h"

#include <algorithm>

namespace florin::api {
ApiResult<flow::Stored<model::Customer>> find_customer(
    Call& call, std::string const& id, char const* param
) {
    auto customer = find<model::Customer>(call, id, param);
    if (customer && customer->value.deleted) {
        return std::unexpected{missing_resource("customer", id, param)};
    }
    return customer;
}

ApiResult<Expansions> finish(Call& call, ObjectKind kind, std::string const& prefix) {
    auto const paths = call.parameters.take_strings("expand");
    if (auto error = call.parameters.finish()) {
        return std::unexpected{*error};
    }
    return Expansions::make(kind, paths, call.key, prefix);
}

void note_update(
    Call& call,
    flow::Change& change,
    std::string type,
    std::string const& before,
    std::string const& after
) {
    if (before == after) {
        return;
    }
    change.event(call.services.ids, std::move(type), after, previous_attributes(before, after));
}

void take_text(
    Parameters& parameters, char const* name, std::string& into, std::size_t length_max
) {
    auto taken = parameters.take_settable(name, length_max);
    if (taken.is_given) {
        into = taken.value.value_or("");
    }
}

model::Address take_address(Parameters* parameters) {
    model::Address address;
    if (parameters == nullptr) {
        return address;
    }
    take_text(*parameters, "city", address.city);
    take_text(*parameters, "country", address.country);
    take_text(*parameters, "line1", address.line1);
    take_text(*parameters, "line2", address.line2);
    take_text(*parameters, "postal_code", address.postal_code);
    take_text(*parameters, "state", address.state);
    return address;
}

bool take_shipping(Parameters& parameters, bool& has_shipping, model::Shipping& shipping) {
    if (parameters.take_unset("shipping")) {
        has_shipping = false;
        shipping = {};
        return true;
    }
    Parameters* const given = parameters.take_hash("shipping");
    if (given == nullptr) {
        return false;
    }
    has_shipping = true;
    shipping = {};
    // It is replaced as a whole: a part of it would take away the rest unsaid.
    shipping.address = take_address(given->take_hash("address"));
    if (!given->has("address")) {
        given->refuse_missing("address");
    }
    shipping.name = given->require_string("name");
    take_text(*given, "phone", shipping.phone);
    take_text(*given, "carrier", shipping.carrier);
    take_text(*given, "tracking_number", shipping.tracking_number);
    return true;
}

std::optional<ApiError> change_metadata(
    model::Metadata& metadata, std::optional<MetadataChange> const& wanted
) {
    if (!wanted) {
        return std::nullopt;
    }
    Metadata const changes = wanted->against(metadata);
    if (auto error = check_metadata_size(metadata, changes)) {
        return error;
    }
    flow::merge_metadata(metadata, changes);
    return std::nullopt;
}

void check_email(Parameters& parameters, char const* name, std::string const& email) {
    if (email.empty()) {
        return;
    }
    auto const at = email.find('@');
    bool const is_fine =
        at != std::string::npos && at > 0 && at + 1 < email.size() &&
        email.find('@', at + 1) == std::string::npos &&
        std::ranges::none_of(email, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
    if (!is_fine) {
        parameters.refuse(bad_parameter(
            "email_invalid", parameters.name_of(name), "Invalid email address: " + shown(email)
        ));
    }
}

}  // namespace florin::api
