#include "daemon/admin/openapi.h"

#include "daemon/admin/service.h"
#include "ledger/base/check.h"

namespace florin::admin {
namespace {

constexpr api::OpenApiDescription kDescriptions[] = {
#include "admin_openapi.inc"
};

}  // namespace

std::vector<api::OpenApiRow> openapi_rows() {
    std::vector<api::OpenApiRow> rows;
    for (Row const& row : all_rows()) {
        std::string const access = row.access == api::Access::read ? "read " : "write ";
        rows.push_back(
            {.method = std::string{http::method_name(row.method)},
             .path = row.path,
             .right = row.resource.empty() ? "" : access + row.resource}
        );
    }
    return rows;
}

Result<api::OpenApiDocument> admin_openapi() {
    return api::make_openapi(kDescriptions, openapi_rows());
}

std::string const& openapi_text() {
    static std::string const text = [] {
        auto made = admin_openapi();
        FLORIN_CHECK(made.has_value(), "the description of the operators' API is sound");
        return std::move(made->text);
    }();
    return text;
}

}  // namespace florin::admin
