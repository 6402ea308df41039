// The operators' API as an OpenAPI 3.1 document: openapi/*.json and the rows of the route table.
// Thread rule: any thread.
#pragma once

#include "daemon/api/openapi_builder.h"

#include <string>
#include <vector>

namespace florin::admin {

std::vector<api::OpenApiRow> openapi_rows();
Result<api::OpenApiDocument> admin_openapi();
// Its text, made once.
std::string const& openapi_text();

}  // namespace florin::admin
