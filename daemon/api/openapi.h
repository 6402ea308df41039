// The merchant API as an OpenAPI 3.1 document: openapi/*.json and the rows of the route table.
// Thread rule: any thread.
#pragma once

#include "daemon/api/openapi_builder.h"

#include <string>
#include <vector>

namespace florin::api {

// Every row that merchants' requests are looked up in.
std::vector<OpenApiRow> merchant_rows();
Result<OpenApiDocument> merchant_openapi();
// Its text, made once.
std::string const& openapi_text();

}  // namespace florin::api
