#include "daemon/api/openapi.h"

#include "daemon/api/service.h"
#include "ledger/base/check.h"

namespace florin::api {
namespace {

constexpr OpenApiDescription kDescriptions[] = {
#include "api_openapi.inc"
};

}  // namespace

std::vector<OpenApiRow> merchant_rows() {
    std::vector<OpenApiRow> rows;
    for (auto const& [method, pattern] : all_routes().patterns()) {
        rows.push_back({.method = std::string{http::method_name(method)}, .path = pattern});
    }
    return rows;
}

Result<OpenApiDocument> merchant_openapi() {
    return make_openapi(kDescriptions, merchant_rows());
}

std::string const& openapi_text() {
    static std::string const text = [] {
        auto made = merchant_openapi();
        FLORIN_CHECK(made.has_value(), "the description of the merchant API is sound");
        return std::move(made->text);
    }();
    return text;
}

}  // namespace florin::api
